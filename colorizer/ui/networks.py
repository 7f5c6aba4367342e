"""Which network colors: the bundled one, one of the user's, or one that others have published, to be downloaded."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import gradio as gr

from ..errors import UserError
from ..model.checkpoints import BUNDLED
from ..model.published import PUBLISHED, bytes_there, download_bytes, fetch_published, find_published, needs
from .access import check_owner
from .common import friendly, network_names, plain, progress_bar

_ASK_SECONDS = 0.3  # between looks at how much has arrived
_HERE = "It is on this computer."


def network_dropdown(**more: Any) -> gr.Dropdown:
    """The choice; its list is made anew each time it is opened."""
    dropdown = gr.Dropdown(
        label="Network", choices=[BUNDLED], value=BUNDLED, allow_custom_value=True,
        info="The bundled one, one of yours, or one that others have published", **more,
    )  # fmt: skip
    dropdown.focus(lambda: gr.Dropdown(choices=network_names()), None, dropdown, api_visibility="private")
    return dropdown


def is_there(name: str) -> bool:
    """Whether a network can be used at once."""
    return name not in PUBLISHED or find_published(name) is not None


def about(name: str) -> str:
    """What there is to know of a network before it is used, as Markdown."""
    if name not in PUBLISHED:
        return ""
    entry = PUBLISHED[name]
    here = _HERE if is_there(name) else "It is not on this computer yet."
    return (
        f"**{plain(name)}**: {entry.about}. [{entry.spec.source.removeprefix('https://')}]({entry.spec.source}), "
        f"{entry.spec.license}. {needs(name)}. It takes {entry.can}; it knows no alternatives. {here}"
    )


@friendly
def describe(name: str) -> tuple[Any, ...]:
    """Of the network that was chosen: words, the button to download it, and the room for progress."""
    return about(name), gr.Button(visible=not is_there(name), value=f"Download {name}"), gr.HTML(visible=False)


@friendly
def download(name: str) -> Iterator[tuple[Any, ...]]:
    """Fetch a published network: words, button, progress; why it could not be had is in the words."""
    check_owner()
    failed: list[str] = []

    def fetch() -> None:
        try:
            fetch_published(name)
        except UserError as error:
            failed.append(str(error))

    worker, total = threading.Thread(target=fetch, daemon=True), download_bytes(name)
    worker.start()
    while worker.is_alive():
        there = min(bytes_there(name), total)
        words = f"{there / 1e6:.0f} of {total / 1e6:.0f} MB"
        yield gr.skip(), gr.Button(visible=False), progress_bar(there, total, words)
        worker.join(_ASK_SECONDS)
    if failed:
        refused = f'<span class="refused" role="alert">{plain(failed[0])}</span>'
        yield f"{about(name)}\n\n{refused}", gr.Button(visible=True), gr.HTML(visible=False)
        raise UserError(failed[0])
    yield about(name), gr.Button(visible=False), gr.HTML(visible=False)


def name_it(name: str) -> tuple[Any, ...]:
    """Say which network colors, unless it is the usual one."""
    return gr.Row(visible=name != BUNDLED), f"The network **{plain(name)}** colors."


def named_row() -> tuple[gr.Row, gr.Markdown, gr.Button]:
    """Where that is said, with the way back."""
    with gr.Row(visible=False, elem_id="which", equal_height=True) as row:
        words = gr.Markdown()
        usual = gr.Button("Use the bundled network", size="sm", scale=0, min_width=190)
    return row, words, usual


def network_choice(**more: Any) -> tuple[gr.Dropdown, gr.events.Dependency]:
    """The choice with what is known of each, and a button to download what is not here.

    Returns:
        the dropdown, and the event of a finished download.
    """
    dropdown = network_dropdown(**more)
    words = gr.Markdown(elem_classes="about-network")
    fetch = gr.Button("Download", size="sm", visible=False)
    progress = gr.HTML(visible=False)
    card = [words, fetch, progress]
    dropdown.change(describe, dropdown, card, api_visibility="private", show_progress="hidden")
    fetched = fetch.click(
        download, dropdown, card, api_visibility="private", show_progress="hidden", trigger_mode="once"
    )
    return dropdown, fetched

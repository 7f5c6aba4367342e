"""The page with its tabs, and its server."""

from __future__ import annotations

import json
import threading
from importlib.resources import files

import gradio as gr
import numpy as np

from ..limits import limits
from . import colorize, evaluate, film, train
from .common import colorizer_for, computing
from .page import PageBlocks
from .texts import LANGUAGES, texts
from .theme import CSS, theme

_PAGE_JS, _TRANSLATE_JS = (
    files(__package__).joinpath(f"{name}.js").read_text(encoding="utf-8") for name in ("page", "translate")
)


def build() -> gr.Blocks:
    """The page with its tabs."""
    with PageBlocks(title="Colorizer", delete_cache=(3600, 3600), analytics_enabled=False) as page:
        gr.Markdown("# Colorizer\nBlack-and-white photographs in color.", elem_id="title")
        with gr.Tabs(selected="colorize") as tabs:
            with gr.Tab("Colorize", id="colorize"):
                coloring = colorize.build(page)
            with gr.Tab("Film", id="film"):
                film.build(tabs, coloring)
            with gr.Tab("Train", id="train") as training:
                pass
            with gr.Tab("Evaluate", id="evaluate"):
                evaluate_with = evaluate.build()
            with training:
                parts = train.build(tabs, coloring.checkpoint, evaluate_with)
        page.load(
            None,
            js=_TRANSLATE_JS.replace("LANGUAGES_AND_TEXTS;", f"{json.dumps([LANGUAGES, texts()])};"),
            api_visibility="private",
        )
        page.load(None, js=_PAGE_JS, api_visibility="private")
        page.load(train.greet, None, parts, api_visibility="private", show_progress="hidden")
    return page.queue(max_size=limits().queue, default_concurrency_limit=4)


def serve() -> None:
    """Serve the page until it is closed; Gradio itself honors its variables of the environment."""
    page, largest = build(), f"{limits().upload_megabytes}mb"
    page.launch(
        theme=theme(), css=CSS, max_file_size=largest, footer_links=["api", "settings"], prevent_thread_lock=True
    )
    # The first photo and the first stroke should not wait for what they need, nor the page for them.
    warm_up = computing(lambda: colorizer_for(None)(np.full((256, 256), 128, np.uint8), hints=[(128, 128, 8, "gray")]))
    threading.Thread(target=warm_up, daemon=True).start()
    page.block_thread()

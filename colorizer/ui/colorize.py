"""The Colorize tab: drop a photo, see it in colour, take it home."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import gradio as gr

from ..errors import UserError
from ..pictures import Photo, eight_bit, read_picture, write_picture
from .common import EXAMPLES, HEAVY, colorizer_for, friendly, result_folder


def _colour(picture: str | None, name: str | None = None) -> tuple[Photo, Path]:
    """(the photo as it came, the file of its coloured copy)."""
    if not picture:
        raise UserError("Give a photograph first.")
    photo = read_picture(picture)
    target = result_folder() / f"{Path(name or picture).stem}-color.png"
    write_picture(colorizer_for(None).colorize(photo), target)
    return photo, target


@friendly
def colorize(picture: str) -> str:
    """Colour a photograph at its own size.

    Args:
        picture: a JPEG, PNG, WebP or TIFF file.
    Returns:
        the coloured picture, a PNG file of the same size and depth.
    """
    return str(_colour(picture)[1])


@friendly
def show(picture: str | None) -> tuple[tuple[str, str] | None, gr.DownloadButton]:
    """Colour what was dropped and show both."""
    if not picture:
        return None, gr.DownloadButton(interactive=False, value=None)
    photo, target = _colour(picture)
    before = target.with_name("before.jpg")
    write_picture(replace(photo, rgb=eight_bit(photo.rgb), alpha=None), before, quality=92)
    return (str(before), str(target)), gr.DownloadButton(interactive=True, value=str(target))


def build() -> None:
    """Lay out the tab."""
    with gr.Row():
        with gr.Column(scale=2, min_width=280):
            photo = gr.Image(
                label="Your photograph", type="filepath", image_mode=None, elem_id="drop",
                sources=["upload", "clipboard", "webcam"], placeholder="Drop a photograph here, paste one, or click",
            )  # fmt: skip
            pictures = sorted(str(p) for p in (EXAMPLES / "black-and-white").glob("*.jpg"))
            gr.Examples(pictures, photo, label="Or try one of these", api_visibility="private")
        with gr.Column(scale=3, min_width=280):
            slider = gr.ImageSlider(
                label="Before and after: drag the line", type="filepath", interactive=False,
                elem_id="slider", buttons=["fullscreen"],
            )  # fmt: skip
            download = gr.DownloadButton("Download PNG", variant="primary", interactive=False)
    photo.change(show, photo, [slider, download], concurrency_id=HEAVY, api_visibility="private")
    asked, answered = gr.File(visible=False), gr.File(visible=False)
    asked.upload(colorize, asked, answered, concurrency_id=HEAVY, api_name="colorize")

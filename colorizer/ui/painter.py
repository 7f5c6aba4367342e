"""The canvas on which a user paints strokes of known color. A small component of our own, because a stroke is a hint:
it goes to the network as a line of points, and the picture below it is colored anew while it stays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

# What people most often know, as seen on well-lit things.
SWATCHES = {
    "Skin, light": "#d9a883", "Skin, dark": "#7d5238", "Hair, blond": "#b99a63", "Hair, brown": "#5b4030",
    "Red": "#a32a2a", "Wine": "#6b2237", "Ochre": "#b5862c", "Khaki": "#82764f", "Olive": "#565c2e",
    "Grass": "#5f7f38", "Sky": "#86aed6", "Denim": "#4d6a8f", "Navy": "#27375f", "Violet": "#6d4d86",
    "Wood": "#85603c", "Brick": "#9a5440", "Gray": "#808080",
}  # fmt: skip


_TEMPLATE = """
<div class="painter">
  <canvas tabindex="0" role="img" aria-label="The photo: paint on it"></canvas>
  <div class="tools">
    <div class="swatches">{swatches}</div>
    <label title="Any color">Color <input type="color" value="#a32a2a" aria-label="Color"></label>
    <label title="Size of the brush">Brush <input type="range" min="0" max="100" value="50" aria-label="Brush"></label>
    <button type="button" data-act="undo" disabled>Undo</button>
    <button type="button" data-act="clear" disabled>Clear</button>
  </div>
</div>
"""


def painter(**more: Any) -> gr.HTML:
    """An empty one; its `value` is a list of strokes as of `hints.parse_hints`, its `input` event says they changed.

    It is given a photo by `gr.HTML(src=URL, width=..., height=...)`.
    """
    swatches = "".join(
        f'<button type="button" data-color="{color}" title="{name}" aria-label="{name}" style="background:{color}">'
        "</button>"
        for name, color in SWATCHES.items()
    )
    return gr.HTML(
        [], html_template=_TEMPLATE.format(swatches=swatches), js_on_load=Path(__file__).with_suffix(".js").read_text(),
        src="", width=0, height=0, apply_default_css=False, **more,
    )  # fmt: skip

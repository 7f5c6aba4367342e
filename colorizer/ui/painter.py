"""A canvas on which strokes of known color are painted on a photo, as a component for the page.

A stroke is a line of points with a color, not pixels: it is never found again in an image, undo takes it back as a
whole, and what was colored under it can be shown anew while it stays.
"""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import gradio as gr

# What people most often know, as seen on well-lit things.
SWATCHES = {
    "Skin": {"Pale": "#e0b69a", "Light": "#d9a883", "Tan": "#b98561", "Brown": "#966344", "Dark": "#6b4630",
             "Lips": "#b5655f"},
    "Hair and eyes": {"Blond": "#b99a63", "Red hair": "#8d4f2f", "Brown hair": "#5b4030", "Black hair": "#2e2a29",
                      "Blue eyes": "#6f90ad", "Brown eyes": "#6a4a31"},
    "Cloth": {"Red": "#a32a2a", "Wine": "#6b2237", "Ochre": "#b5862c", "Denim": "#4d6a8f", "Violet": "#6d4d86",
              "Linen": "#d8cbb0"},
    "Uniforms": {"Khaki": "#82764f", "Olive": "#565c2e", "Navy": "#27375f", "Union blue": "#3b4a6b",
                 "Field gray": "#6b7168", "Brass": "#b08d3e"},
    "Sky and water": {"Sky": "#86aed6", "Evening": "#d99a6c", "Sea": "#3f6f86", "River": "#6f8578"},
    "Plants": {"Grass": "#5f7f38", "Leaves": "#4a6a2f", "Straw": "#c2a860", "Rose": "#b8475f"},
    "Wood and stone": {"Wood": "#85603c", "Brick": "#9a5440", "Sandstone": "#b9a27d", "Slate": "#6c737a",
                       "Gray": "#808080"},
}  # fmt: skip
_FIRST = "Cloth"
_TEMPLATE = """
<div class="painter">
  <canvas tabindex="0" role="img" aria-label="The photo: paint on it. Arrow keys move the brush, Enter puts it down and
    lifts it, [ and ] change its size, plus, minus and 0 zoom."></canvas>
  <div class="suggestions" role="group" aria-label="Colors for this thing" hidden></div>
  <div class="reference" hidden>
    <img tabindex="0" alt="Another picture: click on it to take a color, or move about in it by the arrow keys.">
    <button type="button" data-act="close">Close</button>
  </div>
  <p class="note" role="status" hidden></p>
  <div class="tools">
    <div class="modes" role="group" aria-label="Tool">
      <button type="button" data-tool="paint" title="Color the thing under a stroke">Paint</button>
      <button type="button" data-tool="protect" title="Keep the thing under a stroke as it is">Protect</button>
      <button type="button" data-tool="pick" title="Take a color from the picture">Pick color</button>
      <button type="button" data-tool="select" title="Select a stroke, to change or remove it">Select</button>
      <button type="button" data-tool="suggest" title="Click a thing to see six colors for it">Suggest</button>
    </div>
    <div class="modes">
      <button type="button" data-act="undo" title="Ctrl-Z" disabled>Undo</button>
      <button type="button" data-act="redo" title="Ctrl-Shift-Z" disabled>Redo</button>
      <button type="button" data-act="remove" title="The selected stroke; Delete" disabled>Remove</button>
      <button type="button" data-act="clear" disabled>Clear</button>
    </div>
    <div class="modes">
      <button type="button" data-act="save" title="Save the strokes as a file, NAME.hints.json" disabled>Save</button>
      <button type="button" data-act="load" title="Load strokes from a file">Load</button>
      <button type="button" data-act="borrow" title="Take colors from another picture">Other picture</button>
      <input type="file" name="strokes" accept=".json,application/json" aria-label="File of strokes" hidden>
      <input type="file" name="reference" accept="image/*" aria-label="Picture to take colors from" hidden>
    </div>
    <select name="group" aria-label="Swatches">{names}<option>Last used</option></select>
    {groups}<div class="swatches" data-group="Last used" hidden></div>
    <label title="Any color">Color <input type="color" name="color" value="#a32a2a" aria-label="Color"></label>
    <label title="Size of the brush: [ and ]">Brush
      <input type="range" name="brush" min="0" max="100" value="50" aria-label="Brush"></label>
    <label title="How far a stroke goes: the surest part of its object, all of it, all that is alike">Reach
      <input type="range" name="reach" min="-1" max="1" step="0.25" value="0" aria-label="Reach"></label>
    <label title="The network may change other colors to match"><input type="checkbox" name="influence">
      Influence the rest</label>
  </div>
</div>
"""


def painter(**more: Any) -> gr.HTML:
    """An empty one; its `value` is a list of strokes as of `hints.parse_hints`, its `input` event says they changed.

    It is given a photo by `gr.HTML(src=URL, width=..., height=..., name=...)`, words about the strokes as `note`, and
    the tools that the network can't use, "influence" and "suggest", as `lacks`.
    Its `edit` event asks for the `mask` of event.stroke, {"n": event.n, "url": ...}; its `select` event for
    `suggestions` of event.stroke, {"n": event.n, "offers": [{"stroke": ..., "url": ...}, ...]}; its `upload` event
    brings event.text, a file of strokes.
    """
    groups = "".join(
        f'<div class="swatches" data-group="{group}"{"" if group == _FIRST else " hidden"}>'
        + "".join(
            f'<button type="button" data-color="{color}"><i style="background:{color}"></i>{name}</button>'
            for name, color in swatches.items()
        )
        + "</div>"
        for group, swatches in SWATCHES.items()
    )
    names = "".join(f"<option{' selected' if group == _FIRST else ''}>{group}</option>" for group in SWATCHES)
    return gr.HTML(
        [], html_template=_TEMPLATE.format(groups=groups, names=names),
        js_on_load=files(__package__).joinpath("painter.js").read_text(encoding="utf-8"),
        src="", width=0, height=0, name="", note="", mask={}, suggestions={}, lacks=[], apply_default_css=False, **more,
    )  # fmt: skip

"""How bold colors are, as one of a few looks or by a slider: the two follow each other."""

from __future__ import annotations

import gradio as gr

from ..inference.settings import LOOKS, Settings

_PERCENT = {name.capitalize(): round(100 * settings.vividness) for name, settings in LOOKS.items()}


def settings_of(vividness: float, saturation: float, strength: float, working_size: float) -> Settings:
    """As the page has them: percent, and 0 for the usual working size."""
    return Settings(
        vividness=vividness / 100,
        saturation=saturation / 100,
        strength=strength / 100,
        working_size=int(working_size) or None,
    )


def looks() -> tuple[gr.Slider, gr.events.Dependency]:
    """The slider of vividness, in percent; and the event of a chosen look, after which it has its new value."""
    look = gr.Radio(
        list(_PERCENT), value="Natural", show_label=False, container=False, elem_classes=["formats", "looks"]
    )
    vividness = gr.Slider(0, 300, _PERCENT["Natural"], step=5, label="Vividness %", info="Bolder guesses", buttons=[])
    names = {percent: name for name, percent in _PERCENT.items()}
    vividness.change(names.get, vividness, look, api_visibility="private", show_progress="hidden")
    return vividness, look.input(_PERCENT.get, look, vividness, api_visibility="private", show_progress="hidden")

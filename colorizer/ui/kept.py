"""The work on the last photographs, kept by the browser: strokes and settings survive a reload, a lost connection and
another photograph, as long as the server still has the picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from .access import is_upload

_KNOBS = 5  # network, vividness, saturation, strength, working size
# What is worked on comes first, as {path, name, strokes, knobs}.
REMEMBER = """(kept, photo, strokes, ...knobs) => {
    if (!photo || !photo.path) return [kept];
    const entry = { path: photo.path, name: photo.orig_name || "", strokes: strokes || [], knobs };
    return [[entry, ...(kept || []).filter((other) => other.path !== photo.path)].slice(0, 4)]; // a list of outputs
}"""


def kept_work() -> gr.BrowserState:
    """Where the browser keeps it."""
    return gr.BrowserState([], storage_key="colorizer-work")


def _entries(kept: Any) -> list[dict[str, Any]]:
    """What can be gone on with; the browser's word is not taken for anything."""
    entries = kept if isinstance(kept, list) else []
    return [
        entry
        for entry in entries
        if isinstance(entry, dict) and isinstance(entry.get("path"), str) and is_upload(entry["path"])
        and isinstance(entry.get("strokes"), list) and isinstance(entry.get("knobs"), list)
        and len(entry["knobs"]) == _KNOBS
    ]  # fmt: skip


def strokes_of(kept: Any, picture: str) -> list[Any]:
    """The strokes that were on a photograph when it was here before."""
    return next((entry["strokes"] for entry in _entries(kept) if entry["path"] == picture), [])


def restored(kept: Any, picture: str | None = None) -> tuple[Any, ...]:
    """The last photograph that is not this one, and its settings; nothing changes if there is none."""
    entry = _last(kept, picture)
    return (entry["path"], *entry["knobs"]) if entry else (gr.skip(),) * (1 + _KNOBS)


def offered(kept: Any, picture: str | None = None) -> gr.Button:
    """The button that goes back to it."""
    entry = _last(kept, picture)
    return gr.Button(f"Back to {Path(entry['path']).name}", visible=True) if entry else gr.Button(visible=False)


def _last(kept: Any, picture: str | None) -> dict[str, Any] | None:
    return next((entry for entry in _entries(kept) if entry["path"] != picture), None)

"""What the tabs share: the look, errors as messages, loaded checkpoints, and a place for results."""

from __future__ import annotations

import functools
import html
import inspect
import os
import shutil
import tempfile
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import gradio as gr

from ..checkpoints import find_checkpoint
from ..errors import UserError
from ..inference import Colorizer
from ..runs import find_runs

PROJECT = Path(__file__).parent.parent.parent
EXAMPLES = PROJECT / "examples"
BUNDLED = "bundled"
HEAVY = "heavy"  # concurrency_id of everything that computes: one at a time
_RESULTS = Path(tempfile.gettempdir()) / f"colorizer-results-{os.getuid() if hasattr(os, 'getuid') else 0}"
_KEEP_SECONDS = 3600

Function = TypeVar("Function", bound=Callable[..., Any])


def theme() -> gr.themes.Base:
    """Warm paper and one accent; the system's own fonts, so that nothing is fetched from elsewhere."""
    sans = ["Inter", "system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif"]
    return gr.themes.Base(
        primary_hue=gr.themes.colors.teal,
        neutral_hue=gr.themes.colors.stone,
        radius_size=gr.themes.sizes.radius_md,
        font=sans,
        font_mono=["ui-monospace", "Menlo", "Consolas", "monospace"],
    ).set(
        button_primary_background_fill="*primary_700",
        button_primary_background_fill_hover="*primary_600",
        button_primary_background_fill_dark="*primary_600",
        button_primary_background_fill_hover_dark="*primary_500",
        button_primary_text_color="white",
        block_label_text_size="*text_sm",
    )


CSS = """
.gradio-container { width: 100% !important; max-width: 76rem !important; margin: 0 auto !important; }
.gradio-container main { width: 100%; }
#title h1 { margin-bottom: 0; } #title p { opacity: .75; margin-top: .1rem; }
#headline { font-size: 1.05rem; } #headline strong { font-size: 2rem; font-variant-numeric: tabular-nums; }
#figures, #figures * { font-family: inherit !important; }
#pictures .thumbnail-item { aspect-ratio: 2.6 !important; }
#drop { height: 420px; } #slider { height: 520px; }
@media (max-width: 640px) { #drop { height: 300px; } #slider { height: 330px; } }
"""


def on_space() -> bool:
    """True on Hugging Face Spaces, where strangers share one machine."""
    return "SPACE_ID" in os.environ


def runs_folder() -> Path:
    """Where training runs are: ./runs, or $COLORIZER_RUNS."""
    return Path(os.environ.get("COLORIZER_RUNS", "runs"))


def friendly(function: Function) -> Function:
    """A UserError becomes a message on the page. Its text is shown as HTML, so it is escaped."""
    if inspect.isgeneratorfunction(function):

        @functools.wraps(function)
        def generator(*args: Any, **kwargs: Any) -> Any:
            try:
                yield from function(*args, **kwargs)
            except UserError as error:
                raise gr.Error(html.escape(str(error)), print_exception=False) from error

        return cast(Function, generator)

    @functools.wraps(function)
    def plain(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except UserError as error:
            raise gr.Error(html.escape(str(error)), print_exception=False) from error

    return cast(Function, plain)


_loading = threading.Lock()


def colorizer_for(checkpoint: str | None) -> Colorizer:
    """The checkpoint's Colorizer, loaded once; `checkpoint` is "bundled", the name of a run, or a path."""
    if not checkpoint or checkpoint == BUNDLED:
        file = find_checkpoint(None)
    else:
        named = runs_folder() / checkpoint
        file = find_checkpoint(named if named.is_dir() else checkpoint)
    with _loading:
        return _load(str(file), file.stat().st_mtime_ns)


@functools.lru_cache(maxsize=3)
def _load(file: str, modified: int) -> Colorizer:
    return Colorizer.from_pretrained(file)


def checkpoint_names() -> list[str]:
    """The bundled checkpoint, and the runs that have one."""
    return [
        BUNDLED, *(r.folder.name for r in find_runs(runs_folder()) if (r.folder / "best.safetensors").exists())
    ]  # fmt: skip


def result_folder() -> Path:
    """A new folder for the files of one answer; those of an hour ago are removed."""
    _RESULTS.mkdir(parents=True, exist_ok=True)
    for old in _RESULTS.iterdir():
        if time.time() - old.stat().st_mtime > _KEEP_SECONDS:
            shutil.rmtree(old, ignore_errors=True)
    folder = _RESULTS / uuid.uuid4().hex
    folder.mkdir()
    return folder


def check_folder(data: str | None) -> str:
    """The data set given, if this server may read it.

    Raises:
        UserError: nothing given, or on a Space a folder that is not the project's.
    """
    if not data or not data.strip():
        raise UserError("Say which pictures: give a folder on this computer, or a zip file.")
    data = data.strip()
    if on_space() and EXAMPLES.resolve() not in [Path(data).resolve(), *Path(data).resolve().parents]:
        raise UserError("On a shared Space only the examples can be used. Duplicate the Space, or run it at home.")
    return data

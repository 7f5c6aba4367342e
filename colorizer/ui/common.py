"""What the tabs share: errors as messages, loaded checkpoints, progress, and a place for results."""

from __future__ import annotations

import contextlib
import contextvars
import functools
import hashlib
import html
import inspect
import os
import shutil
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar, cast

import gradio as gr

from ..errors import UserError
from ..files import writing
from ..inference.colorizer import Colorizer
from ..limits import limits
from ..model.checkpoints import BUNDLED, find_checkpoint
from ..model.published import PUBLISHED, find_published
from ..training.runs import find_runs
from .access import check_checkpoint, is_owner, session

HEAVY = "heavy"  # concurrency_id of everything that computes: one at a time
_RESULTS = Path(tempfile.gettempdir()) / f"colorizer-results-{os.getuid() if hasattr(os, 'getuid') else 0}"
_KEEP_SECONDS = 3600
Function = TypeVar("Function", bound=Callable[..., Any])


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
                raise gr.Error(html.escape(str(error), quote=False), print_exception=False) from error

        return cast(Function, generator)

    @functools.wraps(function)
    def plain(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except UserError as error:
            raise gr.Error(html.escape(str(error), quote=False), print_exception=False) from error

    return cast(Function, plain)


_worker = ThreadPoolExecutor(1, "colorizer")


def computing(function: Function) -> Function:
    """To be run by one thread, always the same: each new one would start a team of OpenMP threads first, which takes
    longer than coloring a photo."""

    @functools.wraps(function)
    def on_the_worker(*args: Any, **kwargs: Any) -> Any:
        context = contextvars.copy_context()  # it says who asks
        return _worker.submit(context.run, function, *args, **kwargs).result()

    return cast(Function, on_the_worker)


_loading = threading.Lock()


def checkpoint_path(checkpoint: str) -> str:
    """What a checkpoint chosen on the page is on a command line: a run's name becomes its folder.

    Raises:
        UserError: a visitor chose another one than the bundled; or a published one is not on this computer yet, which
            is nothing to wait for without a sign.
    """
    check_checkpoint(checkpoint)
    named = runs_folder() / checkpoint
    if checkpoint != BUNDLED and named.is_dir():
        return str(named)
    if checkpoint in PUBLISHED and find_published(checkpoint) is None:
        raise UserError(
            f"The network {checkpoint} is not on this computer yet. Choose it on the Colorize tab, under More, and "
            f"click Download."
        )
    return checkpoint


def colorizer_for(checkpoint: str | None) -> Colorizer:
    """The checkpoint's Colorizer, loaded once; `checkpoint` is "bundled", the name of a run, or a path."""
    file = find_checkpoint(checkpoint_path(checkpoint) if checkpoint else None)
    with _loading:
        return _load(str(file), file.stat().st_mtime_ns)


@functools.lru_cache(maxsize=3)
def _load(file: str, modified: int) -> Colorizer:
    return Colorizer.from_pretrained(file)


def network_names() -> list[str]:
    """`checkpoint_names`, and for whoever runs the page those that others have published."""
    return [*checkpoint_names(), *(PUBLISHED if is_owner() else ())]


def checkpoint_names() -> list[str]:
    """The bundled checkpoint, and the runs that have one, for whoever runs the page."""
    runs = find_runs(runs_folder()) if is_owner() else []
    return [BUNDLED, *(run.folder.name for run in runs if (run.folder / "best.safetensors").exists())]


def result_folder() -> Path:
    """A new folder for the files of one answer. Those of an hour ago go, and the oldest of a page that has much."""
    own = _RESULTS / hashlib.sha256(session().encode()).hexdigest()[:16]  # a client names its session as it likes
    folder = own / uuid.uuid4().hex
    with _tidying:
        with writing(folder):
            folder.mkdir(parents=True)
        put_away([own], _KEEP_SECONDS, limits().visitor_megabytes)
        put_away([f for f in _RESULTS.iterdir() if f.is_dir()], _KEEP_SECONDS, limits().results_megabytes)
        for others in _RESULTS.iterdir():
            with contextlib.suppress(OSError):
                others.rmdir()  # only if there is nothing in it
    return folder


_tidying = threading.Lock()


def put_away(folders: Iterable[Path], seconds: float, megabytes: int) -> None:
    """Remove what lies in folders longer than that, and the oldest as long as the rest takes more room. What vanishes
    meanwhile, or can't be removed, is nobody's error."""
    found = []
    for entry in (entry for folder in folders for entry in folder.iterdir()):
        with contextlib.suppress(OSError):
            size = sum(path.stat().st_size for path in entry.rglob("*") if path.is_file())
            found.append((entry.stat().st_mtime, size, entry))
    total = sum(size for _, size, _ in found)
    for when, size, entry in sorted(found, key=lambda one: one[0]):
        if time.time() - when > seconds or total > megabytes * 10**6:
            shutil.rmtree(entry, ignore_errors=True)
            total -= size


def plain(text: str) -> str:
    """A name or a sentence for Markdown, where nothing in it is markup: no emphasis, link, picture or HTML."""
    return "".join(c if c.isalnum() or c in " .,:;/-" else f"&#{ord(c)};" for c in text)


def progress_bar(done: int, total: int, words: str) -> gr.HTML:
    """A bar, and words under it."""
    bar = f'<div class="bar" role="progressbar" aria-valuenow="{done}" aria-valuemax="{total}" aria-label="{words}">'
    return gr.HTML(f'{bar}<div style="width: {100 * done / total:.1f}%"></div></div>{words}', visible=True)


def duration(seconds: float) -> str:
    """In words."""
    if seconds < 90:
        return f"{max(seconds, 1):.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 36 * 3600 else f"{seconds / 86400:.1f} days"

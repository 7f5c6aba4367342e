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
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, cast

import gradio as gr

from ..checkpoints import find_checkpoint
from ..data import resize
from ..errors import UserError
from ..files import cache_folder
from ..inference import Colorizer
from ..pictures import Photo, eight_bit, read_picture
from ..prepared import PreparedPhoto
from ..runs import find_runs

PROJECT = Path(__file__).parent.parent.parent
EXAMPLES = PROJECT / "examples"
BUNDLED = "bundled"
HEAVY = "heavy"  # concurrency_id of everything that computes: one at a time
_RESULTS = Path(tempfile.gettempdir()) / f"colorizer-results-{os.getuid() if hasattr(os, 'getuid') else 0}"
_KEEP_SECONDS = 3600
VIEW_PIXELS = 12_000_000  # of the pictures that are compared on the page
_KEEP_PIXELS = 120_000_000  # of the photos last worked on

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


CSS = (Path(__file__).parent / "style.css").read_text()


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
        return _worker.submit(function, *args, **kwargs).result()

    return cast(Function, on_the_worker)


_loading = threading.Lock()


def checkpoint_path(checkpoint: str) -> str:
    """What a checkpoint chosen on the page is on a command line: a run's name becomes its folder."""
    named = runs_folder() / checkpoint
    return str(named) if checkpoint != BUNDLED and named.is_dir() else checkpoint


def colorizer_for(checkpoint: str | None) -> Colorizer:
    """The checkpoint's Colorizer, loaded once; `checkpoint` is "bundled", the name of a run, or a path."""
    file = find_checkpoint(checkpoint_path(checkpoint) if checkpoint and checkpoint != BUNDLED else None)
    with _loading:
        return _load(str(file), file.stat().st_mtime_ns)


@functools.lru_cache(maxsize=3)
def _load(file: str, modified: int) -> Colorizer:
    return Colorizer.from_pretrained(file)


@dataclass
class Opened:
    """A photo on the page.

    Attributes:
        photo: decoded.
        view: 8 bits, at the photo's size or, if that is larger, at `VIEW_PIXELS`.
    """

    photo: Photo
    view: Photo
    _prepared: dict[Colorizer, PreparedPhoto] = field(default_factory=dict)

    def prepared(self, checkpoint: str) -> PreparedPhoto:
        """For a network, once."""
        colorizer = colorizer_for(checkpoint)
        if colorizer not in self._prepared:
            self._prepared = {colorizer: colorizer.prepare(self.photo)}
        return self._prepared[colorizer]


class _OpenedPhotos:
    """The photos last worked on, so that they are decoded and prepared once, not at each stroke."""

    def __init__(self) -> None:
        self._photos: OrderedDict[str, Opened] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, picture: str) -> Opened:
        with self._lock:
            if picture not in self._photos:
                self._photos[picture] = _open(picture)
                while len(self._photos) > 1 and sum(map(_pixels, self._photos.values())) > _KEEP_PIXELS:
                    self._photos.popitem(last=False)
            self._photos.move_to_end(picture)
            return self._photos[picture]


def _pixels(opened: Opened) -> int:
    return opened.photo.rgb.size // 3


def _open(picture: str) -> Opened:
    if not Path(picture).exists():
        raise UserError("This photo was put away, because it lay here for long. Drop it again.")
    photo = read_picture(picture)
    height, width = photo.rgb.shape[:2]
    scale = min(1.0, (VIEW_PIXELS / (height * width)) ** 0.5)
    rgb = photo.rgb if scale == 1 else resize(photo.rgb, max(int(width * scale), 1), max(int(height * scale), 1))
    return Opened(photo, Photo(eight_bit(rgb)))


opened_photos = _OpenedPhotos()


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


def uploads_folder() -> Path:
    """Where files that were given to the page stay, for runs that may take days."""
    return cache_folder() / "uploads"


def keep_upload(file: str) -> str:
    """Copy an uploaded file there, under its name in a folder of its own; returns where."""
    target = uploads_folder() / Path(file).parent.name[:12] / Path(file).name
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(file, target)
    return str(target)


def allowed_roots() -> list[Path] | None:
    """Below which folders the page may read pictures to train and measure on; None is everywhere.

    $COLORIZER_DATA_ROOTS says so, separated as in $PATH. Else, who opens the page on the computer that it runs on may
    read everything there; from elsewhere only the working folder can be read, and on a Space only the examples.
    """
    own = [EXAMPLES, uploads_folder(), cache_folder() / "imagenette"]
    if on_space():
        return own[:1]
    if roots := os.environ.get("COLORIZER_DATA_ROOTS"):
        return [*map(Path, roots.split(os.pathsep)), *own]
    if os.environ.get("GRADIO_SERVER_NAME", "127.0.0.1") in ("127.0.0.1", "localhost", "::1"):
        return None
    return [Path.cwd(), *own]


def check_folder(data: str | None) -> str:
    """The data set given, if this server may read it.

    Raises:
        UserError: nothing given, or outside of `allowed_roots`.
    """
    data = (data or "").strip()
    if not data:
        raise UserError("Say which pictures: give a folder on this computer, or a zip file.")
    place = data.split(":", 1)[1] if data.startswith(("imagenette:", "imagenet:")) else data
    roots = allowed_roots()
    if roots is None or place in ("sample", "imagenette"):
        return data
    where = Path(place).expanduser().resolve()
    if not any(root.resolve() in [where, *where.parents] for root in roots):
        if on_space():
            raise UserError("On a shared Space only the examples can be used. Duplicate the Space, or run it at home.")
        raise UserError(
            f"{place} lies outside of the folders that this page may read. Whoever runs it can add it to "
            f"COLORIZER_DATA_ROOTS."
        )
    return data


def progress_bar(done: int, total: int, words: str) -> gr.HTML:
    """A bar, and words under it."""
    bar = f'<div class="bar" role="progressbar" aria-valuenow="{done}" aria-valuemax="{total}">'
    return gr.HTML(f'{bar}<div style="width: {100 * done / total:.1f}%"></div></div>{words}', visible=True)


def duration(seconds: float) -> str:
    """In words."""
    if seconds < 90:
        return f"{max(seconds, 1):.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 36 * 3600 else f"{seconds / 86400:.1f} days"

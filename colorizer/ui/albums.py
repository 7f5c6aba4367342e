"""Albums that were colored on the page: what became of each photograph, and where the copies are."""

from __future__ import annotations

import uuid
import zipfile
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from gradio.utils import get_upload_folder
from PIL import Image

from ..errors import UserError
from ..evaluation.metrics import gray_picture
from ..files import whole_file
from ..inference.batch import Job, Result
from ..inference.settings import Settings
from ..pictures.photo import Photo
from ..pictures.writing import Output, write_picture

SHOWN = 200  # pictures in the gallery, at most: the last ones
_SIDE = 360  # pixels of the longer side of a thumbnail
_KEPT = 8  # albums whose pictures can be opened: the last ones
ZIP = "colorized.zip"


@dataclass
class Album:
    """One album.

    Attributes:
        folder: of its files; its name is the token by which a page asks for it.
        settings, output, checkpoint: how it was colored.
        results: as they came.
        gallery: for those that could be colored: a thumbnail before and after, and a caption.
        shown: the results that these are of.
    """

    folder: Path
    settings: Settings
    output: Output
    checkpoint: str
    results: list[Result] = field(default_factory=list)
    gallery: list[tuple[str, str]] = field(default_factory=list)
    shown: list[Result] = field(default_factory=list)

    @property
    def colorized(self) -> Path:
        """Where the colored copies are."""
        return self.folder / "colorized"

    def add(self, result: Result) -> None:
        """Take what became of a photograph."""
        self.results.append(result)
        if result.written:
            self.shown.append(result)
            self.gallery.append((self._thumbnail(result), result.written[0].name))

    def corrected(self, at: int, photo: Photo) -> None:
        """Replace a colored copy by another coloring.

        Args:
            at: its place among the pictures of `last`.
            photo: colored.
        """
        at += max(len(self.shown) - SHOWN, 0)
        result = self.shown[at]
        write_picture(photo, result.written[0], self.output)
        self.gallery[at] = (self._thumbnail(result), self.gallery[at][1])

    def last(self) -> list[tuple[str, str]]:
        """What the gallery shows."""
        return self.gallery[-SHOWN:]

    def job(self, at: int) -> Job:
        """The photograph at a place of `last`."""
        return self.shown[-SHOWN:][at].job

    def zip(self) -> str:
        """Everything in one file, uncompressed: pictures don't get smaller. Their names end in -color, so that they lie
        beside the originals when they are unpacked there."""
        target = self.folder / ZIP
        with whole_file(target) as temporary, zipfile.ZipFile(temporary, "w") as archive:
            for path in sorted(p for p in self.colorized.rglob("*") if p.is_file()):
                archive.write(path, colored_name(path.relative_to(self.colorized)))
        return str(target)

    def _thumbnail(self, result: Result) -> str:
        """The photograph before and after, side by side: both have the same lightness."""
        with Image.open(result.written[0]) as image:
            image.draft("RGB", (_SIDE, _SIDE))
            small = image.convert("RGB")
        small.thumbnail((_SIDE, _SIDE))
        after = np.asarray(small)
        target = self.folder / "small" / f"{uuid.uuid4().hex}.jpg"  # a new name each time: browsers keep pictures
        target.parent.mkdir(exist_ok=True)
        Image.fromarray(np.concatenate([gray_picture(after), after], axis=1)).save(target, quality=85)
        return str(target)


_albums: OrderedDict[str, Album] = OrderedDict()


def keep(album: Album) -> str:
    """Let its pictures be opened, until others push it out; returns its token."""
    _albums[album.folder.name] = album
    while len(_albums) > _KEPT:
        _albums.popitem(last=False)
    return album.folder.name


def kept(token: str) -> Album:
    """An album.

    Raises:
        UserError: it is gone.
    """
    if token not in _albums or not _albums[token].folder.is_dir():
        raise UserError("This album was put away, because it lay here for long. Drop its photographs again.")
    return _albums[token]


def opened(job: Job) -> Path:
    """A photograph of an album as a file of its own, as if it had been uploaded alone."""
    if job.archive is None and job.page is None:
        return job.source
    target = Path(get_upload_folder()) / uuid.uuid4().hex / job.source.name
    target.parent.mkdir(parents=True)
    if job.archive is not None:
        target.write_bytes(job.archive.read(job.source.as_posix()))
    else:
        target = target.with_name(f"{job.target.stem}.png")
        write_picture(job.read(), target)
    return target


def colored_name(path: Path) -> Path:
    """Of a colored copy in the zip."""
    return path.with_stem(f"{path.stem}-color")

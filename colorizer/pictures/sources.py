"""Where pictures come from: folders, zip files, tar shards, and data sets that others made.

source = open_source("photos/")     # or "photos.zip", "shards/train-*.tar", "sample", "imagenette", "imagenet:ROOT"
data = source.read(source.names[0])
"""

from __future__ import annotations

import hashlib
import json
import lzma
import os
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Protocol

from ..errors import UserError
from ..files import cache_folder, remember
from .reading import EXTENSIONS, MAX_BYTES, find_pictures


class PictureSource(Protocol):
    """Named picture files, wherever they are."""

    @property
    def location(self) -> str: ...

    @property
    def names(self) -> Sequence[str]: ...

    def read(self, name: str) -> bytes: ...

    def stamp(self, name: str) -> str:
        """Changes when the file does; cheap."""


@dataclass
class FolderSource:
    """Picture files in a folder, at any depth, or a list of them."""

    root: Path
    names: Sequence[str]

    @property
    def location(self) -> str:
        return str(self.root.resolve())

    def read(self, name: str) -> bytes:
        return (self.root / name).read_bytes()

    def stamp(self, name: str) -> str:
        status = (self.root / name).stat()
        return f"{status.st_size}-{status.st_mtime_ns}"


@dataclass
class ShardSource:
    """Picture files in tar shards, as webdataset writes them: read in place, in any order, so that a data set may be
    larger than memory and disk caches, and a run still sees it shuffled as a whole and resumes exactly.

    Attributes:
        shards: the tar files, uncompressed.
        names: of the pictures, "SHARD.tar/NAME".
    """

    shards: Sequence[Path]
    names: Sequence[str] = ()
    _places: dict[str, tuple[int, int, int]] = field(default_factory=dict, repr=False)  # shard, offset, size

    def __post_init__(self) -> None:
        for k, shard in enumerate(self.shards):
            for name, (offset, size) in _table_of_contents(shard).items():
                self._places[f"{shard.name}/{name}"] = (k, offset, size)
        self.names = sorted(self._places)

    @property
    def location(self) -> str:
        return "\n".join(str(shard.resolve()) for shard in self.shards)

    def read(self, name: str) -> bytes:
        shard, offset, size = self._places[name]
        with self.shards[shard].open("rb") as file:
            file.seek(offset)
            return file.read(size)

    def stamp(self, name: str) -> str:
        shard, offset, size = self._places[name]
        return f"{offset}-{size}-{self.shards[shard].stat().st_mtime_ns}"


def _table_of_contents(shard: Path) -> dict[str, tuple[int, int]]:
    """Of `pictures_in_tar`; kept in the cache, for it takes a walk through the file."""
    try:
        status = shard.stat()
        key = f"{shard.resolve()}-{status.st_size}-{status.st_mtime_ns}"
        memory = cache_folder() / "shards" / f"{hashlib.sha256(key.encode()).hexdigest()[:16]}.json"
        if memory.is_file():
            return {name: (offset, size) for name, (offset, size) in json.loads(memory.read_text()).items()}
        with shard.open("rb") as file:
            contents = pictures_in_tar(file)
    except (OSError, ValueError, tarfile.TarError) as error:
        raise UserError(f"{shard} is not an uncompressed tar file that can be read.") from error
    remember(memory, json.dumps(contents))
    return contents


def pictures_in_tar(file: BinaryIO) -> dict[str, tuple[int, int]]:
    """Where the pictures of an uncompressed tar file are, (offset, size).

    Links, devices and whatever else a tar file may hold are left out.

    Raises:
        tarfile.TarError: it is none.
    """
    with tarfile.open(fileobj=file, mode="r:") as archive:
        return {
            member.name: (member.offset_data, member.size)
            for member in archive
            if member.isreg() and is_picture(member.name) and member.size <= MAX_BYTES
        }


def is_picture(name: str) -> bool:
    """Whether a file's name, below its folder or archive, is that of a picture, and not hidden."""
    parts = name.split("/")
    hidden = any(part.startswith((".", "__MACOSX")) and part != "." for part in parts)  # tar -C folder . writes ./NAME
    return name.lower().endswith(EXTENSIONS) and not hidden


_SMALL, _MOST_SHRUNK = 10_000_000, 500  # bytes that need no look; ratio to what they take in a zip file


# What reading a broken, encrypted or made-up zip file ends in: zipfile doesn't wrap what its parts raise.
_OF_ZIPS = (
    zipfile.BadZipFile, OSError, zlib.error, lzma.LZMAError, struct.error,
    RuntimeError, LookupError, ValueError, EOFError
)  # fmt: skip


@dataclass
class ZipSource:
    """Picture files in a zip, read in place: nothing is unpacked."""

    path: Path
    names: Sequence[str] = ()
    _open: dict[int, zipfile.ZipFile] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        try:
            with zipfile.ZipFile(self.path) as archive:
                self._stamps = {
                    info.filename: f"{info.file_size}-{info.CRC}"
                    for info in archive.infolist()
                    if is_picture(info.filename)
                }
        except _OF_ZIPS as error:
            raise UserError(f"{self.path} is not a zip file that can be read.") from error
        self.names = sorted(self._stamps)

    @property
    def location(self) -> str:
        return str(self.path.resolve())

    def read(self, name: str) -> bytes:
        # One handle a process: a handle shared with a forked worker would share its file position. Its own
        # lock makes reading from several threads safe.
        pid = os.getpid()
        try:
            if pid not in self._open:
                self._open[pid] = zipfile.ZipFile(self.path)
            info = self._open[pid].getinfo(name)
            if info.file_size > min(MAX_BYTES, _SMALL + _MOST_SHRUNK * info.compress_size):
                raise UserError(f"{name} in {self.path.name} is too large. Take it out of the zip, or make it smaller.")
            return self._open[pid].read(name)
        except _OF_ZIPS as error:
            raise UserError(f"{name} in {self.path.name} can't be read: it is broken or encrypted.") from error

    def stamp(self, name: str) -> str:
        return self._stamps[name]

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_open": {}}


EXAMPLES = Path(__file__).parent.parent / "examples"  # the pictures that come with the program
SAMPLE = EXAMPLES / "sample"


def open_source(spec: str | os.PathLike[str], training: bool = True) -> PictureSource:
    """Open a data set.

    Args:
        spec: a folder (any depth), a .zip file; tar shards: a .tar file, a folder of them, or a pattern such as
            shards/train-*.tar; "sample", the small one that comes with the program; "imagenette", which is
            downloaded on demand; or the root of a torchvision data set as "imagenette:ROOT" or "imagenet:ROOT".
        training: of a torchvision data set, its training part, else its validation part.
    Raises:
        UserError: not there, or no picture in it.
    """
    text = str(spec)
    kind, _, rest = text.partition(":")
    path = Path(spec).expanduser()
    source: PictureSource
    if kind in ("imagenette", "imagenet") and (rest or kind == "imagenette") and not path.exists():
        root = Path(rest).expanduser() if rest else None
        source = _torchvision_source(kind, root, "train" if training else "val")
    elif text == "sample" and not path.exists():
        source = FolderSource(SAMPLE, [str(p.relative_to(SAMPLE)) for p in find_pictures(SAMPLE)])
    elif path.is_dir():
        names = [str(p.relative_to(path)) for p in find_pictures(path)]
        shards = sorted(path.glob("*.tar"))
        source = ShardSource(shards) if shards and not names else FolderSource(path, names)
    elif path.is_file():
        source = ShardSource([path]) if path.suffix.lower() == ".tar" else ZipSource(path)
    elif "*" in path.name and (shards := sorted(path.parent.glob(path.name))):
        source = ShardSource(shards)
    else:
        raise UserError(
            f"There is no folder or zip file {spec}. Give a folder of pictures, at any depth, or a zip of one."
        )
    if not source.names:
        raise UserError(f"There are no pictures in {spec}. Supported are {', '.join(EXTENSIONS)}.")
    return source


def _torchvision_source(kind: str, root: Path | None, part: str) -> FolderSource:
    import torchvision  # which takes two seconds

    wanted = root or cache_folder() / kind
    try:
        if kind == "imagenette":
            there = (wanted / "imagenette2-160").is_dir() or (wanted / "imagenette2").is_dir()
            size = "full" if (wanted / "imagenette2").is_dir() else "160px"
            wanted.mkdir(parents=True, exist_ok=True)
            data = torchvision.datasets.Imagenette(wanted, part, size, download=root is None and not there)
            samples = data._samples
        else:
            samples = torchvision.datasets.ImageNet(wanted, split=part).samples
    except (RuntimeError, OSError) as error:
        if root is None:
            raise UserError(
                f"Imagenette could not be downloaded ({type(error).__name__}). Look at the connection and try again, "
                f"or give a folder of pictures; the data set sample comes with the program."
            ) from error
        raise UserError(
            f"{root} is not the root of a torchvision {kind} data set ({type(error).__name__}). "
            f"A plain folder of pictures is given without {kind}: in front."
        ) from error
    return FolderSource(wanted, [os.path.relpath(path, wanted) for path, _ in samples])

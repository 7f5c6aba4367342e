"""Folders and tar shards wherever fsspec goes: on this computer, on S3, Google Cloud Storage, the web, ...

place = open_place("s3://scans/1920s")         # or a folder, "gs://...", "https://...", "s3://scans/part-*.tar"
for picture in place.pictures(): place.read(picture)
"""

from __future__ import annotations

import shutil
import tarfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..files import whole_file
from ..model.hints import HINTS_SUFFIX
from ..pictures.sources import is_picture, pictures_in_tar

_LISTED_AT_ONCE = 16  # shards whose headers are read at the same time
_HEADERS = 2**14  # bytes read around a header of a shard, whose pictures are skipped
# Where a file that is being written is not seen before it is whole; elsewhere it gets its name when it is.
_WHOLE_OR_NOT = ("s3", "s3a", "gs", "gcs", "az", "abfs", "memory")


@dataclass(frozen=True)
class Picture:
    """A picture file of a place.

    Attributes:
        name: below the place, with slashes; of a shard SHARD.tar/NAME.
        stamp: changes when the file does; empty where that isn't told.
        size: of the file in bytes; 0 where that isn't told.
        offset: within its shard; None outside of one.
        hints: the stamp of NAME.hints.json beside it; None without one.
    """

    name: str
    stamp: str = ""
    size: int = 0
    offset: int | None = None
    hints: str | None = None

    @property
    def hints_name(self) -> str:
        """Of the file of its hints, below the place."""
        return self.name.rpartition(".")[0] + HINTS_SUFFIX


@dataclass(frozen=True)
class Place:
    """A folder, or tar shards in one; may be sent to other machines.

    Attributes:
        url: of the folder, without a slash behind it.
        shards: the pattern of the shards' names, if it is shards.
    """

    url: str
    shards: str | None = None

    @property
    def files(self) -> Any:
        """The file system (fsspec.AbstractFileSystem)."""
        return _opened(self.url)[0]

    @property
    def is_local(self) -> bool:
        """A folder on this computer."""
        return "file" in _protocols(self.files)

    def path(self, name: str) -> str:
        """Of a file, as the file system calls it."""
        root = _opened(self.url)[1].rstrip("/")
        return f"{root}/{name}"

    def pictures(self) -> Iterator[Picture]:
        """All, at any depth, in no order; hidden files are left out.

        Raises:
            UserError: the place can't be read.
        """
        with in_words(self.url):
            if self.shards:
                yield from self._in_shards()
                return
            root = _opened(self.url)[1]
            found = self.files.find(root, detail=True)
            if not found and not self.files.exists(root):
                raise FileNotFoundError(root)
            start = len(self.path(""))
            entries = {path[start:]: about for path, about in found.items() if len(path) > start}
        for name, about in entries.items():
            if is_picture(name):
                picture = Picture(name, _stamp(about), int(about.get("size") or 0))
                beside = entries.get(picture.hints_name)
                yield picture if beside is None else replace(picture, hints=_stamp(beside))

    def _in_shards(self) -> Iterator[Picture]:
        paths = sorted(self.files.glob(self.path(self.shards or "")))
        if not paths:
            raise UserError(f"There are no tar files {self.url}/{self.shards}.")
        with ThreadPoolExecutor(_LISTED_AT_ONCE) as pool:
            for pictures in pool.map(self._in_shard, paths):
                yield from pictures

    def _in_shard(self, path: str) -> list[Picture]:
        name, stamp = path.rpartition("/")[2], _stamp(self.files.info(path))
        try:
            with self.files.open(path, "rb", block_size=_HEADERS) as file:
                contents = pictures_in_tar(file)
        except tarfile.TarError as error:
            raise UserError(f"{path} is not an uncompressed tar file that can be read.") from error
        return [Picture(f"{name}/{inner}", stamp, size, offset) for inner, (offset, size) in contents.items()]

    def read(self, picture: Picture) -> bytes:
        """A picture's bytes."""
        if picture.offset is None:
            return bytes(self.files.cat_file(self.path(picture.name)))
        shard = self.path(picture.name.partition(".tar/")[0] + ".tar")
        return bytes(self.files.cat_file(shard, start=picture.offset, end=picture.offset + picture.size))

    def put(self, file: Path, name: str) -> None:
        """Move a file of this computer there, whole or not at all.

        Args:
            file: the file; it is used up.
            name: below the place.
        """
        path = self.path(name)
        if self.is_local:
            with whole_file(Path(path)) as temporary:
                shutil.move(file, temporary)
        elif any(protocol in _WHOLE_OR_NOT for protocol in _protocols(self.files)):
            self.files.put_file(str(file), path)
        else:
            self.files.makedirs(path.rpartition("/")[0], exist_ok=True)
            self.files.put_file(str(file), f"{path}.part")
            self.files.mv(f"{path}.part", path)


def open_place(url: str) -> Place:
    """A place by its address.

    Args:
        url: a folder; a tar file, or a pattern of them such as s3://scans/part-*.tar.
    Raises:
        UserError: of a kind that isn't known here, or whose package is missing.
    """
    head, _, last = url.rstrip("/").rpartition("/")
    place = Place(head or ".", last) if last.endswith(".tar") else Place(url.rstrip("/") or "/")
    with in_words(url):
        _opened(place.url)
    return place


@contextmanager
def in_words(url: str) -> Iterator[None]:
    """What keeps a place from being reached, as a UserError: each kind of place has exceptions of its own."""
    try:
        yield
    except UserError:
        raise
    except ImportError as error:
        raise UserError(f"{url} needs another package: {error}.") from error
    except FileNotFoundError as error:
        raise UserError(f"There is no folder {url}.") from error
    except Exception as error:
        reason = str(error) or type(error).__name__
        raise UserError(f"{url} can't be reached: {reason.rstrip('.')}. Look at the address and the access.") from error


def _opened(url: str) -> tuple[Any, str]:
    """(file system, path) of a folder; fsspec keeps the file systems."""
    from fsspec.core import url_to_fs

    fs, path = url_to_fs(url)
    return fs, str(path)


def _protocols(fs: Any) -> tuple[str, ...]:
    return (fs.protocol,) if isinstance(fs.protocol, str) else tuple(fs.protocol)


def _stamp(about: dict[str, Any]) -> str:
    """Of what a file system says of a file: its checksum, or else size and time."""
    if etag := about.get("ETag"):
        return str(etag).strip('"')
    time = next((about[key] for key in ("mtime", "LastModified", "last_modified", "updated") if about.get(key)), "")
    return f"{about.get('size') or 0}-{time}"

"""Files that are written whole or not at all, and where those are that only save time."""

from __future__ import annotations

import contextlib
import hashlib
import os
import uuid
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from .errors import UserError


def cache_folder() -> Path:
    """Where scans and embeddings are kept: $COLORIZER_CACHE, or ~/.cache/colorizer."""
    return Path(os.environ.get("COLORIZER_CACHE") or Path.home() / ".cache" / "colorizer")


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Of what keeps `path` from being written, one sentence.

    Raises:
        UserError: no room, no permission, or no such place.
    """
    try:
        yield
    except OSError as error:
        place = "folder by COLORIZER_CACHE" if cache_folder() in path.parents else "place"
        raise UserError(f"{path} can't be written: {error.strerror or error}. Choose another {place}.") from error


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Write to a temporary name beside `path`, which takes its place at the end; on an error nothing is left.

    A reader sees the old file or the new one, never half of one.

    Raises:
        UserError: no room, no permission, or no such place.
    """
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:12]}.tmp")
    try:
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            yield temporary
            temporary.replace(path)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file (UTF-8) whole or not at all; of file names that are no text, the odd bytes as escapes."""
    with whole_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")


def remember(path: Path, text: str) -> None:
    """Write what only saves time the next time; where it can't be written, that time is not saved."""
    with contextlib.suppress(UserError):
        write_text(path, text)


def code_version(parts: Iterable[str]) -> str:
    """12 hexadecimal digits that change with any line of these files and folders of the package."""
    return _code_version(tuple(parts))


@cache
def _code_version(parts: tuple[str, ...]) -> str:
    package, digest = Path(__file__).parent, hashlib.sha256()
    for part in parts:
        for path in sorted((package / part).rglob("*.py")) if (package / part).is_dir() else [package / part]:
            digest.update(path.relative_to(package).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()[:12]

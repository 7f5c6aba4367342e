"""Which pictures of a data set are fit to train on, and how they are split.

source = open_source("photos/")
scan = scan_pictures(source)                    # gray and broken pictures left out, and counted
train, validation = split(scan.pictures, 0.05)  # by content: new pictures move none across
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from ..color.lab import rgb_to_lab
from ..errors import UserError
from ..files import cache_folder, remember
from ..pictures.reading import thumbnail_rgb
from ..pictures.sources import PictureSource

GRAY_CHROMA = 4.0  # mean chroma under which a picture teaches gray
SMALLEST_SIDE = 32
SCAN_SIDE = 64


# ----------------------------------------------------------------------------------------------- scan


@dataclass(frozen=True)
class PictureInfo:
    """A picture that is fit to train on; `key` is the hash of its file's content."""

    name: str
    key: str


@dataclass
class Scan:
    """What is in a source: the pictures in the order of their names, and the names left out, by reason."""

    pictures: list[PictureInfo]
    left_out: dict[str, list[str]]

    def summary(self) -> str:
        """One line: how many pictures, and how many were left out and why."""
        why = ", ".join(f"{len(names)} {reason}" for reason, names in self.left_out.items())
        return f"{len(self.pictures)} pictures" + (f" ({why} left out)" if why else "")


def scan_pictures(
    source: PictureSource,
    keep_gray: bool = False,
    cache: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Scan:
    """Decode every picture once; leave out the broken, the tiny, the duplicate, and (to train on) the gray.

    Args:
        source: the pictures.
        keep_gray: for measuring, a gray photograph is a photograph.
        cache: a folder that remembers what was seen, by file name, size and time; default `cache_folder()`.
        progress: called with (done, total).
    """
    memory_file = _scan_file(source, cache or cache_folder())
    memory: dict[str, list[str]] = _read_json(memory_file)

    def look(name: str) -> tuple[str, list[str]]:
        try:
            stamp = source.stamp(name)
        except OSError:  # it went away, or is a link to nowhere
            return name, ["", name, "broken"]
        remembered = memory.get(name)
        return name, remembered if remembered and remembered[0] == stamp else [stamp, *_examine(source, name)]

    entries: dict[str, list[str]] = {}
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for done, (name, entry) in enumerate(pool.map(look, source.names), 1):
            entries[name] = entry
            if progress:
                progress(done, len(source.names))
    if entries != memory:
        remember(memory_file, json.dumps(entries))
    seen: set[str] = set()
    scan = Scan([], {})
    for name, (_, key, verdict) in entries.items():
        reason = "duplicate" if key in seen else "" if verdict == "gray" and keep_gray else verdict
        seen.add(key)
        if reason:
            scan.left_out.setdefault(reason, []).append(name)
        else:
            scan.pictures.append(PictureInfo(name, key))
    return scan


def content_key(data: bytes) -> str:
    """The hash of a file's content."""
    return hashlib.sha1(data, usedforsecurity=False).hexdigest()


def _examine(source: PictureSource, name: str) -> tuple[str, str]:
    """(content hash, reason to leave it out or "")."""
    try:
        data = source.read(name)
        key = content_key(data)
    except (OSError, UserError):
        return name, "broken"
    try:
        rgb = thumbnail_rgb(data, SCAN_SIDE)
    except UserError:
        return key, "broken"
    if min(rgb.shape[:2]) < SMALLEST_SIDE:
        return key, "tiny"
    small = cv2.resize(rgb, (SCAN_SIDE, SCAN_SIDE), interpolation=cv2.INTER_AREA)
    chroma = np.hypot(*np.moveaxis(rgb_to_lab(small)[..., 1:], -1, 0)).mean()
    return key, "gray" if chroma < GRAY_CHROMA else ""


def _scan_file(source: PictureSource, folder: Path) -> Path:
    return folder / "scans" / f"{hashlib.sha256(f'2 {source.location}'.encode()).hexdigest()[:16]}.json"


def _read_json(path: Path) -> dict[str, list[str]]:
    try:
        return dict(json.loads(path.read_text()))
    except (OSError, ValueError):
        return {}


def split(pictures: Sequence[PictureInfo], fraction: float) -> tuple[list[PictureInfo], list[PictureInfo]]:
    """Divide pictures into (training, validation) by their content.

    Where a picture goes depends on nothing but its own bytes, so adding, renaming or removing others moves
    none across. A data set too small for its share of hashes still gets one validation picture.

    Args:
        pictures: at least 2.
        fraction: of validation pictures, (0, 1).
    Raises:
        UserError: fewer than 2 pictures.
    """
    if len(pictures) < 2:
        raise UserError("Training needs at least 2 color pictures: one to learn from and one to check with.")
    by_key = sorted(pictures, key=lambda p: p.key)
    limit = int(fraction * 16**8)
    count = sum(int(p.key[:8], 16) < limit for p in by_key)
    held_out = {p.key for p in by_key[: min(max(count, 1), len(by_key) - 1)]}
    return [p for p in pictures if p.key not in held_out], [p for p in pictures if p.key in held_out]

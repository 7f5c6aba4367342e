"""Films: reading and writing them, and how things move in them."""

from __future__ import annotations

import os
from pathlib import Path

EXTENSIONS = (
    ".3gp", ".asf", ".avi", ".dv", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".mxf",
    ".ogv", ".ts", ".vob", ".webm", ".wmv",
)  # fmt: skip


def is_film(path: str | os.PathLike[str]) -> bool:
    """Whether a file has a film's name."""
    return Path(path).suffix.lower() in EXTENSIONS

"""The page's texts in other languages, of one table."""

from __future__ import annotations

import functools
from importlib.resources import files

LANGUAGES = ("de", "fr", "es", "pt")  # in the order of the table's lines, after English


@functools.cache
def texts() -> dict[str, list[str]]:
    """English texts and what they are in each of `LANGUAGES`; {} stands for what varies."""
    table = files(__package__).joinpath("texts.txt").read_text(encoding="utf-8")
    blocks = (block.splitlines() for block in table.split("\n\n") if block.strip() and not block.startswith("#"))
    return {english: others for english, *others in blocks}

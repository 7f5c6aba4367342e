"""How much is taken on, by variables of the environment; beyond that there is one sentence, and nothing is begun."""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass, field, fields
from typing import Any

from .errors import UserError


def _limit(usual: int, about: str) -> Any:
    return field(default=usual, metadata={"about": about})


@dataclass(frozen=True)
class Limits:
    """What `$COLORIZER_MAX_...` say: `COLORIZER_MAX_MEGAPIXELS`, and so on."""

    megapixels: int = _limit(100, "of a photograph")
    film_megapixels: int = _limit(10, "of a film's frame, some 50 of which wait for each other")
    working_megapixels: int = _limit(4, "of the copy that a network sees; four of them take it about 2 GB of memory")
    hints: int = _limit(1000, "strokes and hints on a photograph")
    hint_points: int = _limit(100_000, "points of all its strokes")
    upload_megabytes: int = _limit(200, "of a file that is given to the page")
    uploads_megabytes: int = _limit(20_000, "of all files that are on the page's server at a time")
    results_megabytes: int = _limit(20_000, "of all colored files that are on the page's server at a time")
    visitor_megabytes: int = _limit(2000, "of all colored files of one page; its oldest go first")
    runs: int = _limit(4, "training runs that wait and run at a time")
    queue: int = _limit(500, "requests that wait for the page's server")
    seconds: int = _limit(3600, "that an album, a film or an evaluation on the page takes")

    @classmethod
    def variable(cls, name: str) -> str:
        """The one that sets a limit."""
        return f"COLORIZER_MAX_{name.upper()}"


@functools.cache
def limits() -> Limits:
    """Those of this process.

    Raises:
        UserError: a variable is no whole number above 0.
    """
    chosen = {}
    for limit in fields(Limits):
        text = os.environ.get(variable := Limits.variable(limit.name), "")
        if text and not (text.isdecimal() and int(text)):
            raise UserError(f"{variable} must be a whole number above 0, not {text}.")
        if text:
            chosen[limit.name] = int(text)
    return Limits(**chosen)

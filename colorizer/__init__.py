"""Colors black-and-white photographs.

from colorizer import Colorizer
Colorizer.from_pretrained()("old.jpg").save("new.png")
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .errors import UserError
    from .film.writing import FilmOutput
    from .inference.colorizer import Colorizer
    from .inference.corrections import Correction
    from .inference.settings import LOOKS, Settings

__all__ = ["LOOKS", "Colorizer", "Correction", "FilmOutput", "Settings", "UserError"]
__version__ = "0.2.0"

_HOMES = {
    "LOOKS": ".inference.settings", "Colorizer": ".inference.colorizer", "Settings": ".inference.settings",
    "UserError": ".errors", "Correction": ".inference.corrections", "FilmOutput": ".film.writing",
}  # fmt: skip


def __getattr__(name: str) -> object:
    """Public names are imported when they are asked for (PEP 562): torch alone takes seconds."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name], __name__), name)

"""What is known of a film at single moments, and the file that it can be written in."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..model.hints import parse_hints
from ..pictures.photo import Photo
from ..pictures.reading import read_picture
from .prepared import Hints
from .settings import LOOKS, Settings


@dataclass(frozen=True)
class Correction:
    """What is known of a film at a moment.

    Attributes:
        at: the moment, in seconds from the first frame.
        hints: of its frame, in that frame's pixels, as it is shown; they hold through its shot, in both directions.
        reference: its frame in color, of any size; its colors are taken over, and carried through the shot likewise.
        settings: how its shot is to be colored.
    """

    at: float
    hints: Hints = ()
    reference: Photo | None = None
    settings: Settings | None = None

    def __post_init__(self) -> None:
        if not (math.isfinite(self.at) and self.at >= 0):
            raise UserError(f"The moment of a correction must be 0 seconds or more, not {self.at}.")


def read_corrections(path: Path) -> list[Correction]:
    """Those of a JSON file.

    Args:
        path: the file: [{"at": SECONDS, "hints": [...], "reference": FILE, "settings": {...}}, ...], where hints are as
            of `parse_hints`, the reference is a picture beside that file, and settings are the fields of `Settings`, or
            {"look": "vivid"}; each but "at" may be left out.
    Raises:
        UserError: no such file, or not of that form.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"The file of corrections {path} can't be read: {error.strerror or error}.") from error
    except ValueError as error:
        raise UserError(f"The file of corrections {path} is not JSON: {error}.") from error
    return parse_corrections(content, str(path), path.parent)


def parse_corrections(content: object, name: str, folder: Path | None = None) -> list[Correction]:
    """The same from what such a file holds.

    Args:
        content: as of `read_corrections`.
        name: what it is called in messages.
        folder: where pictures and masks lie that it names; None allows no files.
    Raises:
        UserError: not of that form.
    """
    if not isinstance(content, list):
        raise UserError(f'{name} must hold a list, [{{"at": SECONDS, ...}}, ...].')
    return [_correction(each, name, folder) for each in content]


def _correction(given: object, name: str, folder: Path | None) -> Correction:
    known = {"at", "hints", "reference", "settings"}
    if not isinstance(given, dict) or not isinstance(given.get("at"), int | float) or given.keys() - known:
        raise UserError(f'{name}: a correction has "at", in seconds, and any of hints, reference and settings.')
    reference = given.get("reference")
    if reference is not None and (not isinstance(reference, str) or folder is None):
        raise UserError(f"{name}: a reference is the name of a picture beside a file of corrections.")
    return Correction(
        float(given["at"]),
        tuple(parse_hints(given.get("hints", []), folder)),
        read_picture(folder / reference) if folder and reference else None,
        _settings(given["settings"], name) if given.get("settings") else None,
    )


def _settings(given: object, name: str) -> Settings:
    names = [field.name for field in fields(Settings)]
    if not isinstance(given, dict) or given.keys() - {*names, "look"}:
        raise UserError(f"{name}: settings are any of look, {', '.join(names)}.")
    own: dict[str, Any] = dict(given)
    look = own.pop("look", "natural")
    if look not in LOOKS or not all(value is None or isinstance(value, int | float) for value in own.values()):
        raise UserError(f"{name}: the look must be one of {', '.join(LOOKS)}, and all other settings are numbers.")
    return Settings(**{**vars(LOOKS[look]), **own})

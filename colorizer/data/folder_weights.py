"""How often pictures are seen, by the folder that they lie in.

weights = folder_weights("photos64=0.3,webfaces=2", [picture.name for picture in pictures])
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import PurePosixPath

import numpy as np
import numpy.typing as npt

from ..errors import UserError

Weights = npt.NDArray[np.float64]


def folder_weights(text: str | None, names: Sequence[str]) -> Weights | None:
    """How often each picture is seen in an epoch, on average; None if nothing is said: all once.

    Args:
        text: `FOLDER=NUMBER,...`. A folder is a path from the top, or a name anywhere in it; of several that a picture
            lies in, the innermost counts. Pictures in none of them are seen once.
        names: of the pictures, with the folders that they lie in.
    Raises:
        UserError: the text says nothing, or names a folder without pictures.
    """
    if text is None:
        return None
    chosen = _read(text)
    weights, found = np.ones(len(names)), set()
    for k, name in enumerate(names):
        for folder in PurePosixPath(name).parents:  # from the inside out
            match = next((key for key in (folder, PurePosixPath(folder.name)) if key in chosen), None)
            if match is not None:
                weights[k] = chosen[match]
                found.add(match)
                break
    if missing := [str(folder) for folder in chosen if folder not in found]:
        raise UserError(
            f"The folder weights name {missing[0]}, but no picture to train on lies in a folder of that name."
        )
    return weights


def _read(text: str) -> dict[PurePosixPath, float]:
    """What `FOLDER=NUMBER,...` says.

    Raises:
        UserError: it is something else, or a weight is no positive number.
    """
    weights: dict[PurePosixPath, float] = {}
    for part in text.split(","):
        folder, _, number = part.rpartition("=")
        try:
            weight = float(number)
        except ValueError:
            weight = math.nan
        if not folder.strip() or not 0 < weight <= 100:
            raise UserError(
                f"The folder weights must be FOLDER=NUMBER,... with numbers above 0 and up to 100, not {part!r}."
            )
        weights[PurePosixPath(folder.strip())] = weight
    return weights

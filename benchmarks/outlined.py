"""Photographs whose things are labeled: NAME.jpg with NAME.mask.png beside it."""

from __future__ import annotations

from pathlib import Path

import cv2

from colorizer.arrays import Array
from colorizer.errors import UserError


def find_outlined(folder: Path) -> list[Path]:
    """The photographs of a folder that have labels.

    Raises:
        UserError: there are none.
    """
    paths = [path for path in sorted(folder.glob("*.jpg")) if path.with_suffix(".mask.png").exists()]
    if not paths:
        raise UserError(f"There are no photographs with masks in {folder}.")
    return paths


def labels_of(path: Path) -> Array:
    """The labels of a photograph, HW uint8."""
    labels = cv2.imread(str(path.with_suffix(".mask.png")), cv2.IMREAD_GRAYSCALE)
    if labels is None:
        raise UserError(f"The mask of {path} can't be read.")
    return labels

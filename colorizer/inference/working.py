"""The copy of a photo that a network sees: its size, and the cells that it is first divided into."""

from __future__ import annotations

import numpy as np

from ..arrays import Plane, resize
from ..errors import UserError
from ..limits import limits

MULTIPLE = 32  # of the deepest stride
_LONGEST = 6  # of the working copy, in short sides
_CELL, _MOST_CELLS = 6, 400  # pixels of a network's output; a larger copy doesn't show more things


def working_size_for(crop_size: int) -> int:
    """The usual working size of a network that was trained on crops of that side; see `Predictor.working_size`."""
    return round(1.5 * crop_size / MULTIPLE) * MULTIPLE


def working_shape(height: int, width: int, short: int, longest: int = _LONGEST) -> tuple[int, int]:
    """(height, width) of a network's copy: short side about `short`, multiples of 32, at most `longest` short sides.

    >>> working_shape(3000, 4000, 192)
    (192, 256)
    """
    scale = short / min(height, width)
    sides = (min(side * scale, longest * short) for side in (height, width))
    h, w = (max(round(side / MULTIPLE), 1) * MULTIPLE for side in sides)
    return h, w


def working_copy(guide: Plane, size: int, square: bool = False) -> Plane:
    """The copy of a photo's L that a coloring network sees.

    Args:
        guide: (H, W), L in [0, 100].
        size: its short side.
        square: whether it is one, whatever the photo's shape.
    Raises:
        UserError: it would be larger than `limits` admit.
    """
    height, width = working_shape(size, size, size) if square else working_shape(guide.shape[0], guide.shape[1], size)
    if height * width > (most := limits().working_megapixels * 10**6):
        largest = int(size * (most / (height * width)) ** 0.5) // MULTIPLE * MULTIPLE
        raise UserError(
            f"A working size of {size} is too large for a photo of this shape: it would take too much memory. "
            f"Choose {largest} or less."
        )
    return np.clip(resize(guide, width, height), 0, 100)


def cells_of(height: int, width: int) -> Plane:
    """A grid of about 6 x 6 pixels a cell, and of at most 400 cells: (K, height * width), each row a cell's mean."""
    cell = max(_CELL, (height * width / _MOST_CELLS) ** 0.5)
    rows, columns = (_intervals(side, max(round(side / cell), 1)) for side in (height, width))
    return np.einsum("ih,jw->ijhw", rows, columns).reshape(-1, height * width)


def _intervals(side: int, number: int) -> Plane:
    """A side in equal parts, which overlap by a pixel where they must: (number, side), rows that sum to 1."""
    parts = np.zeros((number, side), np.float32)
    for k in range(number):
        start, end = k * side // number, -(-(k + 1) * side // number)
        parts[k, start:end] = 1 / (end - start)
    return parts

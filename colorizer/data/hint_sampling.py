"""Color hints for training: a few patches whose true color is given.

They are drawn as in Zhang et al., "Real-Time User-Guided Image Colorization" (SIGGRAPH 2017), section 3.1: their number
from a geometric law, square patches of 1 to 9 pixels, near the middle more often, each with the mean color of its
patch. A share of the pictures gets none, so that the network also colors by itself.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ..arrays import Array
from ..color.lab import AB_SCALE, rgb_to_lab

MEAN_NUMBER = 8  # of the geometric law, where there are some
LARGEST_PATCH = 9
_MOST_PATCHES = 64  # in one picture
Patch = tuple[int, int, int]  # top, left, side


def draw_patches(rng: np.random.Generator, size: tuple[int, int], share: float) -> list[Patch]:
    """Draw the hint patches of one picture of (height, width) pixels; a `share` of all pictures gets some."""
    if rng.random() < 1 - share:
        return []
    patches = []
    for _ in range(min(rng.geometric(1 / MEAN_NUMBER), _MOST_PATCHES)):
        side = int(rng.integers(1, LARGEST_PATCH + 1))
        center = np.clip(rng.normal(0.5, 0.25, 2), 0, 1) * (size[0] - side, size[1] - side)
        patches.append((int(center[0]), int(center[1]), side))
    return patches


def draw_patches_within(rng: np.random.Generator, mask: npt.NDArray[np.bool_]) -> list[Patch]:
    """Draw one to three hint patches whose middles lie in a region, an HW mask."""
    height, width = mask.shape
    rows, columns = mask.nonzero()
    patches = []
    for k in rng.integers(len(rows), size=rng.integers(1, 4)):
        side = int(rng.integers(1, LARGEST_PATCH + 1))
        top, left = (int(middle[k]) - side // 2 for middle in (rows, columns))
        patches.append((min(max(top, 0), height - side), min(max(left, 0), width - side), side))
    return patches


def hint_planes(rgb: Array, patches: Sequence[Patch]) -> npt.NDArray[np.float32]:
    """The network's hint input, with the mean color of each patch; later ones lie over earlier ones.

    Args:
        rgb: HWC uint8.
        patches: of this picture.
    Returns:
        (3, H, W): a / 110, b / 110 and the mask 1 within patches, zero elsewhere.
    """
    planes = np.zeros((3, *rgb.shape[:2]), np.float32)
    for top, left, side in patches:
        rows, columns = slice(top, top + side), slice(left, left + side)
        planes[:2, rows, columns] = (rgb_to_lab(rgb[rows, columns])[..., 1:].mean((0, 1)) / AB_SCALE)[:, None, None]
        planes[2, rows, columns] = 1
    return planes

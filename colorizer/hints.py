"""Colour hints: a few points whose true colour is known, given to the network as three sparse planes.

In training they are drawn as in Zhang et al., "Real-Time User-Guided Image Colorization" (SIGGRAPH 2017),
section 3.1: their number from a geometric law, square patches of 1 to 9 pixels, near the middle more often, each
with the mean colour of its patch. Half of the pictures get none, so that the network also colours by itself.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from .color import normalise_ab

NO_HINTS = 0.5  # share of pictures without any
MEAN_NUMBER = 8  # of the geometric law, where there are some
LARGEST_PATCH = 9

Patch = tuple[int, int, int]  # top, left, side


def draw_patches(rng: np.random.Generator, height: int, width: int) -> list[Patch]:
    """Draw the hint patches of one picture of height x width pixels."""
    if rng.random() < NO_HINTS:
        return []
    patches = []
    for _ in range(rng.geometric(1 / MEAN_NUMBER)):
        side = int(rng.integers(1, LARGEST_PATCH + 1))
        centre = np.clip(rng.normal(0.5, 0.25, 2), 0, 1) * (height - side, width - side)
        patches.append((int(centre[0]), int(centre[1]), side))
    return patches


def hint_planes(ab: Tensor, patches: Sequence[Sequence[Patch]]) -> Tensor:
    """The network's hint input, with the mean colour of each patch.

    Args:
        ab: (N, 2, H, W) in Lab units.
        patches: for each picture, its patches.
    Returns:
        (N, 3, H, W): a / 110, b / 110 and the mask 1 within patches, zero elsewhere.
    """
    planes = torch.zeros(len(ab), 3, *ab.shape[-2:], dtype=ab.dtype, device=ab.device)
    for n, of_picture in enumerate(patches):
        for top, left, side in of_picture:
            rows, columns = slice(top, top + side), slice(left, left + side)
            mean = normalise_ab(ab[n, :, rows, columns].mean((-2, -1)))
            planes[n, :2, rows, columns] = mean[:, None, None]
            planes[n, 2, rows, columns] = 1
    return planes

"""One thing in a training picture gets another color, which only a hint can tell.

Hints in true photographs mostly confirm what the network would guess. A user's don't: the coat that looks brown was
blue, all of it, and nothing else changes. So in some pictures a region of one color is moved to a random other
color, and a hint or two lie in it.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from ..arrays import Array

SMALLEST, LARGEST = 0.04, 0.6  # of the picture: regions that will do
_TRIES = 4
Mask = npt.NDArray[np.bool_]


def recolor(rgb: Array, rng: np.random.Generator) -> tuple[Array, Mask] | None:
    """Give a region of one color another one.

    Args:
        rgb: HWC uint8.
        rng: draws the region and the color.
    Returns:
        (HWC uint8, HW mask of the region); None if no region of a fit size was met.
    """
    lab = np.asarray(cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB), np.float32)
    mask = _region(lab, rng)
    if mask is None:
        return None
    hue, chroma = rng.uniform(0, 2 * np.pi), rng.uniform(10, 60)
    wanted = np.array([np.cos(hue), np.sin(hue)]) * chroma
    shift = (wanted - lab[mask, 1:].mean(0)).astype(np.float32)
    soft = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 0.7)
    lab[..., 1:] += soft[..., None] * shift
    return (cv2.cvtColor(lab, cv2.COLOR_LAB2RGB) * 255).round().clip(0, 255).astype(np.uint8), mask


def _region(lab: npt.NDArray[np.float32], rng: np.random.Generator) -> Mask | None:
    """What hangs together with a random pixel and is like it: in color, and less strictly in lightness."""
    height, width = lab.shape[:2]
    smooth = cv2.medianBlur(np.clip(lab * (0.8, 2, 2) + (0, 128, 128), 0, 255).astype(np.uint8), 5)
    for _ in range(_TRIES):
        mask = np.zeros((height + 2, width + 2), np.uint8)
        seed = int(rng.integers(width)), int(rng.integers(height))
        tolerance = (int(rng.integers(12, 40)), *[int(rng.integers(8, 24))] * 2)
        flags = 4 | cv2.FLOODFILL_MASK_ONLY | cv2.FLOODFILL_FIXED_RANGE
        cv2.floodFill(smooth, mask, seed, 0, tolerance, tolerance, flags)
        region = cv2.morphologyEx(mask[1:-1, 1:-1], cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8)).astype(bool)
        if SMALLEST <= region.mean() <= LARGEST:
            return region
    return None

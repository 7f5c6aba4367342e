"""Pictures as numpy arrays: their types, their full scale, and their sizes."""

from __future__ import annotations

from typing import Any, cast

import cv2
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def full_scale(dtype: npt.DTypeLike) -> float:
    """White in an array of this dtype: 255, 65535, or 1 for floating point."""
    kind = np.dtype(dtype)
    if kind in (np.uint8, np.uint16):
        return float(np.iinfo(kind).max)
    if np.issubdtype(kind, np.floating):
        return 1.0
    raise TypeError(f"Pictures are uint8, uint16 or floating-point arrays, not {kind}.")


def from_unit(unit: Array, dtype: npt.DTypeLike) -> Array:
    """Values in [0, 1] to a dtype at its full scale, rounded to nearest for integers."""
    scale = full_scale(dtype)
    return (unit * np.float32(scale) + (0.5 if scale > 1 else 0)).astype(dtype)


def eight_bit(array: Array) -> Array:
    """A uint16 or floating-point picture as uint8; a uint8 one as it is."""
    if array.dtype == np.uint8:
        return array
    return from_unit(array.astype(np.float32) / np.float32(full_scale(array.dtype)), np.uint8)


Plane = npt.NDArray[np.float32]


def planes_of(array: Plane) -> list[Plane]:
    """The channels of HWC, each by itself: (H, W), contiguous."""
    return cast(list[Plane], list(cv2.split(array)))


def resize(rgb: Array, width: int, height: int) -> Array:
    """Resize HWC or HW: averaging areas on the way down, cubic on the way up."""
    down = width * height < rgb.shape[0] * rgb.shape[1]
    return cv2.resize(rgb, (width, height), interpolation=cv2.INTER_AREA if down else cv2.INTER_CUBIC)


def resize_linear(planes: Plane, width: int, height: int) -> Plane:
    """Resize HWC or HW: averaging areas on the way down, bilinear on the way up, where cubic would overshoot."""
    shrinks = width < planes.shape[1] or height < planes.shape[0]
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return cast(Plane, cv2.resize(planes, (width, height), interpolation=method))

"""The sRGB gamut: which colors there are at an L, and photographs in them.

Whole photographs pass here a strip at a time, so the work is done on float32 planes, by OpenCV and by a table of 65,536
levels where the result has 256.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import cast

import cv2
import numpy as np
import numpy.typing as npt

from ..arrays import Array, Plane, from_unit, planes_of
from .lab import _KAPPA, _XYZ_TO_RGB

_STEPS = 12  # bisections: the chroma is found to 1 part in 2^12
_TOLERANCE = 1e-4  # of linear RGB
_MATRIX = _XYZ_TO_RGB.astype(np.float32)
_KNEE, _SLOPE = np.float32(6 / 29), np.float32(116 / _KAPPA)  # of CIE Lab's curve: straight below the knee


def fit_gamut(lab: Plane) -> Plane:
    """Bring colors into sRGB by reducing chroma; L and hue stay.

    Args:
        lab: (H, W, 3) float32, L in [0, 100].
    Returns:
        (H, W, 3); every color converts to RGB in [0, 1], up to rounding.
    """
    light, a, b = planes_of(np.asarray(lab, np.float32))
    _fitted(*_light_of(light), a, b)
    return np.dstack([light, a, b])


def lab_to_display(lab: Sequence[Plane], strength: float, out: Array) -> None:
    """Lab to sRGB: as `lab_to_rgb` of what `fit_gamut` gives, much faster, and to within a step of its 8 bits.

    Args:
        lab: L, a and b, (H, W) float32 each; a and b are overwritten.
        strength: the chroma is multiplied by it once it is fitted; in [0, 1].
        out: (H, W, 3) of uint8, uint16 or floating point, for the result.
    """
    light, a, b = lab
    f, y = _light_of(light)
    linear = _fitted(f, y, a, b)
    if strength != 1:
        a *= np.float32(strength)
        b *= np.float32(strength)
        linear = _linear(f, y, a, b)
    if out.dtype == np.uint8:
        # Cast with rounding, and cut off at both ends.
        levels = cv2.multiply(linear, (65535.0,) * 3, dtype=cv2.CV_16U)  # type: ignore[call-overload]
        np.take(_eight_bit_table(), levels, out=out, mode="clip")  # "clip": straight into `out`
    else:
        out[:] = from_unit(_companded(linear), out.dtype)


@cache
def _eight_bit_table() -> npt.NDArray[np.uint8]:
    """Linear intensity in steps of 1 / 65535 to sRGB; a step is at most 0.05 of the result's."""
    return from_unit(_companded(np.arange(65536, dtype=np.float32) / np.float32(65535)), np.uint8)


def _companded(linear: Plane) -> Plane:
    """sRGB of linear RGB, both in [0, 1]; what lies outside is cut off. Not by PyTorch, which would start a team of
    threads for each of those that strips are colored by."""
    inside = np.clip(linear, 0, 1)
    curve = np.asarray(cv2.pow(inside, 1 / 2.4)).reshape(linear.shape) * np.float32(1.055) - np.float32(0.055)
    return np.where(inside <= np.float32(0.0031308), inside * np.float32(12.92), curve)


def _light_of(light: Plane) -> tuple[Plane, Plane]:
    """What L says of a color: f(Y), and Y."""
    f = (light + np.float32(16)) * np.float32(1 / 116)
    return f, _cubed(f.copy())


def _cubed(f: Plane) -> Plane:
    """The inverse of Lab's f, in two parts that are added: the cube above the knee, and what is straight below it."""
    above = np.maximum(f, _KNEE)
    f -= above
    f *= _SLOPE
    cube = above * above
    cube *= above
    cube += f
    return cube


def _linear(f: Plane, y: Plane, a: Plane, b: Plane) -> Plane:
    """Linear RGB (H, W, 3), unclipped."""
    fx, fz = a * np.float32(1 / 500), b * np.float32(-1 / 200)
    fx += f
    fz += f
    return cast(Plane, cv2.transform(cv2.merge((_cubed(fx), y, _cubed(fz))), _MATRIX))


def _inside(linear: Plane) -> npt.NDArray[np.uint8]:
    """Which of them sRGB has: (H, W), 255, else 0."""
    return cast(npt.NDArray[np.uint8], cv2.inRange(linear, (-_TOLERANCE,) * 3, (1 + _TOLERANCE,) * 3))


def _fitted(f: Plane, y: Plane, a: Plane, b: Plane) -> Plane:
    """Linear RGB (H, W, 3) of what lies in the gamut; a and b are brought there in place."""
    linear = _linear(f, y, a, b)
    inside = _inside(linear)
    if cv2.countNonZero(inside) < inside.size:
        outside = inside == 0
        f, y, wide_a, wide_b = (plane[outside][:, None] for plane in (f, y, a, b))  # (K, 1)
        low, high = np.zeros_like(f), np.ones_like(f)
        for _ in range(_STEPS):  # gray (scale 0) is always inside, so `low` is inside throughout
            middle = (low + high) * np.float32(0.5)
            fits = _inside(_linear(f, y, wide_a * middle, wide_b * middle)) > 0
            low, high = np.where(fits, middle, low), np.where(fits, high, middle)
        wide_a *= low
        wide_b *= low
        a[outside], b[outside] = wide_a[:, 0], wide_b[:, 0]
        linear[outside] = _linear(f, y, wide_a, wide_b)[:, 0]
    return linear

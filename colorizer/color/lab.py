"""CIE Lab, and how the networks see it.

Lab here is CIE L*a*b* of sRGB (IEC 61966-2-1) under D65: L in [0, 100], and for sRGB colors a in [-86, 98], b in
[-108, 95]. Arrays are HWC and numpy; tensors are channels-first and torch. Both go through the same formulas, which are
written here and not taken from a library, because the same ones must serve tensors with gradients and whole photographs
in strips. PyTorch is imported where tensors are: L alone, and `gamut`, do without it.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, cast

import cv2
import numpy as np
import numpy.typing as npt

from ..arrays import Array, from_unit, full_scale

if TYPE_CHECKING:
    from torch import Tensor

L_SCALE = 50.0  # network input is L / 50 - 1, in [-1, 1]
AB_SCALE = 110.0  # regression target is ab / 110, in [-1, 1]
# sRGB primaries under D65; the rows give X, Y, Z and each is divided by its white, so that white is (1, 1, 1).
_RGB_TO_XYZ = np.array([[0.412453, 0.357580, 0.180423], [0.212671, 0.715160, 0.072169], [0.019334, 0.119193, 0.950227]])


_RGB_TO_XYZ /= _RGB_TO_XYZ.sum(axis=1, keepdims=True)


_XYZ_TO_RGB = np.linalg.inv(_RGB_TO_XYZ)
_EPSILON, _KAPPA = (6 / 29) ** 3, 24389 / 27


def normalize_l(lightness: Tensor) -> Tensor:
    """L in [0, 100] to the network's input in [-1, 1]."""
    return lightness / L_SCALE - 1


def denormalize_l(lightness: Tensor) -> Tensor:
    """The inverse of `normalize_l`."""
    return (lightness + 1) * L_SCALE


def normalize_ab(ab: Tensor) -> Tensor:
    """ab in Lab units to the regression target, in [-1, 1] for every sRGB color."""
    return ab / AB_SCALE


def denormalize_ab(ab: Tensor) -> Tensor:
    """The inverse of `normalize_ab`."""
    return ab * AB_SCALE


def _library(x: Any) -> Any:
    """NumPy for an array, PyTorch for a tensor: where, stack and clip are the same in both."""
    if isinstance(x, np.ndarray):
        return np
    import torch

    return torch


def _mix(matrix: npt.NDArray[np.float64], x: Any) -> Any:
    """Multiply the channel axis (third from the end) by a 3x3 matrix."""
    channels = [x[..., k, :, :] for k in range(3)]
    rows = [sum(float(m) * c for m, c in zip(row, channels, strict=True)) for row in matrix]
    return _library(x).stack(rows, -3)


def _linearize(rgb: Any) -> Any:
    return _library(rgb).where(rgb <= 0.04045, rgb / 12.92, ((rgb.clip(min=0.04045) + 0.055) / 1.055) ** 2.4)


def _companding(linear: Tensor) -> Tensor:
    import torch

    return torch.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear.clamp(min=0.0031308) ** (1 / 2.4) - 0.055)


def rgb_to_lab_tensor(rgb: Tensor) -> Tensor:
    """sRGB to Lab.

    Args:
        rgb: (..., 3, H, W), floating point, [0, 1].
    Returns:
        (..., 3, H, W): L in [0, 100], a and b in Lab units.
    """
    return cast("Tensor", _rgb_to_lab(rgb))


def _rgb_to_lab(rgb: Any) -> Any:
    """`rgb_to_lab_tensor`, of an array, too."""
    library = _library(rgb)
    xyz = _mix(_RGB_TO_XYZ, _linearize(rgb))
    f = library.where(xyz > _EPSILON, xyz.clip(min=_EPSILON) ** (1 / 3), (_KAPPA * xyz + 16) / 116)
    fx, fy, fz = (f[..., k, :, :] for k in range(3))
    return library.stack([116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)], -3)


def _lab_to_linear(lab: Tensor) -> Tensor:
    """Lab to linear RGB, unclipped."""
    import torch

    lightness, a, b = lab.unbind(-3)
    fy = (lightness + 16) / 116
    f = torch.stack([fy + a / 500, fy, fy - b / 200], dim=-3)
    return _mix(_XYZ_TO_RGB, torch.where(f > 6 / 29, f**3, (116 * f - 16) / _KAPPA))


def lab_to_rgb_tensor(lab: Tensor) -> Tensor:
    """Lab to sRGB. What lies outside the gamut is clipped, which changes L; `fit_gamut` first keeps it.

    Args:
        lab: (..., 3, H, W), floating point.
    Returns:
        (..., 3, H, W) in [0, 1].
    """
    return _companding(_lab_to_linear(lab)).clamp(0, 1)


def rgb_to_lab(rgb: Array) -> npt.NDArray[np.float32]:
    """sRGB to Lab on numpy.

    Args:
        rgb: HWC, 3 channels; uint8, uint16, or floating point in [0, 1].
    Returns:
        HWC float32: L in [0, 100], a and b in Lab units.
    Raises:
        TypeError: another dtype.

    >>> rgb_to_lab(np.array([[[255, 0, 0]]], np.uint8)).round(1).tolist()  # sRGB red
    [[[53.20000076293945, 80.0999984741211, 67.19999694824219]]]
    """
    unit = rgb.astype(np.float32) / np.float32(full_scale(rgb.dtype))
    lab = _rgb_to_lab(np.ascontiguousarray(np.moveaxis(unit, -1, -3)))
    return cast(npt.NDArray[np.float32], np.moveaxis(lab, -3, -1))


def lab_to_rgb(lab: Array, dtype: npt.DTypeLike = np.float32) -> Array:
    """Lab to sRGB on numpy, clipped to the gamut and rounded to the nearest step of an integer dtype.

    Args:
        lab: HWC, floating point.
        dtype: uint8, uint16, or a floating-point type.
    Returns:
        HWC of that dtype; [0, 255], [0, 65535] or [0, 1].
    """
    import torch

    chw = torch.from_numpy(np.ascontiguousarray(np.moveaxis(lab, -1, -3), dtype=np.float32))
    return from_unit(np.moveaxis(lab_to_rgb_tensor(chw).numpy(), -3, -1), dtype)


@lru_cache(maxsize=2)
def _y_table(levels: int) -> npt.NDArray[np.float32]:
    """What a level of R, G and B adds to Y: (levels, 3)."""
    linear = _linearize(np.arange(levels) / (levels - 1))
    return (linear[:, None] * _RGB_TO_XYZ[1]).astype(np.float32)


def lightness(rgb: Array) -> npt.NDArray[np.float32]:
    """L alone, faster than `rgb_to_lab`.

    Args:
        rgb: HWC, 3 channels; uint8, uint16, or floating point in [0, 1].
    Returns:
        HW float32, L in [0, 100].
    """
    scale = full_scale(rgb.dtype)
    if rgb.dtype == np.uint8:
        red, green, blue = cv2.split(rgb)
        if np.array_equal(red, green) and np.array_equal(red, blue):
            return np.asarray(cv2.LUT(red, _gray_table()), np.float32)
        y = cv2.transform(cv2.LUT(rgb, _y_table(256)[None]), np.ones((1, 3), np.float32))
    elif scale > 1:
        table = _y_table(int(scale) + 1)
        y = sum((table[rgb[..., k], k] for k in (1, 2)), table[rgb[..., 0], 0])
    else:
        y = _linearize(rgb.astype(np.float32)) @ _RGB_TO_XYZ[1].astype(np.float32)
    return _l_of(y)


@cache
def _gray_table() -> npt.NDArray[np.float32]:
    """L of the 256 grays: (1, 256)."""
    return _l_of(_y_table(256).sum(1)[None])


def _l_of(y: Array) -> npt.NDArray[np.float32]:
    root = np.asarray(cv2.pow(np.maximum(y, np.float32(_EPSILON)), 1 / 3), np.float32).reshape(y.shape)
    straight = np.minimum(y - np.float32(_EPSILON), 0) * np.float32(_KAPPA)  # below the knee; else 0
    return np.asarray(root * np.float32(116) - np.float32(16) + straight, np.float32)

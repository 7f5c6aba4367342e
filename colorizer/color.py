"""CIE Lab, the 313 ab bins, and the sRGB gamut.

The only file that knows the numbers 50, 110 and 313.

Lab here is CIE L*a*b* of sRGB (IEC 61966-2-1) under D65: L in [0, 100], and for sRGB colors a in
[-86, 98], b in [-108, 95]. The quantized color space is that of Zhang, Isola and Efros, "Colorful Image
Colorization" (ECCV 2016).

Arrays are HWC and numpy; tensors are channels-first and torch. Both go through the same formulas.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Array = npt.NDArray[Any]

L_SCALE = 50.0  # network input is L / 50 - 1, in [-1, 1]
AB_SCALE = 110.0  # regression target is ab / 110, in [-1, 1]
BIN_STEP = 10
SOFT_NEIGHBORS, SOFT_SIGMA = 5, 5.0
_REACH = 128  # of the table of soft encodings, beyond every sRGB color

# sRGB primaries under D65; the rows give X, Y, Z and each is divided by its white, so that white is (1, 1, 1).
_RGB_TO_XYZ = np.array([[0.412453, 0.357580, 0.180423], [0.212671, 0.715160, 0.072169], [0.019334, 0.119193, 0.950227]])
_RGB_TO_XYZ /= _RGB_TO_XYZ.sum(axis=1, keepdims=True)
_XYZ_TO_RGB = np.linalg.inv(_RGB_TO_XYZ)
_EPSILON, _KAPPA = (6 / 29) ** 3, 24389 / 27


def normalize_l(lightness: Tensor) -> Tensor:
    """L in [0, 100] to the network's input in [-1, 1]."""
    return lightness / L_SCALE - 1


def normalize_ab(ab: Tensor) -> Tensor:
    """ab in Lab units to the regression target, in [-1, 1] for every sRGB color."""
    return ab / AB_SCALE


def denormalize_ab(ab: Tensor) -> Tensor:
    """The inverse of `normalize_ab`."""
    return ab * AB_SCALE


def _mix(matrix: npt.NDArray[np.float64], x: Tensor) -> Tensor:
    """Multiply the channel axis (third from the end) by a 3x3 matrix."""
    rows = [sum(float(m) * c for m, c in zip(row, x.unbind(-3), strict=True)) for row in matrix]
    return torch.stack(rows, dim=-3)  # type: ignore[arg-type]


def _linearize(rgb: Tensor) -> Tensor:
    return torch.where(rgb <= 0.04045, rgb / 12.92, ((rgb.clamp(min=0.04045) + 0.055) / 1.055) ** 2.4)


def _companding(linear: Tensor) -> Tensor:
    return torch.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear.clamp(min=0.0031308) ** (1 / 2.4) - 0.055)


def rgb_to_lab_tensor(rgb: Tensor) -> Tensor:
    """sRGB to Lab.

    Args:
        rgb: (..., 3, H, W), floating point, [0, 1].
    Returns:
        (..., 3, H, W): L in [0, 100], a and b in Lab units.
    """
    xyz = _mix(_RGB_TO_XYZ, _linearize(rgb))
    f = torch.where(xyz > _EPSILON, xyz.clamp(min=_EPSILON) ** (1 / 3), (_KAPPA * xyz + 16) / 116)
    fx, fy, fz = f.unbind(-3)
    return torch.stack([116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)], dim=-3)


def _lab_to_linear(lab: Tensor) -> Tensor:
    """Lab to linear RGB, unclipped."""
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
    """
    unit = rgb.astype(np.float32) / np.float32(full_scale(rgb.dtype))
    chw = torch.from_numpy(np.ascontiguousarray(np.moveaxis(unit, -1, -3)))
    return np.moveaxis(rgb_to_lab_tensor(chw).numpy(), -3, -1)


def lab_to_rgb(lab: Array, dtype: npt.DTypeLike = np.float32) -> Array:
    """Lab to sRGB on numpy, clipped to the gamut and rounded to the nearest step of an integer dtype.

    Args:
        lab: HWC, floating point.
        dtype: uint8, uint16, or a floating-point type.
    Returns:
        HWC of that dtype; [0, 255], [0, 65535] or [0, 1].
    """
    chw = torch.from_numpy(np.ascontiguousarray(np.moveaxis(lab, -1, -3), dtype=np.float32))
    return from_unit(np.moveaxis(lab_to_rgb_tensor(chw).numpy(), -3, -1), dtype)


@lru_cache(maxsize=2)
def _linear_table(levels: int) -> npt.NDArray[np.float32]:
    return _linearize(torch.arange(levels, dtype=torch.float64) / (levels - 1)).numpy().astype(np.float32)


def lightness(rgb: Array) -> npt.NDArray[np.float32]:
    """L alone, faster than `rgb_to_lab`.

    Args:
        rgb: HWC, 3 channels; uint8, uint16, or floating point in [0, 1].
    Returns:
        HW float32, L in [0, 100].
    """
    scale = full_scale(rgb.dtype)
    if scale > 1:
        linear = _linear_table(int(scale) + 1)[rgb]
    else:
        linear = _linearize(torch.from_numpy(rgb.astype(np.float32))).numpy()
    y = linear @ _RGB_TO_XYZ[1].astype(np.float32)
    return np.where(y > _EPSILON, 116 * np.cbrt(y) - 16, _KAPPA * y).astype(np.float32)


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


# ---------------------------------------------------------------------------------------------- gamut


def fit_gamut(lab: Tensor, steps: int = 12) -> Tensor:
    """Bring colors into sRGB by reducing chroma; L and hue stay.

    Args:
        lab: (3, H, W), floating point, L in [0, 100].
        steps: bisections; the chroma is found to 1 part in 2^steps.
    Returns:
        (3, H, W); every color converts to RGB in [0, 1], up to rounding.
    """
    outside = ~_in_gamut(lab)
    if not bool(outside.any()):
        return lab
    bad = lab[:, outside].unsqueeze(-1)  # (3, K, 1)
    low, high = torch.zeros_like(bad[0]), torch.ones_like(bad[0])
    for _ in range(steps):  # gray (scale 0) is always inside, so `low` is inside throughout
        middle = (low + high) / 2
        inside = _in_gamut(torch.stack([bad[0], bad[1] * middle, bad[2] * middle]))
        low, high = torch.where(inside, middle, low), torch.where(inside, high, middle)
    fitted = lab.clone()
    fitted[1:, outside] = (bad[1:] * low).squeeze(-1)
    return fitted


def _in_gamut(lab: Tensor, tolerance: float = 1e-4) -> Tensor:
    linear = _lab_to_linear(lab)
    return ((linear >= -tolerance) & (linear <= 1 + tolerance)).all(dim=-3)


# ----------------------------------------------------------------------------------------- the 313 bins

# For each a, the run of b (from, to, in steps of 10) whose colors lie in gamut for some L: the published bins.
_BIN_RUNS = {
    -90: (50, 90), -80: (20, 90), -70: (0, 90), -60: (-20, 90), -50: (-30, 100),
    -40: (-40, 100), -30: (-50, 100), -20: (-50, 100), -10: (-60, 100), 0: (-70, 100),
    10: (-80, 90), 20: (-80, 90), 30: (-90, 90), 40: (-100, 90), 50: (-100, 80),
    60: (-110, 80), 70: (-110, 80), 80: (-110, 70), 90: (-110, 70), 100: (-90, 0),
}  # fmt: skip


def ab_bins() -> Tensor:
    """The centers of the 313 quantized ab colors, (313, 2) float32 in Lab units, in the published order."""
    centers = [(a, b) for a, (lo, hi) in _BIN_RUNS.items() for b in range(lo, hi + 1, BIN_STEP)]
    return torch.tensor(centers, dtype=torch.float32)


N_BINS = len(ab_bins())


def _soft_weights(ab: Tensor) -> tuple[Tensor, Tensor]:
    """Exact soft encoding of (K, 2) colors: indices (K, 5) and weights (K, 5), nearest first."""
    squared = ((ab[:, None, :] - ab_bins()[None]) ** 2).sum(-1)  # (K, 313)
    nearest, indices = squared.topk(SOFT_NEIGHBORS, largest=False, sorted=True)
    # The smallest distance is taken out first: far outside the bins every exponential would be zero.
    weights = torch.exp(-(nearest - nearest[:, :1]) / (2 * SOFT_SIGMA**2))
    return indices, weights / weights.sum(1, keepdim=True)


@lru_cache(maxsize=1)
def _soft_table() -> tuple[Tensor, Tensor]:
    """`_soft_weights` of every whole (a, b): to search 313 bins for each pixel would cost more than the network."""
    axis = torch.arange(-_REACH, _REACH + 1, dtype=torch.float32)
    grid = torch.cartesian_prod(axis, axis)
    parts = [_soft_weights(chunk) for chunk in torch.split(grid, 8192)]
    return torch.cat([p[0] for p in parts]), torch.cat([p[1] for p in parts])


def soft_encode(ab: Tensor) -> tuple[Tensor, Tensor]:
    """Encode colors over their 5 nearest bins with a Gaussian of sigma 5 (Zhang et al. 2016, section 2.2).

    ab is rounded to whole Lab units, a tenth of a bin.

    Args:
        ab: (N, 2, H, W) in Lab units.
    Returns:
        indices (N, 5, H, W) int64 and weights (N, 5, H, W) summing to 1, nearest bin first.
    """
    indices, weights = (table.to(ab.device) for table in _soft_table())
    whole = ab.round().clamp(-_REACH, _REACH).long() + _REACH
    row = whole[:, 0] * (2 * _REACH + 1) + whole[:, 1]  # (N, H, W)
    return indices[row].movedim(-1, 1), weights[row].movedim(-1, 1)


def soft_histogram(ab: Tensor) -> Tensor:
    """Sum of the soft encodings of all pixels: (313,) float64. Its Gaussian smooths the empirical prior."""
    indices, weights = soft_encode(ab)
    return torch.bincount(indices.flatten(), weights=weights.flatten().double(), minlength=N_BINS)


def mix_uniform(prior: Tensor, share: float) -> Tensor:
    """The prior mixed with a uniform distribution over the bins, so that no bin has probability 0."""
    return (1 - share) * prior + share / N_BINS


def rebalancing_weights(prior: Tensor, share: float = 0.5) -> Tensor:
    """Class weights 1 / ((1 - share) p + share / 313), scaled to mean 1 under p (Zhang et al. 2016, eq. 4).

    Args:
        prior: (313,), summing to 1.
        share: of the uniform distribution.
    """
    weights = 1 / mix_uniform(prior, share)
    return weights / (prior * weights).sum()


def rebalance_logits(logits: Tensor, prior: Tensor, alpha: float, share: float = 0.05) -> Tensor:
    """Rebalancing after training: logits - alpha log p. 0 changes nothing; more gives rarer colors a chance.

    Args:
        logits: (N, 313, H, W).
        prior: (313,), summing to 1.
        alpha: 0 cautious .. 1 fully rebalanced.
        share: of the uniform distribution in p.
    """
    return logits - alpha * mix_uniform(prior, share).log().view(1, -1, 1, 1)


def annealed_mean(logits: Tensor, temperature: float = 0.38) -> Tensor:
    """The mean color of the distribution sharpened by a temperature (Zhang et al. 2016, eq. 5).

    Args:
        logits: (N, 313, H, W).
        temperature: > 0; towards 0 the most probable bin, at 1 the mean.
    Returns:
        ab (N, 2, H, W) in Lab units.
    """
    probabilities = torch.softmax(logits.float() / temperature, dim=1)
    return torch.einsum("nqhw,qc->nchw", probabilities, ab_bins().to(logits.device))


# ------------------------------------------------------------------------------------ color difference


def ciede2000(lab1: Array, lab2: Array) -> npt.NDArray[np.float64]:
    """CIEDE2000 color difference (Sharma, Wu, Dalal 2005), kL = kC = kH = 1.

    Args:
        lab1, lab2: (..., 3).
    Returns:
        (...,) differences; about 1 is just noticeable, 0..~100.
    """
    l1, a1, b1 = np.moveaxis(np.asarray(lab1, np.float64), -1, 0)
    l2, a2, b2 = np.moveaxis(np.asarray(lab2, np.float64), -1, 0)
    mean_chroma7 = ((np.hypot(a1, b1) + np.hypot(a2, b2)) / 2) ** 7
    g = 0.5 * (1 - np.sqrt(mean_chroma7 / (mean_chroma7 + 25.0**7)))
    c1, c2 = np.hypot((1 + g) * a1, b1), np.hypot((1 + g) * a2, b2)
    h1, h2 = (np.degrees(np.arctan2(b, (1 + g) * a)) % 360 for a, b in ((a1, b1), (a2, b2)))
    gray = c1 * c2 == 0  # a gray has no hue
    dh = np.where(gray, 0, (h2 - h1 + 180) % 360 - 180)
    hue_difference = 2 * np.sqrt(c1 * c2) * np.sin(np.radians(dh / 2))
    l_mean, c_mean = (l1 + l2) / 2, (c1 + c2) / 2
    h_mean = np.where(gray, h1 + h2, np.where(np.abs(h1 - h2) <= 180, h1 + h2, h1 + h2 + 360) / 2)
    t = (
        1
        - 0.17 * np.cos(np.radians(h_mean - 30))
        + 0.24 * np.cos(np.radians(2 * h_mean))
        + 0.32 * np.cos(np.radians(3 * h_mean + 6))
        - 0.20 * np.cos(np.radians(4 * h_mean - 63))
    )
    s_l = 1 + 0.015 * (l_mean - 50) ** 2 / np.sqrt(20 + (l_mean - 50) ** 2)
    s_c, s_h = 1 + 0.045 * c_mean, 1 + 0.015 * c_mean * t
    rotation = -2 * np.sqrt(c_mean**7 / (c_mean**7 + 25.0**7))
    rotation *= np.sin(np.radians(60 * np.exp(-(((h_mean % 360 - 275) / 25) ** 2))))
    dl, dc, dhh = (l2 - l1) / s_l, (c2 - c1) / s_c, hue_difference / s_h
    return np.sqrt(np.maximum(dl**2 + dc**2 + dhh**2 + rotation * dc * dhh, 0))

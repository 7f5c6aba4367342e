"""From the network's few pixels of ab to the photo's many: along the edges of L, at any size.

The photo's own L is kept. ab is fitted to a guide, L at up to 512 pixels of short side, by a guided filter, whose
coefficients are then applied to the full-size L a strip of rows at a time.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import cast

import cv2
import numpy as np
import torch

from ..arrays import Array, Plane, from_unit, resize, resize_linear
from ..color.gamut import fit_gamut
from ..color.lab import lab_to_rgb_tensor, lightness
from ..pictures.photo import Photo

_GUIDE_SIDE = 512  # short side at which the guided filter works, at most
_GUIDE_EPSILON = 1e-3  # variance of L / 100 below which the filter smooths
_COVER_EPSILON = 1e-4  # the same of a mask whose edges lie on those of L already
# Light on a thing multiplies its RGB, and with it chroma and L + 16 alike. By a third of that shadows are not neon, and
# the color is still the one that was asked for.
_SHADE = 1 / 3
_STRIP_PIXELS = 2_000_000


@dataclass(frozen=True)
class Paint:
    """What strokes lay over the network's colors, at the guide's size.

    Attributes:
        cover: (H, W) in [0, 1]: how much of the network's color it replaces.
        ab: (H, W, 2) in Lab units, defined everywhere.
        lightness: (H, W), L under the strokes: where the thing is darker, it has a little less chroma.
    """

    cover: Plane
    ab: Plane
    lightness: Plane


def guide_of(photo: Photo) -> Plane:
    """L of a photo in [0, 100], at full size if it is small, else at the size at which its edges are looked at."""
    height, width = photo.rgb.shape[:2]
    scale = min(1.0, _GUIDE_SIDE / min(height, width), 4 * _GUIDE_SIDE / max(height, width))
    return lightness(resize(photo.rgb, max(round(width * scale), 1), max(round(height * scale), 1)))


def colorize_photo(
    photo: Photo, guide: Plane, ab: Plane, saturation: float = 1, strength: float = 1, in_place: bool = False,
    paint: Paint | None = None,
) -> Photo:  # fmt: skip
    """The photo in color.

    Args:
        photo: of any size.
        guide: (H, W), `guide_of` it, or of the same picture at another size.
        ab: (h, w, 2) in Lab units, of any smaller size: it is brought to the photo's along the edges of its L.
        saturation: ab is multiplied by it before it is fitted into sRGB.
        strength: ab is multiplied by it afterwards; 0 is gray, 1 changes nothing.
        in_place: write over the photo's pixels.
        paint: what lies over these colors.
    """
    height, width = guide.shape
    radius = max(round(min(guide.shape) / min(ab.shape[:2])), 1)  # about one of the prediction's pixels
    coefficients = guided_coefficients(guide, resize_linear(ab, width, height), radius, _GUIDE_EPSILON)
    colorized = photo.rgb if in_place else np.empty_like(photo.rgb)
    layers = [coefficients * np.float32(saturation)]
    if paint is not None:
        cover = guided_coefficients(guide, paint.cover[..., None], 1, _COVER_EPSILON)
        layers += [cover, paint.ab, paint.lightness]
    _colorize_strips(photo.rgb, np.dstack(layers), strength, colorized)
    return replace(photo, rgb=colorized)


def guided_coefficients(guide: Plane, planes: Plane, radius: int, epsilon: float) -> Plane:
    """The linear model plane = slope L + offset of each window, so that planes have edges where L has.

    He, Sun and Tang, "Guided Image Filtering" (PAMI 2013), eqs. 5, 6 and 8; the coefficients may be brought to a
    larger size (He and Sun, "Fast Guided Filter", 2015).

    Args:
        guide: (H, W) L in [0, 100].
        planes: (H, W, C), such as a and b.
        radius: of the square window in pixels.
        epsilon: regularization, a variance of L / 100.
    Returns:
        (H, W, 2 C): the slopes of all, then the offsets of all; to be applied to L in [0, 100].
    """

    def mean(x: Array) -> Array:
        blurred = cv2.blur(x, (2 * radius + 1,) * 2, borderType=cv2.BORDER_REFLECT)
        return blurred.reshape(x.shape)  # OpenCV drops a last axis of one

    unit = (guide / 100)[..., None]
    mean_guide, mean_planes = mean(unit), mean(planes)
    variance = mean(unit * unit) - mean_guide**2
    slope = (mean(unit * planes) - mean_guide * mean_planes) / (np.maximum(variance, 0) + epsilon)
    offset = mean_planes - slope * mean_guide
    return mean(np.dstack([slope / 100, offset]).astype(np.float32))


def _colorize_strips(rgb: Array, coefficients: Plane, strength: float, colorized: Array) -> None:
    """Color at full size, a strip of rows at a time, so that memory hardly grows with the photo.

    Args:
        rgb: HWC.
        coefficients: of `guided_coefficients`, at the guide's size; behind them, if there is paint, slope and offset of
            its cover, its ab, and the L that this is the color at.
        strength: of `colorize_photo`.
        colorized: the result's place, as rgb; may be rgb itself.
    """
    height, width = rgb.shape[:2]
    rows = max(_STRIP_PIXELS // width, 1)
    for top in range(0, height, rows):
        strip = rgb[top : top + rows]
        planes = _rows_at(coefficients, top, len(strip), height, width)  # (rows, W, 4 or 9)
        light = lightness(strip)
        ab = planes[..., :2] * light[..., None] + planes[..., 2:4]
        if planes.shape[2] > 4:
            cover = np.clip(planes[..., 4] * light + planes[..., 5], 0, 1)[..., None]
            shade = np.minimum((light + 16) / (planes[..., 8] + 16), 1) ** _SHADE
            ab += cover * (planes[..., 6:8] * shade[..., None] - ab)
        lab = fit_gamut(torch.from_numpy(np.concatenate([light[None], ab.transpose(2, 0, 1)])))
        lab[1:] *= strength
        unit = lab_to_rgb_tensor(lab).permute(1, 2, 0).numpy()
        colorized[top : top + rows] = from_unit(unit, rgb.dtype)


def _rows_at(planes: Plane, top: int, rows: int, height: int, width: int) -> Plane:
    """Rows top..top+rows of `planes` (h, w, C) enlarged bilinearly to (height, width, C)."""
    h = len(planes)
    y = np.clip((np.arange(top, top + rows, dtype=np.float32) + 0.5) * h / height - 0.5, 0, h - 1)
    above = y.astype(int)
    below, weight = np.minimum(above + 1, h - 1), (y - above)[:, None, None]
    mixed = planes[above] * (1 - weight) + planes[below] * weight  # (rows, w, C)
    return cast(Plane, cv2.resize(mixed.astype(np.float32), (width, rows), interpolation=cv2.INTER_LINEAR))

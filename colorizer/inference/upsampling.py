"""From the network's few pixels of ab to the photo's many: along the edges of L, at any size.

The photo's own L is kept. ab is fitted to a guide, L at up to 512 pixels of short side, by a guided filter, whose
coefficients are then applied to the full-size L a strip of rows at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from typing import cast

import cv2
import numpy as np

from ..arrays import Array, Plane, planes_of, resize, resize_linear
from ..color.gamut import lab_to_display
from ..color.lab import lightness
from ..device import cores
from ..pictures.photo import Photo

_GUIDE_SIDE = 512  # short side at which the guided filter works, at most
_GUIDE_EPSILON = 1e-3  # variance of L / 100 below which the filter smooths
_COVER_EPSILON = 1e-4  # the same of a mask whose edges lie on those of L already
# Light on a thing multiplies its RGB, and with it chroma and L + 16 alike. By a third of that shadows are not neon, and
# the color is still the one that was asked for.
_SHADE = 1 / 3
_STRIP_PIXELS = 150_000  # about what fits the processor's cache


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
    smooth = [resize_linear(plane, width, height) for plane in planes_of(ab * np.float32(saturation))]
    layers = guided_coefficients(guide, smooth, radius, _GUIDE_EPSILON)
    if paint is not None:
        cover = guided_coefficients(guide, [paint.cover], 1, _COVER_EPSILON)
        layers += [*cover, *planes_of(paint.ab), paint.lightness]
    colorized = photo.rgb if in_place else np.empty_like(photo.rgb)
    _colorize_strips(photo.rgb, np.stack(layers), strength, colorized)
    return replace(photo, rgb=colorized)


def guided_coefficients(guide: Plane, planes: Sequence[Plane], radius: int, epsilon: float) -> list[Plane]:
    """The linear model plane = slope L + offset of each window, so that planes have edges where L has.

    He, Sun and Tang, "Guided Image Filtering" (PAMI 2013), eqs. 5, 6 and 8; the coefficients may be brought to a
    larger size (He and Sun, "Fast Guided Filter", 2015).

    Args:
        guide: (H, W) L in [0, 100].
        planes: (H, W) each, such as a and b.
        radius: of the square window in pixels.
        epsilon: regularization, a variance of L / 100.
    Returns:
        the slopes of all, then the offsets of all, (H, W) each; to be applied to L in [0, 100].
    """

    def mean(x: Plane) -> Plane:
        return cast(Plane, cv2.blur(x, (2 * radius + 1,) * 2, borderType=cv2.BORDER_REFLECT))

    unit = guide * np.float32(1 / 100)
    mean_guide = mean(unit)
    certainty = 1 / (np.maximum(mean(unit * unit) - mean_guide**2, 0) + np.float32(epsilon))
    slopes, offsets = [], []
    for plane in planes:
        mean_plane = mean(plane)
        slope = (mean(unit * plane) - mean_guide * mean_plane) * certainty
        slopes.append(mean(slope * np.float32(1 / 100)))
        offsets.append(mean(mean_plane - slope * mean_guide))
    return slopes + offsets


def mask_at_edges(guide: Plane, mask: Plane, radius: int, epsilon: float, contrast: float) -> Plane:
    """A soft mask whose edges lie on those of L, and are made sharper by `contrast`: (H, W) in [0, 1].

    The other arguments are those of `guided_coefficients`.
    """
    slope, offset = guided_coefficients(guide, [mask], radius, epsilon)
    filtered = slope * guide + offset
    return cast(Plane, np.clip((filtered - 0.5) * np.float32(contrast) + 0.5, 0, 1))


def _colorize_strips(rgb: Array, coefficients: Plane, strength: float, colorized: Array) -> None:
    """Color at full size, a strip of rows at a time, so that memory hardly grows with the photo.

    Args:
        rgb: HWC.
        coefficients: (4, H, W), those of `guided_coefficients` at the guide's size; if there is paint, (9, H, W):
            behind them slope and offset of its cover, its ab, and the L that this is the color at.
        strength: of `colorize_photo`.
        colorized: the result's place, as rgb; may be rgb itself.
    """
    height, width = rgb.shape[:2]
    rows = max(_STRIP_PIXELS // width, 1)

    def color(top: int) -> None:
        strip = rgb[top : top + rows]
        planes = _rows_at(coefficients, top, len(strip), height, width)
        light = lightness(strip)
        ab = [slope * light + offset for slope, offset in zip(planes[:2], planes[2:4], strict=True)]
        if len(planes) > 4:
            cover = np.clip(planes[4] * light + planes[5], 0, 1)
            shade = np.minimum((light + 16) / (planes[8] + 16), 1) ** np.float32(_SHADE)
            for plane, painted in zip(ab, planes[6:8], strict=True):
                plane += cover * (painted * shade - plane)
        lab_to_display((light, *ab), strength, colorized[top : top + rows])

    list(_pool(cores()).map(color, range(0, height, rows)))


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    """NumPy and OpenCV let them run side by side."""
    return ThreadPoolExecutor(threads, "pixels")


def _rows_at(planes: Plane, top: int, rows: int, height: int, width: int) -> list[Plane]:
    """Rows top..top+rows of `planes` (C, h, w) enlarged bilinearly to (height, width): (rows, width) each."""
    h = planes.shape[1]
    y = np.clip((np.arange(top, top + rows, dtype=np.float32) + 0.5) * h / height - 0.5, 0, h - 1)
    above = y.astype(int)
    below, weight = np.minimum(above + 1, h - 1), (y - above).astype(np.float32)[:, None]
    enlarged = []
    for plane in planes:
        upper = plane[above]
        mixed = plane[below]  # (rows, w)
        mixed -= upper
        mixed *= weight
        mixed += upper
        enlarged.append(cast(Plane, cv2.resize(mixed, (width, rows), interpolation=cv2.INTER_LINEAR)))
    return enlarged

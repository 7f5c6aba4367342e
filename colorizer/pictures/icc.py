"""ICC color profiles: pictures of any profile as sRGB.

LittleCMS, through Pillow, converts 8-bit pictures only. 16-bit ones go through a table that it fills.
"""

from __future__ import annotations

import io
from functools import lru_cache
from typing import cast

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms

from ..arrays import Array

_STEP = 5  # of 255: between the nodes of a table
_NODES = 255 // _STEP + 1
_STRIP_PIXELS = 1_000_000
Table = npt.NDArray[np.float32]


def srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """An 8-bit picture of any mode as RGB in sRGB; a profile that can't be used is as good as none.

    Args:
        image: any 8-bit mode.
        profile: its ICC profile.
    """
    if image.mode == "LAB":
        image.load()  # a truncated file is an OSError here, but an error of the profile there
        return _converted(image, ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")))
    if image.mode not in ("RGB", "CMYK", "L"):
        image = image.convert("L" if image.mode in ("1", "LA") else "RGB")
    if profile:
        try:
            return _converted(image, ImageCms.ImageCmsProfile(io.BytesIO(profile)))
        except (ImageCms.PyCMSError, OSError, ValueError):
            pass
    return image if image.mode == "RGB" else image.convert("RGB")


def _converted(image: Image.Image, profile: ImageCms.ImageCmsProfile) -> Image.Image:
    target = ImageCms.createProfile("sRGB")
    return cast(Image.Image, ImageCms.profileToProfile(image, profile, target, outputMode="RGB"))


def gray_to_srgb(gray: Array, profile: bytes) -> Array:
    """16-bit gray of a profile as sRGB's gray.

    Args:
        gray: HW uint16.
        profile: ICC, of a gray device.
    Returns:
        HW uint16.
    """
    nodes = np.arange(_NODES, dtype=np.uint8)[None] * _STEP
    values = np.asarray(srgb(Image.fromarray(nodes), profile))[0, :, 1]
    table = np.interp(np.arange(65536) / 257, nodes[0], values) * 257
    return table.round().astype(np.uint16)[gray]


def deep_to_srgb(rgb: Array, profile: bytes) -> None:
    """16-bit RGB of a profile as sRGB, by trilinear interpolation; in place.

    Args:
        rgb: HWC uint16.
        profile: ICC, of an RGB device.
    """
    table = _table(profile)
    rows = max(_STRIP_PIXELS // rgb.shape[1], 1)
    for top in range(0, len(rgb), rows):
        rgb[top : top + rows] = _looked_up(table, rgb[top : top + rows])


@lru_cache(maxsize=2)
def _table(profile: bytes) -> Table:
    """(n, n, n, 3) sRGB in [0, 65535] at the nodes."""
    nodes = np.arange(_NODES, dtype=np.uint8) * _STEP
    grid = np.stack(np.meshgrid(nodes, nodes, nodes, indexing="ij"), axis=-1).reshape(_NODES, -1, 3)
    return np.asarray(srgb(Image.fromarray(grid), profile), np.float32).reshape(*[_NODES] * 3, 3) * np.float32(257)


def _looked_up(table: Table, rgb: Array) -> Array:
    place = rgb.astype(np.float32) / np.float32(257 * _STEP)
    low = np.minimum(place.astype(int), _NODES - 2)
    part = place - low
    total = np.zeros(rgb.shape, np.float32)
    for corner in np.ndindex(2, 2, 2):
        weight = np.where(corner, part, 1 - part).prod(-1, keepdims=True)
        r, g, b = np.moveaxis(low + corner, -1, 0)
        total += weight * table[r, g, b]
    return total.round().astype(np.uint16)

"""Colour hints: a few points whose true colour is known, given to the network as three sparse planes.

In training they are drawn as in Zhang et al., "Real-Time User-Guided Image Colorization" (SIGGRAPH 2017),
section 3.1: their number from a geometric law, square patches of 1 to 9 pixels, near the middle more often, each
with the mean colour of its patch. Half of the pictures get none, so that the network also colours by itself.

A user's hint is a disc of one colour on the photo.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from PIL import ImageColor
from torch import Tensor

from .color import normalise_ab, rgb_to_lab
from .errors import UserError

NO_HINTS = 0.5  # share of pictures without any
MEAN_NUMBER = 8  # of the geometric law, where there are some
LARGEST_PATCH = 9
MOST_PATCHES = 64  # in one picture

Patch = tuple[int, int, int]  # top, left, side


def draw_patches(rng: np.random.Generator, height: int, width: int) -> list[Patch]:
    """Draw the hint patches of one picture of height x width pixels."""
    if rng.random() < NO_HINTS:
        return []
    patches = []
    for _ in range(min(rng.geometric(1 / MEAN_NUMBER), MOST_PATCHES)):
        side = int(rng.integers(1, LARGEST_PATCH + 1))
        centre = np.clip(rng.normal(0.5, 0.25, 2), 0, 1) * (height - side, width - side)
        patches.append((int(centre[0]), int(centre[1]), side))
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


def hint_planes(ab: Tensor, patches: Sequence[Sequence[Patch]] | npt.NDArray[np.int64]) -> Tensor:
    """The network's hint input, with the mean colour of each patch.

    Args:
        ab: (N, 2, H, W) in Lab units.
        patches: for each picture, its patches; those of side 0 are none.
    Returns:
        (N, 3, H, W): a / 110, b / 110 and the mask 1 within patches, zero elsewhere.
    """
    planes = torch.zeros(len(ab), 3, *ab.shape[-2:], dtype=ab.dtype, device=ab.device)
    for n, of_picture in enumerate(patches):
        for top, left, side in of_picture:
            if side == 0:
                continue
            rows, columns = slice(top, top + side), slice(left, left + side)
            mean = normalise_ab(ab[n, :, rows, columns].mean((-2, -1)))
            planes[n, :2, rows, columns] = mean[:, None, None]
            planes[n, 2, rows, columns] = 1
    return planes


HintTuple = tuple[float, float, float, str]


@dataclass(frozen=True)
class Hint:
    """A disc whose colour is known.

    Attributes:
        x, y: its middle in the photo's pixels; (0, 0) is the upper left corner.
        radius: in the photo's pixels.
        ab: its colour, in Lab units.
    """

    x: float
    y: float
    radius: float
    ab: tuple[float, float]


def parse_hint(given: Hint | HintTuple) -> Hint:
    """(x, y, radius, "#rrggbb") as a `Hint`; any colour that CSS knows will do. Its lightness doesn't matter.

    Raises:
        UserError: not of that form.
    """
    if isinstance(given, Hint):
        return given
    try:
        x, y, radius, color = given
        x, y, radius = float(x), float(y), float(radius)
        rgb = np.array([[ImageColor.getrgb(color)[:3]]], np.uint8)
    except (TypeError, ValueError, AttributeError) as error:
        raise UserError(f'A hint is (x, y, radius, "#rrggbb"), not {given!r}.') from error
    if not (np.isfinite([x, y]).all() and 0 <= radius < np.inf):
        raise UserError(f"A hint needs a place, and a radius of 0 or more, not {given!r}.")
    _, a, b = rgb_to_lab(rgb)[0, 0].tolist()
    return Hint(x, y, radius, (a, b))


def hint_planes_of(hints: Sequence[Hint], photo_size: tuple[int, int], size: tuple[int, int]) -> Tensor:
    """The network's hint input, from a user's hints.

    Args:
        hints: later ones lie over earlier ones.
        photo_size: (height, width) of the photo.
        size: (H, W) of the network's copy of it.
    Returns:
        (1, 3, H, W) as of `hint_planes`. Each hint covers the pixel that its middle is in at least.
    Raises:
        UserError: a hint's middle is not on the photo.
    """
    planes = torch.zeros(1, 3, *size)
    across, down = size[1] / photo_size[1], size[0] / photo_size[0]
    y, x = torch.meshgrid(*(torch.arange(n) + 0.5 for n in size), indexing="ij")
    for hint in hints:
        if not (0 <= hint.x <= photo_size[1] and 0 <= hint.y <= photo_size[0]):
            raise UserError(
                f"The hint at ({hint.x:g}, {hint.y:g}) is not on the photo, "
                f"which is {photo_size[1]} x {photo_size[0]} pixels."
            )
        within = ((x - hint.x * across) / across) ** 2 + ((y - hint.y * down) / down) ** 2 <= hint.radius**2
        within[min(int(hint.y * down), size[0] - 1), min(int(hint.x * across), size[1] - 1)] = True
        planes[0, :2, within] = normalise_ab(torch.tensor(hint.ab))[:, None]
        planes[0, 2, within] = 1
    return planes

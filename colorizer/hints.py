"""Color hints: a few points whose true color is known, given to the network as three sparse planes.

In training they are drawn as in Zhang et al., "Real-Time User-Guided Image Colorization" (SIGGRAPH 2017),
section 3.1: their number from a geometric law, square patches of 1 to 9 pixels, near the middle more often, each
with the mean color of its patch. Half of the pictures get none, so that the network also colors by itself.

A user's hint is a disc of one color on the photo.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import ImageColor
from torch import Tensor

from .color import AB_SCALE, Array, lab_to_rgb, normalize_ab, rgb_to_lab
from .errors import UserError

NO_HINTS = 0.5  # share of pictures without any
MEAN_NUMBER = 8  # of the geometric law, where there are some
LARGEST_PATCH = 9
_MOST_PATCHES = 64  # in one picture
_MOST_OF_A_STROKE = 2000  # discs
_SHOWN_AT = 55.0  # L of a hint's color where it is shown as RGB

Patch = tuple[int, int, int]  # top, left, side


def draw_patches(rng: np.random.Generator, height: int, width: int) -> list[Patch]:
    """Draw the hint patches of one picture of height x width pixels."""
    if rng.random() < NO_HINTS:
        return []
    patches = []
    for _ in range(min(rng.geometric(1 / MEAN_NUMBER), _MOST_PATCHES)):
        side = int(rng.integers(1, LARGEST_PATCH + 1))
        center = np.clip(rng.normal(0.5, 0.25, 2), 0, 1) * (height - side, width - side)
        patches.append((int(center[0]), int(center[1]), side))
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


def hint_planes(rgb: Array, patches: Sequence[Patch]) -> npt.NDArray[np.float32]:
    """The network's hint input, with the mean color of each patch; later ones lie over earlier ones.

    Args:
        rgb: HWC uint8.
        patches: of this picture.
    Returns:
        (3, H, W): a / 110, b / 110 and the mask 1 within patches, zero elsewhere.
    """
    planes = np.zeros((3, *rgb.shape[:2]), np.float32)
    for top, left, side in patches:
        rows, columns = slice(top, top + side), slice(left, left + side)
        planes[:2, rows, columns] = (rgb_to_lab(rgb[rows, columns])[..., 1:].mean((0, 1)) / AB_SCALE)[:, None, None]
        planes[2, rows, columns] = 1
    return planes


HintTuple = tuple[float, float, float, str]


@dataclass(frozen=True)
class Hint:
    """A disc whose color is known.

    Attributes:
        x, y: its middle in the photo's pixels; (0, 0) is the upper left corner.
        radius: in the photo's pixels.
        ab: its color, in Lab units.
    """

    x: float
    y: float
    radius: float
    ab: tuple[float, float]


def parse_hint(given: Hint | HintTuple) -> Hint:
    """(x, y, radius, "#rrggbb") as a `Hint`; any color that CSS knows will do. Its lightness doesn't matter.

    Raises:
        UserError: not of that form.
    """
    if isinstance(given, Hint):
        return given
    try:
        x, y, radius, color = given
        return _checked(Hint(float(x), float(y), float(radius), _ab_of(color)))
    except (TypeError, ValueError, AttributeError) as error:
        raise UserError(f'A hint is (x, y, radius, "#rrggbb"), not {given!r:.60}.') from error


def _ab_of(color: str) -> tuple[float, float]:
    rgb = np.array([[ImageColor.getrgb(color)[:3]]], np.uint8)
    _, a, b = rgb_to_lab(rgb)[0, 0].tolist()
    return a, b


def _checked(hint: Hint) -> Hint:
    if not (np.isfinite([hint.x, hint.y, *hint.ab]).all() and 0 <= hint.radius < np.inf):
        raise UserError(f"A hint needs a place, and a radius of 0 or more, not ({hint.x}, {hint.y}, {hint.radius}).")
    return hint


def hints_along(points: Sequence[tuple[float, float]], radius: float, ab: tuple[float, float]) -> list[Hint]:
    """A stroke of a round brush as hints: discs whose middles lie at most one radius apart.

    Args:
        points: (x, y) in the photo's pixels, at least one.
        radius: of the brush.
        ab: its color, in Lab units.
    """
    hints = [_checked(Hint(*points[0], radius, ab))]
    for x, y in points[1:]:
        last = hints[-1]
        steps = int(min(np.hypot(x - last.x, y - last.y) / max(radius, 1), _MOST_OF_A_STROKE))
        for k in range(1, steps + 1):
            place = last.x + (x - last.x) * k / steps, last.y + (y - last.y) * k / steps
            hints.append(_checked(Hint(*place, radius, ab)))
    return hints[:_MOST_OF_A_STROKE]


def parse_hints(given: object) -> list[Hint]:
    """What a hints file holds, or a user's strokes on the page.

    Args:
        given: a list of [x, y, radius, "#rrggbb"], of {"x", "y", "radius", "color"}, and of strokes,
            {"points": [[x, y], ...], "radius", "color"}; in any mixture. "ab": [a, b] goes before "color".
    Raises:
        UserError: not of that form.
    """
    if not isinstance(given, list):
        raise UserError(f'Hints are a list, [[x, y, radius, "#rrggbb"], ...], not {given!r:.60}.')
    hints: list[Hint] = []
    for entry in given:
        if not isinstance(entry, dict):
            hints.append(parse_hint(entry))
            continue
        try:
            points = [(float(x), float(y)) for x, y in entry.get("points") or [(entry["x"], entry["y"])]]
            a, b = entry["ab"] if "ab" in entry else _ab_of(entry["color"])
            hints += hints_along(points, float(entry["radius"]), (float(a), float(b)))
        except KeyError as error:
            raise UserError(f"The hint {entry!r:.60} has no {error}.") from error
        except (TypeError, ValueError, AttributeError) as error:
            raise UserError(f"The hint {entry!r:.60} can't be understood: {error}.") from error
    return hints


def as_strokes(hints: Sequence[Hint]) -> list[dict[str, object]]:
    """Hints as `parse_hints` reads them, and as the page shows them."""
    strokes: list[dict[str, object]] = []
    for hint in hints:
        rgb = lab_to_rgb(np.array([[[_SHOWN_AT, *hint.ab]]], np.float32), np.uint8)[0, 0].tolist()
        color = "#" + "".join(f"{v:02x}" for v in rgb)
        strokes.append({"points": [[hint.x, hint.y]], "radius": hint.radius, "color": color, "ab": list(hint.ab)})
    return strokes


def read_hints(path: Path, names: Sequence[str]) -> dict[str, list[Hint]]:
    """Hints of a JSON file, by the picture's file name.

    Args:
        path: the file: a list as of `parse_hints` for a single picture; for more, {"NAME.jpg": list, ...}.
        names: of the pictures that are to be colored.
    Raises:
        UserError: no such file, not of that form, or a name that is not among the pictures.
    """
    try:
        given = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"The hints file {path} can't be read: {error.strerror or error}.") from error
    except ValueError as error:
        raise UserError(f"The hints file {path} is not JSON: {error}.") from error
    if isinstance(given, dict):
        if unknown := next((name for name in given if name not in names), None):
            raise UserError(f"{path} has hints for {unknown}, which is not among the pictures.")
        return {name: parse_hints(hints) for name, hints in given.items()}
    if len(names) != 1:
        raise UserError(
            f"{path} holds the hints of one picture, and there are {len(names)}. "
            f'Give one, or write {{"NAME.jpg": [...], ...}}.'
        )
    return {names[0]: parse_hints(given)}


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
        planes[0, :2, within] = normalize_ab(torch.tensor(hint.ab))[:, None]
        planes[0, 2, within] = 1
    return planes

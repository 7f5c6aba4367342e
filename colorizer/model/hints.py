"""Color hints: places whose color is known.

A user's hint is a line of a round brush in one color, in the photo's pixels; a single point makes a disc. It colors the
thing it lies on; or it is given to the network as three sparse planes, which then colors what goes with it as it sees
fit.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from PIL import ImageColor
from torch import Tensor

from ..color.lab import lab_to_rgb, normalize_ab, rgb_to_lab
from ..errors import UserError

_SHOWN_AT = 55.0  # L of a hint's color where it is shown as RGB
HintTuple = tuple[float, float, float, str]


@dataclass(frozen=True)
class Hint:
    """A line whose color is known.

    Attributes:
        points: (x, y) of its corners in the photo's pixels, at least one; (0, 0) is the upper left corner.
        radius: of the brush, in the photo's pixels.
        ab: its color, in Lab units; None keeps the thing under it as it is.
        influence: whether the network is told, which may change colors anywhere.
        hold: whether the thing under it takes exactly this color; else that is left to the network, too.
        reach: how far the object goes, -1 the surest part of it .. 1 all that is alike.
    Raises:
        UserError: no point, or a number that is none.
    """

    points: tuple[tuple[float, float], ...]
    radius: float
    ab: tuple[float, float] | None
    influence: bool = False
    reach: float = 0.0
    hold: bool = True

    def __post_init__(self) -> None:
        if not self.points:
            raise UserError("A hint needs a place.")
        if not (np.isfinite([*self.points, self.ab or (0, 0)]).all() and 0 <= self.radius < np.inf):
            raise UserError(f"A hint needs a place, and a radius of 0 or more, not {self.points[0]}, {self.radius}.")
        if not -1 <= self.reach <= 1:
            raise UserError(f"The reach of a hint lies between -1 and 1, not {self.reach}.")
        if not (self.hold or self.influence):
            raise UserError("A hint that neither holds its object nor influences the network does nothing.")
        if self.ab is None and self.influence:
            raise UserError("A hint that protects its object has no color to influence others by.")


def parse_hint(hint: object) -> Hint:
    """What a user gives as a hint; the lightness of its color doesn't matter.

    Args:
        hint: [x, y, radius, "#rrggbb"], {"x", "y", "radius", "color"}, {"points": [[x, y], ...], "radius", "color"},
            or a `Hint`. Any color that CSS knows will do; "ab": [a, b] goes before "color". Instead of a color,
            "protect": true; and, if wanted, "influence": true, "reach": -1..1, "hold": false.
    Raises:
        UserError: not of that form.

    >>> parse_hint({"points": [[10, 20], [30, 20]], "radius": 4, "ab": [12, -30]})
    Hint(points=((10.0, 20.0), (30.0, 20.0)), radius=4.0, ab=(12.0, -30.0), influence=False, reach=0.0, hold=True)
    """
    if isinstance(hint, Hint):
        return hint
    try:
        if isinstance(hint, Mapping):
            points = tuple((float(x), float(y)) for x, y in hint.get("points") or [(hint["x"], hint["y"])])
            influence, reach, radius = bool(hint.get("influence")), float(hint.get("reach") or 0), float(hint["radius"])
            if hint.get("protect"):
                return Hint(points, radius, None, influence, reach)
            a, b = hint["ab"] if "ab" in hint else _ab_of(hint["color"])
            return Hint(points, radius, (float(a), float(b)), influence, reach, bool(hint.get("hold", True)))
        x, y, radius, color = cast(HintTuple, hint)
        return Hint(((float(x), float(y)),), float(radius), _ab_of(color))
    except KeyError as error:
        raise UserError(f"The hint {hint!r:.60} has no {error}.") from error
    except (TypeError, ValueError, AttributeError) as error:
        raise UserError(
            f'A hint is [x, y, radius, "#rrggbb"] or {{"points": [[x, y], ...], "radius": r, "color": "#rrggbb"}}, '
            f"not {hint!r:.60}."
        ) from error


def parse_hints(hints: object) -> list[Hint]:
    """The hints of one picture: a list of what `parse_hint` takes, in any mixture.

    Raises:
        UserError: not of that form.
    """
    if not isinstance(hints, list | tuple):
        raise UserError(f'Hints are a list, [[x, y, radius, "#rrggbb"], ...], not {hints!r:.60}.')
    return [parse_hint(hint) for hint in hints]


def _ab_of(color: str) -> tuple[float, float]:
    rgb = np.array([[ImageColor.getrgb(color)[:3]]], np.uint8)
    _, a, b = rgb_to_lab(rgb)[0, 0].tolist()
    return a, b


def as_strokes(hints: Sequence[Hint]) -> list[dict[str, object]]:
    """Hints as `parse_hints` reads them, and as the page shows them."""
    strokes: list[dict[str, object]] = []
    for hint in hints:
        points = [list(point) for point in hint.points]
        stroke: dict[str, object] = {"points": points, "radius": hint.radius}
        if hint.ab is None:
            stroke["protect"] = True
        else:
            rgb = lab_to_rgb(np.array([[[_SHOWN_AT, *hint.ab]]], np.float32), np.uint8)[0, 0].tolist()
            stroke |= {"color": "#" + "".join(f"{v:02x}" for v in rgb), "ab": list(hint.ab)}
        if hint.influence:
            stroke["influence"] = True
        if hint.reach:
            stroke["reach"] = hint.reach
        if not hint.hold:
            stroke["hold"] = False
        strokes.append(stroke)
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
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"The hints file {path} can't be read: {error.strerror or error}.") from error
    except ValueError as error:
        raise UserError(f"The hints file {path} is not JSON: {error}.") from error
    if isinstance(content, dict):
        if unknown := next((name for name in content if name not in names), None):
            raise UserError(f"{path} has hints for {unknown}, which is not among the pictures.")
        return {name: parse_hints(hints) for name, hints in content.items()}
    if len(names) != 1:
        raise UserError(
            f"{path} holds the hints of one picture, and there are {len(names)}. "
            f'Give one, or write {{"NAME.jpg": [...], ...}}.'
        )
    return {names[0]: parse_hints(content)}


def hint_planes_of(hints: Sequence[Hint], photo_size: tuple[int, int], size: tuple[int, int]) -> Tensor:
    """The network's hint input, from a user's hints.

    Args:
        hints: later ones lie over earlier ones; all have a color.
        photo_size: (height, width) of the photo.
        size: (H, W) of the network's copy of it.
    Returns:
        (1, 3, H, W): a / 110, b / 110 and the mask 1 where a hint is, zero elsewhere. Each hint covers the pixels that
        its line passes through at least.
    Raises:
        UserError: a hint is not on the photo.
    """
    planes = torch.zeros(1, 3, *size)
    for hint in hints:
        covered = torch.from_numpy(covered_by(hint, photo_size, size))
        planes[0, :2, covered] = normalize_ab(torch.tensor(hint.ab))[:, None]
        planes[0, 2, covered] = 1
    return planes


def covered_by(hint: Hint, photo_size: tuple[int, int], size: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """The pixels of a copy of the photo that a hint lies on; the arguments are those of `hint_planes_of`.

    Returns:
        (H, W).
    """
    (height, width), (rows, columns) = photo_size, size
    for x, y in hint.points:
        if not (0 <= x <= width and 0 <= y <= height):
            raise UserError(f"The hint at ({x:g}, {y:g}) is not on the photo, which is {width} x {height} pixels.")
    covered = np.zeros(size, bool)
    across, down = columns / width, rows / height
    centers_x, centers_y = (np.arange(columns) + 0.5) / across, (np.arange(rows) + 0.5) / down
    for start, end in zip(hint.points, hint.points[1:] or hint.points, strict=False):
        (x0, y0), (dx, dy) = start, np.subtract(end, start)
        within_x = _between(centers_x, x0, end[0], hint.radius)
        within_y = _between(centers_y, y0, end[1], hint.radius)
        right, below = centers_x[within_x][None] - x0, centers_y[within_y][:, None] - y0
        along = np.clip((right * dx + below * dy) / max(dx * dx + dy * dy, 1e-9), 0, 1)
        covered[within_y, within_x] |= (right - along * dx) ** 2 + (below - along * dy) ** 2 <= hint.radius**2
        steps = int(max(abs(dx) * across, abs(dy) * down)) + 1
        line = np.linspace(0, 1, steps + 1)[:, None] * (dx, dy) + start
        passed = np.minimum((line * (across, down)).astype(int), (columns - 1, rows - 1))
        covered[passed[:, 1], passed[:, 0]] = True
    return covered


def _between(centers: npt.NDArray[Any], start: float, end: float, radius: float) -> slice:
    """Of ascending centers, those from the radius before the lower end to the radius behind the upper one."""
    low, high = np.searchsorted(centers, (min(start, end) - radius, max(start, end) + radius))
    return slice(int(low), int(high))

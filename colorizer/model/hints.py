"""Color hints: places whose color is known.

A user's hint is a line of a round brush in one color, in the photo's pixels; a single point makes a disc. It colors the
thing it lies on, or the area that it is given instead; or it is given to the network as three sparse planes, which then
colors what goes with it as it sees fit.
"""

from __future__ import annotations

import base64
import binascii
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageColor, UnidentifiedImageError

from ..arrays import Plane, resize_linear
from ..color.lab import lab_to_rgb, normalize_ab, rgb_to_lab
from ..errors import UserError
from ..limits import limits

if TYPE_CHECKING:
    from torch import Tensor

HINTS_SUFFIX = ".hints.json"  # of the file beside NAME.jpg that holds its hints, NAME.hints.json
_SHOWN_AT = 55.0  # L of a hint's color where it is shown as RGB
_DATA_URL = "data:image/png;base64,"
HintTuple = tuple[float, float, float, str]


@dataclass(frozen=True, eq=False)
class Area:
    """What a hint colors, pixel by pixel, in the place of an object that is looked for.

    Attributes:
        share: (h, w) in [0, 1]; of any size, it is stretched over the photo.
    """

    share: Plane

    def at(self, size: tuple[int, int]) -> Plane:
        """At another size, (H, W)."""
        return resize_linear(self.share, size[1], size[0])


@dataclass(frozen=True)
class Hint:
    """A line whose color is known.

    Attributes:
        points: (x, y) of its corners in the photo's pixels, at least one unless there is an area; (0, 0) is the upper
            left corner.
        radius: of the brush, in the photo's pixels.
        ab: its color, in Lab units; None keeps the thing under it as it is.
        influence: whether the network is told, which may change colors anywhere.
        hold: whether the thing under it takes exactly this color; else that is left to the network, too.
        reach: how far the object goes, -1 the surest part of it .. 1 all that is alike.
        area: what is colored, instead of the object under the line.
    Raises:
        UserError: no point, or a number that is none.
    """

    points: tuple[tuple[float, float], ...]
    radius: float
    ab: tuple[float, float] | None
    influence: bool = False
    reach: float = 0.0
    hold: bool = True
    area: Area | None = None

    def __post_init__(self) -> None:
        if not (self.points or self.area):
            raise UserError("A hint needs a place.")
        if not (np.isfinite([*self.points, self.ab or (0, 0)]).all() and 0 <= self.radius < np.inf):
            raise UserError(f"A hint needs a place, and a radius of 0 or more, not {self.points[:1]}, {self.radius}.")
        if not -1 <= self.reach <= 1:
            raise UserError(f"The reach of a hint lies between -1 and 1, not {self.reach}.")
        if not (self.hold or self.influence):
            raise UserError("A hint that neither holds its object nor influences the network does nothing.")
        if self.ab is None and self.influence:
            raise UserError("A hint that protects its object has no color to influence others by.")


def parse_hint(hint: object, folder: Path | None = None) -> Hint:
    """What a user gives as a hint; the lightness of its color doesn't matter.

    Args:
        hint: [x, y, radius, "#rrggbb"], {"x", "y", "radius", "color"}, {"points": [[x, y], ...], "radius", "color"},
            or a `Hint`. Any color that CSS knows will do; "ab": [a, b] goes before "color". Instead of a color,
            "protect": true; and, if wanted, "influence": true, "reach": -1..1, "hold": false. Instead of a place,
            "mask": an image, white where the color goes: an array, HW, a path, or a string: a PNG file as a data URL,
            or the name of a file.
        folder: where files named by strings are; without it, they are refused.
    Raises:
        UserError: not of that form.

    >>> hint = parse_hint({"points": [[10, 20], [30, 20]], "radius": 4, "ab": [12, -30]})
    >>> hint.points, hint.radius, hint.ab, hint.influence, hint.reach, hint.hold
    (((10.0, 20.0), (30.0, 20.0)), 4.0, (12.0, -30.0), False, 0.0, True)
    """
    if isinstance(hint, Hint):
        return hint
    try:
        if isinstance(hint, Mapping):
            area = None if hint.get("mask") is None else Area(_read_mask(hint["mask"], folder))
            places = hint.get("points") or ([] if area else [(hint["x"], hint["y"])])
            points = tuple((float(x), float(y)) for x, y in places)
            radius = float(hint.get("radius", 0) if area else hint["radius"])
            influence, reach = bool(hint.get("influence")), float(hint.get("reach") or 0)
            if hint.get("protect"):
                return Hint(points, radius, None, influence, reach, area=area)
            a, b = hint["ab"] if "ab" in hint else _ab_of(hint["color"])
            return Hint(points, radius, (float(a), float(b)), influence, reach, bool(hint.get("hold", True)), area)
        x, y, radius, color = cast(HintTuple, hint)
        return Hint(((float(x), float(y)),), float(radius), _ab_of(color))
    except KeyError as error:
        raise UserError(f"The hint {hint!r:.60} has no {error}.") from error
    except (TypeError, ValueError, AttributeError) as error:
        raise UserError(
            f'A hint is [x, y, radius, "#rrggbb"] or {{"points": [[x, y], ...], "radius": r, "color": "#rrggbb"}}, '
            f"not {hint!r:.60}."
        ) from error


def parse_hints(hints: object, folder: Path | None = None) -> list[Hint]:
    """The hints of one picture: a list of what `parse_hint` takes, in any mixture.

    Raises:
        UserError: not of that form.
    """
    if not isinstance(hints, list | tuple):
        raise UserError(f'Hints are a list, [[x, y, radius, "#rrggbb"], ...], not {hints!r:.60}.')
    if len(hints) > (most := limits().hints):
        raise UserError(f"These are {len(hints)} hints; at most {most} are taken. Leave some out.")
    parsed = [parse_hint(hint, folder) for hint in hints]
    if (points := sum(len(hint.points) for hint in parsed)) > (most := limits().hint_points):
        raise UserError(f"The hints have {points} points; at most {most} are taken. Leave some out.")
    return parsed


def _read_mask(mask: object, folder: Path | None) -> Plane:
    """(h, w) in [0, 1], of what stands under "mask"."""
    if isinstance(mask, np.ndarray):
        share: Plane = mask.astype(np.float32) / np.float32(255 if mask.dtype == np.uint8 else 1)
        if share.ndim != 2 or not share.size or not (share >= 0).all() or not (share <= 1).all():
            raise UserError("A mask is an array of two axes, of bytes, of booleans, or of numbers from 0 to 1.")
        return share
    file: io.BytesIO | Path
    try:
        if isinstance(mask, str) and mask.startswith(_DATA_URL):
            file = io.BytesIO(base64.b64decode(mask.removeprefix(_DATA_URL), validate=True))
        elif isinstance(mask, Path):
            file = mask
        elif isinstance(mask, str) and folder is not None:
            file = folder / mask
        else:
            raise UserError("A mask is an array, or a PNG file as a data URL; files by name only in a hints file.")
        with Image.open(file) as image:
            return np.asarray(image.convert("L"), np.float32) / np.float32(255)
    except (OSError, binascii.Error, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise UserError(f"The mask {mask!s:.60} is not an image that can be read.") from error


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
        if hint.area is not None:
            buffer = io.BytesIO()
            Image.fromarray((hint.area.share * 255 + 0.5).astype(np.uint8)).save(buffer, "PNG")
            stroke["mask"] = _DATA_URL + base64.b64encode(buffer.getvalue()).decode()
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
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise UserError(f"The hints file {path} can't be read: {getattr(error, 'strerror', None) or error}.") from error
    return {name: parse_hints(hints, path.parent) for name, hints in _by_name(text, str(path), names).items()}


def _by_name(text: str, file: str, names: Sequence[str]) -> dict[str, Any]:
    """What a hints file holds for each picture; the arguments are as of `read_hints`."""
    try:
        content = json.loads(text)
    except ValueError as error:
        raise UserError(f"The hints file {file} is not JSON: {error}.") from error
    if isinstance(content, dict):
        if unknown := next((name for name in content if name not in names), None):
            raise UserError(f"{file} has hints for {unknown}, which is not among the pictures.")
        return content
    if len(names) != 1:
        raise UserError(
            f"{file} holds the hints of one picture, and there are {len(names)}. "
            f'Give one, or write {{"NAME.jpg": [...], ...}}.'
        )
    return {names[0]: content}


def strokes_of_file(text: str, file: str, picture: str, photo_size: tuple[int, int]) -> list[dict[str, Any]]:
    """The hints in a file's text as the page shows them.

    Args:
        text: what the file holds.
        file, picture: names of the file and of the picture.
        photo_size: (height, width) of the picture.
    Raises:
        UserError: not a hints file, or not of this picture.
    """
    strokes = []
    content = _by_name(text, file, [picture]).get(picture, [])
    for hint, given in zip(parse_hints(content), content, strict=True):
        covered = covered_by(hint, photo_size, photo_size if hint.area else (1, 1))
        shown: dict[str, Any] = as_strokes([hint])[0]
        if isinstance(given, Mapping) and "color" in given and "ab" not in given:
            shown["color"] = given["color"] if str(given["color"]).startswith("#") else shown["color"]
        if not hint.points:  # it is drawn as a dot in the middle of its area
            rows, columns = np.nonzero(covered)
            k = len(rows) // 2
            shown["points"] = [[float(columns[k]), float(rows[k])]]
        strokes.append(shown)
    return strokes


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
    import torch

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
    if hint.area is not None:
        share = hint.area.at(size)
        return np.asarray(share >= min(0.5, float(share.max())))  # something, however small it is
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

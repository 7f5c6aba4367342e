"""Photographs with outlined objects, and strokes drawn on them: what the network that finds objects learns from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ..arrays import Array, Plane, resize
from ..color.bins import N_BINS, soft_histogram
from ..color.lab import lightness, rgb_to_lab
from ..errors import UserError
from ..model.objects import KINDS
from ..pictures.reading import read_picture
from .degradation import degrade

Mask = npt.NDArray[np.bool_]

_SMALLEST = 0.008  # of the picture: objects that strokes are drawn on
_BACKGROUND = 0.3  # share of draws in which what is labeled 0 is an object, too
_DEGRADED, _CROPPED, _STROKES = 0.35, 0.6, 0.35  # shares of pictures, and of strokes that are more than a point
_MIDDLE = 0.3  # share of strokes that begin at the place furthest from the edge
_RADIUS = (0.008, 0.03)  # of the short side
_MULTIPLE = 32


class Outlined(NamedTuple):
    """A photograph and its labels, an image of the same shape whose values tell objects apart."""

    picture: Path
    labels: Path
    whole: bool  # whether every segment is an object, also the one labeled 0
    named: bool = False  # whether labels are the kinds of `model.objects`


@dataclass(frozen=True)
class Lesson:
    """One photograph as the network sees it, and strokes on it.

    Attributes:
        lightness: (H, W), L in [0, 100].
        strokes: (K, H, W), 1 where a stroke lies.
        objects: (K, H, W), what each stroke lies on.
        kinds: (H, W), what is seen at each place; None if labels name nothing.
    """

    lightness: Plane
    strokes: Mask
    objects: Mask
    kinds: Array | None


def find_outlined(pictures: Path, masks: Path, whole: bool = False, named: bool = False) -> list[Outlined]:
    """The photographs of a folder that have labels of the same name (NAME.png) in another.

    Raises:
        UserError: there are none.
    """
    pairs = [
        Outlined(picture, masks / f"{picture.stem}.png", whole, named)
        for picture in sorted(pictures.iterdir())
        if (masks / f"{picture.stem}.png").is_file() and picture.suffix != ".png"
    ]
    if not pairs:
        raise UserError(f"No photograph in {pictures} has its labels in {masks}.")
    return pairs


def lesson(outlined: Outlined, short: int, number: int, rng: np.random.Generator) -> Lesson | None:
    """Draw strokes on a photograph, cropped, flipped, and perhaps made old.

    Args:
        outlined: the photograph.
        short: its short side in pixels, as the network is to see it.
        number: of strokes, at most.
        rng: draws everything.
    Returns:
        None if no object in it is large enough.
    """
    rgb, labels = _cropped(*_read(outlined), rng)
    scale = short / min(labels.shape)
    height, width = (max(round(side * scale / _MULTIPLE), 1) * _MULTIPLE for side in labels.shape)
    light = np.clip(resize(lightness(np.ascontiguousarray(rgb)), width, height), 0, 100)
    if rng.random() < _DEGRADED:
        light = degrade(light, rng)
    labels = cv2.resize(np.ascontiguousarray(labels), (width, height), interpolation=cv2.INTER_NEAREST)
    objects = _objects(labels, outlined.whole, rng)
    if not objects:
        return None
    chosen = [objects[int(k)] for k in rng.integers(len(objects), size=number)]
    strokes = [draw_stroke(mask, rng) for mask in chosen]
    return Lesson(light, np.stack(strokes), np.stack(chosen), labels if outlined.named else None)


def colors_of(outlined: Sequence[Outlined], kinds: Sequence[int]) -> Tensor:
    """How often kinds of things have each color, each photograph counted alike: (K, 313), rows that sum to 1.

    Args:
        outlined: photographs; those with labels that name nothing are left out.
        kinds: labels. The row of one that is in none of them is zero.
    """
    total = torch.zeros(len(kinds), N_BINS, dtype=torch.float64)
    for one in (o for o in outlined if o.named):
        rgb, labels = _read(one)
        lab = rgb_to_lab(rgb)
        for row, kind in enumerate(kinds):
            ab = torch.from_numpy(lab[labels == kind, 1:].T.copy())  # (2, M)
            if ab.shape[1]:
                total[row] += soft_histogram(ab[None, :, None]) / ab.shape[1]
    return (total / total.sum(1, keepdim=True).clamp(min=1e-9)).float()


def _read(outlined: Outlined) -> tuple[Array, Array]:
    """A photograph, HWC, and its labels, HW."""
    rgb = read_picture(outlined.picture).rgb
    labels = cv2.imread(str(outlined.labels), cv2.IMREAD_GRAYSCALE)
    if labels is None or labels.shape != rgb.shape[:2]:
        raise UserError(f"{outlined.labels} is not an image of the size of {outlined.picture.name}.")
    if outlined.named and labels.max() >= KINDS:
        raise UserError(f"{outlined.labels} has the label {labels.max()}; the kinds that are known end at {KINDS - 1}.")
    return rgb, labels


def _cropped(rgb: Array, labels: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    if rng.random() < _CROPPED:
        share = rng.uniform(0.6, 1)
        height, width = (int(side * share) for side in labels.shape)
        top, left = (int(rng.integers(s - t + 1)) for s, t in zip(labels.shape, (height, width), strict=True))
        rgb, labels = rgb[top : top + height, left : left + width], labels[top : top + height, left : left + width]
    return (rgb[:, ::-1], labels[:, ::-1]) if rng.random() < 0.5 else (rgb, labels)


def _objects(labels: Array, whole: bool, rng: np.random.Generator) -> Sequence[Mask]:
    numbers, counts = np.unique(labels, return_counts=True)
    background = whole or rng.random() < _BACKGROUND
    large = counts >= _SMALLEST * labels.size
    return [np.asarray(labels == n) for n, fits in zip(numbers, large, strict=True) if fits and (n or background)]


def draw_stroke(mask: Mask, rng: np.random.Generator) -> Mask:
    """A point or a line of a round brush that stays in a mask, HW; more often in its middle than at its edge."""
    inside = cv2.distanceTransform(np.pad(mask, 1).astype(np.uint8), cv2.DIST_L2, 3)[1:-1, 1:-1]
    weights = inside.ravel() ** rng.choice([0.3, 1.0, 2.0])
    weights = weights / weights.sum()

    def place() -> tuple[int, int]:
        y, x = divmod(int(rng.choice(weights.size, p=weights)), mask.shape[1])
        return x, y

    points = [place()]
    if rng.random() < _MIDDLE:
        y, x = divmod(int(inside.argmax()), mask.shape[1])
        points = [(x, y)]
    for _ in range(int(rng.integers(1, 4)) if rng.random() < _STROKES else 0):
        for x, y in (place() for _ in range(8)):
            steps = max(abs(x - points[-1][0]), abs(y - points[-1][1])) + 1
            rows, columns = (np.linspace(points[-1][k], end, steps).astype(int) for k, end in ((1, y), (0, x)))
            if mask[rows, columns].all():
                points.append((x, y))
                break
    canvas = np.zeros(mask.shape, np.uint8)
    radius = max(int(rng.uniform(*_RADIUS) * min(mask.shape)), 1)
    for start, end in zip(points, points[1:] or points, strict=False):
        cv2.line(canvas, start, end, 1, 2 * radius + 1)
    return np.asarray(mask & (canvas > 0))

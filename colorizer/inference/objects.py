"""Strokes that color their objects, all of them, and nothing else.

Each stroke gets a soft mask of the thing it lies on (`model.objects`), at the guide's size, with L's edges. Where
several strokes want a pixel, the one has it whose object it is more probably a part of.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
import torch

from ..arrays import Plane, resize, resize_linear
from ..color.difference import ciede2000
from ..color.gamut import fit_gamut
from ..color.lab import normalize_l
from ..model.hints import Hint, covered_by
from ..model.objects import HAIR, SKIN, load_objects
from .upsampling import Paint, mask_at_edges
from .working import working_shape

_WORKING_SIZE, _LONGEST = 256, 3  # short side of what the network sees; of the longer, in short sides
_STRIDE = 4
_REACH = 4.0  # logits: how much reach 1 adds
_COMPETE = 4  # exponent of the probabilities by which strokes share a pixel
_BIAS = 2.0  # logits, added to all: it fills objects at the cost of a little more beside them
_EPSILON = 1e-3  # variance of L / 100 below which the guided filter smooths a mask
_CONTRAST = 5.0  # by which its edges are made sharper
_PART, _SURE = 0.5, 0.8  # probability of what hangs together, and mean of that which does not
_PERSON, _SURELY = 0.3, 0.5  # probability of skin, or hair: below it may be something else, and from there it is it
_APART = 2  # exponent of the probability that a place is neither
_CORE = 0.5  # of a stroke's own radius: there it always holds
_DEEP = 0.7  # cover of what is surely a part of a thing
_PARTS, _SMALLEST = 4, 0.001  # that are looked at of what is covered, and their share of the picture, at least
_SPOTS, _SPOT = 4, 0.03  # hints in a part, and their radius at most, as a share of the short side
_NOT_SEEN = 5.0  # CIEDE2000 between the color asked for and the nearest one that sRGB has, above which it is said


class Seen(NamedTuple):
    """What the network that finds objects makes of a photo.

    Attributes:
        light: (1, 1, H, W), L in [-1, 1].
        features: (1, 64, H/4, W/4), by which things are told apart.
        kinds: (1, 59, H/4, W/4) logits of `model.objects`.
    """

    light: torch.Tensor
    features: torch.Tensor
    kinds: torch.Tensor


def see(guide: Plane, size: int) -> Seen:
    """Look at a photo.

    Args:
        guide: (H, W), L in [0, 100].
        size: short side of the copy that the network sees.
    """
    height, width = working_shape(guide.shape[0], guide.shape[1], size, _LONGEST)
    light = normalize_l(torch.from_numpy(np.clip(resize(guide, width, height), 0, 100))[None, None])
    with torch.inference_mode():
        return Seen(light, *load_objects().features(light))


class ObjectFinder:
    """Finds the objects of one photo; what does not depend on the stroke is computed once."""

    def __init__(self, guide: Plane, photo_size: tuple[int, int]) -> None:
        """Make ready.

        Args:
            guide: (H, W), L in [0, 100].
            photo_size: (height, width) of the photo, in whose pixels strokes are.
        """
        self.guide, self.photo_size = guide, photo_size
        self._masks: dict[Hint, Plane] = {}

    @cached_property
    def _seen(self) -> Seen:
        return see(self.guide, _WORKING_SIZE)

    def mask(self, hint: Hint) -> Plane:
        """How probably each pixel of the guide, (H, W), is a part of the thing under a stroke, in [0, 1]."""
        if hint.area is not None:
            return hint.area.at(self._guide_size)
        hint = _place_of(hint)
        if hint not in self._masks:
            height, width = self._seen.light.shape[-2:]
            covered = covered_by(hint, self.photo_size, (height, width)).astype(np.float32)
            mask = self._at_edges(self._probable(covered, hint.reach))
            mask[covered_by(replace(hint, radius=_CORE * hint.radius), self.photo_size, self._guide_size)] = 1
            self._masks[hint] = mask
        return self._masks[hint]

    def whole(self, cover: Plane) -> Plane:
        """How probably each pixel of the guide, (H, W), is a part of things that lie under a mask already, in [0, 1].

        Args:
            cover: (h, w) in [0, 1], of any size: what is known to be a part of them, such as in the frame before.
        """
        height, width = self._seen.light.shape[-2:]
        deep = (resize_linear(cover, width, height) > _DEEP).astype(np.uint8)
        number, parts, sizes, _ = cv2.connectedComponentsWithStats(deep)
        largest = sorted(range(1, number), key=lambda part: -sizes[part, cv2.CC_STAT_AREA])[:_PARTS]
        masks = [np.zeros(self._guide_size, np.float32)]
        for part in largest:
            if sizes[part, cv2.CC_STAT_AREA] >= _SMALLEST * height * width:
                masks.append(self._at_edges(self._probable(_spots(parts == part), 0)))
        return np.max(masks, axis=0)

    def _probable(self, covered: Plane, reach: float) -> Plane:
        """A mask of few pixels, from what a stroke covers of the picture that the network sees."""
        height, width = covered.shape
        cells: Plane = np.asarray(
            cv2.resize(covered, (width // _STRIDE, height // _STRIDE), interpolation=cv2.INTER_AREA), np.float32
        )
        with torch.inference_mode():
            given = torch.from_numpy(cells)[None, None]
            logits = load_objects()(self._seen.features, self._seen.light, given)[0, 0]
        apart = _kept_apart(self._seen.kinds[0], cells)
        probable: Plane = (torch.sigmoid(logits + _BIAS + _REACH * reach) * apart).numpy()
        return probable if reach > 0 else _without_far_parts(probable, cells)

    def _at_edges(self, probable: Plane) -> Plane:
        """A mask of few pixels at the guide's size: its edges lie on those of L."""
        height, width = self.guide.shape
        smooth = cv2.resize(probable, (width, height), interpolation=cv2.INTER_CUBIC).clip(0, 1)
        radius = max(round(min(height, width) / min(probable.shape)), 1)
        return mask_at_edges(self.guide, smooth, radius, _EPSILON, _CONTRAST)

    def paint(self, hints: Sequence[Hint]) -> Paint | None:
        """All strokes together; None without any.

        Args:
            hints: those that hold or protect their objects; others are left out.
        """
        own = [hint for hint in hints if hint.hold]
        if not own:
            return None
        masks = np.stack([self.mask(hint) for hint in own])  # (K, H, W)
        own_places = {_place_of(hint) for hint in own}  # masks of strokes that are gone would pile up
        self._masks = {k: v for k, v in self._masks.items() if k in own_places}
        shares = np.maximum(masks, 1e-4) ** _COMPETE
        shares /= shares.sum(0)
        colored = np.array([hint.ab is not None for hint in own], np.float32)
        colors = np.array([hint.ab or (0, 0) for hint in own], np.float32)  # (K, 2)
        kept = (masks * (1 - colored)[:, None, None]).max(0)  # by strokes that protect
        cover = masks.max(0) * np.tensordot(colored, shares, 1) * (1 - kept)
        total = np.maximum(np.tensordot(colored, shares, 1), 1e-6)
        ab = np.tensordot(shares, colored[:, None] * colors, (0, 0)) / total[..., None]
        light = np.tensordot(colored * [self._lightness_under(hint) for hint in own], shares, 1) / total
        return Paint(*(np.asarray(plane, np.float32) for plane in (cover, ab, light)))

    def not_shown(self, hints: Sequence[Hint]) -> list[str]:
        """A sentence for each hint whose color sRGB does not have at the L that lies under it; the nearest is taken."""
        sentences = []
        for number, hint in enumerate(hints, 1):
            if hint.ab is None or not hint.hold:
                continue
            wanted = np.array([self._lightness_under(hint), *hint.ab], np.float32)
            shown = fit_gamut(wanted[None, None])[0, 0]
            if ciede2000(wanted[None, None], shown[None, None]).item() > _NOT_SEEN:
                tone = "dark" if wanted[0] < 50 else "light"
                sentences.append(f"Stroke {number}: the photo is too {tone} there for this color; it is shown paler.")
        return sentences

    def _lightness_under(self, hint: Hint) -> float:
        return float(self.guide[covered_by(hint, self.photo_size, self._guide_size)].mean())

    @property
    def _guide_size(self) -> tuple[int, int]:
        height, width = self.guide.shape
        return height, width


def _kept_apart(kinds: torch.Tensor, stroke: Plane) -> torch.Tensor:
    """What keeps skin, hair and all else apart: a factor for each cell, (h, w) in [0, 1].

    Args:
        kinds: (59, h, w) logits.
        stroke: (h, w), the share of each cell that the stroke covers.
    """
    people = kinds.softmax(0)[[HAIR, SKIN]]  # (2, h, w)
    under = (people * torch.from_numpy(stroke / max(stroke.sum(), 1e-6))).sum((1, 2), keepdim=True)
    factor = (1 - (people * (under < _PERSON)).sum(0)) ** _APART
    surely = under >= _SURELY
    return factor * ((people * surely).sum(0) / _PERSON).clamp(max=1) if surely.any() else factor


def _spots(part: npt.NDArray[np.bool_]) -> Plane:
    """Discs deep inside of a part, as somebody might set hints: (H, W), 1 or 0."""
    spots = np.zeros(part.shape, np.float32)
    for x, y, deep in deepest_places(part, _SPOTS):
        cv2.circle(spots, (x, y), max(int(min(deep / 2, _SPOT * min(part.shape))), 1), 1, -1)
    return spots


def deepest_places(part: npt.NDArray[np.bool_], number: int) -> list[tuple[int, int, float]]:
    """The pixels (x, y) furthest from a part's edge, and how far, each further one far from those before it, too."""
    inner = np.pad(part, 1).astype(np.uint8)
    places = []
    for _ in range(number):
        distance = cv2.distanceTransform(inner, cv2.DIST_L2, 5)
        y, x = np.unravel_index(int(distance.argmax()), distance.shape)
        deep = float(distance[y, x])
        places.append((int(x) - 1, int(y) - 1, deep))
        cv2.circle(inner, (int(x), int(y)), max(int(deep), 1), 0, -1)
    return places


def _place_of(hint: Hint) -> Hint:
    """What a mask depends on: a stroke of another color has the same."""
    return replace(hint, ab=None, influence=False, hold=True)


def _without_far_parts(probable: Plane, stroke: Plane) -> Plane:
    """Parts that do not hang together with the stroke stay only where they are very probable: else they are stains."""
    number, parts = cv2.connectedComponents((probable > _PART).astype(np.uint8))
    touched = set(np.unique(parts[stroke > 0]).tolist())
    kept = probable.copy()
    for part in set(range(1, number)) - touched:
        inside = parts == part
        if probable[inside].mean() < _SURE:
            kept[inside] = 0
    return kept

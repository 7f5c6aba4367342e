"""Strokes that color their objects, all of them, and nothing else.

Each stroke gets a soft mask of the thing it lies on (`model.objects`), at the guide's size, with L's edges. Where
several strokes want a pixel, the one has it whose object it is more probably a part of.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
import torch

from ..arrays import Plane, resize
from ..color.lab import normalize_l
from ..model.hints import Hint, covered_by
from ..model.objects import load_objects

_WORKING_SIZE, _MULTIPLE, _LONGEST = 256, 32, 3  # short side of what the network sees; of the longer, in short sides
_STRIDE = 4
_REACH = 4.0  # logits: how much reach 1 adds
_COMPETE = 4  # exponent of the probabilities by which strokes share a pixel
_EPSILON = 1e-3  # variance of L / 100 below which the guided filter smooths a mask
_CORE = 0.5  # of a stroke's own radius: there it always holds


@dataclass(frozen=True)
class Paint:
    """What strokes lay over the network's colors, at the guide's size.

    Attributes:
        cover: (H, W) in [0, 1]: how much of the network's color it replaces.
        ab: (H, W, 2) in Lab units, defined everywhere.
    """

    cover: Plane
    ab: Plane


class ObjectFinder:
    """Finds the objects of one photo; what does not depend on the stroke is computed once."""

    def __init__(self, guide: Plane, photo_size: tuple[int, int]) -> None:
        """Make ready.

        Args:
            guide: (H, W), L in [0, 100].
            photo_size: (height, width) of the photo, in whose pixels strokes are.
        """
        self.guide, self.photo_size = guide, photo_size
        scale = _WORKING_SIZE / min(guide.shape)
        longest = _LONGEST * _WORKING_SIZE
        self._size = tuple(max(round(min(s * scale, longest) / _MULTIPLE), 1) * _MULTIPLE for s in guide.shape)
        self._masks: dict[Hint, Plane] = {}

    @cached_property
    def _seen(self) -> tuple[torch.Tensor, torch.Tensor]:
        """L as the network sees it, and its features."""
        small = np.clip(resize(self.guide, self._size[1], self._size[0]), 0, 100)
        light = normalize_l(torch.from_numpy(small)[None, None])
        with torch.inference_mode():
            return light, load_objects().features(light)

    def mask(self, hint: Hint) -> Plane:
        """How probably each pixel of the guide, (H, W), is a part of the thing under a stroke, in [0, 1]."""
        if hint not in self._masks:
            light, features = self._seen
            height, width = self._size
            covered = covered_by(hint, self.photo_size, (height, width)).astype(np.float32)
            cells = cv2.resize(covered, (width // _STRIDE, height // _STRIDE), interpolation=cv2.INTER_AREA)
            with torch.inference_mode():
                logits = load_objects()(features, light, torch.from_numpy(cells)[None, None])[0, 0]
            probable = torch.sigmoid(logits + _REACH * hint.reach).numpy()
            self._masks[hint] = self._at_edges(probable, hint)
        return self._masks[hint]

    def _at_edges(self, probable: Plane, hint: Hint) -> Plane:
        """A mask of few pixels at the guide's size: its edges lie on those of L, and the stroke itself is in it."""
        height, width = self.guide.shape
        smooth = cv2.resize(probable, (width, height), interpolation=cv2.INTER_CUBIC).clip(0, 1)
        radius = max(round(min(height, width) / min(probable.shape)), 1)
        unit = self.guide / np.float32(100)

        def mean(x: Plane) -> Plane:
            return np.asarray(cv2.blur(x, (2 * radius + 1,) * 2, borderType=cv2.BORDER_REFLECT), np.float32)

        mean_unit, mean_mask = mean(unit), mean(smooth)
        variance = np.maximum(mean(unit * unit) - mean_unit**2, 0)
        slope = (mean(unit * smooth) - mean_unit * mean_mask) / (variance + _EPSILON)
        filtered = mean(slope) * unit + mean(mean_mask - slope * mean_unit)
        core = covered_by(
            Hint(hint.points, _CORE * hint.radius, hint.ab), self.photo_size, (height, width)
        )  # fmt: skip
        sharp = np.clip((filtered - 0.5) * 2 + 0.5, 0, 1)
        sharp[core] = 1
        return np.asarray(sharp, np.float32)

    def paint(self, hints: Sequence[Hint]) -> Paint | None:
        """All strokes together; None without any.

        Args:
            hints: those that color or protect their objects; others are left out.
        """
        own = [hint for hint in hints if not hint.influence]
        if not own:
            return None
        masks = np.stack([self.mask(hint) for hint in own])  # (K, H, W)
        shares = np.maximum(masks, 1e-4) ** _COMPETE
        shares /= shares.sum(0)
        colored = np.array([hint.ab is not None for hint in own], np.float32)
        colors = np.array([hint.ab or (0, 0) for hint in own], np.float32)  # (K, 2)
        cover = masks.max(0) * np.tensordot(colored, shares, 1)
        total = np.maximum(np.tensordot(colored, shares, 1), 1e-6)
        ab = np.tensordot(shares, colored[:, None] * colors, (0, 0)) / total[..., None]
        return Paint(cover.astype(np.float32), ab.astype(np.float32))

"""A photo that is being worked on: what neither settings nor hints change is computed once.

prepared = colorizer.prepare(read_picture("old.jpg"))
first = prepared.colorize()
better = prepared.colorize(Settings(vividness=2), hints=[(120, 80, 10, "#7a1f1f")])

Kept are the guide (L at the size at which its edges are looked at), the network's small copy, the embedding of the
fusion network, and the network's last outputs, so that only new hints and working sizes run the network again.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from torch import Tensor

from .alternatives import plan_alternatives
from .checkpoints import predicted_ab
from .color import normalize_l
from .data import resize
from .fullsize import Plane, guide_of, paint
from .hints import Hint, HintTuple, hint_planes_of, parse_hint
from .pictures import Photo
from .settings import Settings

if TYPE_CHECKING:
    from .inference import Colorizer

Hints = Sequence[Hint | HintTuple]

MULTIPLE = 32  # of the deepest stride
_LONGEST = 6  # of the working copy, in short sides
_OUTPUTS = 4  # kept of the network; each is about 4 MB


class PreparedPhoto:
    """A photo and what the network knows of it."""

    def __init__(self, colorizer: Colorizer, photo: Photo) -> None:
        """Make ready.

        Args:
            colorizer: whose network colors it.
            photo: decoded.
        """
        self.colorizer, self.photo, self.guide = colorizer, photo, guide_of(photo)
        self._outputs: OrderedDict[tuple[int, tuple[Hint, ...]], Tensor] = OrderedDict()

    def colorize(
        self,
        settings: Settings | None = None,
        hints: Hints = (),
        onto: Photo | None = None,
        in_place: bool = False,
    ) -> Photo:
        """Color it.

        Args:
            settings: how to color.
            hints: colors that are known, in the photo's pixels.
            onto: a copy of the photo, of another size, to be colored in its stead.
            in_place: write over the photo's own pixels, which saves the memory of a second picture.
        Returns:
            a photo of the same size, depth and alpha; its L is kept, its colors, if any, are not.
        """
        settings = settings or Settings()
        ab = self.ab(settings, self._to_guide(hints))
        return paint(onto or self.photo, self.guide, ab, settings.saturation, settings.strength, in_place)

    def alternatives(
        self, n: int = 3, settings: Settings | None = None, hints: Hints = (), onto: Photo | None = None
    ) -> list[tuple[Photo, list[Hint]]]:
        """Other plausible colorings; see `alternatives.plan_alternatives`.

        Args:
            n: how many, at most. A photo whose colors the network is sure of gives fewer, or none.
            settings, hints, onto: as for `colorize`.
        Returns:
            the colored photos, the most plausible first, and with each the hints that lead to it.
        """
        settings = settings or Settings()
        plans = plan_alternatives(self, n, settings, self._to_guide(hints))
        photo, (saturation, strength) = onto or self.photo, (settings.saturation, settings.strength)
        return [
            (
                paint(photo, self.guide, ab, saturation, strength),
                _scaled(found, self.guide.shape, self.photo.rgb.shape),
            )
            for found, ab in plans
        ]

    def ab(self, settings: Settings, hints: Sequence[Hint] = ()) -> Plane:
        """The network's colors.

        Args:
            settings: how to color.
            hints: in the guide's pixels.
        Returns:
            (h, w, 2) float32 in Lab units, at the network's own resolution.
        """
        return self.colors(self.output(settings, hints), settings)

    def output(self, settings: Settings, hints: Sequence[Hint] = ()) -> Tensor:
        """The network's output for `ab`'s arguments: (1, 2 or 313, h, w)."""
        key = self.colorizer.working_size(settings), tuple(hints)
        if key not in self._outputs:
            self._outputs[key] = self._compute(*key)
            while len(self._outputs) > _OUTPUTS:
                self._outputs.popitem(last=False)
        return self._outputs[key]

    @torch.inference_mode()
    def _compute(self, size: int, hints: Sequence[Hint]) -> Tensor:
        colorizer = self.colorizer
        colorizer.check(hints=bool(hints))
        height, width = working_shape(self.guide.shape[0], self.guide.shape[1], size)
        small = np.clip(resize(self.guide, width, height), 0, 100)
        x = normalize_l(torch.from_numpy(small)[None, None].to(colorizer.device))
        planes = hint_planes_of(hints, self.guide.shape, (height, width)).to(colorizer.device) if hints else None
        # The mean of the picture's and its mirror image's: 0.07 dB better.
        seen = colorizer.network(x, self._embedding, planes)
        mirrored = colorizer.network(x.flip(-1), self._embedding, None if planes is None else planes.flip(-1))
        return cast(Tensor, (seen.float() + mirrored.float().flip(-1)) / 2)

    @cached_property
    def _embedding(self) -> Tensor | None:
        extractor = self.colorizer.extractor
        if extractor is None:
            return None
        seen = torch.from_numpy(np.clip(resize(self.guide, extractor.size, extractor.size), 0, 100))
        return extractor(seen[None, None].to(self.colorizer.device))

    @torch.inference_mode()
    def colors(self, output: Tensor, settings: Settings) -> Plane:
        """The output as ab (h, w, 2) float32 in Lab units."""
        checkpoint = self.colorizer.checkpoint
        objective = checkpoint.config.objective
        ab = predicted_ab(output, objective, checkpoint.prior, settings.alpha, settings.temperature)
        return cast(Plane, ab[0].permute(1, 2, 0).cpu().numpy())

    def _to_guide(self, hints: Hints) -> list[Hint]:
        return _scaled([parse_hint(h) for h in hints], self.photo.rgb.shape, self.guide.shape)


def _scaled(hints: Sequence[Hint], size: tuple[int, ...], wanted: tuple[int, ...]) -> list[Hint]:
    """Hints on a picture of (height, width), brought to another size of it."""
    down, across = wanted[0] / size[0], wanted[1] / size[1]
    radius = (across * down) ** 0.5
    return [Hint(h.x * across, h.y * down, h.radius * radius, h.ab) for h in hints]


def working_shape(height: int, width: int, short: int) -> tuple[int, int]:
    """(height, width) of the network's copy: short side about `short`, both multiples of 32, not too long."""
    scale = short / min(height, width)
    longest = _LONGEST * short
    sides = (min(side * scale, longest) for side in (height, width))
    h, w = (max(round(side / MULTIPLE), 1) * MULTIPLE for side in sides)
    return h, w

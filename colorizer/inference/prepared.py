"""A photo that is being worked on: what neither settings nor hints change is computed once.

prepared = PreparedPhoto(predictor, read_picture("old.jpg"))
first = prepared.colorize()
better = prepared.colorize(Settings(vividness=2), hints=[(120, 80, 10, "#7a1f1f")])

Kept are the guide (L at the size at which its edges are looked at), the embedding of the fusion network, and the
network's last outputs, so that only new hints and working sizes run the network again.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from torch import Tensor

from ..arrays import Plane
from ..model.hints import Hint, HintTuple, parse_hints
from ..model.objects import load_objects
from ..pictures.photo import Photo
from .agreement import agreed
from .objects import ObjectFinder, Seen, see
from .people import colored_as_people
from .predictor import Predictor
from .settings import Settings
from .upsampling import Paint, colorize_photo, guide_of

Hints = Sequence[Hint | HintTuple]

SEEN_SIZE = 192  # at which things are looked at for the colors: half of the time that strokes take for it
_OUTPUTS = 4  # kept of the network, and as many of what is made of them; each is about 4 MB


class PreparedPhoto:
    """A photo and what the network knows of it."""

    def __init__(self, predictor: Predictor, photo: Photo) -> None:
        """Make ready.

        Args:
            predictor: which colors it.
            photo: decoded.
        """
        self.predictor, self.photo, self.guide = predictor, photo, guide_of(photo)
        self._said: OrderedDict[tuple[int, tuple[Hint, ...]], Tensor] = OrderedDict()  # by the network alone
        self._outputs: OrderedDict[tuple[int, float, float, tuple[Hint, ...]], Tensor] = OrderedDict()

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the photo."""
        height, width = self.photo.rgb.shape[:2]
        return height, width

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
        settings, strokes = settings or Settings(), parse_hints(hints)
        return self.with_colors(self.ab(settings, strokes), settings, strokes, onto, in_place)

    def with_colors(
        self,
        ab: Plane,
        settings: Settings,
        hints: Sequence[Hint] = (),
        onto: Photo | None = None,
        in_place: bool = False,
    ) -> Photo:
        """The photo in the network's colors, (h, w, 2) in Lab units, but where hints color or protect their objects.

        The other arguments are those of `colorize`.
        """
        paint = self.paint(hints)
        saturation, strength = settings.saturation, settings.strength
        return colorize_photo(onto or self.photo, self.guide, ab, saturation, strength, in_place, paint)

    def mask(self, hint: Hint) -> Plane:
        """How probably each place is a part of the thing under a hint: (H, W) in [0, 1], at the guide's size."""
        return self._objects.mask(hint)

    def paint(self, hints: Sequence[Hint]) -> Paint | None:
        """What hints lay over the network's colors, at the guide's size; None if they lay nothing."""
        return self._objects.paint(hints)

    def not_shown(self, hints: Hints) -> list[str]:
        """A sentence for each hint whose color can't be shown where it lies, because it is too dark or light there."""
        return self._objects.not_shown(parse_hints(hints))

    def ab(self, settings: Settings, hints: Sequence[Hint] = ()) -> Plane:
        """The network's colors: (h, w, 2) float32 in Lab units, at its own resolution."""
        return self.predictor.colors(self.output(settings, hints), settings)

    def output(self, settings: Settings, hints: Sequence[Hint] = ()) -> Tensor:
        """What `ab` decodes, (1, 2 or 313, h, w). The network is told of hints with influence alone."""
        told = tuple(hint for hint in hints if hint.influence)
        size = self.predictor.working_size(settings)
        key = size, settings.consent, settings.people, told
        if (size, told) not in self._said:
            _keep(self._said, (size, told), self.predictor.predict(self.guide, size, self._embedding, told, self.size))
        if key not in self._outputs:
            _keep(self._outputs, key, self._considered(self._said[size, told], settings))
        return self._outputs[key]

    def _considered(self, output: Tensor, settings: Settings) -> Tensor:
        """What the coloring network says, in the light of what things are in the photo."""
        if self.predictor.checkpoint.config.objective != "classification":
            return output
        if settings.consent:
            output = agreed(output, self._seen.features, self._seen.light, settings.consent)
        if settings.people:
            output = colored_as_people(output, self._seen.kinds, load_objects().colors, settings.people)
        return output

    @cached_property
    def _seen(self) -> Seen:
        return see(self.guide, SEEN_SIZE)

    @cached_property
    def _objects(self) -> ObjectFinder:
        return ObjectFinder(self.guide, self.size)

    @cached_property
    def _embedding(self) -> Tensor | None:
        return self.predictor.embed(self.guide)


def _keep(outputs: OrderedDict[Any, Tensor], key: Any, output: Tensor) -> None:
    """Beside the last few."""
    outputs[key] = output
    while len(outputs) > _OUTPUTS:
        outputs.popitem(last=False)

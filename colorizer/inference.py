"""Colorizer: picture in, picture out, at its own size.

colorizer = Colorizer.from_pretrained()            # the bundled checkpoint; or a file, or the folder of a run
colorizer("old.jpg").save("new.png")               # a path gives a PIL image
rgb = colorizer(grey_array)                        # an array gives an array of the same dtype
colorizer("old.jpg", hints=[(120, 80, 10, "#7a1f1f")])   # this dress was dark red
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast, overload

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from .alternatives import plan_alternatives
from .checkpoints import Checkpoint, load_checkpoint, predicted_ab
from .color import Array, full_scale, normalise_l
from .data import resize
from .errors import UserError
from .features import FeatureExtractor, load_extractor
from .fullsize import Plane, guide_of, paint
from .hints import Hint, HintTuple, hint_planes_of, parse_hint
from .pictures import Photo, eight_bit, output_suffix, read_picture, write_picture
from .runs import choose_device

Hints = Sequence[Hint | HintTuple]

_MULTIPLE = 32  # of the deepest stride
_LONGEST = 6  # of the working copy, in short sides


@dataclass(frozen=True)
class Settings:
    """How to colour.

    Attributes:
        alpha: rebalancing: 0 cautious, more gives rarer, more vivid colours a chance. Classification only.
        temperature: of the annealed mean, > 0: lower is more decided. Classification only.
        working_size: short side, in pixels, of the copy that the network sees; None for the one that suits the
            checkpoint, `Colorizer.working_size`.
    """

    alpha: float = 0.19
    temperature: float = 0.5
    working_size: int | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.alpha <= 2:
            raise UserError(f"Vividness (alpha) must lie between 0 and 2, not {self.alpha}.")
        if not 0 < self.temperature <= 2:
            raise UserError(f"The temperature must be above 0 and at most 2, not {self.temperature}.")
        if self.working_size is not None and not 32 <= self.working_size <= 2048:
            raise UserError(f"The working size must lie between 32 and 2048, not {self.working_size}.")


class Colorizer:
    """A checkpoint on a device. Colours any number of pictures; safe to share between threads."""

    def __init__(self, checkpoint: Checkpoint, extractor: FeatureExtractor | None = None, device: str = "auto") -> None:
        """Make ready.

        Args:
            checkpoint: a loaded one.
            extractor: for networks that take an embedding: the one they were trained with.
            device: "auto", "cuda", "mps" or "cpu".
        """
        self.checkpoint, self.device = checkpoint, choose_device(device)
        self._network = checkpoint.network.to(self.device)
        self._extractor = extractor.to(self.device) if extractor is not None else None

    @classmethod
    def from_pretrained(
        cls,
        path: str | os.PathLike[str] | None = None,
        features_weights: str | os.PathLike[str] | None = None,
        device: str = "auto",
    ) -> Colorizer:
        """Load a checkpoint.

        Args:
            path: a .safetensors file or the folder of a run; by default the bundled checkpoint.
            features_weights: the feature extractor's weights, for a network trained on some other than the
                published ones.
            device: "auto", "cuda", "mps" or "cpu".
        Raises:
            UserError: something is missing or doesn't fit; the text says what to do.
        """
        checkpoint = load_checkpoint(path)
        extractor = None
        if checkpoint.network.uses_embedding:
            weights = features_weights
            if weights is None and checkpoint.features_weights and Path(checkpoint.features_weights).is_file():
                weights = checkpoint.features_weights
            extractor = load_extractor(checkpoint.config.features, weights)
            if extractor.fingerprint() != checkpoint.features_fingerprint:
                raise UserError(
                    f"{path} was trained on other weights of {checkpoint.config.features} than these. "
                    f"Give the file it was trained with by --features-weights FILE."
                )
        return cls(checkpoint, extractor, device)

    @overload
    def __call__(self, picture: Array, settings: Settings | None = None, hints: Hints = ()) -> Array: ...
    @overload
    def __call__(
        self, picture: str | os.PathLike[str] | Image.Image, settings: Settings | None = None, hints: Hints = ()
    ) -> Image.Image: ...
    def __call__(
        self,
        picture: str | os.PathLike[str] | Image.Image | Array,
        settings: Settings | None = None,
        hints: Hints = (),
    ) -> Image.Image | Array:
        """Colour a picture at its own size.

        Args:
            picture: a path or a PIL image, which give a PIL image (8 bit, RGB or RGBA); or a numpy array, HW or
                HWC with 1, 3 or 4 channels, uint8, uint16 or floating point in [0, 1], which gives an HWC
                array of the same dtype with 3 channels, or 4 if it had alpha.
            settings: how to colour.
            hints: colours that are known, (x, y, radius, "#rrggbb") each, in the picture's pixels.
        """
        photo = _photo_of(picture) if isinstance(picture, np.ndarray) else read_picture(picture)
        return _as_given(self.colorize(photo, settings, hints), picture)

    def colorize(self, photo: Photo, settings: Settings | None = None, hints: Hints = ()) -> Photo:
        """Colour a decoded photo: same size, depth and alpha; its L is kept, its colours, if any, are not."""
        guide = guide_of(photo)
        return paint(
            photo, guide, self.predict(guide, settings or Settings(), _scaled(hints, photo.rgb.shape, guide.shape))
        )

    @overload
    def alternatives(
        self, picture: Array, n: int = 3, settings: Settings | None = None, hints: Hints = ()
    ) -> list[Array]: ...
    @overload
    def alternatives(
        self,
        picture: str | os.PathLike[str] | Image.Image,
        n: int = 3,
        settings: Settings | None = None,
        hints: Hints = (),
    ) -> list[Image.Image]: ...
    def alternatives(
        self,
        picture: str | os.PathLike[str] | Image.Image | Array,
        n: int = 3,
        settings: Settings | None = None,
        hints: Hints = (),
    ) -> list[Image.Image] | list[Array]:
        """Colour a picture in other plausible ways than calling gives; see `alternatives.plan_alternatives`.

        Args:
            picture, settings, hints: as for a call.
            n: how many, at most. A photo whose colours the network is sure of gives fewer, or none.
        Returns:
            as a call returns, the most different first.
        """
        photo = _photo_of(picture) if isinstance(picture, np.ndarray) else read_picture(picture)
        painted = [p for p, _ in self.alternative_photos(photo, n, settings, hints)]
        return [_as_given(p, picture) for p in painted]  # type: ignore[return-value]

    def alternative_photos(
        self, photo: Photo, n: int = 3, settings: Settings | None = None, hints: Hints = ()
    ) -> list[tuple[Photo, list[Hint]]]:
        """`alternatives` of a decoded photo; with each the hints, in the photo's pixels, that lead to it."""
        settings, guide = settings or Settings(), guide_of(photo)
        plans = plan_alternatives(self, guide, n, settings, _scaled(hints, photo.rgb.shape, guide.shape))
        return [(paint(photo, guide, ab), _scaled(found, guide.shape, photo.rgb.shape)) for found, ab in plans]

    def working_size(self, settings: Settings) -> int:
        """Short side of the network's copy in pixels.

        By default 1.5 times the training crops' side: those showed 60 to 100% of a picture's short side, so things
        are then as large as they were in training (measured to be best for the bundled checkpoint, 192 for 128).
        """
        return settings.working_size or round(1.5 * self.checkpoint.size / _MULTIPLE) * _MULTIPLE

    def predict(self, guide: Plane, settings: Settings, hints: Sequence[Hint] = ()) -> Plane:
        """The network's colours.

        Args:
            guide: (H, W) L in [0, 100], any size.
            settings: how to colour.
            hints: in the guide's pixels.
        Returns:
            ab (h, w, 2) float32 in Lab units, at the network's own resolution.
        """
        return self.colors(self.output(guide, settings, hints), settings)

    @torch.inference_mode()
    def output(self, guide: Plane, settings: Settings, hints: Sequence[Hint] = ()) -> Tensor:
        """The network's output for `predict`'s arguments: (1, 2 or 313, h, w)."""
        if hints and not self._network.uses_hints:
            raise UserError("This network takes no hints: only skip_fusion networks do. Leave them out.")
        size = working_shape(guide.shape[0], guide.shape[1], self.working_size(settings))
        small = np.clip(resize(guide, size[1], size[0]), 0, 100)
        x = torch.from_numpy(small)[None, None].to(self.device)
        embedding = None
        if self._extractor is not None:
            side = self._extractor.size
            seen = torch.from_numpy(np.clip(resize(guide, side, side), 0, 100))
            embedding = self._extractor(seen[None, None].to(self.device))
        planes = hint_planes_of(hints, guide.shape, size).to(self.device) if hints else None
        # The mean of the picture's and its mirror image's: 0.07 dB better.
        seen, mirrored = self._pass(x, embedding, planes), self._pass(x.flip(-1), embedding, _flip(planes)).flip(-1)
        return (seen + mirrored) / 2

    def _pass(self, x: Tensor, embedding: Tensor | None, planes: Tensor | None) -> Tensor:
        return cast(Tensor, self._network(normalise_l(x), embedding, planes)).float()

    @torch.inference_mode()
    def colors(self, output: Tensor, settings: Settings) -> Plane:
        """The output as ab (h, w, 2) float32 in Lab units."""
        ab = predicted_ab(
            output, self.checkpoint.config.objective, self.checkpoint.prior, settings.alpha, settings.temperature
        )
        return cast(Plane, ab[0].permute(1, 2, 0).cpu().numpy())


def _scaled(hints: Hints, size: tuple[int, ...], wanted: tuple[int, ...]) -> list[Hint]:
    """Hints on a picture of (height, width), brought to another size of it."""
    down, across = wanted[0] / size[0], wanted[1] / size[1]
    radius = (across * down) ** 0.5
    return [Hint(h.x * across, h.y * down, h.radius * radius, h.ab) for h in map(parse_hint, hints)]


def _flip(planes: Tensor | None) -> Tensor | None:
    return None if planes is None else planes.flip(-1)


def working_shape(height: int, width: int, short: int) -> tuple[int, int]:
    """(height, width) of the network's copy: short side about `short`, both multiples of 32, not too long."""
    scale = short / min(height, width)
    longest = _LONGEST * short
    sides = (min(side * scale, longest) for side in (height, width))
    h, w = (max(round(side / _MULTIPLE), 1) * _MULTIPLE for side in sides)
    return h, w


def _as_given(painted: Photo, picture: str | os.PathLike[str] | Image.Image | Array) -> Image.Image | Array:
    """An array for an array, with alpha if there is any; else an 8-bit PIL image."""
    if not isinstance(picture, np.ndarray):
        painted = replace(painted, rgb=eight_bit(painted.rgb))
    pixels = painted.rgb if painted.alpha is None else np.dstack([painted.rgb, painted.alpha])
    return pixels if isinstance(picture, np.ndarray) else Image.fromarray(pixels)


def _photo_of(array: Array) -> Photo:
    full_scale(array.dtype)  # refuses other dtypes
    pixels = array[..., None] if array.ndim == 2 else array
    if pixels.ndim != 3 or pixels.shape[2] not in (1, 3, 4) or 0 in pixels.shape:
        raise ValueError(f"Expected an array HW, or HWC with 1, 3 or 4 channels, not of shape {array.shape}.")
    rgb = np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels[..., :3]
    return Photo(np.ascontiguousarray(rgb), pixels[..., 3] if pixels.shape[2] == 4 else None)


def colorize_file(colorizer: Colorizer, source: Path, target: Path, settings: Settings | None = None) -> Path:
    """Colour a file into another, whole or not at all.

    Args:
        colorizer: the network.
        source: the picture.
        target: its name's suffix is kept where that format can hold the result, else it becomes .png.
        settings: how to colour.
    Returns:
        the path written.
    """
    photo = read_picture(source)
    target = target.with_suffix(output_suffix(photo, target.suffix))
    write_picture(colorizer.colorize(photo, settings), target)
    return target

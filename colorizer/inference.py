"""Colorizer: picture in, picture out, at its own size.

colorizer = Colorizer.from_pretrained()            # the bundled checkpoint; or a file, or the folder of a run
colorizer("old.jpg").save("new.png")               # a path gives a PIL image
rgb = colorizer(gray_array)                        # an array gives an array of the same dtype
colorizer("old.jpg", hints=[(120, 80, 10, "#7a1f1f")])   # this dress was dark red
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import overload

import numpy as np
from PIL import Image

from .checkpoints import Checkpoint, load_checkpoint
from .color import Array, full_scale
from .errors import UserError
from .features import FeatureExtractor, load_extractor
from .hints import Hint
from .pictures import Photo, eight_bit, read_picture
from .prepared import MULTIPLE, Hints, PreparedPhoto
from .runs import choose_device
from .settings import Settings


class Colorizer:
    """A checkpoint on a device. Colors any number of pictures; safe to share between threads."""

    def __init__(self, checkpoint: Checkpoint, extractor: FeatureExtractor | None = None, device: str = "auto") -> None:
        """Make ready.

        Args:
            checkpoint: a loaded one.
            extractor: for networks that take an embedding: the one they were trained with.
            device: "auto", "cuda", "mps" or "cpu".
        """
        self.checkpoint, self.device = checkpoint, choose_device(device)
        self.network = checkpoint.network.to(self.device)
        self.extractor = extractor.to(self.device) if extractor is not None else None

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
        """Color a picture at its own size.

        Args:
            picture: a path or a PIL image, which give a PIL image (8 bit, RGB or RGBA); or a numpy array, HW or
                HWC with 1, 3 or 4 channels, uint8, uint16 or floating point in [0, 1], which gives an HWC
                array of the same dtype with 3 channels, or 4 if it had alpha.
            settings: how to color.
            hints: colors that are known, (x, y, radius, "#rrggbb") each, in the picture's pixels.
        """
        photo = _photo_of(picture) if isinstance(picture, np.ndarray) else read_picture(picture)
        return _as_given(self.colorize(photo, settings, hints), picture)

    def colorize(self, photo: Photo, settings: Settings | None = None, hints: Hints = ()) -> Photo:
        """Color a decoded photo: same size, depth and alpha; its L is kept, its colors, if any, are not."""
        return self.prepare(photo).colorize(settings, hints)

    def prepare(self, photo: Photo) -> PreparedPhoto:
        """For a photo that is colored more than once: what stays the same is computed once."""
        return PreparedPhoto(self, photo)

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
        """Color a picture in other plausible ways than calling gives; see `alternatives.plan_alternatives`.

        Args:
            picture, settings, hints: as for a call.
            n: how many, at most. A photo whose colors the network is sure of gives fewer, or none.
        Returns:
            as a call returns, the most plausible first.
        """
        photo = _photo_of(picture) if isinstance(picture, np.ndarray) else read_picture(picture)
        painted = [p for p, _ in self.alternative_photos(photo, n, settings, hints)]
        return [_as_given(p, picture) for p in painted]  # type: ignore[return-value]

    def alternative_photos(
        self, photo: Photo, n: int = 3, settings: Settings | None = None, hints: Hints = ()
    ) -> list[tuple[Photo, list[Hint]]]:
        """`alternatives` of a decoded photo; with each the hints, in the photo's pixels, that lead to it."""
        return self.prepare(photo).alternatives(n, settings, hints)

    @property
    def takes_hints(self) -> bool:
        """Whether known colors can be given."""
        return self.network.uses_hints

    @property
    def knows_alternatives(self) -> bool:
        """Whether other plausible colorings can be asked for."""
        return self.network.uses_hints and self.checkpoint.config.objective == "classification"

    def check(self, hints: bool = False, alternatives: bool = False) -> None:
        """Whether this network can do that.

        Raises:
            UserError: it takes no hints, or knows no alternatives.
        """
        if hints and not self.takes_hints:
            raise UserError("This network takes no hints: only skip_fusion networks do. Leave them out.")
        if alternatives and not self.knows_alternatives:
            raise UserError("Alternatives need a skip_fusion classification network: only that knows other guesses.")

    def working_size(self, settings: Settings) -> int:
        """Short side of the network's copy in pixels.

        By default 1.5 times the training crops' side: those showed 60 to 100% of a picture's short side, so things
        are then as large as they were in training (measured to be best for the bundled checkpoint, 192 for 128).
        """
        return settings.working_size or round(1.5 * self.checkpoint.size / MULTIPLE) * MULTIPLE


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

"""Colorizer: picture in, picture out, at its own size.

colorizer = Colorizer.from_pretrained()            # the bundled checkpoint; or a file, or the folder of a run
colorizer("old.jpg").save("new.png")               # a path gives a PIL image
rgb = colorizer(gray_array)                        # an array gives an array of the same dtype
colorizer("old.jpg", hints=[(120, 80, 10, "#7a1f1f")])   # this dress was dark red
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import overload

import numpy as np
from PIL import Image

from ..arrays import Array, eight_bit, full_scale
from ..film.writing import FilmOutput
from ..pictures.photo import Photo
from ..pictures.reading import read_picture
from .alternatives import alternative_photos
from .corrections import Correction
from .film import FilmResult, colorize_film
from .predictor import Predictor
from .prepared import Hints, PreparedPhoto
from .settings import Settings


class Colorizer:
    """A checkpoint on a device. Colors any number of pictures; safe to share between threads."""

    def __init__(self, predictor: Predictor) -> None:
        """Of a loaded checkpoint; most callers want `from_pretrained`."""
        self.predictor = predictor

    @classmethod
    def from_pretrained(
        cls,
        path: str | os.PathLike[str] | None = None,
        features_weights: str | os.PathLike[str] | None = None,
        device: str = "auto",
    ) -> Colorizer:
        """Load a checkpoint.

        Args:
            path: a .safetensors file, the folder of a run, or "owner/name" on the Hugging Face Hub; by default the
                bundled checkpoint.
            features_weights: the feature extractor's weights, for a network trained on some other than the
                published ones.
            device: "auto", "cuda", "mps" or "cpu".
        Raises:
            UserError: something is missing or doesn't fit; the text says what to do.
        """
        return cls(Predictor.load(path, features_weights, device))

    @property
    def credit(self) -> str:
        """Whose network it is, and under which license, where others have made it; else nothing."""
        return self.predictor.credit

    def check(self, hints: bool = False, alternatives: bool = False) -> None:
        """Whether the network can do that; the errors are those of `Predictor.check`."""
        self.predictor.check(hints, alternatives)

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
        return PreparedPhoto(self.predictor, photo)

    def film(
        self,
        source: str | os.PathLike[str],
        target: str | os.PathLike[str] | None = None,
        settings: Settings | None = None,
        corrections: Sequence[Correction] = (),
        output: FilmOutput | None = None,
        deinterlace: bool = False,
    ) -> FilmResult:
        """Color a film into another, with steady colors.

        Args:
            source: the film.
            target: the file for the result; by default NAME-color beside the film.
            settings, corrections, output, deinterlace: of `film.colorize_film`, which has more arguments.
        Raises:
            UserError: of `film.colorize_film`.
        """
        if target is None:
            target = Path(source).with_stem(f"{Path(source).stem}-color")
        return colorize_film(self.predictor, source, target, settings, corrections, output, deinterlace)

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
        colorized = [p for p, _ in alternative_photos(self.prepare(photo), n, settings, hints)]
        return [_as_given(p, picture) for p in colorized]  # type: ignore[return-value]


def _as_given(colorized: Photo, picture: str | os.PathLike[str] | Image.Image | Array) -> Image.Image | Array:
    """An array for an array, with alpha if there is any; else an 8-bit PIL image."""
    if not isinstance(picture, np.ndarray):
        colorized = replace(colorized, rgb=eight_bit(colorized.rgb))
    pixels = colorized.rgb if colorized.alpha is None else np.dstack([colorized.rgb, colorized.alpha])
    return pixels if isinstance(picture, np.ndarray) else Image.fromarray(pixels)


def _photo_of(array: Array) -> Photo:
    full_scale(array.dtype)  # refuses other dtypes
    pixels = array[..., None] if array.ndim == 2 else array
    if pixels.ndim != 3 or pixels.shape[2] not in (1, 3, 4) or 0 in pixels.shape:
        raise ValueError(f"Expected an array HW, or HWC with 1, 3 or 4 channels, not of shape {array.shape}.")
    rgb = np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels[..., :3]
    return Photo(np.ascontiguousarray(rgb), pixels[..., 3] if pixels.shape[2] == 4 else None)

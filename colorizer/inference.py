"""Colorizer: picture in, picture out, at its own size.

colorizer = Colorizer.from_pretrained()            # the bundled checkpoint; or a file, or the folder of a run
colorizer("old.jpg").save("new.png")               # a path gives a PIL image
rgb = colorizer(grey_array)                        # an array gives an array of the same dtype
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast, overload

import cv2
import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from .checkpoints import Checkpoint, load_checkpoint, predicted_ab
from .color import Array, fit_gamut, from_unit, full_scale, lab_to_rgb_tensor, lightness, normalise_l
from .data import resize
from .errors import UserError
from .features import FeatureExtractor, load_extractor
from .pictures import Photo, eight_bit, output_suffix, read_picture, write_picture
from .runs import choose_device

Plane = npt.NDArray[np.float32]

_MULTIPLE = 32  # of the deepest stride
_GUIDE_SIDE = 512  # short side at which the guided filter works, at most
_GUIDE_EPSILON = 1e-3  # variance of L / 100 below which the filter smooths
_STRIP_PIXELS = 2_000_000
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

    alpha: float = 0.15
    temperature: float = 0.6
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
    def __call__(self, picture: Array, settings: Settings | None = None) -> Array: ...
    @overload
    def __call__(
        self, picture: str | os.PathLike[str] | Image.Image, settings: Settings | None = None
    ) -> Image.Image: ...
    def __call__(
        self, picture: str | os.PathLike[str] | Image.Image | Array, settings: Settings | None = None
    ) -> Image.Image | Array:
        """Colour a picture at its own size.

        Args:
            picture: a path or a PIL image, which give a PIL image (8 bit, RGB or RGBA); or a numpy array, HW or
                HWC with 1, 3 or 4 channels, uint8, uint16 or floating point in [0, 1], which gives an HWC
                array of the same dtype with 3 channels, or 4 if it had alpha.
            settings: how to colour.
        """
        photo = _photo_of(picture) if isinstance(picture, np.ndarray) else read_picture(picture)
        painted = self.colorize(photo, settings)
        if not isinstance(picture, np.ndarray):
            painted = replace(painted, rgb=eight_bit(painted.rgb))
        pixels = painted.rgb if painted.alpha is None else np.dstack([painted.rgb, painted.alpha])
        return pixels if isinstance(picture, np.ndarray) else Image.fromarray(pixels)

    def colorize(self, photo: Photo, settings: Settings | None = None) -> Photo:
        """Colour a decoded photo: same size, depth and alpha; its L is kept, its colours, if any, are not."""
        settings = settings or Settings()
        height, width = photo.rgb.shape[:2]
        scale = min(1.0, _GUIDE_SIDE / min(height, width), 4 * _GUIDE_SIDE / max(height, width))
        guide_size = max(round(width * scale), 1), max(round(height * scale), 1)
        guide = lightness(resize(photo.rgb, *guide_size))  # (gh, gw)
        ab = self.predict(guide, settings)  # (h, w, 2)
        radius = max(round(min(guide.shape) / min(ab.shape[:2])), 1)  # about one of the prediction's pixels
        coefficients = guided_coefficients(guide, resize_linear(ab, *guide_size), radius, _GUIDE_EPSILON)
        return replace(photo, rgb=_paint(photo.rgb, coefficients))

    def working_size(self, settings: Settings) -> int:
        """Short side of the network's copy in pixels.

        By default 1.5 times the training crops' side: those showed 60 to 100% of a picture's short side, so things
        are then as large as they were in training (measured to be best for the bundled checkpoint, 192 for 128).
        """
        return settings.working_size or round(1.5 * self.checkpoint.size / _MULTIPLE) * _MULTIPLE

    @torch.inference_mode()
    def predict(self, guide: Plane, settings: Settings) -> Plane:
        """The network's colours.

        Args:
            guide: (H, W) L in [0, 100], any size.
            settings: how to colour.
        Returns:
            ab (h, w, 2) float32 in Lab units, at the network's own resolution.
        """
        size = working_shape(guide.shape[0], guide.shape[1], self.working_size(settings))
        small = np.clip(resize(guide, size[1], size[0]), 0, 100)
        x = torch.from_numpy(small)[None, None].to(self.device)
        embedding = None
        if self._extractor is not None:
            side = self._extractor.size
            seen = torch.from_numpy(np.clip(resize(guide, side, side), 0, 100))
            embedding = self._extractor(seen[None, None].to(self.device))
        output = self._network(normalise_l(x), embedding)
        ab = predicted_ab(
            output, self.checkpoint.config.objective, self.checkpoint.prior, settings.alpha, settings.temperature
        )
        return cast(Plane, ab[0].permute(1, 2, 0).cpu().numpy())


def working_shape(height: int, width: int, short: int) -> tuple[int, int]:
    """(height, width) of the network's copy: short side about `short`, both multiples of 32, not too long."""
    scale = short / min(height, width)
    longest = _LONGEST * short
    sides = (min(side * scale, longest) for side in (height, width))
    h, w = (max(round(side / _MULTIPLE), 1) * _MULTIPLE for side in sides)
    return h, w


def resize_linear(planes: Plane, width: int, height: int) -> Plane:
    """Bilinear, from few pixels to more; or averaged, to fewer."""
    shrinks = width < planes.shape[1] or height < planes.shape[0]
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return cast(Plane, cv2.resize(planes, (width, height), interpolation=method))


def guided_coefficients(guide: Plane, ab: Plane, radius: int, epsilon: float) -> Plane:
    """The linear model ab = slope L + offset of each window, so that ab has edges where L has.

    He, Sun and Tang, "Guided Image Filtering" (PAMI 2013), eqs. 5, 6 and 8; the coefficients may be brought to a
    larger size (He and Sun, "Fast Guided Filter", 2015).

    Args:
        guide: (H, W) L in [0, 100].
        ab: (H, W, 2).
        radius: of the square window in pixels.
        epsilon: regularisation, a variance of L / 100.
    Returns:
        (H, W, 4): the slopes of a and b, the offsets of a and b; to be applied to L in [0, 100].
    """

    def mean(x: Array) -> Array:
        return cast(Array, cv2.blur(x, (2 * radius + 1,) * 2, borderType=cv2.BORDER_REFLECT))

    unit = (guide / 100)[..., None]
    mean_guide, mean_ab = mean(unit)[..., None], mean(ab)
    variance = mean(unit * unit)[..., None] - mean_guide**2
    slope = (mean(unit * ab) - mean_guide * mean_ab) / (np.maximum(variance, 0) + epsilon)
    offset = mean_ab - slope * mean_guide
    return mean(np.dstack([slope / 100, offset]).astype(np.float32))


def _paint(rgb: Array, coefficients: Plane) -> Array:
    """Colour at full size, a strip of rows at a time, so that memory hardly grows with the photo."""
    height, width = rgb.shape[:2]
    painted = np.empty_like(rgb)
    rows = max(_STRIP_PIXELS // width, 1)
    for top in range(0, height, rows):
        strip = rgb[top : top + rows]
        slope_offset = _rows_at(coefficients, top, len(strip), height, width)  # (rows, W, 4)
        light = lightness(strip)
        ab = slope_offset[..., :2] * light[..., None] + slope_offset[..., 2:]
        lab = torch.from_numpy(np.concatenate([light[None], ab.transpose(2, 0, 1)]))
        unit = lab_to_rgb_tensor(fit_gamut(lab)).permute(1, 2, 0).numpy()
        painted[top : top + rows] = from_unit(unit, rgb.dtype)
    return painted


def _rows_at(planes: Plane, top: int, rows: int, height: int, width: int) -> Plane:
    """Rows top..top+rows of `planes` (h, w, C) enlarged bilinearly to (height, width, C)."""
    h = len(planes)
    y = np.clip((np.arange(top, top + rows, dtype=np.float32) + 0.5) * h / height - 0.5, 0, h - 1)
    above = y.astype(int)
    below, weight = np.minimum(above + 1, h - 1), (y - above)[:, None, None]
    mixed = planes[above] * (1 - weight) + planes[below] * weight  # (rows, w, C)
    return cast(Plane, cv2.resize(mixed.astype(np.float32), (width, rows), interpolation=cv2.INTER_LINEAR))


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

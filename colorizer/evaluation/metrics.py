"""Metrics, defined once: of 8-bit sRGB pictures at their own size, the colored one against the true one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from ..arrays import Array
from ..color.difference import ciede2000
from ..color.lab import lab_to_rgb, lightness, rgb_to_lab

PSNR_CEILING = 100.0  # dB, of identical pictures, whose PSNR would be infinite
_AUC_RANGE = 150


def mse(x: Array, y: Array) -> float:
    """Mean squared error over all elements."""
    return float(np.mean((x.astype(np.float64) - y) ** 2))


def psnr(mse_rgb: float) -> float:
    """Peak signal-to-noise ratio in dB of 8-bit pictures, at most `PSNR_CEILING`.

    >>> psnr(0.0), round(psnr(650.25), 9)
    (100.0, 20.0)
    """
    return PSNR_CEILING if mse_rgb == 0 else min(10 * float(np.log10(255**2 / mse_rgb)), PSNR_CEILING)


def ssim(x: Array, y: Array) -> float:
    """Structural similarity (Wang, Bovik, Sheikh and Simoncelli 2004), mean over the channels.

    Args:
        x, y: HWC uint8. Pixels nearer than 5 to an edge don't count, unless the picture is smaller than 11.
    """

    def blur(image: Array) -> Array:
        return cv2.GaussianBlur(image, (11, 11), 1.5, borderType=cv2.BORDER_REFLECT)

    a, b = x.astype(np.float64), y.astype(np.float64)
    mean_a, mean_b = blur(a), blur(b)
    var_a, var_b = blur(a * a) - mean_a**2, blur(b * b) - mean_b**2
    covariance = blur(a * b) - mean_a * mean_b
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    index = (2 * mean_a * mean_b + c1) * (2 * covariance + c2)
    index = index / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2))
    if min(x.shape[:2]) >= 11:
        index = index[5:-5, 5:-5]
    return float(index.mean())


def colorfulness(rgb: Array) -> float:
    """Colorfulness M of Hasler and Süsstrunk, "Measuring colorfulness in natural images" (2003), eq. 7.

    Args:
        rgb: HWC uint8.
    """
    r, g, b = np.moveaxis(rgb.astype(np.float64), -1, 0)
    rg, yb = r - g, (r + g) / 2 - b
    return float(np.hypot(rg.std(), yb.std()) + 0.3 * np.hypot(rg.mean(), yb.mean()))


def auc(ab_error: Array) -> float:
    """Area under the cumulative error curve in percent (Zhang et al. 2016, section 3.1).

    Args:
        ab_error: Euclidean distances in the ab plane.

    >>> auc(np.array([0.0, 1000.0]))  # one pixel right, one beyond every t
    50.0
    """
    # Within t for t = 0, 1, .. 150: a distance d counts for all t >= ceil(d).
    counts = np.bincount(np.minimum(np.ceil(ab_error).astype(int).ravel(), _AUC_RANGE + 1), minlength=_AUC_RANGE + 2)
    return float(100 * np.cumsum(counts)[: _AUC_RANGE + 1].mean() / ab_error.size)


def gray_picture(rgb: Array) -> Array:
    """The baseline: the same L without color, HWC uint8."""
    light = lightness(rgb)
    return lab_to_rgb(np.dstack([light, np.zeros_like(light), np.zeros_like(light)]), np.uint8)


def ab_error(lab: Array, lab_true: Array) -> Array:
    """Euclidean distance in the ab plane at each pixel, HW, of two pictures in Lab, HWC."""
    return np.linalg.norm(lab[..., 1:] - lab_true[..., 1:], axis=-1)


class Pair:
    """A colorized picture beside the true one, HWC uint8 of one size; what several metrics need is computed once."""

    def __init__(self, colorized: Array, true: Array) -> None:
        self.colorized, self.true = colorized, true

    @cached_property
    def labs(self) -> tuple[Array, Array]:
        """Both in Lab."""
        return rgb_to_lab(self.colorized), rgb_to_lab(self.true)

    @cached_property
    def mse_rgb(self) -> float:
        """Of RGB."""
        return mse(self.colorized, self.true)

    @cached_property
    def colorfulness(self) -> float:
        """Of the colorized picture."""
        return colorfulness(self.colorized)


@dataclass(frozen=True)
class Metric:
    """An entry of the registry.

    Attributes:
        title, unit: for tables.
        better: "lower", "higher", or "true" for closer to the true picture's.
        meaning: its definition, in a sentence or two.
        of: its value for a picture; None where a network must look at the picture (see `classifiers`).
        digits: after the point, in tables.
    """

    title: str
    unit: str
    better: str
    meaning: str
    of: Callable[[Pair], float] | None = None
    digits: int = 2

    def describe(self) -> str:
        """Its definition and its direction."""
        return f"{self.meaning} {_DIRECTIONS[self.better]}"


_DIRECTIONS = {
    "lower": "Lower is better.", "higher": "Higher is better.", "true": "Best close to the true pictures'.",
}  # fmt: skip
METRICS: dict[str, Metric] = {
    "mse_ab": Metric(
        "MSE of ab", "Lab²", "lower", "Mean squared error of a and b over all pixels.",
        lambda pair: mse(*(lab[..., 1:] for lab in pair.labs)),
    ),
    "mse_rgb": Metric(
        "MSE of RGB", "0–255²", "lower", "Mean squared error of R, G and B over all pixels.",
        lambda pair: pair.mse_rgb,
    ),
    "psnr": Metric(
        "PSNR", "dB", "higher", "10 log10(255² / MSE of RGB), at most 100 dB.", lambda pair: psnr(pair.mse_rgb)
    ),
    "ssim": Metric(
        "SSIM", "", "higher",
        "Structural similarity (Wang et al. 2004), 11x11 Gaussian of sigma 1.5, mean over R, G, B.",
        lambda pair: ssim(pair.colorized, pair.true), digits=4,
    ),
    "ciede2000": Metric(
        "CIEDE2000", "", "lower", "Mean perceived color difference; about 1 is just noticeable.",
        lambda pair: float(ciede2000(*pair.labs).mean()),
    ),
    "auc": Metric(
        "AuC", "%", "higher", "Share of pixels with an ab error within t, averaged over t = 0..150.",
        lambda pair: auc(ab_error(*pair.labs)),
    ),
    "colorfulness": Metric(
        "Colorfulness", "", "true", "Hasler and Süsstrunk 2003.", lambda pair: pair.colorfulness
    ),
    "colorfulness_difference": Metric(
        "Colorfulness difference", "", "lower", "Its mean distance from the truth.",
        lambda pair: abs(pair.colorfulness - colorfulness(pair.true)),
    ),
    "top1": Metric(
        "Top-1", "%", "higher", "How often EfficientNet-Lite2, which is no part of the bundled network, recognizes the "
        "ImageNet class that a picture's file or folder is named after (Zhang et al. 2016).",
    ),
    "lpips": Metric("LPIPS", "", "lower", "Perceptual distance by AlexNet (Zhang et al. 2018, version 0.1)."),
}  # fmt: skip
FID = Metric(
    "FID", "", "lower", "Fréchet distance of Inception's features of all pictures to those of the true ones (Heusel et "
    "al. 2017). It depends on the number of pictures.",
)  # fmt: skip


def measure(colorized: Array, true: Array) -> dict[str, float]:
    """All metrics of one picture that need no network.

    Args:
        colorized, true: HWC uint8 of the same size.
    """
    pair = Pair(colorized, true)
    return {name: metric.of(pair) for name, metric in METRICS.items() if metric.of is not None}


def interval(values: Array, seed: int = 0, resamples: int = 1000) -> tuple[Array, Array]:
    """Bootstrap 95% interval of means (Efron 1979, percentile method).

    Args:
        values: (n, k): k figures of n pictures; not-a-numbers don't count.
        seed: the same gives the same interval.
        resamples: drawn from the pictures, with replacement.
    Returns:
        low and high, (k,) each.
    """
    rng = np.random.default_rng(seed)
    n, there = len(values), ~np.isnan(values)
    filled = np.where(there, values, 0.0)
    means = np.empty((resamples, values.shape[1]))
    for k in range(resamples):
        times = np.bincount(rng.integers(0, n, n), minlength=n).astype(float)  # how often each was drawn
        with np.errstate(invalid="ignore", divide="ignore"):
            means[k] = times @ filled / (times @ there)
    low, high = np.nanpercentile(means, [2.5, 97.5], axis=0)
    return low, high

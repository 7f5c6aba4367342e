"""Metrics, defined once, and the measuring of a network on a test set.

Every figure is of 8-bit sRGB pictures at their own size, the coloured one against the true one. Beside each stands
that of the grey picture (ab = 0), because error metrics reward dullness.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import cv2
import numpy as np
import torch

from .color import Array, ciede2000, lab_to_rgb, lightness, rgb_to_lab
from .data import scan_pictures
from .errors import UserError
from .inference import Colorizer
from .pictures import Photo, eight_bit, read_picture
from .settings import Settings
from .sources import PictureSource, open_source

PSNR_CEILING = 100.0  # dB, of identical pictures, whose PSNR would be infinite
_AUC_RANGE = 150

# name -> (title, unit, what it means; better: lower, higher, or closer to the truth's)
METRICS: dict[str, tuple[str, str, str]] = {
    "mse_ab": ("MSE of ab", "Lab²", "Mean squared error of a and b over all pixels. Lower is better."),
    "mse_rgb": ("MSE of RGB", "0–255²", "Mean squared error of R, G and B over all pixels. Lower is better."),
    "psnr": ("PSNR", "dB", "10 log10(255² / MSE of RGB), at most 100 dB. Higher is better."),
    "ssim": ("SSIM", "", "Structural similarity (Wang et al. 2004), 11x11 Gaussian of sigma 1.5, mean over R, G, B."),
    "ciede2000": ("CIEDE2000", "", "Mean perceived colour difference; about 1 is just noticeable. Lower is better."),
    "auc": ("AuC", "%", "Share of pixels with an ab error within t, averaged over t = 0..150. Higher is better."),
    "colorfulness": ("Colourfulness", "", "Hasler and Süsstrunk 2003. Best close to the true pictures'."),
    "colorfulness_difference": ("Colourfulness difference", "", "Its mean distance from the truth. Lower is better."),
}  # fmt: skip


def mse(x: Array, y: Array) -> float:
    """Mean squared error over all elements."""
    return float(np.mean((x.astype(np.float64) - y) ** 2))


def psnr(mse_rgb: float) -> float:
    """Peak signal-to-noise ratio in dB of 8-bit pictures, at most `PSNR_CEILING`."""
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
    """Colourfulness M of Hasler and Süsstrunk, "Measuring colourfulness in natural images" (2003), eq. 7.

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
    """
    # Within t for t = 0, 1, .. 150: a distance d counts for all t >= ceil(d).
    counts = np.bincount(np.minimum(np.ceil(ab_error).astype(int).ravel(), _AUC_RANGE + 1), minlength=_AUC_RANGE + 2)
    return float(100 * np.cumsum(counts)[: _AUC_RANGE + 1].mean() / ab_error.size)


def measure(painted: Array, true: Array) -> dict[str, float]:
    """All metrics of one picture.

    Args:
        painted, true: HWC uint8 of the same size.
    """
    lab, lab_true = rgb_to_lab(painted), rgb_to_lab(true)
    mse_rgb = mse(painted, true)
    own = colorfulness(painted)
    return {
        "mse_ab": mse(lab[..., 1:], lab_true[..., 1:]),
        "mse_rgb": mse_rgb,
        "psnr": psnr(mse_rgb),
        "ssim": ssim(painted, true),
        "ciede2000": float(ciede2000(lab, lab_true).mean()),
        "auc": auc(np.linalg.norm(lab[..., 1:] - lab_true[..., 1:], axis=-1)),
        "colorfulness": own,
        "colorfulness_difference": abs(own - colorfulness(true)),
    }


def grey_picture(rgb: Array) -> Array:
    """The baseline: the same L without colour, HWC uint8."""
    light = lightness(rgb)
    return lab_to_rgb(np.dstack([light, np.zeros_like(light), np.zeros_like(light)]), np.uint8)


@dataclass
class PictureResult:
    """One measured picture."""

    name: str
    metrics: dict[str, float]
    grey: dict[str, float]
    true_colorfulness: float


@dataclass
class Evaluation:
    """Metrics over a set: `update` with each picture, `compute` at any time. The mean is over pictures."""

    results: list[PictureResult] = field(default_factory=list)

    def update(self, name: str, painted: Array, true: Array, grey: Array | None = None) -> PictureResult:
        """Measure one picture (HWC uint8, all of one size) and its grey baseline, `grey_picture(true)` if not given."""
        grey = grey_picture(true) if grey is None else grey
        result = PictureResult(name, measure(painted, true), measure(grey, true), colorfulness(true))
        self.results.append(result)
        return result

    def compute(self) -> dict[str, Any]:
        """Means over the pictures: {"pictures", "metrics", "grey", "true_colorfulness", "colorfulness_share"}."""
        if not self.results:
            raise UserError("No picture could be measured.")

        def mean(part: str) -> dict[str, float]:
            return {m: float(np.mean([getattr(r, part)[m] for r in self.results])) for m in METRICS}

        metrics, true = mean("metrics"), float(np.mean([r.true_colorfulness for r in self.results]))
        return {
            "pictures": len(self.results),
            "metrics": metrics,
            "grey": mean("grey"),
            "true_colorfulness": true,
            "colorfulness_share": metrics["colorfulness"] / true if true else 1.0,
        }


@dataclass
class Measured:
    """A picture as it is measured: HWC uint8 each."""

    result: PictureResult
    grey: Array
    painted: Array
    true: Array
    done: int
    total: int


@dataclass
class TestSet:
    """The pictures to measure on: all that can be read, grey ones too."""

    source: PictureSource
    names: list[str]
    left_out: dict[str, list[str]]

    __test__ = False  # not a test class

    @classmethod
    def open(cls, data: str, limit: int | None = None) -> TestSet:
        """Open a data set as `sources.open_source` does; `limit` takes that many, evenly spaced."""
        source = open_source(data, training=False)
        scan = scan_pictures(source, keep_grey=True)
        names = [p.name for p in scan.pictures]
        if limit and limit < len(names):
            names = [names[i] for i in np.linspace(0, len(names) - 1, limit).round().astype(int)]
        if not names:
            raise UserError(f"No picture in {data} can be read.")
        return cls(source, names, scan.left_out)


def evaluate(
    colorizer: Colorizer, test_set: TestSet, evaluation: Evaluation, settings: Settings | None = None
) -> Iterator[Measured]:
    """Colour and measure each picture of a set, in order; `evaluation` collects the figures.

    Args:
        colorizer: the network.
        test_set: the pictures.
        evaluation: updated before each picture is yielded.
        settings: how to colour.
    """
    for done, name in enumerate(test_set.names, 1):
        true = eight_bit(read_picture(test_set.source.read(name)).rgb)
        painted = colorizer.colorize(Photo(true), settings).rgb
        grey = grey_picture(true)
        result = evaluation.update(name, painted, true, grey)
        yield Measured(result, grey, painted, true, done, len(test_set.names))


def describe(colorizer: Colorizer, settings: Settings) -> dict[str, Any]:
    """What was measured and how, for the record."""
    config = colorizer.checkpoint.config
    return {
        "network": config.network,
        "objective": config.objective,
        "features": config.features,
        **asdict(settings),
        "working_size": colorizer.working_size(settings),
        "torch": torch.__version__,
    }

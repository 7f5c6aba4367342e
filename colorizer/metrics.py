"""Metrics, defined once: of 8-bit sRGB pictures at their own size, the colored one against the true one."""

from __future__ import annotations

import cv2
import numpy as np

from .color import Array, ciede2000, lab_to_rgb, lightness, rgb_to_lab

PSNR_CEILING = 100.0  # dB, of identical pictures, whose PSNR would be infinite
_AUC_RANGE = 150

# name -> (title, unit, what it means; better: lower, higher, or closer to the truth's)
METRICS: dict[str, tuple[str, str, str]] = {
    "mse_ab": ("MSE of ab", "Lab²", "Mean squared error of a and b over all pixels. Lower is better."),
    "mse_rgb": ("MSE of RGB", "0–255²", "Mean squared error of R, G and B over all pixels. Lower is better."),
    "psnr": ("PSNR", "dB", "10 log10(255² / MSE of RGB), at most 100 dB. Higher is better."),
    "ssim": ("SSIM", "", "Structural similarity (Wang et al. 2004), 11x11 Gaussian of sigma 1.5, mean over R, G, B."),
    "ciede2000": ("CIEDE2000", "", "Mean perceived color difference; about 1 is just noticeable. Lower is better."),
    "auc": ("AuC", "%", "Share of pixels with an ab error within t, averaged over t = 0..150. Higher is better."),
    "colorfulness": ("Colorfulness", "", "Hasler and Süsstrunk 2003. Best close to the true pictures'."),
    "colorfulness_difference": ("Colorfulness difference", "", "Its mean distance from the truth. Lower is better."),
    "top1": ("Top-1", "%", "How often EfficientNet-Lite2, no part of any network here, recognizes the ImageNet class "
             "that a picture's file or folder is named after (Zhang et al. 2016). Higher is better."),
    "lpips": ("LPIPS", "", "Perceptual distance by AlexNet (Zhang et al. 2018, version 0.1). Lower is better."),
}  # fmt: skip
FID = ("FID", "", "Fréchet distance of Inception's features of all pictures to those of the true ones (Heusel et al. "
       "2017). It depends on the number of pictures. Lower is better.")  # fmt: skip
MEASURED = [name for name in METRICS if name not in ("top1", "lpips")]  # by `measure`


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
    """
    # Within t for t = 0, 1, .. 150: a distance d counts for all t >= ceil(d).
    counts = np.bincount(np.minimum(np.ceil(ab_error).astype(int).ravel(), _AUC_RANGE + 1), minlength=_AUC_RANGE + 2)
    return float(100 * np.cumsum(counts)[: _AUC_RANGE + 1].mean() / ab_error.size)


def measure(painted: Array, true: Array) -> dict[str, float]:
    """All metrics of one picture but top-1.

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
        "auc": auc(ab_error(lab, lab_true)),
        "colorfulness": own,
        "colorfulness_difference": abs(own - colorfulness(true)),
    }


def gray_picture(rgb: Array) -> Array:
    """The baseline: the same L without color, HWC uint8."""
    light = lightness(rgb)
    return lab_to_rgb(np.dstack([light, np.zeros_like(light), np.zeros_like(light)]), np.uint8)


def ab_error(lab: Array, lab_true: Array) -> Array:
    """Euclidean distance in the ab plane at each pixel, HW, of two pictures in Lab, HWC."""
    return np.linalg.norm(lab[..., 1:] - lab_true[..., 1:], axis=-1)


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

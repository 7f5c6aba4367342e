"""Old photographs from new ones: what time and a scanner do to L, done to training pictures.

A network that has only seen clean L takes grain for texture and a soft, faded print for fog. Only its input is
degraded, never the colors it is to learn.
"""

from __future__ import annotations

from typing import cast

import cv2
import numpy as np
import numpy.typing as npt

from ..arrays import Plane


def degrade(light: Plane, rng: np.random.Generator) -> Plane:
    """A photograph's L as an old print's: a random choice of blur, gamma, fading, uneven light, grain and JPEG.

    Args:
        light: (H, W) L in [0, 100].
        rng: draws the faults and their strengths.
    Returns:
        (H, W) float32 in [0, 100].
    """
    unit: Plane = light / np.float32(100)
    if rng.random() < 0.5:
        unit = cast(Plane, cv2.GaussianBlur(unit, (0, 0), rng.uniform(0.4, 1.2)))
    if rng.random() < 0.5:
        unit = np.clip(unit, 0, 1) ** np.exp(rng.normal(0, 0.25))
    if rng.random() < 0.5:  # faded: neither black nor white is left; or burnt: both are clipped
        black, white = rng.uniform(-0.1, 0.25), rng.uniform(0.75, 1.1)
        unit = black + (white - black) * unit
    if rng.random() < 0.2:
        unit = unit * _uneven(unit.shape, rng)
    if rng.random() < 0.5:
        unit = unit + _grain(unit.shape, rng)
    eight_bit = (np.clip(unit, 0, 1) * 255).round().astype(np.uint8)
    if rng.random() < 0.4:
        _, file = cv2.imencode(".jpg", eight_bit, (cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(20, 80))))
        eight_bit = cast(npt.NDArray[np.uint8], cv2.imdecode(file, cv2.IMREAD_GRAYSCALE))
    return eight_bit.astype(np.float32) * np.float32(100 / 255)


def _grain(shape: tuple[int, ...], rng: np.random.Generator) -> Plane:
    """Gaussian noise of a standard deviation up to 0.05, mostly weak, in clumps of one to two pixels."""
    noise = rng.standard_normal(shape, dtype=np.float32)
    clump = rng.uniform(0, 0.8)
    if clump > 0.3:
        noise = cast(Plane, cv2.GaussianBlur(noise, (0, 0), clump))
        noise /= noise.std() + np.float32(1e-6)
    return noise * np.float32(0.05 * rng.random() ** 2)


def _uneven(shape: tuple[int, ...], rng: np.random.Generator) -> Plane:
    """A slope of light over the picture, 0.7 to 1.3 at the most."""
    y, x = np.meshgrid(*(np.linspace(-1, 1, side, dtype=np.float32) for side in shape), indexing="ij")
    angle, strength = rng.uniform(0, 2 * np.pi), rng.uniform(0, 0.3)
    along = np.cos(angle) * x + np.sin(angle) * y
    return (1 + np.float32(strength / np.sqrt(2)) * along).astype(np.float32)

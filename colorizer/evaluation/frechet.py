"""The Fréchet distance of two sets of features (Heusel et al., "GANs Trained by a Two Time-Scale Update Rule", 2017,
eq. 6): of all features at once, or of their moments, whose memory does not grow with the pictures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Features = npt.NDArray[np.float64]


def frechet_distance(x: Features, y: Features) -> float:
    """Squared Fréchet distance of the Gaussians fitted to two sets of features.

    |m1 - m2|² + tr(C1 + C2 - 2 (C1 C2)^½). With centered rows X and Y the last trace is the sum of the singular values
    of X Yᵀ over the root of both degrees of freedom, which needs no root of a large matrix.

    Args:
        x, y: (n, d) and (m, d), at least 2 rows each.
    """
    a, b = x - x.mean(0), y - y.mean(0)
    n, m = len(x) - 1, len(y) - 1
    mixed = np.linalg.svd(a @ b.T, compute_uv=False).sum() / np.sqrt(n * m)
    spread = (a**2).sum() / n + (b**2).sum() / m
    return float(((x.mean(0) - y.mean(0)) ** 2).sum() + spread - 2 * mixed)


@dataclass
class Moments:
    """Mean and covariance of features, summed up one picture at a time: memory doesn't grow with the pictures."""

    number: int = 0
    total: Features | None = None
    products: Features | None = None

    def add(self, features: Features) -> None:
        """One more picture's features (d,)."""
        x = features.astype(np.float64)
        if self.total is None or self.products is None:
            self.total, self.products = np.zeros_like(x), np.zeros((len(x), len(x)))
        self.number += 1
        self.total += x
        self.products += np.outer(x, x)

    def compute(self) -> tuple[Features, Features]:
        """Mean (d,) and covariance (d, d); at least 2 pictures."""
        assert self.total is not None
        assert self.products is not None
        mean = self.total / self.number
        return mean, (self.products - self.number * np.outer(mean, mean)) / (self.number - 1)


def frechet_of_moments(x: Moments, y: Moments) -> float:
    """`frechet_distance` of two sets by their moments; the trace of the root by eigenvalues."""
    (mean_x, x2), (mean_y, y2) = x.compute(), y.compute()
    values, vectors = np.linalg.eigh(x2)
    root = (vectors * np.sqrt(values.clip(0))) @ vectors.T
    mixed = np.sqrt(np.linalg.eigvalsh(root @ y2 @ root).clip(0)).sum()
    return float(((mean_x - mean_y) ** 2).sum() + np.trace(x2) + np.trace(y2) - 2 * mixed)

"""The 313 quantized ab colors of Zhang, Isola and Efros, "Colorful Image Colorization" (ECCV 2016)."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, cast

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

BIN_STEP = 10
SOFT_NEIGHBORS, SOFT_SIGMA = 5, 5.0
_UNIFORM = 0.05  # share of the uniform distribution in the prior, for rebalancing after training
_REACH = 128  # of the table of soft encodings, beyond every sRGB color


# ----------------------------------------------------------------------------------------- the 313 bins

# For each a, the run of b (from, to, in steps of 10) whose colors lie in gamut for some L: the published bins.
_BIN_RUNS = {
    -90: (50, 90), -80: (20, 90), -70: (0, 90), -60: (-20, 90), -50: (-30, 100),
    -40: (-40, 100), -30: (-50, 100), -20: (-50, 100), -10: (-60, 100), 0: (-70, 100),
    10: (-80, 90), 20: (-80, 90), 30: (-90, 90), 40: (-100, 90), 50: (-100, 80),
    60: (-110, 80), 70: (-110, 80), 80: (-110, 70), 90: (-110, 70), 100: (-90, 0),
}  # fmt: skip


def ab_bins() -> Tensor:
    """The centers of the 313 quantized ab colors, (313, 2) float32 in Lab units, in the published order.

    >>> bins = ab_bins()
    >>> len(bins), bins[0].tolist(), bins[-1].tolist()
    (313, [-90.0, 50.0], [100.0, 0.0])
    """
    centers = [(a, b) for a, (lo, hi) in _BIN_RUNS.items() for b in range(lo, hi + 1, BIN_STEP)]
    return torch.tensor(centers, dtype=torch.float32)


N_BINS = len(ab_bins())


def _soft_weights(ab: Tensor) -> tuple[Tensor, Tensor]:
    """Exact soft encoding of (K, 2) colors: indices (K, 5) and weights (K, 5), nearest first."""
    squared = ((ab[:, None, :] - ab_bins()[None]) ** 2).sum(-1)  # (K, 313)
    nearest, indices = squared.topk(SOFT_NEIGHBORS, largest=False, sorted=True)
    # The smallest distance is taken out first: far outside the bins every exponential would be zero.
    weights = torch.exp(-(nearest - nearest[:, :1]) / (2 * SOFT_SIGMA**2))
    return indices, weights / weights.sum(1, keepdim=True)


@lru_cache(maxsize=1)
def _soft_table() -> tuple[Tensor, Tensor]:
    """`_soft_weights` of every whole (a, b): to search 313 bins for each pixel would cost more than the network."""
    axis = torch.arange(-_REACH, _REACH + 1, dtype=torch.float32)
    grid = torch.cartesian_prod(axis, axis)
    parts = [_soft_weights(chunk) for chunk in torch.split(grid, 8192)]
    return torch.cat([p[0] for p in parts]), torch.cat([p[1] for p in parts])


def soft_encode(ab: Tensor) -> tuple[Tensor, Tensor]:
    """Encode colors over their 5 nearest bins with a Gaussian of sigma 5 (Zhang et al. 2016, section 2.2).

    ab is rounded to whole Lab units, a tenth of a bin.

    Args:
        ab: (N, 2, H, W) in Lab units.
    Returns:
        indices (N, 5, H, W) int64 and weights (N, 5, H, W) summing to 1, nearest bin first.
    """
    indices, weights = (table.to(ab.device) for table in _soft_table())
    whole = ab.round().clamp(-_REACH, _REACH).long() + _REACH
    row = whole[:, 0] * (2 * _REACH + 1) + whole[:, 1]  # (N, H, W)
    return indices[row].movedim(-1, 1), weights[row].movedim(-1, 1)


def soft_histogram(ab: Tensor) -> Tensor:
    """Sum of the soft encodings of all pixels: (313,) float64. Its Gaussian smooths the empirical prior."""
    indices, weights = soft_encode(ab)
    return torch.bincount(indices.flatten(), weights=weights.flatten().double(), minlength=N_BINS)


def mix_uniform(prior: Tensor, share: float) -> Tensor:
    """The prior mixed with a uniform distribution over the bins, so that no bin has probability 0."""
    return (1 - share) * prior + share / N_BINS


def rebalancing_weights(prior: Tensor, share: float = 0.5) -> Tensor:
    """Class weights 1 / ((1 - share) p + share / 313), scaled to mean 1 under p (Zhang et al. 2016, eq. 4).

    Args:
        prior: (313,), summing to 1.
        share: of the uniform distribution.
    """
    weights = 1 / mix_uniform(prior, share)
    return weights / (prior * weights).sum()


def rebalance_logits(logits: Tensor, prior: Tensor, alpha: float | Tensor, share: float = _UNIFORM) -> Tensor:
    """Rebalancing after training: logits - alpha log p. 0 changes nothing; more gives rarer colors a chance.

    Args:
        logits: (N, 313, H, W).
        prior: (313,), summing to 1.
        alpha: 0 cautious .. 1 fully rebalanced.
        share: of the uniform distribution in p.
    """
    return logits - alpha * mix_uniform(prior, share).log().view(1, -1, 1, 1)


def annealed_mean(logits: Tensor, temperature: float | Tensor = 0.38) -> Tensor:
    """The mean color of the distribution sharpened by a temperature (Zhang et al. 2016, eq. 5).

    Args:
        logits: (N, 313, H, W).
        temperature: > 0; towards 0 the most probable bin, at 1 the mean.
    Returns:
        ab (N, 2, H, W) in Lab units.
    """
    probabilities = torch.softmax(logits.float() / temperature, dim=1)
    return torch.einsum("nqhw,qc->nchw", probabilities, ab_bins().to(logits.device))


def trained_mean(logits: Tensor, prior: Tensor, alpha: float, temperature: float) -> Tensor:
    """`annealed_mean` of `rebalance_logits`, whose gradient takes few passes over the distributions.

    Autograd's own chain copies them several times, which took a third of a training step on a CPU.

    Args:
        logits: (N, 313, H, W).
        prior, alpha: of `rebalance_logits`.
        temperature: of `annealed_mean`.
    Returns:
        ab (N, 2, H, W) in Lab units.
    """
    # Rebalanced logits are other weights of the bins in the mean: exp(-alpha log p / T).
    weights = (-alpha / temperature * mix_uniform(prior.to(logits.device), _UNIFORM).log()).exp()
    weighted = weights[:, None] * F.pad(ab_bins().to(logits.device), (0, 1), value=1)
    rows = logits.movedim(1, -1)  # (N, H, W, 313): as they lie in memory, if channels are last
    mean = cast(Tensor, _WeightedMean.apply(rows.reshape(-1, N_BINS), temperature, weighted))  # (N H W, 2)
    return mean.reshape(*rows.shape[:-1], 2).movedim(-1, 1)


class _WeightedMean(torch.autograd.Function):
    """Logits (M, 313) and the bins (313, 3), as weight * (a, b, 1), to ab (M, 2)."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, temperature: float, weighted: Tensor) -> Tensor:
        p = torch.softmax(logits.float() / temperature, dim=1)
        with torch.autocast(logits.device.type, enabled=False):
            *ab, total = (p @ weighted).unbind(1)  # each (M,)
        mean = torch.stack(ab, dim=1) / total[:, None]
        ctx.save_for_backward(p, mean, total, weighted)
        ctx.temperature, ctx.dtype = temperature, logits.dtype
        return mean

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        p, mean, total, weighted = ctx.saved_tensors
        # Of a bin's logit: p w (c - mean) / (T sum of p w).
        gradient = gradient.float() / (ctx.temperature * total[:, None])
        both = torch.cat([gradient, -(gradient * mean).sum(1, keepdim=True)], dim=1)  # (M, 3)
        return (both @ weighted.T).mul_(p).to(ctx.dtype), None, None

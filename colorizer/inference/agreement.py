"""Places that are alike agree on their colors: a coat is of one color, not of several that are each half likely.

The network decides for each pixel by itself, and where several colors are plausible its choice changes from place to
place. Here a photo is divided softly into parts that are alike in L and in the features of the network that finds
objects (soft k-means from a grid of centers); each pixel's log-probabilities are mixed with the mean of its parts',
which is the geometric mean of their distributions.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from .working import cells_of

_ROUNDS = 3  # of k-means
_FEATURES, _LIGHT = 0.05, 0.3  # differences of cosine, and of L / 50, at which two places are no longer alike


def agreed(
    output: Tensor, features: Tensor, lightness: Tensor, share: float | Tensor, cells: Tensor | None = None
) -> Tensor:
    """A classification network's output, alike in places that are alike.

    Args:
        output: (1, 313, h, w) logits.
        features: (1, C, H, W) of `model.objects`.
        lightness: (1, 1, H', W') in [-1, 1].
        share: of the parts' mean in the result, 0 to 1.
        cells: (K, h w), `cells_of` the output, in which k-means begins.
    Returns:
        (1, 313, h, w) log-probabilities, up to a constant for each pixel.
    """
    size = output.shape[-2], output.shape[-1]
    alike = F.normalize(_at(size, features), dim=1).to(output.device)
    light = _at(size, lightness).to(output.device)
    first = torch.from_numpy(cells_of(*size)).to(output.device) if cells is None else cells
    belongs = _parts(alike, light, first)  # (h w, K)
    log_p = output[0].flatten(1).log_softmax(0).T  # (h w, 313)
    means = belongs.T @ log_p / _total(belongs)  # (K, 313)
    return torch.lerp(log_p, belongs @ means, share).T.reshape(output.shape)


def _at(size: tuple[int, int], planes: Tensor) -> Tensor:
    """Planes (N, C, H, W) at another size, if it is another."""
    return planes if tuple(planes.shape[-2:]) == size else F.interpolate(planes, size, mode="area")


def _parts(features: Tensor, light: Tensor, cells: Tensor) -> Tensor:
    """How much each pixel belongs to each of K parts, which begin as cells (K, h w): (h w, K), rows that sum to 1."""
    x, x_light = (y[0].flatten(1).T for y in (features, light))  # (h w, C), (h w, 1)
    center, center_light = cells @ x, cells @ x_light  # (K, C), (K, 1)
    belongs = x
    for _ in range(_ROUNDS):
        cosine = x @ F.normalize(center, dim=1).T
        belongs = (cosine / _FEATURES - (x_light - center_light.T).square() / (2 * _LIGHT**2)).softmax(1)
        center, center_light = (belongs.T @ y / _total(belongs) for y in (x, x_light))
    return belongs


def _total(belongs: Tensor) -> Tensor:
    return belongs.sum(0)[:, None].clamp(min=1e-6)  # (K, 1)

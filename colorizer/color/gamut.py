"""The sRGB gamut."""

from __future__ import annotations

import torch
from torch import Tensor

from .lab import _lab_to_linear

# ---------------------------------------------------------------------------------------------- gamut


def fit_gamut(lab: Tensor, steps: int = 12) -> Tensor:
    """Bring colors into sRGB by reducing chroma; L and hue stay.

    Args:
        lab: (3, H, W), floating point, L in [0, 100].
        steps: bisections; the chroma is found to 1 part in 2^steps.
    Returns:
        (3, H, W); every color converts to RGB in [0, 1], up to rounding.
    """
    outside = ~_in_gamut(lab)
    if not bool(outside.any()):
        return lab
    bad = lab[:, outside].unsqueeze(-1)  # (3, K, 1)
    low, high = torch.zeros_like(bad[0]), torch.ones_like(bad[0])
    for _ in range(steps):  # gray (scale 0) is always inside, so `low` is inside throughout
        middle = (low + high) / 2
        inside = _in_gamut(torch.stack([bad[0], bad[1] * middle, bad[2] * middle]))
        low, high = torch.where(inside, middle, low), torch.where(inside, high, middle)
    fitted = lab.clone()
    fitted[1:, outside] = (bad[1:] * low).squeeze(-1)
    return fitted


def _in_gamut(lab: Tensor, tolerance: float = 1e-4) -> Tensor:
    linear = _lab_to_linear(lab)
    return ((linear >= -tolerance) & (linear <= 1 + tolerance)).all(dim=-3)

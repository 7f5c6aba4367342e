"""What a network's output means: colors."""

from __future__ import annotations

import torch
from torch import Tensor

from ..color.bins import annealed_mean, rebalance_logits, trained_mean
from ..color.lab import denormalize_ab


def predicted_ab(
    output: Tensor, objective: str, prior: Tensor, alpha: float = 0.0, temperature: float = 0.38
) -> Tensor:
    """A network's output as colors.

    Args:
        output: of the network: (N, 2, h, w) in [-1, 1] or (N, 313, h, w) logits.
        objective: "regression" or "classification".
        prior: (313,) of the checkpoint.
        alpha: rebalancing after training; no effect on a regression.
        temperature: of the annealed mean; no effect on a regression.
    Returns:
        (N, 2, h, w) in Lab units.
    """
    if objective == "regression":
        return denormalize_ab(output.float())
    if output.requires_grad and torch.is_grad_enabled():
        return trained_mean(output, prior, alpha, temperature)
    logits = output.float()
    return annealed_mean(rebalance_logits(logits, prior.to(logits.device), alpha) if alpha else logits, temperature)

"""What training makes small."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from .color import normalise_ab, soft_encode


def loss_function(output: Tensor, ab: Tensor, objective: str, weights: Tensor | None) -> Tensor:
    """Mean squared error of tanh outputs, or (rebalanced) cross-entropy with softly encoded colours.

    Args:
        output: (N, 2 or 313, h, w) of the network.
        ab: (N, 2, h, w) true colours in Lab units.
        objective: "regression" or "classification".
        weights: (313,) of the bins, or None for all equal.
    """
    if objective == "regression":
        return F.mse_loss(output.float(), normalise_ab(ab))
    indices, soft = soft_encode(ab)  # (N, 5, h, w)
    entropy = -(F.log_softmax(output.float(), dim=1).gather(1, indices) * soft).sum(1)  # (N, h, w)
    return entropy.mean() if weights is None else (entropy * weights[indices[:, 0]]).mean()

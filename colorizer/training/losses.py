"""What training makes small."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from ..color.bins import soft_encode
from ..color.lab import normalize_ab
from ..model.skip_fusion import encoder_maps


class _SoftCrossEntropy(torch.autograd.Function):
    """Cross-entropy with few soft targets a pixel: its gradient, softmax - target, is written in one pass.

    Autograd's own chain (log-softmax, gather, sum) fills and copies an array of all bins several times, which took
    a sixth of a training step on a CPU.
    """

    @staticmethod
    def forward(ctx: Any, logits: Tensor, indices: Tensor, soft: Tensor) -> Tensor:
        """Logits (M, 313), indices and soft targets (M, 5) -> entropy (M,)."""
        log_p = F.log_softmax(logits.float(), dim=1)
        entropy = -(log_p.gather(1, indices) * soft).sum(1)
        ctx.save_for_backward(log_p.exp_(), indices, soft)
        ctx.dtype = logits.dtype
        return entropy

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        p, indices, soft = ctx.saved_tensors
        own = p.scatter_add(1, indices, -soft).mul_(gradient[:, None])
        return own.to(ctx.dtype), None, None


def loss_function(output: Tensor, ab: Tensor, objective: str, weights: Tensor | None) -> Tensor:
    """Mean squared error of tanh outputs, or (rebalanced) cross-entropy with softly encoded colors.

    Args:
        output: (N, 2 or 313, h, w) of the network.
        ab: (N, 2, h, w) true colors in Lab units.
        objective: "regression" or "classification".
        weights: (313,) of the bins, or None for all equal.
    """
    if objective == "regression":
        return F.mse_loss(output.float(), normalize_ab(ab))
    indices, soft = (x.movedim(1, -1).flatten(0, 2) for x in soft_encode(ab))  # (N h w, 5)
    logits = output.movedim(1, -1).flatten(0, 2)  # (N h w, 313)
    entropy = cast(Tensor, _SoftCrossEntropy.apply(logits, indices, soft))
    return entropy.mean() if weights is None else (entropy * weights[indices[:, 0]]).mean()


def decoded_loss(ab: Tensor, true: Tensor) -> Tensor:
    """Mean over the pictures of the logarithm of their mean squared error: what is left to gain in PSNR.

    A likelihood cares for the whole distribution of colors; this for the one color that is shown.

    Args:
        ab, true: (N, 2, h, w) decoded and true colors in Lab units.
    """
    return torch.log1p((ab - true).square().mean((1, 2, 3))).mean()


class FrozenClassifier(nn.Module):
    """Sees pictures as a pretrained classifier does, which stays as it is."""

    MAPS = (2, 3, 4)  # of tf_efficientnet_lite0, at strides 8, 16 and 32

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> FrozenClassifier:
        """Stays in eval mode."""
        return super().train(False)

    def forward(self, rgb: Tensor) -> list[Tensor]:
        """Maps (N, C, H/8, W/8) and coarser ones, and last the pooled vector (N, C).

        Args:
            rgb: (N, 3, H, W) sRGB in [0, 1].
        """
        seen = (rgb * 2 - 1).contiguous(memory_format=torch.channels_last)
        maps, pooled = encoder_maps(self.backbone, seen, list(self.MAPS))
        return [*maps, pooled]


def perceptual_loss(made: list[Tensor], true: list[Tensor]) -> Tensor:
    """Distance of two pictures' features in a frozen classifier (Johnson, Alahi and Fei-Fei 2016, eq. 2, by cosine).

    Rewards colors by which things are recognized, where a likelihood rewards the ones that are common.

    Args:
        made, true: maps (N, C, h, w), or vectors (N, C).
    Returns:
        the mean of 1 - cosine over each one's places, and over all of them, 0 to 2.
    """
    pairs = zip(made, true, strict=True)
    return torch.stack([(1 - F.cosine_similarity(a.float(), b.float(), dim=1)).mean() for a, b in pairs]).mean()

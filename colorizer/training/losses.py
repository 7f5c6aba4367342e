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


class PatchDiscriminator(nn.Module):
    """Tells true colors from the network's, patch by patch, given L (Isola et al. 2017, section 3.2.2).

    Its layers are normalized spectrally (Miyato et al. 2018), its loss is the hinge (Lim and Ye 2017).
    """

    WIDTH = 48

    def __init__(self) -> None:
        super().__init__()
        width = self.WIDTH
        shapes = [
            (3, width, 3, 1),
            (width, 2 * width, 4, 2),
            (2 * width, 4 * width, 4, 2),
            (4 * width, 4 * width, 3, 1),
        ]
        layers: list[nn.Module] = []
        for inputs, outputs, kernel, stride in shapes:
            conv = nn.Conv2d(inputs, outputs, kernel, stride, padding=1)
            layers += [nn.utils.parametrizations.spectral_norm(conv), nn.LeakyReLU(0.2)]
        last = nn.utils.parametrizations.spectral_norm(nn.Conv2d(4 * width, 1, 1))
        self.layers = nn.Sequential(*layers, last)

    def forward(self, lightness: Tensor, ab: Tensor) -> Tensor:
        """How true each patch looks, (N, 1, h/4, w/4).

        Args:
            lightness: (N, 1, h, w), L in [0, 100].
            ab: (N, 2, h, w) in Lab units.
        """
        return cast(Tensor, self.layers(torch.cat([lightness / 50 - 1, ab / 50], dim=1)))

    def loss(self, lightness: Tensor, true: Tensor, made: Tensor) -> Tensor:
        """Of itself: 0 when it tells all apart by a margin, 2 when it tells nothing."""
        return F.relu(1 - self(lightness, true)).mean() + F.relu(1 + self(lightness, made.detach())).mean()


class PerceptualLoss(nn.Module):
    """Distance of two pictures' features in a frozen classifier (Johnson, Alahi and Fei-Fei 2016, eq. 2, by cosine).

    Rewards colors by which things are recognized, where a likelihood rewards the ones that are common.
    """

    MAPS = (2, 3, 4)  # of tf_efficientnet_lite0, at strides 8, 16 and 32

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> PerceptualLoss:
        """Stays in eval mode."""
        return super().train(False)

    def forward(self, colorized: Tensor, true: Tensor) -> Tensor:
        """Mean of 1 - cosine over the maps' pixels and the pooled vector, 0 to 2.

        Args:
            colorized, true: (N, 3, H, W) sRGB in [0, 1].
        """
        with torch.no_grad():
            wanted = self._features(true)
        pairs = zip(self._features(colorized), wanted, strict=True)
        return torch.stack([(1 - F.cosine_similarity(a, b, dim=1)).mean() for a, b in pairs]).mean()

    def _features(self, rgb: Tensor) -> list[Tensor]:
        seen = (rgb * 2 - 1).contiguous(memory_format=torch.channels_last)
        maps, pooled = encoder_maps(self.backbone, seen, list(self.MAPS))
        return [*maps, pooled]

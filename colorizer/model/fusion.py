"""`fusion`: Baldassarre, Morín and Rodés-Guirao, "Deep Koalarization" (2017).

An encoder trained from nothing, fused once with the embedding of a frozen classifier.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from ..color.bins import N_BINS
from .backbones import EMBEDDING_DIM
from .layers import ColorNetwork, check_size, conv, upsample

_ENCODER = ((64, 2), (128, 1), (128, 2), (256, 1), (256, 2), (512, 1), (512, 1), (256, 1))  # channels, stride


class FusionNetwork(ColorNetwork):
    """Encoder, fusion, decoder (Baldassarre et al. 2017, table 1).

    The classifier's vector is repeated over the H/8 x W/8 map of the encoder and joined by a 1x1 convolution.
    The regression decoder climbs back to H x W; the classification decoder stops at H/4 with 313 logits.
    """

    def __init__(self, objective: str, features: str = "inception_resnet_v2") -> None:
        """With random weights.

        Args:
            objective: "classification" or "regression".
            features: whose vector it will take; all have 1000 numbers.
        """
        super().__init__()
        encoder: list[nn.Module] = []
        inputs = 1
        for outputs, stride in _ENCODER:
            encoder += conv(inputs, outputs, stride)
            inputs = outputs
        self.encoder = nn.Sequential(*encoder)
        self.fusion = nn.Sequential(nn.Conv2d(256 + EMBEDDING_DIM, 256, 1), nn.ReLU(inplace=True))
        to_quarter = [*conv(256, 128), upsample(), *conv(128, 64), *conv(64, 64)]
        if objective == "regression":
            last = nn.Conv2d(32, 2, 3, padding=1)
            tail = [upsample(), *conv(64, 32), last, nn.Tanh(), upsample()]
        else:
            tail = [nn.Conv2d(64, N_BINS, 1)]
        self.decoder = nn.Sequential(*to_quarter, *tail)

    def forward(self, lightness: Tensor, embedding: Tensor | None = None, hints: Tensor | None = None) -> Tensor:
        """Color.

        Args:
            lightness: (N, 1, H, W) in [-1, 1]; H and W divisible by 8.
            embedding: (N, 1000) of a `FeatureExtractor`.
            hints: not supported by this network.
        Returns:
            regression: (N, 2, H, W) in [-1, 1]; classification: (N, 313, H/4, W/4) logits.
        """
        check_size(lightness)
        if embedding is None or hints is not None:
            raise ValueError("The fusion network takes an embedding, and no hints.")
        encoded = self.encoder(lightness)  # (N, 256, H/8, W/8)
        repeated = embedding[:, :, None, None].expand(-1, -1, *encoded.shape[-2:])
        fused = self.fusion(torch.cat([encoded, repeated], dim=1))  # (N, 256, H/8, W/8)
        return cast(Tensor, self.decoder(fused))

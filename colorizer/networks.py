"""The networks: L in, ab (or logits over the 313 ab bins) out.

    config = NetworkConfig("skip_fusion", "classification", "tf_efficientnet_lite0")
    network = build_network(config)
    logits = network(lightness)                       # (N, 1, H, W) in [-1, 1] -> (N, 313, H/4, W/4)

`fusion` is the network of Baldassarre, Morín and Rodés-Guirao, "Deep Koalarization" (2017): an encoder trained
from nothing, fused once with the embedding of a frozen classifier. `skip_fusion` makes the pretrained
classifier the encoder itself and fuses it at every scale.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .color import N_BINS
from .errors import UserError
from .features import EMBEDDING_DIM, build_backbone, extractor_spec

NETWORKS = ("skip_fusion", "fusion")
OBJECTIVES = ("classification", "regression")
SIZE_MULTIPLE = 8  # height and width of the input
HINT_CHANNELS = 3  # a, b (both / 110) and the mask


@dataclass(frozen=True)
class NetworkConfig:
    """What it takes to build a network again."""

    network: str = "skip_fusion"
    objective: str = "classification"
    features: str = "tf_efficientnet_lite0"

    def __post_init__(self) -> None:
        if self.network not in NETWORKS:
            raise UserError(f"There is no network {self.network!r}. Choose one of: {', '.join(NETWORKS)}.")
        if self.objective not in OBJECTIVES:
            raise UserError(f"There is no objective {self.objective!r}. Choose one of: {', '.join(OBJECTIVES)}.")
        extractor_spec(self.features)
        if self.network == "skip_fusion" and self.features != "tf_efficientnet_lite0":
            raise UserError(
                "The network skip_fusion is built on tf_efficientnet_lite0. "
                "Choose --features tf_efficientnet_lite0, or --network fusion."
            )


def _conv(inputs: int, outputs: int, stride: int = 1) -> list[nn.Module]:
    conv = nn.Conv2d(inputs, outputs, 3, stride, padding=1)
    nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
    nn.init.zeros_(conv.bias)  # type: ignore[arg-type]
    return [conv, nn.ReLU(inplace=True)]


def _upsample() -> nn.Module:
    return nn.Upsample(scale_factor=2, mode="nearest")


def _check_size(lightness: Tensor) -> None:
    height, width = lightness.shape[-2:]
    if height % SIZE_MULTIPLE or width % SIZE_MULTIPLE:
        raise ValueError(f"Height and width must be divisible by {SIZE_MULTIPLE}, not {height} x {width}.")


class FusionNetwork(nn.Module):
    """Encoder, fusion, decoder (Baldassarre et al. 2017, table 1).

    The classifier's vector is repeated over the H/8 x W/8 map of the encoder and joined by a 1x1 convolution.
    The regression decoder climbs back to H x W; the classification decoder stops at H/4 with 313 logits.
    """

    uses_embedding, uses_hints = True, False

    def __init__(self, objective: str) -> None:
        super().__init__()
        encoder: list[nn.Module] = []
        inputs = 1
        for outputs, stride in (
            (64, 2), (128, 1), (128, 2), (256, 1), (256, 2), (512, 1), (512, 1), (256, 1)
        ):  # fmt: skip
            encoder += _conv(inputs, outputs, stride)
            inputs = outputs
        self.encoder = nn.Sequential(*encoder)
        self.fusion = nn.Sequential(nn.Conv2d(256 + EMBEDDING_DIM, 256, 1), nn.ReLU(inplace=True))
        to_quarter = [*_conv(256, 128), _upsample(), *_conv(128, 64), *_conv(64, 64)]
        if objective == "regression":
            last = nn.Conv2d(32, 2, 3, padding=1)
            tail = [_upsample(), *_conv(64, 32), last, nn.Tanh(), _upsample()]
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
        _check_size(lightness)
        if embedding is None or hints is not None:
            raise ValueError("The fusion network takes an embedding, and no hints.")
        encoded = self.encoder(lightness)  # (N, 256, H/8, W/8)
        repeated = embedding[:, :, None, None].expand(-1, -1, *encoded.shape[-2:])
        fused = self.fusion(torch.cat([encoded, repeated], dim=1))  # (N, 256, H/8, W/8)
        return cast(Tensor, self.decoder(fused))


def encoder_maps(encoder: nn.Module, stem: Tensor) -> tuple[list[Tensor], Tensor]:
    """What tf_efficientnet_lite0 makes of a picture.

    Args:
        encoder: the classifier.
        stem: (N, 32, H/2, W/2), of its `conv_stem`.
    Returns:
        the maps of its seven stages, and the pooled top vector (N, 1280).
    """
    x = encoder.bn1(stem)  # type: ignore[operator]
    maps = []
    for stage in encoder.blocks:  # type: ignore[union-attr]
        x = stage(x)
        maps.append(x)
    return maps, encoder.bn2(encoder.conv_head(x)).mean((-2, -1))  # type: ignore[operator]


def _full_precision_on_cpu(device: torch.device) -> torch.autocast:
    """Depthwise convolutions lose on CPUs in bf16, dense ones gain: measured 39, 38 and 51 pictures a second
    with all in float32, all in bf16, and all but the encoder in bf16."""
    return torch.autocast(device.type, enabled=device.type != "cpu" and torch.is_autocast_enabled(device.type))


def _stage(inputs: int, outputs: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for channels in (inputs, outputs):
        conv = nn.Conv2d(channels, outputs, 3, padding=1, bias=False)
        nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
        layers += [conv, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)


class SkipFusionNetwork(nn.Module):
    """The pretrained classifier as encoder, fused at strides 32, 16, 8 and 4, with color hints.

    The top map (stride 32) is joined by the classifier's pooled top vector through two linear layers. Three
    decoder stages climb to stride 4, each taking the encoder's map of its stride. Hints enter through a second
    stem whose weights start at zero, so that an untrained one changes nothing.
    """

    uses_embedding, uses_hints = False, True
    SKIPS = (24, 40, 112)  # channels of tf_efficientnet_lite0 at strides 4, 8, 16
    TOP, POOLED = 320, 1280

    def __init__(self, objective: str, features: str = "tf_efficientnet_lite0") -> None:
        super().__init__()
        backbone = build_backbone(features)
        backbone.reset_classifier(0)  # type: ignore[operator]
        self.encoder = backbone
        self.hint_stem = nn.Conv2d(HINT_CHANNELS, 32, 3, 2, bias=False)
        nn.init.zeros_(self.hint_stem.weight)
        self.top = nn.Conv2d(self.TOP, 256, 1)
        self.context = nn.Sequential(nn.Linear(self.POOLED, 256), nn.ReLU(inplace=True), nn.Linear(256, 256))
        quarter, eighth, sixteenth = self.SKIPS
        self.stages = nn.ModuleList(
            [_stage(256 + sixteenth, 160), _stage(160 + eighth, 112), _stage(112 + quarter, 96)]
        )
        self.regression = objective == "regression"
        self.head = nn.Conv2d(96, 2 if self.regression else N_BINS, 1)
        nn.init.normal_(self.head.weight, std=0.01)
        nn.init.zeros_(self.head.bias)  # type: ignore[arg-type]

    def freeze_early(self) -> None:
        """Leave the layers up to stride 4, hints' stem included, as they are: nothing is computed backwards there."""
        encoder = self.encoder
        for part in (encoder.conv_stem, encoder.bn1, *encoder.blocks[:2], self.hint_stem):  # type: ignore[index]
            cast(nn.Module, part).requires_grad_(False)

    def train(self, mode: bool = True) -> SkipFusionNetwork:
        """The encoder's batch norms keep their ImageNet statistics: it stays in eval mode while it is tuned."""
        super().train(mode)
        self.encoder.eval()
        return self

    def load_pretrained(self, backbone: nn.Module) -> None:
        """Take over the weights of a pretrained classifier; its last layer is left out."""
        own = self.encoder.state_dict()
        self.encoder.load_state_dict({k: v for k, v in backbone.state_dict().items() if k in own})

    def forward(self, lightness: Tensor, embedding: Tensor | None = None, hints: Tensor | None = None) -> Tensor:
        """Color.

        Args:
            lightness: (N, 1, H, W) in [-1, 1]; H and W divisible by 8, best by 32.
            embedding: not used; the encoder is the classifier.
            hints: (N, 3, H, W): a / 110 and b / 110 where the mask is 1, and the mask; zero elsewhere.
        Returns:
            regression: (N, 2, H/4, W/4) in [-1, 1]; classification: (N, 313, H/4, W/4) logits.
        """
        _check_size(lightness)
        with _full_precision_on_cpu(lightness.device):
            maps, top, pooled = self._encode(lightness, hints)
        x = self.top(top) + self.context(pooled)[:, :, None, None]  # (N, 256, H/32, W/32)
        for stage, skip in zip(self.stages, maps, strict=True):
            x = F.interpolate(x, skip.shape[-2:], mode="nearest")
            x = stage(torch.cat([x, skip.to(x.dtype)], dim=1))
        x = self.head(x)  # (N, 2 or 313, H/4, W/4)
        return torch.tanh(x) if self.regression else x

    def _encode(self, lightness: Tensor, hints: Tensor | None) -> tuple[list[Tensor], Tensor, Tensor]:
        """The encoder's maps at strides 16, 8 and 4, its top map at stride 32, and its pooled vector (N, 1280)."""
        encoder = self.encoder
        x = encoder.conv_stem(lightness.expand(-1, 3, -1, -1))  # type: ignore[operator]
        if hints is not None:
            x = x + self.hint_stem(F.pad(hints, (0, 1, 0, 1)))  # padded as the stem itself pads an even size
        (_, quarter, eighth, _, sixteenth, _, top), pooled = encoder_maps(encoder, x)
        return [sixteenth, eighth, quarter], top, pooled


def build_network(config: NetworkConfig) -> FusionNetwork | SkipFusionNetwork:
    """The network with random weights."""
    if config.network == "fusion":
        return FusionNetwork(config.objective)
    return SkipFusionNetwork(config.objective, config.features)

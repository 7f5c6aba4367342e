"""`skip_fusion`: the pretrained classifier is the encoder itself, fused at every scale, with color hints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..color.bins import N_BINS
from ..errors import UserError
from .backbones import backbone_spec
from .efficientnet_lite import EfficientNetLite
from .layers import ColorNetwork, check_size
from .pretrained import build_backbone, normalization
from .whole_picture import MapExtractor, WholePicture

HINT_CHANNELS = 3  # a, b (both / 110) and the mask
STRIDES = (4, 8, 16, 32)
_WIDTHS = (160, 112, 96)  # of the decoder's stages at strides 16, 8 and 4
_TOP = 256


class SkipFusionNetwork(ColorNetwork):
    """An encoder that is a timm classifier, fused at strides 32, 16, 8 and 4, with color hints.

    The top map (stride 32) is joined by the classifier's pooled top vector through two linear layers. Three decoder
    stages climb to stride 4, each taking the encoder's map of its stride. Hints enter through a second stem whose
    weights start at zero, so that an untrained one changes nothing. The encoder's own stem stands beside it, outside of
    the encoder, because the two are added.

    With `context` a frozen classifier looks at the whole picture, of which the network may see a part; what it sees is
    added at strides 32 and 16.
    """

    def __init__(self, objective: str, features: str = "tf_efficientnet_lite0", context: str = "") -> None:
        """With random weights.

        Args:
            objective: "classification" or "regression".
            features: a timm model with feature maps at strides 4, 8, 16 and 32.
            context: the frozen classifier, one of `networks.CONTEXTS`; "" for none.
        Raises:
            UserError: a model without such maps.
        """
        super().__init__()
        encoder = build_backbone(features)
        encoder.reset_classifier(0)  # type: ignore[operator]
        self._map_indices, channels, self._quarter = _feature_maps(features, encoder)
        self._stem_name = str(encoder.default_cfg["first_conv"])  # type: ignore[index]
        stem = cast(nn.Conv2d, encoder.get_submodule(self._stem_name))
        encoder.set_submodule(self._stem_name, nn.Identity())
        self.stem, self.encoder = stem, encoder
        self.normalization = normalization(backbone_spec(features))
        # Of the stem's own class: timm's variants pad in their own ways, and both must pad alike.
        geometry = {"stride": stem.stride, "padding": stem.padding, "bias": False}
        self.hint_stem = type(stem)(HINT_CHANNELS, stem.out_channels, stem.kernel_size, **geometry)  # type: ignore[arg-type]
        nn.init.zeros_(self.hint_stem.weight)
        quarter, eighth, sixteenth, top = channels
        pooled = int(getattr(encoder, "head_hidden_size", encoder.num_features))  # type: ignore[arg-type]
        self.top = nn.Conv2d(top, _TOP, 1)
        self.context = nn.Sequential(nn.Linear(pooled, _TOP), nn.ReLU(inplace=True), nn.Linear(_TOP, _TOP))
        inputs = (_TOP, *_WIDTHS[:2])
        skips = (sixteenth, eighth, quarter)
        self.stages = nn.ModuleList(_stage(i + s, o) for i, s, o in zip(inputs, skips, _WIDTHS, strict=True))
        self.whole = WholePicture(context, (_TOP, _TOP)) if context else None
        self.regression = objective == "regression"
        self.head = nn.Conv2d(_WIDTHS[-1], 2 if self.regression else N_BINS, 1)
        if not self.head.weight.is_meta:  # for shapes alone, PyTorch would import its compiler, two seconds' work
            nn.init.normal_(self.head.weight, std=0.01)
            nn.init.zeros_(self.head.bias)  # type: ignore[arg-type]

    def pretrained_parameters(self) -> list[nn.Parameter]:
        """Those of the classifier, which are tuned more gently than the rest."""
        return [p for part in (self.stem, self.encoder) for p in part.parameters()]

    def freeze_early(self) -> None:
        """Leave the layers up to stride 4, hints' stem included, as they are: nothing is computed backwards there."""
        self.stem.requires_grad_(False)
        self.hint_stem.requires_grad_(False)
        parameters = list(self.encoder.named_parameters())  # in the order in which they are passed
        last = max(k for k, (name, _) in enumerate(parameters) if name.startswith(f"{self._quarter}."))
        for _, parameter in parameters[: last + 1]:
            parameter.requires_grad_(False)

    def train(self, mode: bool = True) -> SkipFusionNetwork:
        """The encoder's batch norms keep their ImageNet statistics: it stays in eval mode while it is tuned."""
        super().train(mode)
        self.encoder.eval()
        return self

    def load_pretrained(self, backbone: nn.Module) -> None:
        """Take over the weights of a pretrained classifier; its last layer is left out."""
        weights, stem = backbone.state_dict(), f"{self._stem_name}."
        self.stem.load_state_dict({k.removeprefix(stem): v for k, v in weights.items() if k.startswith(stem)})
        self.encoder.load_state_dict({k: weights[k] for k in self.encoder.state_dict()})

    def load_context(self, backbone: nn.Module) -> None:
        """Take over the weights of a pretrained classifier as the one that looks at the whole picture."""
        if self.whole is None:
            raise ValueError("This network has no context.")
        self.whole.extractor.load_pretrained(backbone)

    def load_state_dict(self, state_dict: Mapping[str, Any], *args: Any, **kwargs: Any) -> Any:
        """Checkpoints of version 0.1 have the stem's weights among the encoder's."""
        old = f"encoder.{self._stem_name}."
        renamed = {f"stem.{k.removeprefix(old)}" if k.startswith(old) else k: v for k, v in state_dict.items()}
        return super().load_state_dict(renamed, *args, **kwargs)

    def forward(self, lightness: Tensor, embedding: Tensor | None = None, hints: Tensor | None = None) -> Tensor:
        """Color.

        Args:
            lightness: (N, 1, H, W) in [-1, 1]; H and W divisible by 8, best by 32.
            embedding: with `context`: of `WholePicture`; by default that of `lightness`, as if this were all of the
                picture. Not used without.
            hints: (N, 3, H, W): a / 110 and b / 110 where the mask is 1, and the mask; zero elsewhere.
        Returns:
            regression: (N, 2, H/4, W/4) in [-1, 1]; classification: (N, 313, H/4, W/4) logits.
        """
        x = self.decode(lightness, hints, embedding)
        x = self.head(x)  # (N, 2 or 313, H/4, W/4)
        return torch.tanh(x) if self.regression else x

    def decode(self, lightness: Tensor, hints: Tensor | None = None, embedding: Tensor | None = None) -> Tensor:
        """The decoder's last map, (N, 96, H/4, W/4); the arguments are those of `forward`."""
        check_size(lightness)
        with _precision(self.encoder, lightness.device):
            maps, pooled = self._encode(lightness, hints)
        x = self.top(maps[-1]) + self.context(pooled)[:, :, None, None]  # (N, 256, H/32, W/32)
        added: list[Tensor] = []
        if self.whole is not None:
            with _precision(self.encoder, lightness.device):
                if embedding is None:
                    embedding = self.whole.embed(lightness)
                added = self.whole(embedding, [skip.shape[-2:] for skip in maps[:1:-1]])
            x = x + added[0]
        for k, (stage, skip) in enumerate(zip(self.stages, maps[-2::-1], strict=True)):
            x = F.interpolate(x, skip.shape[-2:], mode="nearest")
            if k == 0 and added:
                x = x + added[1]
            x = stage(torch.cat([x, skip.to(x.dtype)], dim=1))
        return x

    def _encode(self, lightness: Tensor, hints: Tensor | None) -> tuple[list[Tensor], Tensor]:
        """The encoder's maps at strides 4, 8, 16 and 32, and its pooled top vector."""
        x = self.stem(self.normalization(lightness.expand(-1, 3, -1, -1)))
        if hints is not None:
            x = x + self.hint_stem(hints)
        return encoder_maps(self.encoder, x, self._map_indices)


def context_extractor(network: nn.Module) -> MapExtractor | None:
    """The frozen classifier by which a network sees the whole picture, if it has one."""
    whole = network.whole if isinstance(network, SkipFusionNetwork) else None
    return None if whole is None else whole.extractor


def encoder_maps(encoder: nn.Module, x: Tensor, indices: list[int]) -> tuple[list[Tensor], Tensor]:
    """What a timm classifier makes of a picture.

    Args:
        encoder: the classifier.
        x: its input.
        indices: of the maps in its `feature_info`.
    Returns:
        these maps, and the pooled top vector (N, C).
    """
    last, maps = encoder.forward_intermediates(x, indices=indices)  # type: ignore[operator]
    return maps, encoder.forward_head(last, pre_logits=True)  # type: ignore[operator]


def _feature_maps(features: str, encoder: nn.Module) -> tuple[list[int], list[int], str]:
    """Of the maps at strides 4, 8, 16 and 32: their indices, their channels, and the module of the first."""
    info = cast(Any, encoder.feature_info)
    info = info if isinstance(info, list) else info.info
    by_stride = {entry["reduction"]: k for k, entry in enumerate(info)}  # the last of each stride
    if set(STRIDES) - set(by_stride):
        raise UserError(
            f"{features} has no feature maps at strides 4, 8, 16 and 32, which skip_fusion is built on. "
            f"Choose another --features, such as tf_efficientnet_lite0."
        )
    if not backbone_spec(features).aligned:
        raise UserError(
            f"{features} has convolutions without padding: its maps lose the picture's border and lie beside its "
            f"pixels. Choose another --features for skip_fusion, or --network fusion."
        )
    if not hasattr(encoder, "forward_intermediates"):
        raise UserError(f"This version of timm does not give the maps of {features}. Update timm, or choose another.")
    indices = [by_stride[stride] for stride in STRIDES]
    return indices, [int(info[k]["num_chs"]) for k in indices], str(info[indices[0]]["module"])


def _precision(encoder: nn.Module, device: torch.device) -> torch.autocast:
    """Depthwise convolutions learn slowly on CPUs in bfloat16: all but our own encoders stay in float32 there, and
    those, too, where they are compiled, which leads to gradients that are not finite."""
    ours = isinstance(encoder, EfficientNetLite) and not torch.compiler.is_compiling()
    fast = device.type != "cpu" or ours
    return torch.autocast(device.type, enabled=fast and torch.is_autocast_enabled(device.type))


def _stage(inputs: int, outputs: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for channels in (inputs, outputs):
        conv = nn.Conv2d(channels, outputs, 3, padding=1, bias=False)
        if not conv.weight.is_meta:
            nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
        layers += [conv, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)

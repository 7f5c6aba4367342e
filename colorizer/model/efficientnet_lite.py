"""EfficientNet-Lite, the encoder of the bundled networks: timm's models of the same names, without importing timm.

Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks" (ICML 2019), in the variant for
small devices: no squeeze-and-excitation, ReLU6, and a stem and head that are not scaled. Weights have the same names
and order as in timm, whose import takes two seconds of the first photo's time.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, cast

from torch import Tensor, nn

from .depthwise import DepthwiseConv2d, padded

# By timm's names: how many times as wide and as deep as the smallest.
SCALES: Mapping[str, tuple[float, float]] = {
    "tf_efficientnet_lite0": (1.0, 1.0), "tf_efficientnet_lite1": (1.0, 1.1), "tf_efficientnet_lite2": (1.1, 1.2),
    "tf_efficientnet_lite3": (1.2, 1.4), "tf_efficientnet_lite4": (1.4, 1.8),
}  # fmt: skip
# Of the smallest: kernel, stride, channels and number of the blocks in each stage.
_STAGES = (
    (3, 1, 16, 1), (3, 2, 24, 2), (5, 2, 40, 2), (3, 2, 80, 3), (5, 1, 112, 3), (5, 2, 192, 4), (3, 1, 320, 1),
)  # fmt: skip
_STEM, _HEAD, _EXPANSION = 32, 1280, 6
_MULTIPLE = 8  # of channels
_EPSILON = 1e-3  # of batch norms, as in TensorFlow, where the weights come from


class Conv2dSame(nn.Conv2d):
    """Padded as TensorFlow pads: as little as gives ceil(side / stride), and the odd pixel at the end."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C', ceil(H / stride), ceil(W / stride))."""
        return super().forward(padded(x, self.kernel_size[0], self.stride[0]))


class _Norm(nn.BatchNorm2d):
    """A batch norm with the activation behind it."""

    def __init__(self, channels: int, active: bool = True) -> None:
        super().__init__(channels, eps=_EPSILON)
        self.act: nn.Module = nn.ReLU6(inplace=True) if active else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, self.act(super().forward(x)))


class _Block(nn.Module):
    """An inverted residual; the first stage's has no expansion. The layers are named as in timm."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        width = inputs * expansion
        conv_dw = DepthwiseConv2d(width, kernel, stride)
        if expansion > 1:
            self.conv_pw, self.bn1 = nn.Conv2d(inputs, width, 1, bias=False), _Norm(width)
            self.conv_dw, self.bn2 = conv_dw, _Norm(width)
            self.conv_pwl, self.bn3 = nn.Conv2d(width, outputs, 1, bias=False), _Norm(outputs, active=False)
        else:
            self.conv_dw, self.bn1 = conv_dw, _Norm(width)
            self.conv_pw, self.bn2 = nn.Conv2d(width, outputs, 1, bias=False), _Norm(outputs, active=False)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        before = x
        for layer in self.children():
            x = layer(x)
        return x + before if self.residual else x


class EfficientNetLite(nn.Module):
    """A classifier of 1000 kinds, as far as networks here use timm's.

    Attributes:
        feature_info: of the last map of each stride: its stage, stride, module and channels.
        default_cfg: the name of the first convolution.
        num_features: length of the pooled vector.
    """

    def __init__(self, name: str, kinds: int = 1000) -> None:
        """With random weights.

        Args:
            name: a key of `SCALES`.
            kinds: that it tells apart.
        """
        super().__init__()
        wider, deeper = SCALES[name]
        self.default_cfg, self.num_features = {"first_conv": "conv_stem"}, _HEAD
        self.feature_info: list[dict[str, Any]] = []
        self.conv_stem: nn.Module = Conv2dSame(3, _STEM, 3, stride=2, bias=False)
        self.bn1 = _Norm(_STEM)
        stages, channels, reduction = [], _STEM, 2
        for k, (kernel, stride, width, number) in enumerate(_STAGES):
            blocks, outputs = [], _rounded(width * wider)
            for n in range(number if k in (0, len(_STAGES) - 1) else math.ceil(number * deeper)):
                blocks.append(_Block(channels, outputs, kernel, stride if n == 0 else 1, _EXPANSION if k else 1))
                channels = outputs
            stages.append(nn.Sequential(*blocks))
            reduction *= stride
            if k + 1 == len(_STAGES) or _STAGES[k + 1][1] > 1:
                about = {"stage": k, "reduction": reduction, "module": f"blocks.{k}", "num_chs": outputs}
                self.feature_info.append(about)
        self.blocks = nn.Sequential(*stages)
        self.conv_head, self.bn2 = nn.Conv2d(channels, _HEAD, 1, bias=False), _Norm(_HEAD)
        self.classifier: nn.Module = nn.Linear(_HEAD, kinds)

    def reset_classifier(self, kinds: int) -> None:
        """A classifier of other kinds; none for 0."""
        self.classifier = nn.Linear(_HEAD, kinds) if kinds else nn.Identity()

    def forward_intermediates(self, x: Tensor, indices: list[int]) -> tuple[Tensor, list[Tensor]]:
        """The last map, (N, 1280, H/32, W/32), and those of `feature_info` with these indices; of (N, 3, H, W)."""
        wanted = {self.feature_info[k]["stage"] for k in indices}
        maps = []
        x = self.bn1(self.conv_stem(x))
        for k, stage in enumerate(self.blocks):
            x = stage(x)
            if k in wanted:
                maps.append(x)
        return self.forward_top(x), maps

    def forward_maps(self, x: Tensor) -> Tensor:
        """The last map before the head, (N, C, H/32, W/32), of pictures (N, 3, H, W) in [-1, 1]."""
        return cast(Tensor, self.blocks(self.bn1(self.conv_stem(x))))

    def forward_top(self, x: Tensor) -> Tensor:
        """Of the map of `forward_maps` the last map, (N, 1280, H/32, W/32)."""
        return cast(Tensor, self.bn2(self.conv_head(x)))

    def forward_features(self, x: Tensor) -> Tensor:
        """The last map, (N, 1280, H/32, W/32), of pictures (N, 3, H, W) in [-1, 1]."""
        return self.forward_intermediates(x, [])[0]

    def get_classifier(self) -> nn.Module:
        """From the pooled vector to logits."""
        return self.classifier

    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        """Of the last map the logits, (N, 1000), or its pooled vector, (N, 1280)."""
        pooled = x.mean((2, 3))
        return pooled if pre_logits else cast(Tensor, self.classifier(pooled))

    def forward(self, x: Tensor) -> Tensor:
        """Logits, (N, 1000), of pictures, (N, 3, H, W) in [-1, 1]."""
        return self.forward_head(self.forward_features(x))


def _rounded(channels: float) -> int:
    """To a multiple of 8, and by less than a tenth downwards."""
    rounded = max(_MULTIPLE, int(channels + _MULTIPLE / 2) // _MULTIPLE * _MULTIPLE)
    return rounded if rounded >= 0.9 * channels else rounded + _MULTIPLE

"""`eccv16` and `siggraph17`: the networks of Zhang et al., for weights that were published with them.

Zhang, Isola and Efros, "Colorful Image Colorization" (ECCV 2016); Zhang, Zhu, Isola, Geng, Lin, Yu and Efros,
"Real-Time User-Guided Image Colorization with Learned Deep Priors" (SIGGRAPH 2017). Their modules carry the names that
the published weights have: model1 to model10, and model_out.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..color.bins import N_BINS
from .layers import ColorNetwork, check_size

_HINT_CHANNELS = 3  # a / 110, b / 110 and the mask
_MIDDLE = 512


class ECCV16Network(ColorNetwork):
    """Eight blocks of convolutions, a distribution over the 313 ab bins at H/4, and its mean (2016, table 4)."""

    def __init__(self, objective: str = "regression", features: str = "") -> None:
        """With random weights; the arguments play no part."""
        super().__init__()
        self.model1 = _block(1, (64, 64), stride=2)
        self.model2 = _block(64, (128, 128), stride=2)
        self.model3 = _block(128, (256,) * 3, stride=2)
        self.model4 = _block(256, (_MIDDLE,) * 3)
        self.model5 = _block(_MIDDLE, (_MIDDLE,) * 3, dilation=2)
        self.model6 = _block(_MIDDLE, (_MIDDLE,) * 3, dilation=2)
        self.model7 = _block(_MIDDLE, (_MIDDLE,) * 3)
        climb = [nn.ConvTranspose2d(_MIDDLE, 256, 4, 2, 1), nn.ReLU(inplace=True)]
        self.model8 = nn.Sequential(*climb, *_convolutions(256, (256, 256)), nn.Conv2d(256, N_BINS, 1))
        self.model_out = nn.Conv2d(N_BINS, 2, 1, bias=False)

    def forward(self, lightness: Tensor, embedding: Tensor | None = None, hints: Tensor | None = None) -> Tensor:
        """Color.

        Args:
            lightness: (N, 1, H, W) in [-1, 1], which is L / 50 - 1; H and W divisible by 8.
            embedding, hints: not supported by this network.
        Returns:
            (N, 2, H, W): ab / 110.
        """
        check_size(lightness)
        if hints is not None:
            raise ValueError("This network takes no hints.")
        x = lightness / 2  # the original's input is (L - 50) / 100
        for block in (
            self.model1, self.model2, self.model3, self.model4, self.model5, self.model6, self.model7, self.model8,
        ):  # fmt: skip
            x = block(x)
        ab = self.model_out(x.softmax(1))  # (N, 2, H/4, W/4)
        return F.interpolate(ab, scale_factor=4, mode="bilinear", align_corners=False)


class SIGGRAPH17Network(ColorNetwork):
    """A U-Net on L and hints, with additive skips (2017, section 3.2).

    Its branch that predicts a distribution takes no part in the coloring and is left out.
    """

    def __init__(self, objective: str = "regression", features: str = "") -> None:
        """With random weights; the arguments play no part."""
        super().__init__()
        self.model1 = _block(1 + _HINT_CHANNELS, (64, 64))
        self.model2 = _block(64, (128, 128))
        self.model3 = _block(128, (256,) * 3)
        self.model4 = _block(256, (_MIDDLE,) * 3)
        self.model5 = _block(_MIDDLE, (_MIDDLE,) * 3, dilation=2)
        self.model6 = _block(_MIDDLE, (_MIDDLE,) * 3, dilation=2)
        self.model7 = _block(_MIDDLE, (_MIDDLE,) * 3)
        self.model8up, self.model3short8 = _climb(_MIDDLE, 256), _skip(256, 256)
        self.model8 = nn.Sequential(nn.ReLU(), *_block(256, (256, 256)))
        self.model9up, self.model2short9 = _climb(256, 128), _skip(128, 128)
        self.model9 = nn.Sequential(nn.ReLU(), *_block(128, (128,)))
        self.model10up, self.model1short10 = _climb(128, 128), _skip(64, 128)
        self.model10 = nn.Sequential(nn.ReLU(), nn.Conv2d(128, 128, 3, padding=1), nn.LeakyReLU(0.2))
        self.model_out = nn.Sequential(nn.Conv2d(128, 2, 1), nn.Tanh())

    def forward(self, lightness: Tensor, embedding: Tensor | None = None, hints: Tensor | None = None) -> Tensor:
        """Color.

        Args:
            lightness: (N, 1, H, W) in [-1, 1], which is L / 50 - 1; H and W divisible by 8.
            embedding: not supported by this network.
            hints: (N, 3, H, W): a / 110 and b / 110 where the mask is 1, and the mask; zero elsewhere.
        Returns:
            (N, 2, H, W): ab / 110, in [-1, 1].
        """
        check_size(lightness)
        if hints is None:
            hints = lightness.new_zeros(lightness.shape[0], _HINT_CHANNELS, *lightness.shape[-2:])
        full = self.model1(torch.cat([lightness / 2, hints], 1))  # the original's L is (L - 50) / 100
        half = self.model2(_every_second(full))
        quarter = self.model3(_every_second(half))
        x = self.model7(self.model6(self.model5(self.model4(_every_second(quarter)))))  # (N, 512, H/8, W/8)
        x = self.model8(self.model8up(x) + self.model3short8(quarter))
        x = self.model9(self.model9up(x) + self.model2short9(half))
        x = self.model10(self.model10up(x) + self.model1short10(full))
        return cast(Tensor, self.model_out(x))


def _convolutions(inputs: int, outputs: tuple[int, ...], stride: int = 1, dilation: int = 1) -> list[nn.Module]:
    """3x3 convolutions with a ReLU after each; the last one has the stride."""
    layers: list[nn.Module] = []
    for k, channels in enumerate(outputs, 1):
        step = stride if k == len(outputs) else 1
        layers += [nn.Conv2d(inputs, channels, 3, step, dilation, dilation), nn.ReLU(inplace=True)]
        inputs = channels
    return layers


def _block(inputs: int, outputs: tuple[int, ...], stride: int = 1, dilation: int = 1) -> nn.Sequential:
    return nn.Sequential(*_convolutions(inputs, outputs, stride, dilation), nn.BatchNorm2d(outputs[-1]))


def _climb(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.ConvTranspose2d(inputs, outputs, 4, 2, 1))


def _skip(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1))


def _every_second(x: Tensor) -> Tensor:
    return x[..., ::2, ::2]

"""What the networks share."""

from __future__ import annotations

from torch import Tensor, nn

SIZE_MULTIPLE = 8  # height and width of the input


def conv(inputs: int, outputs: int, stride: int = 1) -> list[nn.Module]:
    """A 3x3 convolution and a ReLU."""
    layer = nn.Conv2d(inputs, outputs, 3, stride, padding=1)
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return [layer, nn.ReLU(inplace=True)]


def upsample() -> nn.Module:
    """Twice as high and wide."""
    return nn.Upsample(scale_factor=2, mode="nearest")


def check_size(lightness: Tensor) -> None:
    """A ValueError if a network can't take pictures of this size."""
    height, width = lightness.shape[-2:]
    if height % SIZE_MULTIPLE or width % SIZE_MULTIPLE:
        raise ValueError(f"Height and width must be divisible by {SIZE_MULTIPLE}, not {height} x {width}.")

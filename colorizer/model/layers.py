"""What the networks share."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

SIZE_MULTIPLE = 8  # height and width of the input


class ColorNetwork(nn.Module):
    """A network that colors; what is here is for one without a pretrained encoder."""

    def load_pretrained(self, backbone: nn.Module) -> None:
        """Take over the weights of a pretrained classifier, if it is built on one."""

    def pretrained_parameters(self) -> Sequence[nn.Parameter]:
        """Those of the classifier it is built on, which are tuned more gently than the rest."""
        return ()

    def freeze_early(self) -> None:
        """Leave the early layers of the classifier it is built on as they are."""


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

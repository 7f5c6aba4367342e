"""Depthwise convolutions: their values and gradients are those of PyTorch's own."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from colorizer.model.depthwise import KERNELS, STRIDES, DepthwiseConv2d, same_padding

CHANNELS = 16


def by_pytorch(x: Tensor, weight: Tensor, stride: int) -> Tensor:
    kernel = weight.shape[-1]
    padding = [pixels for side in x.shape[:1:-1] for pixels in same_padding(side, kernel, stride)]
    return F.conv2d(F.pad(x, padding), weight, stride=stride, groups=CHANNELS)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("stride", STRIDES)
@pytest.mark.parametrize("side", [1, 2, 3, 7, 8])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_values_and_gradients_are_pytorchs(kernel: int, stride: int, side: int, layout: torch.memory_format) -> None:
    torch.manual_seed(side)
    conv = DepthwiseConv2d(CHANNELS, kernel, stride)
    x = torch.randn(2, CHANNELS, side, side + 1).contiguous(memory_format=layout).requires_grad_(True)
    made = conv(x)
    expected = by_pytorch(x, conv.weight, stride)
    assert made.shape[-2:] == (-(-side // stride), -(-(side + 1) // stride))
    assert torch.allclose(made, expected, atol=1e-5)
    with torch.no_grad():
        assert torch.allclose(conv(x), expected, atol=1e-5)
    given = torch.randn_like(made)
    found = torch.autograd.grad(made, (x, conv.weight), given)
    for ours, theirs in zip(found, torch.autograd.grad(expected, (x, conv.weight), given), strict=True):
        assert torch.allclose(ours, theirs, atol=1e-4)


def test_only_what_is_asked_for_is_computed() -> None:
    conv, x = DepthwiseConv2d(CHANNELS, 5), torch.randn(1, CHANNELS, 8, 8, requires_grad=True)
    conv.requires_grad_(False)
    conv(x).sum().backward()
    assert conv.weight.grad is None
    assert x.grad is not None


def test_in_half_precision_as_autocast_has_it() -> None:
    torch.manual_seed(0)
    conv, x = DepthwiseConv2d(CHANNELS, 5), torch.randn(2, CHANNELS, 8, 8)
    with torch.autocast("cpu", torch.bfloat16):
        made = conv(x)
        expected = by_pytorch(x, conv.weight, 1)
    assert made.dtype == expected.dtype == torch.bfloat16
    (ours,), (theirs,) = (torch.autograd.grad(y.float().square().sum(), conv.weight) for y in (made, expected))
    assert ours.dtype == torch.float32
    assert (ours - theirs).abs().max() < 0.02 * theirs.abs().max()


def test_other_kernels_are_refused() -> None:
    with pytest.raises(ValueError, match="kernel"):
        DepthwiseConv2d(8, 7)

"""Depthwise convolutions whose gradients are computed as fast as they are themselves.

oneDNN, by which PyTorch convolves on CPUs, has fast kernels for depthwise convolutions of stride 1 that keep the size,
and for the gradient of a 3x3 one's weights; all else goes through kernels that take ten to a hundred times as long, in
bfloat16 above all. Here the gradients of the others are put together from those (`benchmarks/training.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F
from torch.nn.grad import conv2d_input, conv2d_weight

KERNELS, STRIDES = (3, 5), (1, 2)


def same_padding(side: int, kernel: int, stride: int) -> tuple[int, int]:
    """TensorFlow's: as little as gives ceil(side / stride), and the odd pixel at the end.

    >>> same_padding(8, 5, 2), same_padding(7, 5, 2), same_padding(8, 3, 1)
    ((1, 2), (2, 2), (1, 1))
    """
    # In whole numbers: so an exported graph pads as much as its own input needs.
    total = max(((side + stride - 1) // stride - 1) * stride + kernel - side, 0)
    return total // 2, total - total // 2


def padded(x: Tensor, kernel: int, stride: int) -> Tensor:
    """(N, C, H, W) with `same_padding` around it."""
    height, width = x.shape[-2:]
    return F.pad(x, (*same_padding(width, kernel, stride), *same_padding(height, kernel, stride)))


class DepthwiseConv2d(nn.Conv2d):
    """A filter for each channel, padded by `same_padding`; without bias, until a batch norm is folded into it."""

    def __init__(self, channels: int, kernel: int, stride: int = 1) -> None:
        """With random weights.

        Args:
            channels: in and out.
            kernel: side of the filters, 3 or 5.
            stride: 1 or 2.
        """
        if kernel not in KERNELS or stride not in STRIDES:
            raise ValueError(f"The kernel must be one of {KERNELS}, the stride one of {STRIDES}.")
        padding = kernel // 2 if stride == 1 else 0
        super().__init__(channels, channels, kernel, stride, padding, groups=channels, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C, ceil(H / stride), ceil(W / stride))."""
        learning = torch.is_grad_enabled() and (x.requires_grad or self.weight.requires_grad)
        if learning and self.bias is None and x.device.type == "cpu" and not torch.compiler.is_compiling():
            weight = self.weight
            if torch.is_autocast_enabled("cpu"):
                x, weight = x.to(torch.get_autocast_dtype("cpu")), weight.to(torch.get_autocast_dtype("cpu"))
            return cast(Tensor, _Depthwise.apply(x, weight, self.stride[0]))
        return self.by_pytorch(x)

    def by_pytorch(self, x: Tensor) -> Tensor:
        """The same, differentiated by PyTorch."""
        # The sides as they were given: those of a traced graph's weights aren't numbers.
        return super().forward(x if self.padding[0] else padded(x, self.kernel_size[0], self.stride[0]))


class _Depthwise(torch.autograd.Function):
    """The convolution (N, C, H, W), (C, 1, K, K) -> (N, C, ceil(H / stride), ceil(W / stride)), and its gradients."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, stride: int) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.stride = stride
        kernel = weight.shape[-1]
        if stride == 1:
            return F.conv2d(x, weight, padding=kernel // 2, groups=len(weight))
        return F.conv2d(padded(x, kernel, stride), weight, stride=stride, groups=len(weight))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        x, weight = ctx.saved_tensors
        if x.is_contiguous(memory_format=torch.channels_last):
            gradient = gradient.contiguous(memory_format=torch.channels_last)
        of_x = _of_input(gradient, x, weight, ctx.stride) if ctx.needs_input_grad[0] else None
        of_weight = _of_weight(gradient, x, weight, ctx.stride) if ctx.needs_input_grad[1] else None
        return of_x, of_weight, None


def _of_input(gradient: Tensor, x: Tensor, weight: Tensor, stride: int) -> Tensor:
    """A stride of 2 leaves out every other output of a stride of 1: those have no gradient."""
    kernel = weight.shape[-1]
    if stride > 1:
        top, left = (kernel // 2 - same_padding(side, kernel, stride)[0] for side in x.shape[-2:])
        everywhere = torch.zeros_like(x)
        everywhere[:, :, top::stride, left::stride] = gradient
        gradient = everywhere
    found = conv2d_input(x.shape, weight, gradient, padding=kernel // 2, groups=len(weight))  # type: ignore[no-untyped-call]
    return cast(Tensor, found)


def _of_weight(gradient: Tensor, x: Tensor, weight: Tensor, stride: int) -> Tensor:
    kernel = weight.shape[-1]
    if kernel == 3 and stride == 1:
        return _of_3x3(gradient, x)
    found = torch.empty_like(weight)
    if stride == 1:  # four corners of 3x3, which overlap; each lies at most a pixel beside the middle
        for i in (0, 1):
            for j in (0, 1):
                there = _of_3x3(F.pad(gradient, (j, 1 - j, i, 1 - i)), F.pad(x, (1 - j, j, 1 - i, i)))
                found[:, :, 2 * i : 2 * i + 3, 2 * j : 2 * j + 3] = there
        return found
    height, width = gradient.shape[-2:]  # even and odd rows and columns: to each the filter has a stride of 1
    rows, columns = (list(_taps(side, kernel)) for side in x.shape[-2:])
    for even_row, from_row, to_row in rows:
        for even_column, from_column, to_column in columns:
            part = x[:, :, even_row::2, even_column::2]
            part = F.pad(part, (0, width - part.shape[-1], 0, height - part.shape[-2]))
            if x.is_contiguous(memory_format=torch.channels_last):
                part = part.contiguous(memory_format=torch.channels_last)
            found[:, :, to_row, to_column] = _of_3x3(gradient, part)[:, :, from_row, from_column]
    return found


def _taps(side: int, kernel: int) -> Iterator[tuple[int, slice, slice]]:
    """Which taps of a filter of stride 2 see the even pixels (0) of a row, and which the odd ones (1): their place in
    the 3 taps of stride 1 around an output, and in the filter."""
    before = same_padding(side, kernel, 2)[0]
    for odd in (0, 1):
        taps = [a for a in range(3) if 0 <= 2 * (a - 1) + odd + before < kernel]
        first, last = (2 * (a - 1) + odd + before for a in (taps[0], taps[-1]))
        yield odd, slice(taps[0], taps[-1] + 1), slice(first, last + 1, 2)


def _of_3x3(gradient: Tensor, x: Tensor) -> Tensor:
    """(C, 1, 3, 3), of a convolution of stride 1 that keeps the size."""
    shape = (x.shape[1], 1, 3, 3)
    return cast(Tensor, conv2d_weight(x, shape, gradient, padding=1, groups=x.shape[1]))  # type: ignore[no-untyped-call]

"""`ddcolor`: Kang et al., "DDColor: Towards Photo-Realistic Image Colorization via Dual Decoders" (ICCV 2023).

A ConvNeXt sees the gray picture. One decoder climbs back to its pixels; in the other, 100 learned queries look at what
the first one finds at three scales, and each becomes a color. What a pixel's features have in common with each color's,
a last layer turns into ab. The published weights are brought into this form by `foreign`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..color.lab import L_SCALE, lab_to_rgb_tensor, normalize_ab
from .layers import ColorNetwork
from .pretrained import import_timm

SIZE_MULTIPLE = 32  # height and width of the input
QUERIES = 100
_WIDTHS = (512, 512, 256)  # of the pixel decoder at strides 16, 8 and 4
_HIDDEN, _HEADS, _FEED_FORWARD, _LAYERS = 256, 8, 2048, 9  # of the color decoder
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's, of R, G and B in [0, 1]


class DDColorNetwork(ColorNetwork):
    """Encoder, pixel decoder, color decoder and fusion (section 3)."""

    def __init__(self, objective: str = "regression", features: str = "convnext_large") -> None:
        """With random weights.

        Args:
            objective: plays no part.
            features: timm's "convnext_large" or "convnext_tiny".
        """
        super().__init__()
        encoder = cast(Any, import_timm().create_model(features, num_classes=0))
        channels = [int(info["num_chs"]) for info in encoder.feature_info]
        self.stem, self.stages = encoder.stem, encoder.stages
        self.norms = nn.ModuleList(_Norm(c) for c in channels)
        inputs = (channels[-1], *_WIDTHS[:-1])
        self.climb = nn.ModuleList(_Climb(i, s, o) for i, s, o in zip(inputs, channels[-2::-1], _WIDTHS, strict=True))
        self.pixels = nn.Conv2d(_WIDTHS[-1], _HIDDEN * 4**2, 1)
        self.colors = _ColorDecoder()
        self.refine = nn.Conv2d(QUERIES + 3, 2, 1)

    def forward(self, lightness: Tensor, embedding: Tensor | None = None, hints: Tensor | None = None) -> Tensor:
        """Color.

        Args:
            lightness: (N, 1, H, W) in [-1, 1], which is L / 50 - 1; H and W divisible by 32. The published weights were
                trained at 256 x 256 and are used at 512 x 512.
            embedding, hints: not supported by this network.
        Returns:
            (N, 2, H, W): ab / 110.
        """
        if hints is not None:
            raise ValueError("This network takes no hints.")
        if lightness.shape[-2] % SIZE_MULTIPLE or lightness.shape[-1] % SIZE_MULTIPLE:
            raise ValueError(f"Height and width must be divisible by {SIZE_MULTIPLE}, not {tuple(lightness.shape)}.")
        mean, std = (lightness.new_tensor(values)[:, None, None] for values in (_MEAN, _STD))
        gray = (gray_rgb(lightness) - mean) / std  # (N, 3, H, W)
        skips, x = self._encode(gray)
        maps = []
        for climb, skip in zip(self.climb, skips[-2::-1], strict=True):
            x = climb(x, skip)
            maps.append(x)
        colors = self.colors(maps)  # (N, Q, 256)
        return normalize_ab(self._fuse(x, colors, gray))

    def _encode(self, gray: Tensor) -> tuple[list[Tensor], Tensor]:
        """The normalized maps at strides 4, 8, 16 and 32, and the last of them."""
        x, maps = self.stem(gray), []
        for stage, norm in zip(self.stages, self.norms, strict=True):
            x = stage(x)
            maps.append(norm(x))
        return maps, maps[-1]

    def _fuse(self, quarter: Tensor, colors: Tensor, gray: Tensor) -> Tensor:
        """The fusion module (section 3.3), in Lab units.

        What the original does at H x W with 256 features and 100 queries, the last layer's two channels of, is linear
        from the pixel decoder's last ReLU on. Done first, it is two channels that are brought to H x W and blurred.

        Args:
            quarter: (N, 256, H/4, W/4).
            colors: (N, Q, 256).
            gray: (N, 3, H, W), normalized.
        """
        features = F.relu(self.pixels(quarter)).reshape(
            len(gray), _HIDDEN, 16, *quarter.shape[-2:]
        )  # 16: the places within 4 x 4 pixels
        weight = self.refine.weight[:, :, 0, 0]  # (2, Q + 3)
        mixed = torch.einsum("aq,nqc->nac", weight[:, :QUERIES], colors)  # (N, 2, 256)
        ab = torch.einsum("nac,ncshw->nashw", mixed, features).flatten(1, 2)  # (N, 2 * 16, H/4, W/4)
        return _blurred(F.pixel_shuffle(ab, 4)) + F.conv2d(gray, weight[:, QUERIES:, None, None], self.refine.bias)


def gray_rgb(lightness: Tensor) -> Tensor:
    """The gray of an L, as RGB.

    Args:
        lightness: (N, 1, H, W) in [-1, 1].
    Returns:
        (N, 3, H, W), sRGB in [0, 1], three times the same.
    """
    light = (lightness.float() + 1) * L_SCALE
    return lab_to_rgb_tensor(F.pad(light, (0, 0, 0, 0, 0, 2))).to(lightness.dtype)


class _Norm(nn.LayerNorm):
    """Over the channels, the first axis after the batch."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, eps=1e-6)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.movedim(1, -1)).movedim(-1, 1)


class _Climb(nn.Module):
    """A stage of the pixel decoder: twice as high and wide by a pixel shuffle, joined by the encoder's map."""

    def __init__(self, inputs: int, skip: int, outputs: int) -> None:
        super().__init__()
        self.expand = nn.Sequential(nn.Conv2d(inputs, outputs * 4, 1, bias=False), nn.BatchNorm2d(outputs * 4))
        self.skip_norm = nn.BatchNorm2d(skip)
        convolution = nn.Conv2d(outputs + skip, outputs, 3, padding=1, bias=False)
        self.join = nn.Sequential(convolution, nn.ReLU(), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        x = _blurred(F.pixel_shuffle(F.relu(self.expand(x)), 2))
        return cast(Tensor, self.join(F.relu(torch.cat([x, self.skip_norm(skip)], 1))))


def _blurred(x: Tensor) -> Tensor:
    """The mean of each pixel and its neighbors above and to the left, against the shuffle's checkerboard
    (Sugawara, Shiota and Kiya, "Super-Resolution using CNNs without Any Checkerboard Artifacts", 2018)."""
    return F.avg_pool2d(F.pad(x, (1, 0, 1, 0), mode="replicate"), 2, stride=1)


class _ColorDecoder(nn.Module):
    """Queries that become colors (section 3.2)."""

    def __init__(self) -> None:
        super().__init__()
        self.queries = nn.Parameter(torch.randn(QUERIES, _HIDDEN))
        self.query_places = nn.Parameter(torch.randn(QUERIES, _HIDDEN))
        self.levels = nn.Parameter(torch.randn(len(_WIDTHS), _HIDDEN))
        self.project = nn.ModuleList(nn.Conv2d(width, _HIDDEN, 1) for width in _WIDTHS)
        self.layers = nn.ModuleList(_ColorLayer() for _ in range(_LAYERS))
        self.norm = nn.LayerNorm(_HIDDEN)
        widths = [nn.Linear(_HIDDEN, _HIDDEN) for _ in range(3)]
        self.embed = nn.Sequential(widths[0], nn.ReLU(), widths[1], nn.ReLU(), widths[2])

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """The colors' features, (N, Q, 256), from the pixel decoder's maps at strides 16, 8 and 4."""
        seen, places = [], []
        for k, (x, project) in enumerate(zip(maps, self.project, strict=True)):
            seen.append(project(x).flatten(2).transpose(1, 2) + self.levels[k])  # (N, h w, 256)
            places.append(sine_places(x.shape[-2], x.shape[-1], _HIDDEN).to(x).flatten(0, 1))  # (h w, 256)
        x = self.queries.expand(len(maps[0]), -1, -1)
        for k, layer in enumerate(self.layers):
            scale = k % len(seen)
            x = layer(x, self.query_places, seen[scale], places[scale])
        return cast(Tensor, self.embed(self.norm(x)))


class _ColorLayer(nn.Module):
    """A color decoder block: the queries look at the picture, then at each other, then on their own."""

    def __init__(self) -> None:
        super().__init__()
        self.cross = nn.MultiheadAttention(_HIDDEN, _HEADS, batch_first=True)
        self.cross_norm = nn.LayerNorm(_HIDDEN)
        self.own = nn.MultiheadAttention(_HIDDEN, _HEADS, batch_first=True)
        self.own_norm = nn.LayerNorm(_HIDDEN)
        self.widen, self.narrow = nn.Linear(_HIDDEN, _FEED_FORWARD), nn.Linear(_FEED_FORWARD, _HIDDEN)
        self.norm = nn.LayerNorm(_HIDDEN)

    def forward(self, x: Tensor, query_places: Tensor, seen: Tensor, places: Tensor) -> Tensor:
        found = self.cross(x + query_places, seen + places, seen, need_weights=False)[0]
        x = self.cross_norm(x + found)
        placed = x + query_places
        x = self.own_norm(x + self.own(placed, placed, x, need_weights=False)[0])
        return cast(Tensor, self.norm(x + self.narrow(F.relu(self.widen(x)))))


def sine_places(height: int, width: int, channels: int) -> Tensor:
    """Where each place is, as sines and cosines (Carion et al., DETR, 2020, appendix A.4): (height, width, channels).

    The first half of the channels tells the row, the other the column, each from just above 0 to 2 pi at the last one.
    """
    half = channels // 2
    pairs = torch.arange(half) // 2
    frequencies = 10000.0 ** (-2 * pairs / half)
    shift = torch.arange(half) % 2 * (math.pi / 2)  # cosines are sines, shifted
    rows, columns = (torch.arange(1, n + 1) / (n + 1e-6) * (2 * math.pi) for n in (height, width))
    row_part = torch.sin(rows[:, None] * frequencies + shift)[:, None].expand(-1, width, -1)
    column_part = torch.sin(columns[:, None] * frequencies + shift)[None].expand(height, -1, -1)
    return torch.cat([row_part, column_part], dim=-1)

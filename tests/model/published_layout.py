"""The published networks as their files have them: names and shapes of all tensors, and a plain computation from those.

The names and shapes are those of github.com/piddnad/DDColor (basicsr/archs/ddcolor_arch.py and ddcolor_arch_utils/) and
github.com/richzhang/colorization (colorizers/eccv16.py and siggraph17.py). What is computed is written from the papers'
and layers' formulas, step by step, and shares no code with the package.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

Shapes = dict[str, tuple[int, ...]]
Tensors = dict[str, Tensor]


def _layer(name: str, *shape: int, bias: bool = True, transposed: bool = False) -> Shapes:
    outputs = shape[1] if transposed else shape[0]
    return {f"{name}.weight": shape} | ({f"{name}.bias": (outputs,)} if bias else {})


def _batch_norm(name: str, channels: int) -> Shapes:
    parts = ("weight", "bias", "running_mean", "running_var")
    return {f"{name}.{part}": (channels,) for part in parts} | {f"{name}.num_batches_tracked": ()}


def _spectral(name: str, *shape: int, bias: bool) -> Shapes:
    vectors = {f"{name}.weight_u": (shape[0],), f"{name}.weight_v": (math.prod(shape[1:]),)}
    return {f"{name}.weight_orig": shape, **vectors} | ({f"{name}.bias": (shape[0],)} if bias else {})


def ddcolor_shapes(size: str) -> Shapes:
    """Of DDColor "tiny" or "large"."""
    dims = {"tiny": (96, 192, 384, 768), "large": (192, 384, 768, 1536)}[size]
    depths = {"tiny": (3, 3, 9, 3), "large": (3, 3, 27, 3)}[size]
    arch = "encoder.arch"
    shapes: Shapes = {"mean": (1, 3, 1, 1), "std": (1, 3, 1, 1)}
    shapes |= _layer(f"{arch}.downsample_layers.0.0", dims[0], 3, 4, 4) | _layer(
        f"{arch}.downsample_layers.0.1", dims[0]
    )
    for k in (1, 2, 3):
        shapes |= _layer(f"{arch}.downsample_layers.{k}.0", dims[k - 1])
        shapes |= _layer(f"{arch}.downsample_layers.{k}.1", dims[k], dims[k - 1], 2, 2)
    for k, (dim, depth) in enumerate(zip(dims, depths, strict=True)):
        for j in range(depth):
            block = f"{arch}.stages.{k}.{j}"
            shapes |= (
                {f"{block}.gamma": (dim,)} | _layer(f"{block}.dwconv", dim, 1, 7, 7) | _layer(f"{block}.norm", dim)
            )
            shapes |= _layer(f"{block}.pwconv1", 4 * dim, dim) | _layer(f"{block}.pwconv2", dim, 4 * dim)
        shapes |= _layer(f"{arch}.norm{k}", dim)
    shapes |= _layer(f"{arch}.norm", dims[-1])
    inputs = dims[-1]
    for k, (skip, outputs) in enumerate(zip(dims[-2::-1], (512, 512, 256), strict=True)):
        layer = f"decoder.layers.{k}"
        shapes |= _spectral(f"{layer}.shuf.conv.0", 4 * outputs, inputs, 1, 1, bias=False)
        shapes |= _batch_norm(f"{layer}.shuf.conv.1", 4 * outputs) | _batch_norm(f"{layer}.bn", skip)
        shapes |= _spectral(f"{layer}.conv.0", outputs, outputs + skip, 3, 3, bias=False)
        shapes |= _batch_norm(f"{layer}.conv.2", outputs)
        inputs = outputs
    shapes |= _spectral("decoder.last_shuf.conv.0", 256 * 16, 256, 1, 1, bias=True)
    color = "decoder.color_decoder"
    for name, rows in (("query_feat", 100), ("query_embed", 100), ("level_embed", 3)):
        shapes |= {f"{color}.{name}.weight": (rows, 256)}
    for k, width in enumerate((512, 512, 256)):
        shapes |= _layer(f"{color}.input_proj.{k}", 256, width, 1, 1)
    for k in range(9):
        for kind, attention in (("self", "self_attn"), ("cross", "multihead_attn")):
            layer = f"{color}.transformer_{kind}_attention_layers.{k}"
            shapes |= {f"{layer}.{attention}.in_proj_weight": (768, 256), f"{layer}.{attention}.in_proj_bias": (768,)}
            shapes |= _layer(f"{layer}.{attention}.out_proj", 256, 256) | _layer(f"{layer}.norm", 256)
        layer = f"{color}.transformer_ffn_layers.{k}"
        shapes |= _layer(f"{layer}.linear1", 2048, 256) | _layer(f"{layer}.linear2", 256, 2048)
        shapes |= _layer(f"{layer}.norm", 256)
    shapes |= _layer(f"{color}.decoder_norm", 256)
    for k in range(3):
        shapes |= _layer(f"{color}.color_embed.layers.{k}", 256, 256)
    return shapes | _spectral("refine_net.0.0", 2, 103, 1, 1, bias=True)


def _zhang_block(name: str, inputs: int, widths: tuple[int, ...], first: int = 0) -> Shapes:
    shapes: Shapes = {}
    for k, outputs in enumerate(widths):
        shapes |= _layer(f"{name}.{first + 2 * k}", outputs, inputs, 3, 3)
        inputs = outputs
    return shapes | _batch_norm(f"{name}.{first + 2 * len(widths)}", inputs)


def _zhang_body() -> Shapes:
    shapes = _zhang_block("model2", 64, (128, 128)) | _zhang_block("model3", 128, (256,) * 3)
    shapes |= _zhang_block("model4", 256, (512,) * 3)
    for k in (5, 6, 7):
        shapes |= _zhang_block(f"model{k}", 512, (512,) * 3)
    return shapes


def eccv16_shapes() -> Shapes:
    shapes = _zhang_block("model1", 1, (64, 64)) | _zhang_body()
    shapes |= _layer("model8.0", 512, 256, 4, 4, transposed=True)
    shapes |= (
        _layer("model8.2", 256, 256, 3, 3) | _layer("model8.4", 256, 256, 3, 3) | _layer("model8.6", 313, 256, 1, 1)
    )
    return shapes | _layer("model_out", 2, 313, 1, 1, bias=False)


def siggraph17_shapes() -> Shapes:
    shapes = _zhang_block("model1", 4, (64, 64)) | _zhang_body()
    shapes |= _layer("model8up.0", 512, 256, 4, 4, transposed=True) | _layer("model3short8.0", 256, 256, 3, 3)
    shapes |= _zhang_block("model8", 256, (256, 256), first=1)
    shapes |= _layer("model9up.0", 256, 128, 4, 4, transposed=True) | _layer("model2short9.0", 128, 128, 3, 3)
    shapes |= _zhang_block("model9", 128, (128,), first=1)
    shapes |= _layer("model10up.0", 128, 128, 4, 4, transposed=True) | _layer("model1short10.0", 128, 64, 3, 3)
    shapes |= _layer("model10.1", 128, 128, 3, 3)
    return shapes | _layer("model_class.0", 529, 256, 1, 1) | _layer("model_out.0", 2, 128, 1, 1)


def random_tensors(shapes: Shapes, seed: int = 0) -> Tensors:
    """Weights by which what goes through the layers neither grows nor fades; spectral norms as after training."""
    generator = torch.Generator().manual_seed(seed)

    def normal(shape: tuple[int, ...]) -> Tensor:
        return torch.randn(shape, generator=generator)

    tensors: Tensors = {}
    for name, shape in shapes.items():
        part = name.rpartition(".")[2]
        if name in ("mean", "std"):
            values = (0.485, 0.456, 0.406) if name == "mean" else (0.229, 0.224, 0.225)
            tensors[name] = torch.tensor(values).view(shape)
        elif part == "num_batches_tracked":
            tensors[name] = torch.tensor(7)
        elif part == "running_var":
            tensors[name] = 0.5 + torch.rand(shape, generator=generator)
        elif part == "gamma":
            tensors[name] = 0.3 * normal(shape)
        elif part == "weight" and len(shape) == 1:
            tensors[name] = 1 + 0.1 * normal(shape)
        elif len(shape) == 1:
            tensors[name] = 0.1 * normal(shape)
        else:
            fan_in = math.prod(shape[1:]) if shape[0] != 100 else 1
            tensors[name] = normal(shape) * math.sqrt(1.5 / fan_in)
    for name in [k for k in tensors if k.endswith("weight_orig")]:
        matrix = tensors[name].flatten(1)
        v = F.normalize(normal((matrix.shape[1],)), dim=0)
        for _ in range(15):  # the power iteration
            u = F.normalize(matrix @ v, dim=0)
            v = F.normalize(matrix.T @ u, dim=0)
        stem = name.removesuffix("_orig")
        tensors[f"{stem}_u"], tensors[f"{stem}_v"] = u, v
    return tensors


class Plain:
    """Layers by their formulas, with the tensors of one file."""

    def __init__(self, tensors: Tensors) -> None:
        self.t = tensors

    def bias(self, name: str) -> Tensor | float:
        return self.t[f"{name}.bias"][:, None, None] if f"{name}.bias" in self.t else 0.0

    def conv(
        self, x: Tensor, name: str, stride: int = 1, padding: int = 0, dilation: int = 1, groups: int = 1
    ) -> Tensor:
        """Sums over unfolded windows, but for depthwise ones: sums over shifted pictures."""
        weight = self.t[f"{name}.weight"]
        size = weight.shape[2]
        if groups > 1:
            padded = F.pad(x, (padding,) * 4)
            h, w = x.shape[-2:]
            shifted = [padded[..., i : i + h, j : j + w] * weight[:, 0, i, j, None, None]
                       for i in range(size) for j in range(size)]  # fmt: skip
            return torch.stack(shifted).sum(0) + self.bias(name)
        windows = F.unfold(x, size, dilation, padding, stride)
        h = (x.shape[2] + 2 * padding - dilation * (size - 1) - 1) // stride + 1
        return (weight.flatten(1) @ windows).unflatten(2, (h, -1)) + self.bias(name)

    def spectral_conv(self, x: Tensor, name: str, padding: int = 0) -> Tensor:
        weight = self.t[f"{name}.weight_orig"]
        sigma = self.t[f"{name}.weight_u"] @ weight.flatten(1) @ self.t[f"{name}.weight_v"]
        self.t[f"{name}.weight"] = weight / sigma
        return self.conv(x, name, padding=padding)

    def climb(self, x: Tensor, name: str) -> Tensor:
        """A transposed 4x4 convolution of stride 2 and padding 1: each pixel adds its 4x4 picture to the result."""
        weight = self.t[f"{name}.weight"]  # (inputs, outputs, 4, 4)
        h, w = x.shape[-2:]
        columns = torch.einsum("ioab,nihw->noabhw", weight, x).flatten(1, 3).flatten(2)
        return F.fold(columns, (2 * h, 2 * w), 4, padding=1, stride=2) + self.bias(name)

    def batch_norm(self, x: Tensor, name: str) -> Tensor:
        mean, var, weight, bias = (
            self.t[f"{name}.{part}"][:, None, None] for part in ("running_mean", "running_var", "weight", "bias")
        )
        return (x - mean) / (var + 1e-5).sqrt() * weight + bias

    def layer_norm(self, x: Tensor, name: str, epsilon: float, axis: int = -1) -> Tensor:
        centered = x - x.mean(axis, keepdim=True)
        unit = centered / (centered.square().mean(axis, keepdim=True) + epsilon).sqrt()
        shape = [1] * x.ndim
        shape[axis] = -1
        return unit * self.t[f"{name}.weight"].view(shape) + self.t[f"{name}.bias"].view(shape)

    def linear(self, x: Tensor, name: str) -> Tensor:
        return x @ self.t[f"{name}.weight"].T + self.t[f"{name}.bias"]

    def attention(self, query: Tensor, key: Tensor, value: Tensor, name: str) -> Tensor:
        """Eight heads: softmax(q k / sqrt(32)) v (Vaswani et al. 2017, eq. 1)."""
        weights, biases = self.t[f"{name}.in_proj_weight"].chunk(3), self.t[f"{name}.in_proj_bias"].chunk(3)
        q, k, v = (x @ w.T + b for x, w, b in zip((query, key, value), weights, biases, strict=True))
        heads = []
        for head in range(8):
            part = slice(32 * head, 32 * head + 32)
            scores = (q[..., part] @ k[..., part].transpose(-1, -2) / math.sqrt(32)).exp()
            heads.append(scores / scores.sum(-1, keepdim=True) @ v[..., part])
        return self.linear(torch.cat(heads, -1), f"{name}.out_proj")


def gray_of(lightness: Tensor) -> Tensor:
    """(1, 1, H, W) L in [0, 100] to its gray in RGB, (1, 3, H, W) in [0, 1], by OpenCV as DDColor's program does."""
    light = lightness[0, 0].numpy()
    lab = np.dstack([light, np.zeros_like(light), np.zeros_like(light)])
    return torch.from_numpy(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB)).permute(2, 0, 1)[None]


def ddcolor(tensors: Tensors, lightness: Tensor) -> Iterator[tuple[str, Tensor]]:
    """What DDColor makes of (1, 1, H, W) L in [0, 100]: each part's output by its name, ab in Lab units last."""
    p, arch = Plain(dict(tensors)), "encoder.arch"
    gray = (gray_of(lightness) - p.t["mean"]) / p.t["std"]
    x, maps = gray, []
    for k in range(4):
        if k == 0:
            x = p.conv(x, f"{arch}.downsample_layers.0.0", stride=4)
            x = p.layer_norm(x, f"{arch}.downsample_layers.0.1", 1e-6, 1)
        else:
            x = p.layer_norm(x, f"{arch}.downsample_layers.{k}.0", 1e-6, 1)
            x = p.conv(x, f"{arch}.downsample_layers.{k}.1", stride=2)
        j = 0
        while f"{arch}.stages.{k}.{j}.gamma" in p.t:
            block = f"{arch}.stages.{k}.{j}"
            y = p.conv(x, f"{block}.dwconv", padding=3, groups=x.shape[1]).permute(0, 2, 3, 1)
            y = p.linear(p.layer_norm(y, f"{block}.norm", 1e-6), f"{block}.pwconv1")
            y = p.linear(y * 0.5 * (1 + torch.erf(y / math.sqrt(2))), f"{block}.pwconv2")
            x = x + (p.t[f"{block}.gamma"] * y).permute(0, 3, 1, 2)
            j += 1
        yield f"stage {k}", x
        maps.append(p.layer_norm(x, f"{arch}.norm{k}", 1e-6, 1))
    x, decoded = maps[3], []
    for k in range(3):
        layer = f"decoder.layers.{k}"
        y = p.batch_norm(p.spectral_conv(x, f"{layer}.shuf.conv.0"), f"{layer}.shuf.conv.1")
        y = _blur(_shuffle(y.clamp(min=0), 2))
        joined = torch.cat([y, p.batch_norm(maps[2 - k], f"{layer}.bn")], 1).clamp(min=0)
        x = p.batch_norm(p.spectral_conv(joined, f"{layer}.conv.0", padding=1).clamp(min=0), f"{layer}.conv.2")
        decoded.append(x)
        yield f"climb {k}", x
    pixels = _blur(_shuffle(p.spectral_conv(x, "decoder.last_shuf.conv.0").clamp(min=0), 4))
    colors = _colors(p, decoded)
    yield "colors", colors
    queried = torch.einsum("bqc,bchw->bqhw", colors, pixels)
    yield "ab", p.spectral_conv(torch.cat([queried, gray], 1), "refine_net.0.0")


def _colors(p: Plain, decoded: list[Tensor]) -> Tensor:
    color, keys, places = "decoder.color_decoder", [], []
    for k, x in enumerate(decoded):
        level = p.t[f"{color}.level_embed.weight"][k]
        keys.append(p.conv(x, f"{color}.input_proj.{k}").flatten(2).transpose(1, 2) + level)
        places.append(_places(*x.shape[-2:]))
    query_place = p.t[f"{color}.query_embed.weight"]
    x = p.t[f"{color}.query_feat.weight"][None]
    for k in range(9):
        seen, place = keys[k % 3], places[k % 3]
        layer = f"{color}.transformer_cross_attention_layers.{k}"
        x = x + p.attention(x + query_place, seen + place, seen, f"{layer}.multihead_attn")
        x = p.layer_norm(x, f"{layer}.norm", 1e-5)
        layer = f"{color}.transformer_self_attention_layers.{k}"
        x = x + p.attention(x + query_place, x + query_place, x, f"{layer}.self_attn")
        x = p.layer_norm(x, f"{layer}.norm", 1e-5)
        layer = f"{color}.transformer_ffn_layers.{k}"
        x = x + p.linear(p.linear(x, f"{layer}.linear1").clamp(min=0), f"{layer}.linear2")
        x = p.layer_norm(x, f"{layer}.norm", 1e-5)
    x = p.layer_norm(x, f"{color}.decoder_norm", 1e-5)
    for k in range(3):
        x = p.linear(x, f"{color}.color_embed.layers.{k}")
        x = x.clamp(min=0) if k < 2 else x
    return x


def _places(height: int, width: int) -> Tensor:
    """(h w, 256): for rows, then for columns, sine and cosine in turn of the place over 64 wavelengths."""
    table = np.zeros((height, width, 256))
    for y in range(height):
        for x in range(width):
            for start, at in ((0, (y + 1) / (height + 1e-6)), (128, (x + 1) / (width + 1e-6))):
                for pair in range(64):
                    angle = 2 * math.pi * at / 10000 ** (2 * pair / 128)
                    table[y, x, start + 2 * pair : start + 2 * pair + 2] = math.sin(angle), math.cos(angle)
    return torch.from_numpy(table).float().flatten(0, 1)


def _shuffle(x: Tensor, scale: int) -> Tensor:
    """Channel c scale^2 + i scale + j becomes the pixel (i, j) of each scale x scale square of channel c."""
    n, channels, h, w = x.shape
    y = torch.empty(n, channels // scale**2, h * scale, w * scale)
    for i in range(scale):
        for j in range(scale):
            y[:, :, i::scale, j::scale] = x[:, i * scale + j :: scale**2]
    return y


def _blur(x: Tensor) -> Tensor:
    """The mean of 2 x 2 pixels, the first row and column repeated before them."""
    x = torch.cat([x[..., :1], x], -1)
    x = torch.cat([x[..., :1, :], x], -2)
    return (x[..., 1:, 1:] + x[..., 1:, :-1] + x[..., :-1, 1:] + x[..., :-1, :-1]) / 4


def _zhang(p: Plain, x: Tensor, name: str, number: int, first: int = 0, stride: int = 1, dilation: int = 1) -> Tensor:
    for k in range(number):
        step = stride if k == number - 1 else 1
        x = p.conv(x, f"{name}.{first + 2 * k}", step, dilation, dilation).clamp(min=0)
    return p.batch_norm(x, f"{name}.{first + 2 * number}")


def eccv16(tensors: Tensors, lightness: Tensor) -> Iterator[tuple[str, Tensor]]:
    """As `ddcolor`."""
    p = Plain(dict(tensors))
    x = (lightness - 50) / 100
    for k, (number, stride, dilation) in enumerate(
        [(2, 2, 1), (2, 2, 1), (3, 2, 1), (3, 1, 1), (3, 1, 2), (3, 1, 2), (3, 1, 1)], 1
    ):
        x = _zhang(p, x, f"model{k}", number, stride=stride, dilation=dilation)
        yield f"model{k}", x
    x = p.climb(x, "model8.0").clamp(min=0)
    for k in (2, 4):
        x = p.conv(x, f"model8.{k}", padding=1).clamp(min=0)
    x = p.conv(x, "model8.6")
    yield "model8", x
    x = x.exp() / x.exp().sum(1, keepdim=True)
    ab = p.conv(x, "model_out") * 110
    big = [cv2.resize(plane.numpy(), None, fx=4, fy=4, interpolation=cv2.INTER_LINEAR) for plane in ab[0]]
    yield "ab", torch.from_numpy(np.stack(big))[None]


def siggraph17(tensors: Tensors, lightness: Tensor, hints: Tensor) -> Iterator[tuple[str, Tensor]]:
    """As `ddcolor`; hints are (1, 3, H, W): a and b in Lab units, and the mask."""
    p = Plain(dict(tensors))
    x = torch.cat([(lightness - 50) / 100, hints[:, :2] / 110, hints[:, 2:]], 1)
    maps = []
    for k, (number, dilation) in enumerate([(2, 1), (2, 1), (3, 1), (3, 1), (3, 2), (3, 2), (3, 1)], 1):
        x = _zhang(p, x, f"model{k}", number, dilation=dilation)
        maps.append(x)
        yield f"model{k}", x
        x = x[..., ::2, ::2] if k < 4 else x
    for k, (short, number) in {8: ("model3short8", 2), 9: ("model2short9", 1)}.items():
        x = p.climb(x, f"model{k}up.0") + p.conv(maps[10 - k], f"{short}.0", padding=1)
        x = _zhang(p, x.clamp(min=0), f"model{k}", number, first=1)
        yield f"model{k}", x
    x = (p.climb(x, "model10up.0") + p.conv(maps[0], "model1short10.0", padding=1)).clamp(min=0)
    x = p.conv(x, "model10.1", padding=1)
    x = torch.where(x > 0, x, 0.2 * x)
    yield "model10", x
    x = p.conv(x, "model_out.0")
    yield "ab", 110 * (x.exp() - (-x).exp()) / (x.exp() + (-x).exp())

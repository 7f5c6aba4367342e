"""A network and all that follows it, up to the colors, as one ONNX file: for `onnx_colorizer`, or any other program."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..color.bins import annealed_mean, rebalance_logits
from ..color.lab import denormalize_ab
from ..model.checkpoints import Checkpoint
from ..model.folding import folded
from ..model.objects import load_objects
from ..model.onnx_file import SIDES, exportable, write_onnx
from ..model.skip_fusion import context_extractor
from .agreement import agreed
from .onnx_colorizer import LOOK, STRIDE
from .people import colored_as_people
from .settings import Settings
from .working import cells_of


class _Whole(nn.Module):
    """From L to ab, of just those inputs that the network takes."""

    def __init__(self, checkpoint: Checkpoint, names: tuple[str, ...]) -> None:
        super().__init__()
        self.names = names
        self.network = cast(Any, folded(checkpoint.network.cpu()).to(memory_format=torch.contiguous_format))
        self.objects = load_objects()
        self.prior = checkpoint.prior

    def forward(self, *inputs: Tensor) -> Tensor:
        given = dict(zip(self.names, inputs, strict=True))
        lightness = given["lightness"]
        embedding = self.network.whole.embed(given["whole"]) if "whole" in given else None
        output = cast(Tensor, self.network(lightness, embedding))
        if "look" not in given:  # of a regression
            return denormalize_ab(output)
        cells = given["cells"]
        alpha, temperature, agreement, people = given["look"]
        features, kinds = self.objects.features(lightness)
        output = agreed(output, features, F.avg_pool2d(lightness, STRIDE), agreement, cells)
        output = colored_as_people(output, kinds, self.objects.colors, people)
        return annealed_mean(rebalance_logits(output, self.prior, alpha), temperature)


def export_onnx_colorizer(checkpoint: Checkpoint, path: Path) -> None:
    """Write a skip_fusion network with what makes alike things agree, and skin and hair, as an ONNX file.

    Inputs are `lightness`, (1, 1, H, W) as L / 50 - 1, H and W divisible by 32; `cells`, (K, H/4 W/4),
    `working.cells_of` the output; and `look`, (4,): alpha, temperature, agreement and people of `Settings`; of a
    network with context `whole`, (1, 1, 256, 256): L as above, squeezed to a square. The output is `ab`, (1, 2, H/4,
    W/4) in Lab units. A regression takes neither cells nor a look. Things are looked at in the same copy of the
    photo that is colored, and not in one of 192 pixels, which is the same at the usual working size.

    Args:
        checkpoint: which.
        path: the file, .onnx.
    Raises:
        UserError: not a network of ours that takes L alone, or a package is missing.
    """
    exportable(checkpoint, without_embedding=True)
    height, width = SIDES
    settings = Settings()
    inputs = {"lightness": torch.linspace(-1, 1, height * width).reshape(1, 1, height, width)}
    axes = {"lightness": {2: "height", 3: "width"}, "ab": {2: "ab_height", 3: "ab_width"}}
    if checkpoint.config.objective == "classification":
        inputs["cells"] = torch.from_numpy(cells_of(height // STRIDE, width // STRIDE))
        inputs["look"] = torch.tensor([getattr(settings, name) for name in LOOK])
        axes["cells"] = {0: "cells", 1: "pixels"}
    extractor = context_extractor(checkpoint.network)
    if extractor is not None:
        side = extractor.size
        inputs["whole"] = torch.linspace(-1, 1, side * side).reshape(1, 1, side, side)
    write_onnx(_Whole(checkpoint, tuple(inputs)), inputs, "ab", axes, checkpoint, path)

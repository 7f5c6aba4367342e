"""A network as an ONNX file, for programs without PyTorch."""

from __future__ import annotations

import importlib.util
import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn

from ..color.bins import ab_bins
from ..errors import UserError
from ..files import whole_file
from .backbones import EMBEDDING_DIM
from .checkpoints import Checkpoint
from .folding import folded
from .skip_fusion import HINT_CHANNELS

SIDES = (96, 128)  # of the picture by which a graph is found; any others do
_OPSET = 18


class _Named(nn.Module):
    """The network, called with just those inputs that it takes."""

    def __init__(self, network: nn.Module, names: tuple[str, ...]) -> None:
        super().__init__()
        self.network, self.names = network, names

    def forward(self, *inputs: Tensor) -> Tensor:
        given = dict(zip(self.names, inputs, strict=True))
        return cast(Tensor, self.network(given["lightness"], given.get("embedding"), given.get("hints")))


def export_onnx(checkpoint: Checkpoint, path: Path) -> None:
    """Write a network of this program as an ONNX file.

    Inputs are `lightness`, (1, 1, H, W) as L / 50 - 1, H and W divisible by 32; for skip_fusion `hints`, (1, 3, H, W)
    with a / 110, b / 110 and the mask; for fusion `embedding`, (1, 1000). The output is `colors`: logits over the 313
    bins, or ab / 110.

    Args:
        checkpoint: which.
        path: the file, .onnx.
    Raises:
        UserError: a published network, or a package is missing.
    """
    exportable(checkpoint)
    spec = checkpoint.config.spec
    inputs = {"lightness": torch.linspace(-1, 1, SIDES[0] * SIDES[1]).reshape(1, 1, *SIDES)}
    if spec.takes_embedding:
        inputs["embedding"] = torch.zeros(1, EMBEDDING_DIM)
    if spec.takes_hints:
        inputs["hints"] = torch.zeros(1, HINT_CHANNELS, *SIDES)
    network = folded(checkpoint.network.cpu()).to(memory_format=torch.contiguous_format)
    sides = {name: {2: f"{name}_height", 3: f"{name}_width"} for name in (*inputs, "colors") if name != "embedding"}
    write_onnx(_Named(network, tuple(inputs)), inputs, "colors", sides, checkpoint, path)


def exportable(checkpoint: Checkpoint, without_embedding: bool = False) -> None:
    """Whether a network can be written so.

    Raises:
        UserError: it can't, or a package is missing.
    """
    spec = checkpoint.config.spec
    if spec.source:
        raise UserError(f"{checkpoint.config.network} is published elsewhere; only networks of train.py are exported.")
    if without_embedding and spec.takes_embedding:
        raise UserError(
            f"The network {checkpoint.config.network} needs the feature extractor. Export a skip_fusion network, or "
            f"leave out --whole."
        )
    if importlib.util.find_spec("onnx") is None:
        raise UserError("ONNX files need another package: pip install onnx.")


def write_onnx(
    module: nn.Module,
    inputs: Mapping[str, Tensor],
    output: str,
    axes: Mapping[str, Mapping[int, str]],
    checkpoint: Checkpoint,
    path: Path,
) -> None:
    """Write a module, whole or not at all. The metadata's "colorizer" holds, as JSON, what the checkpoint knows.

    Args:
        module: with these inputs, in this order.
        inputs: by name, examples.
        output: its name.
        axes: which axes of inputs and output are of any size, and a name for each.
        checkpoint: of the module.
        path: the file.
    """
    import onnx

    about = {
        "network": checkpoint.config.network, "objective": checkpoint.config.objective, "size": checkpoint.size,
        "prior": checkpoint.prior.tolist(), "bins": ab_bins().tolist(), "output": output,
    }  # fmt: skip
    with whole_file(path) as temporary, warnings.catch_warnings(), torch.no_grad():
        # The newer exporter (dynamo=True) gives the same graph in two minutes instead of a second.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module.eval(), tuple(inputs.values()), str(temporary), dynamo=False, opset_version=_OPSET,
            input_names=list(inputs), output_names=[output], dynamic_axes={k: dict(v) for k, v in axes.items()},
        )  # fmt: skip
        model = onnx.load(temporary)
        onnx.helper.set_model_props(model, {"colorizer": json.dumps(about)})
        temporary.write_bytes(model.SerializeToString())

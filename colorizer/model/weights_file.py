"""Files of weights, as PyTorch and safetensors write them; nothing but weights is unpickled."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file


def read_weights(file: Path) -> Any:
    """What a .safetensors file holds, or one of PyTorch: as a rule tensors by name.

    Raises:
        Exception: of many kinds, where the file is something else, or damaged.
    """
    if file.suffix == ".safetensors":
        return load_file(file)
    return torch.load(file, map_location="cpu", weights_only=True)

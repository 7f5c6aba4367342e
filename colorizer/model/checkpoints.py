"""Checkpoints: a safetensors file with the network's weights and, in its metadata, all it takes to use them.

Loading is strict and never unpickles. The metadata holds one JSON text under "colorizer". Weights that others have
published (`published`) are read in their own form (`foreign`).
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from ..color.bins import N_BINS
from ..errors import UserError
from ..files import whole_file
from .foreign import converted, read_foreign
from .networks import NetworkConfig, build_network, weight_shapes
from .published import PUBLISHED, fetch_published

FORMAT = 2  # of networks with context; 1 of all others
BUNDLED = "bundled"  # the name of the checkpoint that comes with the program
_BUNDLED_FILE = Path(__file__).parent.parent / "weights" / "colorizer.safetensors"
_NETWORK, _PRIOR = "network.", "prior"
_IN_FOLDER = ("best.safetensors", "model.safetensors", "pytorch_model.bin")  # of a run, or of a repository of the Hub
_FOREIGN = (".pth", ".pt", ".bin")


@dataclass
class Checkpoint:
    """A network that is ready to color.

    Attributes:
        network: in eval mode, float32, on the CPU.
        config: what built it.
        prior: the training pictures' distribution of the ab bins, (313,); uniform for a regression.
        size: side of the training crops in pixels; 0 where it is not known.
        info: what it was trained on and with, for people.
        features_fingerprint: of the extractor whose embeddings it was trained on, if it takes any.
        features_weights: the file they were read from, if it was given.
    """

    network: nn.Module
    config: NetworkConfig
    prior: Tensor
    size: int
    info: dict[str, Any] = field(default_factory=dict)
    features_fingerprint: str | None = None
    features_weights: str | None = None

    @property
    def credit(self) -> str:
        """Whose network it is and under which license, where others have made it; else nothing."""
        spec = self.config.spec
        return f"{self.config.network}, {spec.source}, {spec.license}" if spec.source else ""


def _half(tensor: Tensor) -> Tensor:
    """float16 where the value range allows it; integers and large values stay."""
    small = tensor.to(torch.float16)
    return small if tensor.is_floating_point() and bool(small.isfinite().all()) else tensor


def save_checkpoint(checkpoint: Checkpoint, path: str | os.PathLike[str], half: bool = False) -> None:
    """Write a checkpoint whole or not at all.

    Args:
        checkpoint: what to write.
        path: the file, .safetensors.
        half: store 16-bit floats: half the size.
    """
    tensors = {_NETWORK + k: v for k, v in checkpoint.network.state_dict().items()}
    if checkpoint.config.objective == "classification":
        tensors[_PRIOR] = checkpoint.prior
    tensors = {k: v.detach().cpu().contiguous() for k, v in tensors.items()}
    if half:
        tensors = {k: v if k == _PRIOR else _half(v) for k, v in tensors.items()}
    config = {key: value for key, value in asdict(checkpoint.config).items() if value or key != "context"}
    about = {
        "format": FORMAT if checkpoint.config.context else 1,
        "config": config,
        "size": checkpoint.size,
        "features_fingerprint": checkpoint.features_fingerprint,
        "features_weights": checkpoint.features_weights,
        "info": checkpoint.info,
    }
    with whole_file(Path(path)) as temporary:
        try:
            save_file(tensors, temporary, metadata={"colorizer": json.dumps(about)})
        except SafetensorError as error:  # no room, most often
            raise OSError(str(error)) from error


def find_checkpoint(path: str | os.PathLike[str] | None) -> Path:
    """The file of a checkpoint.

    Args:
        path: None or "bundled" for the one that comes with the program; the name of a published network, such as
            "ddcolor"; the folder of a run, or of a repository of the Hub; a file; or "owner/name" of a repository on
            the Hugging Face Hub. What is not on this computer is downloaded.
    Raises:
        UserError: there is none.
    """
    if path is None or str(path) == BUNDLED:
        return _BUNDLED_FILE
    file = Path(path)
    if str(path) in PUBLISHED and not file.exists():
        return fetch_published(str(path))
    if file.is_dir():
        found = next((file / name for name in _IN_FOLDER if (file / name).is_file()), None)
        if found is None:
            raise UserError(f"{path} holds no best.safetensors yet: the run has not finished its first epoch.")
        return found
    if not file.exists():
        from .hub import is_repository, pull  # which takes a second to import

        if is_repository(str(path)):
            return pull(str(path))
    if not file.is_file():
        raise UserError(
            f"There is no checkpoint {path}. Give a .safetensors file, the folder of a run, or one of these: "
            f"{', '.join((BUNDLED, *PUBLISHED))}."
        )
    return file


def load_checkpoint(path: str | os.PathLike[str] | None = None) -> Checkpoint:
    """Read a checkpoint.

    Args:
        path: of `find_checkpoint`.
    Returns:
        its `network(L)`, with L as (N, 1, H, W) L / 50 - 1 in [-1, 1], gives ab / 110 as (N, 2, h, w) for a regression,
        and logits over the 313 bins as (N, 313, h, w) for a classification, at the network's own size: H/4 x W/4 for
        skip_fusion, H x W for published networks.
    Raises:
        UserError: not there, of no network that is known here, or damaged.
    """
    file = find_checkpoint(path)
    if file.suffix in _FOREIGN or not _is_ours(file):
        return _load_foreign(file)
    try:
        with safe_open(file, framework="pt") as opened:
            about = _about(opened)
            tensors = {key: opened.get_tensor(key) for key in opened.keys()}  # noqa: SIM118 - not a dict
        if about["format"] not in range(1, FORMAT + 1):
            raise UserError(f"{file} was written by a newer version of this program. Update it and try again.")
        config = NetworkConfig(**about["config"])
        prior = tensors.pop(_PRIOR, torch.full((N_BINS,), 1 / N_BINS)).float()
        state = {k.removeprefix(_NETWORK): v for k, v in tensors.items()}
        if {k: tuple(v.shape) for k, v in state.items()} != weight_shapes(config):  # which no memory might hold
            raise ValueError("weights of another network")
        network = build_network(config)
        network.load_state_dict(state, strict=True)
        if not all(bool(v.isfinite().all()) for v in (prior, *tensors.values()) if v.is_floating_point()):
            raise ValueError("weights that are not numbers")
        size, info = about["size"], about["info"]
        fingerprint, weights = about["features_fingerprint"], about["features_weights"]
        texts = all(text is None or isinstance(text, str) for text in (fingerprint, weights))
        if not (isinstance(size, int) and size >= 0 and isinstance(info, dict) and texts and len(prior) == N_BINS):
            raise TypeError("metadata of other types")
    except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError, OSError) as error:
        raise UserError(
            f"{file} is not a checkpoint of this program, or it is damaged ({type(error).__name__}). "
            f"Give a file that train.py wrote."
        ) from error
    return Checkpoint(network.eval(), config, prior, size, info, fingerprint, weights)


def crop_size_of(file: Path) -> int:
    """The side of the crops that a checkpoint of ours was trained on, without loading it."""
    with safe_open(file, framework="pt") as opened:
        return int(_about(opened)["size"])


def context_of(path: str | os.PathLike[str]) -> str:
    """The context of a checkpoint, see `NetworkConfig`, without loading it; "" of what can't be read."""
    try:
        with safe_open(find_checkpoint(path), framework="pt") as opened:
            return str(_about(opened)["config"].get("context", ""))
    except (UserError, SafetensorError, OSError, KeyError, ValueError, AttributeError, TypeError):
        return ""


def _about(opened: Any) -> dict[str, Any]:
    """The metadata of an open checkpoint of ours."""
    about: dict[str, Any] = json.loads((opened.metadata() or {})["colorizer"])
    return about


def _is_ours(file: Path) -> bool:
    """Whether it is a safetensors file with our metadata, or none at all, which is said in our own words."""
    try:
        with safe_open(file, framework="pt") as opened:
            return "colorizer" in (opened.metadata() or {})
    except (SafetensorError, OSError):
        return True


def _load_foreign(file: Path) -> Checkpoint:
    config, state = converted(read_foreign(file), file)
    with torch.device("meta"):
        network = build_network(config)
    network.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in state.items()}, assign=True)
    return Checkpoint(network.eval(), config, torch.full((N_BINS,), 1 / N_BINS), 0)

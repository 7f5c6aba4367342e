"""What a classifier that is no part of any colouring network here makes of pictures.

    judge = Judge()                             # tf_efficientnet_lite2
    label, features = judge(rgb)

`top-1` of coloured pictures is the "semantic interpretability" of Zhang et al. 2016, section 3.1. The Fréchet
distance of pooled features is that of Heusel et al., "GANs Trained by a Two Time-Scale Update Rule" (2017), eq. 6,
with this classifier instead of Inception; its values compare with each other, not with published FIDs.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import PurePath

import numpy as np
import numpy.typing as npt
import torch
from timm.data import ImageNetInfo

from .color import Array
from .data import resize
from .features import extractor_spec, load_backbone
from .runs import choose_device

_CROP = 0.89  # share of the short side that the classifier sees: its published evaluation setting
Features = npt.NDArray[np.float64]


@cache
def _labels() -> dict[str, int]:
    return {wnid: i for i, wnid in enumerate(ImageNetInfo().label_names())}


def true_label(name: str) -> int | None:
    """The ImageNet class, 0..999, that a file's or a folder's name begins with ("n01440764_1.jpg"), if it does."""
    for part in reversed(PurePath(name).parts):
        if found := re.match(r"n\d{8}(?!\d)", part):
            return _labels().get(found[0])
    return None


class Judge:
    """An ImageNet classifier on a device."""

    def __init__(self, name: str = "tf_efficientnet_lite2", weights: str | None = None, device: str = "auto") -> None:
        """Load its weights; see `features.load_backbone` for where from, and for the errors."""
        self.size, self.device = extractor_spec(name).size, choose_device(device)
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


def frechet_distance(x: Features, y: Features) -> float:
    """Squared Fréchet distance of the Gaussians fitted to two sets of features.

    |m1 - m2|² + tr(C1 + C2 - 2 (C1 C2)^½). With centred rows X and Y the last trace is the sum of the singular values
    of X Yᵀ over the root of both degrees of freedom, which needs no root of a large matrix.

    Args:
        x, y: (n, d) and (m, d), at least 2 rows each.
    """
    a, b = x - x.mean(0), y - y.mean(0)
    n, m = len(x) - 1, len(y) - 1
    mixed = np.linalg.svd(a @ b.T, compute_uv=False).sum() / np.sqrt(n * m)
    spread = (a**2).sum() / n + (b**2).sum() / m
    return float(((x.mean(0) - y.mean(0)) ** 2).sum() + spread - 2 * mixed)

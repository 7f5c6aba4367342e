"""Which thing a stroke lies on: a network that is given L and a stroke, and finds the object's mask.

    network = load_objects()
    features, kinds = network.features(lightness)               # once a picture
    logits = network(features, lightness, stroke)               # for each stroke

The trunk is that of `skip_fusion`, tuned on photographs with outlined objects; a small head compares each place's
features with those under the stroke. A second one names what is seen: so the network learns what belongs together, and
skin and hair are kept apart from what people wear. It is a network of its own, so that strokes hold to their objects
whatever network does the coloring.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import cast

import cv2
import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from ..color.bins import N_BINS
from ..errors import UserError
from .folding import folded
from .skip_fusion import SkipFusionNetwork

WEIGHTS = Path(__file__).parent.parent / "weights" / "objects.safetensors"
KINDS = 59  # labels of Clothing Co-Parsing (Yang, Luo and Lin 2014): garments, skin, hair, and 0, everything else
HAIR, SKIN = PEOPLE = 19, 41
_FEATURES, _EMBEDDING, _WIDTH = 96, 64, 64
_DILATIONS = (1, 2, 4, 8, 16, 1)
_UNDER = 0.01  # of the highest share: cells that a stroke lies on


class ObjectNetwork(nn.Module):
    """Finds the mask of the object under a stroke.

    Attributes:
        colors: (2, 313), how often hair and skin have each of the ab bins' colors; zeros if that was not learned.
    """

    colors: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("colors", torch.zeros(len(PEOPLE), N_BINS))
        self.trunk = SkipFusionNetwork("regression")
        self.trunk.head = nn.Conv2d(1, 1, 1)  # colors are not asked for
        self.embed = nn.Sequential(nn.Conv2d(_FEATURES, 64, 3, padding=1), nn.ReLU(), nn.Conv2d(64, _EMBEDDING, 1))
        self.kinds = nn.Conv2d(_FEATURES, KINDS, 1)
        layers: list[nn.Module] = []
        inputs = 2 * _EMBEDDING + 5
        for dilation in _DILATIONS:
            layers += [nn.Conv2d(inputs, _WIDTH, 3, padding=dilation, dilation=dilation), nn.ReLU()]
            inputs = _WIDTH
        self.body = nn.Sequential(*layers)
        self.out = nn.Conv2d(_WIDTH, 1, 1)
        self.to(memory_format=torch.channels_last)  # a tenth faster on a CPU

    def load_weights(self, path: Path) -> None:
        """Read what `save_objects` wrote.

        Raises:
            UserError: it is not that.
        """
        try:
            state = load_file(path)
            self.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in state.items()})
        except (OSError, SafetensorError, RuntimeError) as error:
            raise UserError(f"{path} does not hold the weights of the network that finds objects.") from error

    def features(self, lightness: Tensor) -> tuple[Tensor, Tensor]:
        """Of pictures, (N, 1, H, W) in [-1, 1]: features, (N, 64, H/4, W/4), and logits of kinds, (N, 59, H/4, W/4)."""
        x = self.trunk.decode(lightness)
        return cast(Tensor, self.embed(x)), cast(Tensor, self.kinds(x))

    def forward(self, features: Tensor, lightness: Tensor, stroke: Tensor) -> Tensor:
        """The object under each stroke.

        Args:
            features: of `features`.
            lightness: (N, 1, H, W) in [-1, 1].
            stroke: (N, 1, H/4, W/4), the share of each cell that the stroke covers; not all zero.
        Returns:
            (N, 1, H/4, W/4) logits.
        """
        light = F.interpolate(lightness, features.shape[-2:], mode="area")
        weight = stroke / stroke.sum((2, 3), keepdim=True).clamp(min=1e-6)
        under, light_under = ((x * weight).sum((2, 3), keepdim=True) for x in (features, light))
        alike = F.cosine_similarity(features, under.expand_as(features), dim=1)[:, None]
        seen = [
            features * under, (features - under) ** 2, alike, light, (light - light_under).abs(), distance_to(stroke),
            stroke,
        ]  # fmt: skip
        return cast(Tensor, self.out(self.body(torch.cat(seen, dim=1))))


def distance_to(stroke: Tensor) -> Tensor:
    """The distance of each cell of (N, 1, h, w) to the stroke, in the picture's longer sides."""
    planes = []
    for cells in stroke[:, 0].cpu().numpy():
        outside = (cells <= _UNDER * cells.max()).astype(np.uint8)
        planes.append(cv2.distanceTransform(outside, cv2.DIST_L2, 5) / max(outside.shape))
    return torch.from_numpy(np.stack(planes).astype(np.float32))[:, None].to(stroke.device)


def save_objects(network: ObjectNetwork, path: Path = WEIGHTS) -> None:
    """Write the weights in 16-bit floats."""
    state = {k: v.half() if v.is_floating_point() else v for k, v in network.state_dict().items()}
    save_file({k: v.contiguous() for k, v in state.items()}, path)


@cache
def objects_version() -> str:
    """12 hexadecimal digits of the bundled weights, on which every coloring by a classification network depends."""
    return hashlib.sha256(WEIGHTS.read_bytes()).hexdigest()[:12]


@cache
def load_objects() -> ObjectNetwork:
    """The network that comes with the program, on the CPU: a pass takes less than a twentieth of a second."""
    network = ObjectNetwork()
    network.load_weights(WEIGHTS)
    network.trunk = folded(network.trunk)
    return network.eval()

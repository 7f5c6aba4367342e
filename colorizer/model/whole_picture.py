"""What a frozen classifier sees in a whole picture, for a network that colors a part of it, or all of it.

A training crop shows half of what there is. Deep Koalarization (Baldassarre et al. 2017) joins one vector of the whole
picture to all of its places; here it is a map, of which the part that the crop covers is cut out, by RoI align (He et
al., "Mask R-CNN", ICCV 2017), and joined where it lies, and beside it the mean of all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..color.lab import denormalize_l
from .efficientnet_lite import EfficientNetLite
from .pretrained import FeatureExtractor, build_backbone

MAP_SIDE = 8
_WIDTH = 192  # between a map and what it adds
Box = tuple[float, float, float, float]


class MapExtractor(FeatureExtractor):
    """A frozen classifier's last map before its head, of a whole picture squeezed to a square."""

    def __init__(self, name: str) -> None:
        """With random weights.

        Args:
            name: one of `networks.CONTEXTS`.
        """
        backbone = cast(EfficientNetLite, build_backbone(name))
        backbone.reset_classifier(0)
        super().__init__(name, backbone)
        self.size = 32 * MAP_SIDE
        self.shape = (backbone.conv_head.in_channels, MAP_SIDE, MAP_SIDE)

    def load_pretrained(self, backbone: nn.Module) -> None:
        """Take over the weights of a pretrained classifier; its last layer is left out."""
        weights = backbone.state_dict()
        self.backbone.load_state_dict({k: weights[k] for k in self.backbone.state_dict()})

    @property
    def vector_length(self) -> int:
        """Of `vector`."""
        return cast(EfficientNetLite, self.backbone).num_features

    def _embedded(self, pictures: Tensor) -> Tensor:
        """(N, C, 8, 8) of (N, 3, 256, 256)."""
        return cast(EfficientNetLite, self.backbone).forward_maps(pictures)

    @torch.no_grad()
    def vector(self, maps: Tensor) -> Tensor:
        """The classifier's pooled vector, (N, 1280), of such maps."""
        backbone = cast(EfficientNetLite, self.backbone)
        return backbone.forward_head(backbone.forward_top(maps), pre_logits=True)


class _Addition(nn.Module):
    """From maps of a part and the mean of the whole to what is added to a decoder's map."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.part = nn.Conv2d(inputs, _WIDTH, 1, bias=False)
        self.mean = nn.Linear(inputs, _WIDTH, bias=False)
        self.norm = nn.BatchNorm2d(_WIDTH)
        self.out = nn.Conv2d(_WIDTH, outputs, 1)

    def forward(self, part: Tensor, mean: Tensor) -> Tensor:
        x = self.part(part) + self.mean(mean)[:, :, None, None]
        return cast(Tensor, self.out(F.relu(self.norm(x))))


class WholePicture(nn.Module):
    """The frozen classifier, and what its maps add to a decoder's at several strides; nothing before training."""

    def __init__(self, name: str, outputs: Sequence[int]) -> None:
        """With random weights.

        Args:
            name: one of `networks.CONTEXTS`.
            outputs: channels of the decoder's maps, the deepest first.
        """
        super().__init__()
        self.extractor = MapExtractor(name)
        self.additions = nn.ModuleList(_Addition(self.extractor.shape[0], n) for n in outputs)
        self.vector = nn.Linear(self.extractor.vector_length, outputs[0])
        if not self.vector.weight.is_meta:
            self.silence()

    def silence(self) -> None:
        """Let nothing be added, until it is learned."""
        last: list[nn.Module] = [self.vector, *(cast(_Addition, addition).out for addition in self.additions)]
        for parameter in (p for layer in last for p in layer.parameters()):
            nn.init.zeros_(parameter)

    def embed(self, lightness: Tensor) -> Tensor:
        """The maps, (N, C, 8, 8), of whole pictures: (N, 1, H, W) in [-1, 1] of any size, best 256 x 256."""
        side = self.extractor.size  # without antialiasing, which ONNX files know no operator for
        return cast(Tensor, self.extractor(denormalize_l(F.interpolate(lightness, (side, side), mode="bilinear"))))

    def forward(self, embedding: Tensor, sizes: Sequence[tuple[int, int]]) -> list[Tensor]:
        """What is added.

        Args:
            embedding: (N, 2, C, 8, 8), of `part_and_whole`; or (N, C, 8, 8) where all of the picture is colored.
            sizes: (height, width) of the decoder's maps.
        Returns:
            (N, outputs[k], *sizes[k]) for each.
        """
        part, whole = embedding.unbind(1) if embedding.ndim == 5 else (embedding, embedding)
        mean = whole.mean((2, 3))
        added = [addition(part, mean) for addition in self.additions]
        added[0] = added[0] + self.vector(self.extractor.vector(whole))[:, :, None, None]
        return [F.interpolate(x, size, mode="bilinear") for x, size in zip(added, sizes, strict=True)]


def part_and_whole(embedding: Tensor, box: Box) -> Tensor:
    """The part of a map that a crop covers, and all of it.

    Args:
        embedding: (C, S, S), of a whole picture.
        box: of the crop: left, top, right and bottom as shares of the picture's width and height.
    Returns:
        (2, C, S, S).
    """
    from torchvision.ops import roi_align  # which colors nothing, and takes a second to import

    side = embedding.shape[-1]
    boxes = torch.tensor([[0.0, *(side * edge for edge in box)]])  # the first is which map it is of
    part = roi_align(embedding[None], boxes, side, sampling_ratio=1, aligned=True)
    return torch.stack([part[0], embedding])

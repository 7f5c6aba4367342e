"""What tells true colors from made ones, for a finish that rewards what looks true."""

from __future__ import annotations

from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

_SLOPE = 0.2  # of the leaky rectifiers


def hinge(true: Tensor, made: Tensor) -> Tensor:
    """Loss of a discriminator (Lim and Ye 2017): 0 when it tells all apart by a margin, 2 when it tells nothing."""
    return F.relu(1 - true).mean() + F.relu(1 + made).mean()


class PatchDiscriminator(nn.Module):
    """Tells true colors from the network's, patch by patch, given L (Isola et al. 2017, section 3.2.2).

    Its layers are normalized spectrally (Miyato et al. 2018).
    """

    WIDTH = 48

    def __init__(self) -> None:
        super().__init__()
        width = self.WIDTH
        shapes = [
            (3, width, 3, 1),
            (width, 2 * width, 4, 2),
            (2 * width, 4 * width, 4, 2),
            (4 * width, 4 * width, 3, 1),
        ]
        layers: list[nn.Module] = []
        for inputs, outputs, kernel, stride in shapes:
            conv = nn.Conv2d(inputs, outputs, kernel, stride, padding=1)
            layers += [spectral_norm(conv), nn.LeakyReLU(_SLOPE)]
        self.layers = nn.Sequential(*layers, spectral_norm(nn.Conv2d(4 * width, 1, 1)))

    def forward(self, lightness: Tensor, ab: Tensor) -> Tensor:
        """How true each patch looks, (N, 1, h/4, w/4).

        Args:
            lightness: (N, 1, h, w), L in [0, 100].
            ab: (N, 2, h, w) in Lab units.
        """
        return cast(Tensor, self.layers(torch.cat([lightness / 50 - 1, ab / 50], dim=1)))


class FeatureDiscriminator(nn.Module):
    """Tells true pictures from made ones by what a frozen classifier sees in them (Sauer et al. 2021).

    A small head for each of its maps, and one for its pooled vector. Patches know textures and edges of colors; these
    know things, and which colors they have.
    """

    WIDTH = 96

    def __init__(self, channels: list[int]) -> None:
        """channels: of the maps, the pooled vector's last."""
        super().__init__()
        self.heads = nn.ModuleList(self._head(count, pooled) for count, pooled in
                                   zip(channels, [False] * (len(channels) - 1) + [True], strict=True))  # fmt: skip

    def _head(self, channels: int, pooled: bool) -> nn.Module:
        kernel = 1 if pooled else 3
        return nn.Sequential(
            spectral_norm(nn.Conv2d(channels, self.WIDTH, 1)), nn.LeakyReLU(_SLOPE),
            spectral_norm(nn.Conv2d(self.WIDTH, self.WIDTH, kernel, padding=kernel // 2)), nn.LeakyReLU(_SLOPE),
            spectral_norm(nn.Conv2d(self.WIDTH, 1, 1)),
        )  # fmt: skip

    def forward(self, features: list[Tensor]) -> list[Tensor]:
        """How true each map's places look.

        Args:
            features: maps (N, C, h, w), and the pooled vector (N, C).
        """
        maps = [f if f.dim() == 4 else f[:, :, None, None] for f in features]
        # of equal length everywhere: otherwise the largest activations decide alone
        scaled = [F.normalize(f, dim=1) * f.shape[1] ** 0.5 for f in maps]
        return [head(f) for head, f in zip(self.heads, scaled, strict=True)]


class Seen(NamedTuple):
    """Pictures, true or made, as both kinds of discriminators see them."""

    lightness: Tensor  # (N, 1, h, w), L in [0, 100]
    ab: Tensor  # (N, 2, h, w) in Lab units
    features: list[Tensor]  # of a frozen classifier, of some of the pictures

    def detach(self) -> Seen:
        """The same without a way back to what made it."""
        return Seen(self.lightness, self.ab.detach(), [f.detach() for f in self.features])


class Discriminators(nn.Module):
    """One of patches and one of features.

    The gradient of the first is weaker, pixel by pixel, and told for more.
    """

    PATCHES = 5.0

    def __init__(self, channels: list[int]) -> None:
        """channels: of the classifier's maps and pooled vector."""
        super().__init__()
        self.patches, self.features = PatchDiscriminator(), FeatureDiscriminator(channels)

    def forward(self, seen: Seen) -> list[Tensor]:
        """What each says of each place, patches first."""
        return [self.patches(seen.lightness, seen.ab), *self.features(seen.features)]

    def loss(self, true: Seen, made: Seen) -> Tensor:
        """Their own."""
        patches, *features = (hinge(t, m) for t, m in zip(self(true), self(made.detach()), strict=True))
        return patches + torch.stack(features).mean()

    def objection(self, made: Seen) -> Tensor:
        """What they have against the colors."""
        patches, *features = (-said.mean() for said in self(made))
        return cast(Tensor, self.PATCHES * patches + torch.stack(features).mean())

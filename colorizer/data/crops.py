"""What the network is trained on: crops of pictures, in an order that can be resumed."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from ..arrays import Array, resize
from ..color.bins import soft_histogram
from ..color.lab import lightness, rgb_to_lab_tensor
from ..errors import UserError
from ..model.whole_picture import Box, part_and_whole
from ..pictures.reading import thumbnail_rgb
from ..pictures.sources import PictureSource
from .degradation import degrade
from .embeddings import EmbeddingCache
from .folder_weights import Weights
from .hint_sampling import Patch, draw_patches, draw_patches_within, hint_planes
from .recoloring import recolor
from .scan import SCAN_SIDE, PictureInfo

_TRIES = 3  # to find a picture that is still there
RECOLORED = 0.3  # share of the pictures with hints
_ROUNDING = 1e-6  # that a sum in another order may be smaller


class Sample(NamedTuple):
    """One training picture.

    Attributes:
        rgb: (3, S, S) uint8, whose colors are to be learned.
        lightness: (1, S, S) float32, the L in [0, 100] that the network sees; perhaps degraded.
        hints: (3, S, S) float32 of `hint_sampling.hint_planes`, or (0,) for a network that takes none.
        embedding: float32, (1000,); or of a map of `WholePicture`, (2, C, S, S); or (0,) without one.
        lost: (), how many pictures in place of which it stands, because they can't be read any more.
    """

    rgb: Tensor
    lightness: Tensor
    hints: Tensor
    embedding: Tensor
    lost: Tensor


class Place(NamedTuple):
    """Of a square crop, in pixels of its picture."""

    top: int
    left: int
    side: int

    def cut(self, rgb: Array, size: int) -> Array:
        """What is there, resized to size x size."""
        return resize(rgb[self.top : self.top + self.side, self.left : self.left + self.side], size, size)

    def box(self, height: int, width: int, flip: bool) -> Box:
        """In shares of a picture of that size; of the flipped picture, if it is flipped."""
        left = width - self.left - self.side if flip else self.left
        return left / width, self.top / height, (left + self.side) / width, (self.top + self.side) / height


def draw_place(height: int, width: int, rng: np.random.Generator | None) -> Place:
    """A square of 60 to 100% of the short side anywhere, or the middle without `rng`."""
    short = min(height, width)
    side = short if rng is None else round(short * rng.uniform(0.6, 1.0))
    corner = rng.random(2) if rng is not None else np.array([0.5, 0.5])
    return Place(round(corner[0] * (height - side)), round(corner[1] * (width - side)), side)


def crop(rgb: Array, size: int, rng: np.random.Generator | None) -> Array:
    """A square crop of `draw_place`, resized to size x size."""
    return draw_place(rgb.shape[0], rgb.shape[1], rng).cut(rgb, size)


@dataclass
class CropDataset(Dataset[Sample]):
    """Crops of pictures. Items are asked for as (epoch, index), and depend on nothing else but the seed.

    Training crops are random in place, zoom and flip; a share `degrade` of them has its L made old, a share `hinted`
    gets hints (None: the network takes none), and of those with hints a share has something recolored. With `augment`
    off, the middle, unflipped, as it is, without hints.
    """

    source: PictureSource
    pictures: Sequence[PictureInfo]
    size: int
    seed: int = 0
    augment: bool = True
    degrade: float = 0.0
    hinted: float | None = None
    embeddings: EmbeddingCache | None = None

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, item: tuple[int, int]) -> Sample:
        epoch, index = item
        rgb, lost, height, width, place = None, 0, 1, 1, Place(0, 0, 1)
        while rgb is None and lost < _TRIES:  # one that is gone meanwhile is replaced by the one behind it
            picture = self.pictures[(index + lost) % len(self)]
            rng = np.random.default_rng((self.seed, epoch, index)) if self.augment else None
            try:
                photo = thumbnail_rgb(self.source.read(picture.name), self.size * 5 // 3)
                height, width = photo.shape[:2]
                place = draw_place(height, width, rng)
                rgb = place.cut(photo, self.size)
            except (UserError, OSError):
                lost += 1
        if rgb is None:
            rgb = np.zeros((self.size, self.size, 3), np.uint8)
        flip = rng is not None and rng.random() < 0.5
        if flip:
            rgb = rgb[:, ::-1]
        patches: list[Patch] = []
        if rng is not None and self.hinted is not None:
            patches = draw_patches(rng, (self.size, self.size), self.hinted)
            if patches and rng.random() < RECOLORED and (recolored := recolor(rgb, rng)):
                rgb, region = recolored
                patches = draw_patches_within(rng, region) + patches[: int(rng.integers(4))]
        light = lightness(rgb)
        if rng is not None and rng.random() < self.degrade:
            light = degrade(light, rng)
        embedding = torch.empty(0)
        if self.embeddings is not None:
            embedding = torch.from_numpy(self.embeddings.get(picture.key, flip))
            if self.embeddings.maps:
                embedding = part_and_whole(embedding, place.box(height, width, flip))
        pixels = torch.from_numpy(np.ascontiguousarray(rgb.transpose(2, 0, 1)))
        hints = (
            torch.from_numpy(hint_planes(rgb, patches))
            if rng is not None and self.hinted is not None
            else torch.empty(0)
        )
        return Sample(pixels, torch.from_numpy(light)[None], hints, embedding, torch.tensor(lost))


@dataclass
class BatchOrder(Sampler[list[tuple[int, int]]]):
    """The batches of one epoch for one of `ranks` processes, from `start` on.

    The order is drawn from (seed, epoch) alone, and a batch is divided among the processes: any number of
    them sees the same global batches, and a resumed epoch continues with the very pictures that were next.
    With `weights`, each picture comes that often on average over the epochs, and all epochs are equally long.
    """

    length: int
    batch_size: int
    seed: int
    epoch: int
    start: int = 0
    rank: int = 0
    ranks: int = 1
    weights: Weights | None = None

    @cached_property
    def pictures(self) -> int:
        """Pictures in a whole epoch, counted as often as they come."""
        return self.length if self.weights is None else max(int(self.weights.sum() + _ROUNDING), 1)

    @cached_property
    def batches(self) -> int:
        """Batches in a whole epoch; an incomplete last one is left out unless it is the only one."""
        return max(self.pictures // self.batch_size, 1)

    def __len__(self) -> int:
        return self.batches - self.start

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        rng = np.random.default_rng((self.seed, self.epoch))
        order = rng.permutation(self.length)
        if self.weights is not None:  # each comes as often as a whole number is passed when its weight is added
            passed = np.floor(np.cumsum(self.weights[order]) + _ROUNDING).astype(int)
            order = rng.permutation(np.repeat(order, np.diff(passed, prepend=0)))
        for batch in range(self.start, self.batches):
            indices = order[batch * self.batch_size : (batch + 1) * self.batch_size]
            yield [(self.epoch, int(i)) for i in indices[self.rank :: self.ranks]]


def ab_prior(dataset: CropDataset, sample: int = 2000) -> Tensor:
    """The empirical distribution of the 313 bins, smoothed by the soft encoding: (313,) float32, sum 1.

    Args:
        dataset: training pictures.
        sample: how many to look at, evenly spaced.
    """
    chosen = np.unique(np.linspace(0, len(dataset) - 1, sample).round().astype(int))

    def histogram(index: int) -> Tensor:
        data = dataset.source.read(dataset.pictures[index].name)
        small = torch.from_numpy(crop(thumbnail_rgb(data, SCAN_SIDE), SCAN_SIDE, None))
        return soft_histogram(rgb_to_lab_tensor(small.permute(2, 0, 1)[None].float() / 255)[:, 1:])

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        total = torch.stack(list(pool.map(histogram, chosen))).sum(0)
    return (total / total.sum()).float()

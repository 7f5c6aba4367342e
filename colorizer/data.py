"""Photo data sets: which pictures are fit to train on, the split, and the crops.

source = open_source("photos/")
scan = scan_pictures(source)                    # gray and broken pictures left out, and counted
train, validation = split(scan.pictures, 0.05)  # by content: new pictures move none across
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from .color import Array, lightness, rgb_to_lab, rgb_to_lab_tensor, soft_histogram
from .degradation import degrade
from .errors import UserError
from .files import cache_folder, write_text
from .hints import Patch, draw_patches, draw_patches_within, hint_planes
from .pictures import thumbnail_rgb
from .recoloring import recolor
from .sources import PictureSource

if TYPE_CHECKING:
    from .embeddings import EmbeddingCache

GRAY_CHROMA = 4.0  # mean chroma under which a picture teaches gray
RECOLORED = 0.3  # share of the pictures with hints
SMALLEST_SIDE = 32
_SCAN_SIDE = 64


# ----------------------------------------------------------------------------------------------- scan


@dataclass(frozen=True)
class PictureInfo:
    """A picture that is fit to train on; `key` is the hash of its file's content."""

    name: str
    key: str


@dataclass
class Scan:
    """What is in a source: the pictures in the order of their names, and the names left out, by reason."""

    pictures: list[PictureInfo]
    left_out: dict[str, list[str]]

    def summary(self) -> str:
        """One line: how many pictures, and how many were left out and why."""
        why = ", ".join(f"{len(names)} {reason}" for reason, names in self.left_out.items())
        return f"{len(self.pictures)} pictures" + (f" ({why} left out)" if why else "")


def scan_pictures(
    source: PictureSource,
    keep_gray: bool = False,
    cache: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Scan:
    """Decode every picture once; leave out the broken, the tiny, the doubled, and (to train on) the gray.

    Args:
        source: the pictures.
        keep_gray: for measuring, a gray photograph is a photograph.
        cache: a folder that remembers what was found, by file name, size and time; default `cache_folder()`.
        progress: called with (done, total).
    """
    memory_file = _scan_file(source, cache or cache_folder())
    memory: dict[str, list[str]] = _read_json(memory_file)

    def look(name: str) -> tuple[str, list[str]]:
        stamp = source.stamp(name)
        known = memory.get(name)
        return name, known if known and known[0] == stamp else [stamp, *_examine(source, name)]

    found: dict[str, list[str]] = {}
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for done, (name, entry) in enumerate(pool.map(look, source.names), 1):
            found[name] = entry
            if progress:
                progress(done, len(source.names))
    if found != memory:
        write_text(memory_file, json.dumps(found))
    seen: set[str] = set()
    scan = Scan([], {})
    for name, (_, key, verdict) in found.items():
        reason = "doubled" if key in seen else "" if verdict == "gray" and keep_gray else verdict
        seen.add(key)
        if reason:
            scan.left_out.setdefault(reason, []).append(name)
        else:
            scan.pictures.append(PictureInfo(name, key))
    return scan


def _examine(source: PictureSource, name: str) -> tuple[str, str]:
    """(content hash, reason to leave it out or "")."""
    try:
        data = source.read(name)
        key = hashlib.sha1(data, usedforsecurity=False).hexdigest()
    except (OSError, UserError):
        return name, "broken"
    try:
        rgb = thumbnail_rgb(data, _SCAN_SIDE)
    except UserError:
        return key, "broken"
    if min(rgb.shape[:2]) < SMALLEST_SIDE:
        return key, "tiny"
    small = cv2.resize(rgb, (_SCAN_SIDE, _SCAN_SIDE), interpolation=cv2.INTER_AREA)
    chroma = np.hypot(*np.moveaxis(rgb_to_lab(small)[..., 1:], -1, 0)).mean()
    return key, "gray" if chroma < GRAY_CHROMA else ""


def _scan_file(source: PictureSource, folder: Path) -> Path:
    return folder / "scans" / f"{hashlib.sha256(source.location.encode()).hexdigest()[:16]}.json"


def _read_json(path: Path) -> dict[str, list[str]]:
    try:
        return dict(json.loads(path.read_text()))
    except (OSError, ValueError):
        return {}


def split(pictures: Sequence[PictureInfo], fraction: float) -> tuple[list[PictureInfo], list[PictureInfo]]:
    """Divide pictures into (training, validation) by their content.

    Where a picture goes depends on nothing but its own bytes, so adding, renaming or removing others moves
    none across. A data set too small for its share of hashes still gets one validation picture.

    Args:
        pictures: at least 2.
        fraction: of validation pictures, (0, 1).
    Raises:
        UserError: fewer than 2 pictures.
    """
    if len(pictures) < 2:
        raise UserError("Training needs at least 2 color pictures: one to learn from and one to check with.")
    by_key = sorted(pictures, key=lambda p: p.key)
    limit = int(fraction * 16**8)
    count = sum(int(p.key[:8], 16) < limit for p in by_key)
    held_out = {p.key for p in by_key[: min(max(count, 1), len(by_key) - 1)]}
    return [p for p in pictures if p.key not in held_out], [p for p in pictures if p.key in held_out]


# ---------------------------------------------------------------------------------------------- crops


class Sample(NamedTuple):
    """One training picture.

    Attributes:
        rgb: (3, S, S) uint8, whose colors are to be learned.
        lightness: (1, S, S) float32, the L in [0, 100] that the network sees; perhaps degraded.
        hints: (3, S, S) float32 of `hints.hint_planes`, or (0,) for a network that takes none.
        embedding: (1000,) float32, or (0,) without one.
    """

    rgb: Tensor
    lightness: Tensor
    hints: Tensor
    embedding: Tensor


def resize(rgb: Array, width: int, height: int) -> Array:
    """Resize HWC or HW: averaging areas on the way down, cubic on the way up."""
    down = width * height < rgb.shape[0] * rgb.shape[1]
    return cv2.resize(rgb, (width, height), interpolation=cv2.INTER_AREA if down else cv2.INTER_CUBIC)


def crop(rgb: Array, size: int, rng: np.random.Generator | None) -> Array:
    """A square crop, resized to size x size: 60 to 100% of the short side anywhere, or the middle without `rng`."""
    height, width = rgb.shape[:2]
    short = min(height, width)
    side = short if rng is None else round(short * rng.uniform(0.6, 1.0))
    corner = rng.random(2) if rng is not None else np.array([0.5, 0.5])
    top, left = round(corner[0] * (height - side)), round(corner[1] * (width - side))
    return resize(rgb[top : top + side, left : left + side], size, size)


@dataclass
class CropDataset(Dataset[Sample]):
    """Crops of pictures. Items are asked for as (epoch, index), and depend on nothing else but the seed.

    Training crops are random in place, zoom and flip; a share `degrade` of them has its L made old, and of those with
    hints a share has something recolored. With `augment` off, the middle, unflipped, as it is, without hints.
    """

    source: PictureSource
    pictures: Sequence[PictureInfo]
    size: int
    seed: int = 0
    augment: bool = True
    degrade: float = 0.0
    hints: bool = False
    embeddings: EmbeddingCache | None = None

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, item: tuple[int, int]) -> Sample:
        epoch, index = item
        picture = self.pictures[index]
        rng = np.random.default_rng((self.seed, epoch, index)) if self.augment else None
        rgb = crop(thumbnail_rgb(self.source.read(picture.name), self.size * 5 // 3), self.size, rng)
        flip = rng is not None and rng.random() < 0.5
        if flip:
            rgb = rgb[:, ::-1]
        patches: list[Patch] = []
        if rng is not None and self.hints:
            patches = draw_patches(rng, *rgb.shape[:2])
            if patches and rng.random() < RECOLORED and (recolored := recolor(rgb, rng)):
                rgb, region = recolored
                patches = draw_patches_within(rng, region) + patches[: int(rng.integers(4))]
        light = lightness(rgb)
        if rng is not None and rng.random() < self.degrade:
            light = degrade(light, rng)
        embedding = torch.from_numpy(self.embeddings.get(picture.key, flip)) if self.embeddings else torch.empty(0)
        pixels = torch.from_numpy(np.ascontiguousarray(rgb.transpose(2, 0, 1)))
        hints = torch.from_numpy(hint_planes(rgb, patches)) if rng is not None and self.hints else torch.empty(0)
        return Sample(pixels, torch.from_numpy(light)[None], hints, embedding)


@dataclass
class BatchOrder(Sampler[list[tuple[int, int]]]):
    """The batches of one epoch for one of `ranks` processes, from `start` on.

    The order is drawn from (seed, epoch) alone, and a batch is divided among the processes: any number of
    them sees the same global batches, and a resumed epoch goes on with the very pictures that were next.
    """

    length: int
    batch_size: int
    seed: int
    epoch: int
    start: int = 0
    rank: int = 0
    ranks: int = 1

    @cached_property
    def batches(self) -> int:
        """Batches in a whole epoch; an incomplete last one is left out unless it is the only one."""
        return max(self.length // self.batch_size, 1)

    def __len__(self) -> int:
        return self.batches - self.start

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        order = np.random.default_rng((self.seed, self.epoch)).permutation(self.length)
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
        small = torch.from_numpy(crop(thumbnail_rgb(data, _SCAN_SIDE), _SCAN_SIDE, None))
        return soft_histogram(rgb_to_lab_tensor(small.permute(2, 0, 1)[None].float() / 255)[:, 1:])

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        total = torch.stack(list(pool.map(histogram, chosen))).sum(0)
    return (total / total.sum()).float()

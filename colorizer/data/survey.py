"""What a run learns from: the pictures of a data set, divided into those for training and those for validation."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from ..pictures.sources import PictureSource, open_source
from .scan import PictureInfo, Scan, scan_pictures, split


class Survey(NamedTuple):
    """What a run would learn from.

    Attributes:
        source: of the pictures.
        scan: what is in it.
        train: for training.
        validation: those of `held_out` that are looked at after each epoch.
        held_out: all that are not for training.
    """

    source: PictureSource
    scan: Scan
    train: list[PictureInfo]
    validation: list[PictureInfo]
    held_out: list[PictureInfo]


def survey(
    data: str,
    limit: int | None = None,
    validation_share: float = 0.05,
    validation_pictures: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Survey:
    """Look at a run's pictures.

    Args:
        data: as of `sources.open_source`.
        limit: use at most this many, evenly spaced.
        validation_share: of the pictures.
        validation_pictures: at most, of those for validation; None for all.
        progress: called with (done, total).
    """
    source = open_source(data)
    scan = scan_pictures(source, progress=progress)
    pictures = scan.pictures
    if limit:
        pictures = pictures[:: max(len(pictures) // limit, 1)][:limit]
    train, held_out = split(pictures, validation_share)
    every = max(len(held_out) // validation_pictures, 1) if validation_pictures else 1
    return Survey(source, scan, train, held_out[::every][:validation_pictures], held_out)

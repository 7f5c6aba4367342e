"""The pictures that are measured on."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..arrays import Array, eight_bit
from ..data.scan import content_key, scan_pictures
from ..data.survey import survey
from ..errors import UserError
from ..files import write_text
from ..model.checkpoints import find_checkpoint
from ..pictures.reading import read_picture
from ..pictures.sources import PictureSource, open_source

_LEARNED_FROM = "learned_from.txt"  # in a run's folder: hashes of pictures, a line each
HELD_OUT = "held-out"  # the data set that stands for the pictures a run did not learn from


@dataclass
class TestSet:
    """The pictures to measure on: all that can be read, gray ones too.

    Attributes:
        data: what the user called it.
        source: of the pictures.
        names: of those to measure on.
        left_out: names, by reason.
        keys: hashes of the files' content, by name, as far as they are known.
    """

    data: str
    source: PictureSource
    names: Sequence[str]
    left_out: dict[str, list[str]]
    keys: dict[str, str] = field(default_factory=dict)

    __test__ = False  # not a test class

    @classmethod
    def open(cls, data: str, limit: int | None = None, run: Path | None = None) -> TestSet:
        """Open a data set.

        Args:
            data: as of `sources.open_source`, or "held-out": what `run` did not learn from.
            limit: take that many, evenly spaced.
            run: the folder of a run.
        """
        left_out: dict[str, list[str]] = {}
        keys: dict[str, str] = {}
        if data == HELD_OUT:
            if run is None or not run.is_dir():
                raise UserError("Held-out pictures are those of a run: choose one as the first checkpoint.")
            source, names = _held_out(run)
        else:
            source = open_source(data, training=False)
            scan = scan_pictures(source, keep_gray=True)
            keys, left_out = {p.name: p.key for p in scan.pictures}, scan.left_out
            names = list(keys)
        if limit and limit < len(names):
            names = [names[i] for i in np.linspace(0, len(names) - 1, limit).round().astype(int)]
        if not names:
            raise UserError(f"No picture in {data} can be read.")
        return cls(data, source, names, left_out, keys)

    def read(self, name: str) -> Array:
        """A picture, HWC uint8."""
        return eight_bit(read_picture(self.source.read(name), name).rgb)

    def seen_by(self, run: Path) -> int:
        """How many of the pictures a run has learned from, by the content of their files."""
        learned = learned_from(run)
        return sum(self._key(name) in learned for name in self.names) if learned else 0

    def _key(self, name: str) -> str:
        if name not in self.keys:
            self.keys[name] = content_key(self.source.read(name))
        return self.keys[name]


def run_folder(checkpoint: str) -> Path | None:
    """The folder of the run that a checkpoint is of, if it is one."""
    folder = find_checkpoint(checkpoint).parent
    return folder if (folder / "config.json").is_file() else None


def learned_from(run: Path) -> set[str]:
    """Hashes of the pictures that a run learned from; none, where it has not noted them."""
    try:
        return set((run / _LEARNED_FROM).read_text().split())
    except OSError:
        return set()


def write_learned_from(run: Path, keys: Iterable[str]) -> None:
    """Note them."""
    write_text(run / _LEARNED_FROM, "".join(f"{key}\n" for key in sorted(keys)))


def held_out_data(run: Path) -> str:
    """The data set that a run's held-out pictures are a part of.

    Raises:
        UserError: the folder is not that of a run.
    """
    return str(_read(run, "config.json")["data"])


def _held_out(run: Path) -> tuple[PictureSource, list[str]]:
    """What a run noted; of a run of version 0.1, which noted nothing, its split is made again."""
    config = _read(run, "config.json")
    if not (run / "held_out.json").exists():
        again = survey(config["data"], config["limit"], config["validation"])
        return again.source, [p.name for p in again.held_out]
    source = open_source(config["data"])
    there = set(source.names)
    return source, [name for name in _read(run, "held_out.json")["names"] if name in there]


def _read(run: Path, name: str) -> dict:  # type: ignore[type-arg]
    try:
        return dict(json.loads((run / name).read_text()))
    except (OSError, ValueError) as error:
        raise UserError(f"{run} is not the folder of a training run.") from error

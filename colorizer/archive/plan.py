"""What is to be done with an archive: which pictures, how each is colored, and what is done already."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, get_type_hints

import pandas as pd

from ..errors import UserError
from ..inference.settings import Settings
from ..model.hints import parse_hints
from ..pictures.sources import is_picture
from ..pictures.writing import Output
from .manifest import DONE
from .network import Network
from .places import Picture, Place, open_place

_MOST_PICTURES, _MOST_BYTES = 64, 64_000_000  # of a batch: what is done again after a worker has ended, at most
_EACH = 8  # batches for a worker, at least, while pictures last
_UNLISTED = ("http://", "https://")  # a table names their pictures


@dataclass(frozen=True)
class Task:
    """A picture and how it is colored.

    Attributes:
        picture: of the source.
        settings: how to color it.
        hints: of `parse_hints`, if the table has any.
        recipe: 12 hexadecimal digits that change with whatever makes other colors or another file.
    """

    picture: Picture
    settings: Settings
    hints: tuple[Any, ...] | None = None
    recipe: str = ""


@dataclass(frozen=True)
class Archive:
    """Where from, where to, and how.

    Attributes:
        source: where the pictures are.
        target: where the results go.
        network: which colors them.
        settings: how, where the table says nothing else.
        output: how the results are written.
        features_weights: a file of weights for the feature extractor, at the same path on every machine.
        device: "auto", "cuda", "mps" or "cpu".
    """

    source: Place
    target: Place
    network: Network
    settings: Settings = field(default_factory=Settings)
    output: Output = field(default_factory=Output)
    features_weights: str | None = None
    device: str = "auto"

    @classmethod
    def between(cls, source: str, target: str, checkpoint: str | None = None, **more: Any) -> Archive:
        """By addresses; the other arguments are the attributes.

        Raises:
            UserError: a place, or the checkpoint, isn't there; or the result would lie among the pictures.
        """
        places = open_place(source), open_place(target)
        (source_url, target_url) = (
            place.url if "://" in place.url else str(Path(place.url).resolve()) for place in places
        )
        if f"{target_url}/".startswith(f"{source_url}/") and not places[0].shards:
            raise UserError(
                f"{target} lies in {source}: the results would be colored, too. Choose another destination."
            )
        if places[1].shards and "*" not in places[1].shards:
            raise UserError(f"Several tar files are written: put a star into {target}, such as colored-*.tar.")
        return cls(*places, Network.of(checkpoint), **more)

    def tasks(self, table: Path | None = None) -> Iterator[Task]:
        """All pictures of the source, and how each is colored.

        Args:
            table: of `read_table`.
        Raises:
            UserError: the source can't be read, or the table is wrong.
        """
        told = read_table(table, self.settings) if table else {}
        known = set()
        if not (told and self.source.url.startswith(_UNLISTED)):
            for picture in self.source.pictures():
                known.add(picture.name)
                yield self._with_recipe(Task(picture, *told.get(picture.name, (self.settings, None))))
        for name in told.keys() - known:
            yield self._with_recipe(Task(Picture(name), *told[name]))

    def _with_recipe(self, task: Task) -> Task:
        parts = asdict(task.settings), task.hints, task.picture.hints, asdict(self.output), self.network.digest
        return replace(task, recipe=hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:12])


def left_to_do(tasks: Iterable[Task], manifest: pd.DataFrame) -> list[Task]:
    """Those that are not done yet by the same recipe, of the same file; what failed is tried again."""
    done = manifest[manifest["outcome"] == DONE]
    known = set(zip(done["name"], done["stamp"], done["recipe"], strict=True))
    return [task for task in tasks if (task.picture.name, task.picture.stamp, task.recipe) not in known]


def batches(tasks: Sequence[Task], workers: int = 1) -> Iterator[list[Task]]:
    """Of at most 64 pictures and about 64 MB each, and so many that all workers end at about the same time."""
    batch: list[Task] = []
    most, size = min(max(len(tasks) // (workers * _EACH), 1), _MOST_PICTURES), 0
    for task in tasks:
        if batch and (len(batch) == most or size + task.picture.size > _MOST_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(task)
        size += task.picture.size
    if batch:
        yield batch


def read_table(path: Path, usual: Settings) -> dict[str, tuple[Settings, tuple[Any, ...] | None]]:
    """Settings and hints by the pictures' names, of a CSV or Parquet file.

    Args:
        path: the file. Its columns are `name`, and any of the fields of `Settings`, and `hints`, a JSON text as of
            `parse_hints`; an empty cell says nothing.
        usual: the settings where it says nothing.
    Raises:
        UserError: not such a table; it names the picture at which it is wrong.
    """
    kinds = {field.name: get_type_hints(Settings)[field.name] for field in fields(Settings)}
    try:
        frame = pd.read_parquet(path) if path.suffix.lower() == ".parquet" else pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise UserError(f"The table {path} can't be read: {error}.") from error
    if "name" not in frame or (unknown := [str(c) for c in frame.columns if c not in ("name", "hints", *kinds)]):
        wrong = f"the column {unknown[0]} is not known" if "name" in frame else "the column name is missing"
        raise UserError(f"Of the table {path}, {wrong}. It may have name, hints, {', '.join(kinds)}.")
    told: dict[str, tuple[Settings, tuple[Any, ...] | None]] = {}
    for row in frame.to_dict("records"):
        name = str(row["name"])
        given = {str(key): value for key, value in row.items() if not pd.isna(value)}
        try:
            if not is_picture(name):
                raise UserError("It is not the name of a picture.")
            chosen = {key: _as(kinds[key], value) for key, value in given.items() if key in kinds}
            hints = json.loads(given["hints"]) if "hints" in given else None
            parse_hints(hints or [])
            told[name] = replace(usual, **chosen), None if hints is None else tuple(hints)
        except (UserError, ValueError, TypeError) as error:
            raise UserError(f"The table {path} is wrong at {name}: {error}") from error
    return told


def _as(kind: Any, value: Any) -> Any:
    """A cell as a setting: of a column with empty cells, whole numbers have become floating-point ones."""
    return int(value) if kind == int | None else float(value)

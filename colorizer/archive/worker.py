"""What colors a batch of an archive's pictures: it holds the network, and runs on any machine.

Whatever is wrong with a picture becomes a row that says so. A picture that ends its worker (memory, a fault in a
decoder) would end each worker that is given its batch again; so a batch leaves a mark at the destination while it is in
work. Whoever finds the mark goes on carefully, marking each picture; one that has ended two workers is left out.
"""

from __future__ import annotations

import contextlib
import json
import tarfile
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from functools import partial
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

import pyarrow as pa
import torch

from ..inference.batch import reason_of, safe_path
from ..inference.colorizer import Colorizer
from ..model.hints import Hint, parse_hints, read_hints
from ..pictures.reading import number_of_pages, read_picture
from ..pictures.writing import write_picture
from .manifest import DONE, FAILED, FOLDER, now, table_of, write_part
from .places import Picture, Place
from .plan import Archive, Task

_PAUSES = (1.0, 5.0)  # seconds before a place is asked again
_ENDS = 2  # workers that a picture may end
Result = TypeVar("Result")


class Worker:
    """Colors batches, one after the other."""

    def __init__(self, archive: Archive, cores: int = 1) -> None:
        """Load the network.

        Args:
            archive: what to color.
            cores: of the processor that are this worker's.
        """
        torch.set_num_threads(cores)
        self.archive, self._threads = archive, cores + 1  # one waits for the places while others compute
        self._computing = threading.Semaphore(cores)
        self.colorizer = Colorizer.from_pretrained(
            archive.network.found(archive.target), archive.features_weights, archive.device
        )
        self.output = replace(archive.output, credit=self.colorizer.credit)

    def __call__(self, key: str, tasks: Sequence[Task]) -> pa.Table:
        """Color a batch, and write its part of the manifest.

        Args:
            key: of the batch.
            tasks: its pictures.
        Returns:
            rows of the manifest.
        Raises:
            OSError: the destination can't be written to.
        """
        mark = _Mark(self.archive.target, key)
        with tempfile.TemporaryDirectory() as folder:
            if mark.found():
                rows = [self._carefully(task, mark, Path(folder)) for task in tasks]
            else:
                with ThreadPoolExecutor(self._threads) as pool:
                    rows = list(pool.map(lambda task: self._colored(task, Path(folder)), tasks))
            if shards := self.archive.target.shards:
                shard = shards.replace("*", key)
                written = [name for row in rows for name in row.get("written", [])]
                _patiently(partial(self.archive.target.put, _shard_of(Path(folder), written), shard))
                rows = [row | {"written": [f"{shard}/{name}" for name in row.get("written", [])]} for row in rows]
        table = table_of(rows)
        _patiently(lambda: write_part(self.archive.target, key, table))
        mark.remove()
        return table

    def _carefully(self, task: Task, mark: _Mark, folder: Path) -> dict[str, Any]:
        if mark.ended(task.picture.name) >= _ENDS:
            reason = "What colored it ended twice, perhaps for want of memory. Color it alone, or make it smaller."
            return self._row(task, outcome=FAILED, reason=reason)
        mark.is_at(task.picture.name)
        return self._colored(task, folder)

    def _colored(self, task: Task, folder: Path) -> dict[str, Any]:
        """Color a picture; what keeps it from being colored is in the row."""
        began = time.monotonic()
        about: dict[str, Any]
        try:
            data = _patiently(lambda: self.archive.source.read(task.picture))
            hints = self._hints(task)
            with self._computing:
                names, notes = self._write(task, data, hints, folder)
            if not self.archive.target.shards:
                for name in names:
                    _patiently(partial(self.archive.target.put, folder / name, name))
            about = {"outcome": DONE, "written": names, "notes": notes, "hash": sha256(data).hexdigest()}
        except Exception as error:  # whatever it is, it is this picture's, and others wait
            about = {"outcome": FAILED, "reason": reason_of(error)}
        return self._row(task, seconds=time.monotonic() - began, **about)

    def _row(self, task: Task, **more: Any) -> dict[str, Any]:
        network = self.archive.network
        return {
            "name": task.picture.name, "stamp": task.picture.stamp, "recipe": task.recipe, "time": now(),
            "settings": json.dumps(asdict(task.settings)), "checkpoint": str(network), **more,
        }  # fmt: skip

    def _write(self, task: Task, data: bytes, hints: list[Hint], folder: Path) -> tuple[list[str], list[str]]:
        """Color a file's pages into files in a folder: their names, below the folder, and what there is to know."""
        own = safe_path(task.picture.name)
        pages = number_of_pages(data, own.name)
        names, notes = [], []
        for page in range(pages):
            photo = read_picture(data, own.name, page=page if pages > 1 else None)
            prepared = self.colorizer.prepare(photo)
            # A suffix is put behind the picture's own where that can't hold the result: a.bmp and a.png keep apart.
            suffix = self.output.suffix(photo, own.suffix)
            name = own.with_stem(f"{own.stem}-page{page + 1}") if pages > 1 else own
            name = name if suffix == own.suffix else name.with_name(name.name + suffix)
            write_picture(prepared.colorize(task.settings, hints, in_place=True), folder / name, self.output)
            pale = (f"{own.name}: {sentence}" for sentence in prepared.not_shown(hints))
            names.append(name.as_posix())
            notes += [*photo.metadata.notes, *pale]
        return names, notes

    def _hints(self, task: Task) -> list[Hint]:
        """Of the table, or of the file beside the picture."""
        if task.hints is not None:
            return parse_hints(list(task.hints))
        if task.picture.hints is None:
            return []
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, PurePosixPath(task.picture.hints_name).name)
            file.write_bytes(_patiently(lambda: self.archive.source.read(Picture(task.picture.hints_name))))
            name = PurePosixPath(task.picture.name).name
            return read_hints(file, [name])[name]


class _Mark:
    """That a batch is in work: a small file at the destination, with the picture that is, where one is careful."""

    def __init__(self, place: Place, key: str) -> None:
        self.place, self.name = place, f"{FOLDER}/in-work/{key}.json"
        self.ends: dict[str, int] = {}

    def found(self) -> bool:
        """Whether somebody has begun this batch, and not ended it; if so, see whom the blame falls on."""
        try:
            before = json.loads(_patiently(lambda: self.place.files.cat_file(self.place.path(self.name))))
        except FileNotFoundError:
            self.is_at(None)
            return False
        self.ends = dict(before["ends"])
        if before["at"]:
            self.ends[before["at"]] = self.ended(before["at"]) + 1
        self.is_at(None)
        return True

    def ended(self, picture: str) -> int:
        """How many workers ended while they were at a picture."""
        return self.ends.get(picture, 0)

    def is_at(self, picture: str | None) -> None:
        """Say at which picture one is."""
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "mark")
            file.write_text(json.dumps({"at": picture, "ends": self.ends}))
            _patiently(lambda: self.place.put(file, self.name))

    def remove(self) -> None:
        """The batch is done."""
        with contextlib.suppress(FileNotFoundError):  # somebody who was thought dead has done it, too
            _patiently(lambda: self.place.files.rm_file(self.place.path(self.name)))


def _shard_of(folder: Path, names: Sequence[str]) -> Path:
    """Files of a folder as an uncompressed tar file in it."""
    shard = folder / ".shard"
    with tarfile.open(shard, "w") as archive:
        for name in names:
            archive.add(folder / name, name)
    return shard


def _patiently(ask: Callable[[], Result]) -> Result:
    """Ask a place that may be busy once more, and once more."""
    for pause in _PAUSES:
        try:
            return ask()
        except (FileNotFoundError, PermissionError):
            raise
        except (OSError, TimeoutError):
            time.sleep(pause)
    return ask()

"""An archive through Ray Data: batches go to workers on all machines, rows of the manifest come back.

Ray keeps the workers alive: the batch of one that ends, alone or with its machine, is given to another. No picture goes
through Ray: workers read and write the places themselves, so that memory does not grow with the archive.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import pickle
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import UserError
from .manifest import FAILED, FOLDER, put_together
from .places import in_words
from .plan import Archive, Task, batches, left_to_do

_ANSWERS = 10  # seconds in which a cluster answers
_TOLD = ("AWS_ENDPOINT", "AWS_REGION", "AWS_DEFAULT_REGION", "FSSPEC_", "COLORIZER_MAX_")  # begins of variables


@dataclass
class Summary:
    """What a run came to.

    Attributes:
        pictures: of the source.
        before: of them that were done already.
        done: in this run.
        failed: rows of the manifest, with `name` and `reason`.
    """

    pictures: int = 0
    before: int = 0
    done: int = 0
    failed: list[dict[str, Any]] = field(default_factory=list)


def color_archive(
    archive: Archive,
    table: Path | None = None,
    address: str | None = None,
    workers: int | None = None,
    progress: Callable[[Summary], object] = lambda summary: None,
) -> Summary:
    """Color all that isn't done yet; after whatever ended it, the same call goes on.

    Args:
        archive: what, where to, and how.
        table: of `plan.read_table`.
        address: of a Ray cluster, "auto" for the one that this machine is a part of; None uses this machine alone.
        workers: at most; by default one for each GPU, or for each core where there are none.
        progress: called at the start, and after each batch.
    Raises:
        UserError: a place can't be reached or written to, or the cluster isn't there.
    """
    manifest = put_together(archive.target)
    tasks = list(archive.tasks(table))
    if not tasks:
        raise UserError(f"There are no pictures in {archive.source.url}.")
    left = left_to_do(tasks, manifest)
    summary = Summary(len(tasks), len(tasks) - len(left))
    progress(summary)
    if left:
        _make_ready(archive)
        archive.network.lay_down(archive.target)
        with _ray(address):
            for rows in _through_ray(archive, left, workers):
                failed = [row for row in rows if row["outcome"] == FAILED]
                summary.failed += failed
                summary.done += len(rows) - len(failed)
                progress(summary)
        put_together(archive.target)
    return summary


class _Actor:
    """A `Worker` as Ray Data calls it."""

    def __init__(self, archive: Archive, cores: int) -> None:
        from .worker import Worker

        self.worker = Worker(archive, cores)

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        rows = self.worker(str(batch["key"][0]), pickle.loads(batch["tasks"][0])).to_pylist()
        told = [{"name": row["name"], "outcome": row["outcome"], "reason": row["reason"]} for row in rows]
        return {"rows": [json.dumps(told)]}


def _through_ray(archive: Archive, tasks: list[Task], workers: int | None) -> Iterator[list[dict[str, Any]]]:
    """Rows of the manifest, batch by batch as they are done; of each `name`, `outcome` and `reason`."""
    import ray
    import ray.data

    there = ray.cluster_resources()
    gpus, cpus = int(there.get("GPU", 0)), int(there.get("CPU", 1))
    use_gpus = gpus > 0 and archive.device in ("auto", "cuda")
    cores = max(cpus // gpus, 1) if use_gpus else 1
    most = min(workers or (gpus if use_gpus else cpus), len(tasks))
    blocks = [_block(batch) for batch in batches(tasks, most)]
    colored = ray.data.from_arrow(blocks).map_batches(
        _Actor, batch_size=None, batch_format="numpy", fn_constructor_args=(archive, cores),
        compute=ray.data.ActorPoolStrategy(min_size=1, max_size=most, initial_size=most), num_cpus=cores,
        num_gpus=1 if use_gpus else 0,
    )  # fmt: skip
    try:
        for row in colored.iter_rows():
            yield json.loads(row["rows"])
    except (ray.exceptions.RayError, OSError) as error:
        reason = _first_cause(error).rstrip(".")
        raise UserError(f"The archive could not be colored to its end: {reason}. The same command goes on.") from error


def _first_cause(error: BaseException) -> str:
    """In one line, what a worker raised, below what Ray wrapped it in."""
    while inner := getattr(error, "cause", None) or error.__cause__:
        error = inner
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _block(batch: list[Task]) -> Any:
    """One row: the batch's key, and its tasks."""
    import pyarrow as pa

    names = json.dumps([(task.picture.name, task.picture.stamp, task.recipe) for task in batch])
    key = hashlib.sha256(names.encode()).hexdigest()[:16]
    return pa.table({"key": [key], "tasks": [pickle.dumps(batch)]})


def _make_ready(archive: Archive) -> None:
    """Forget what an earlier run was at when it was ended, whose batches were others, and see that one can write.

    Raises:
        UserError: one can't.
    """
    place, began = archive.target, f"{FOLDER}/in-work/began"
    with in_words(place.url):
        if place.files.exists(folder := place.path(f"{FOLDER}/in-work")):
            place.files.rm(folder, recursive=True)
        with tempfile.TemporaryDirectory() as scratch:
            (file := Path(scratch, "began")).touch()
            place.put(file, began)
        place.files.rm_file(place.path(began))


def _look_for(address: str | None) -> None:
    """Whether anything answers at HOST:PORT, for which Ray itself waits minutes.

    Raises:
        UserError: nothing does.
    """
    host, _, port = (address or "").removeprefix("ray://").rpartition(":")
    if not port.isdecimal():  # "auto", and the like
        return
    try:
        socket.create_connection((host, int(port)), _ANSWERS).close()
    except (OSError, OverflowError) as error:
        raise UserError(f"There is no Ray cluster at {address}: {error}") from error


@contextmanager
def _ray(address: str | None) -> Iterator[None]:
    """A Ray cluster, or this machine as one; if it runs already, that one."""
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise UserError("Archives need more packages: pip install 'colorizer[archive]'.") from error
    if ray.is_initialized():
        yield
        return
    _look_for(address)
    told = {name: value for name, value in os.environ.items() if name.startswith(_TOLD)}
    try:
        ray.init(
            address or "local", runtime_env={"env_vars": told}, include_dashboard=False, log_to_driver=False,
            logging_level=logging.ERROR,
        )  # fmt: skip
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise UserError(f"There is no Ray cluster at {address}: {error}") from error
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    for handler in logging.getLogger("ray.data").handlers:
        if handler.get_name() == "console":  # what goes wrong is said here in a sentence; Ray's log files keep the rest
            handler.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        ray.shutdown()

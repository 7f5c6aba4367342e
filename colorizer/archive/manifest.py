"""What became of each picture of an archive, in Parquet, at the destination: to go on from, and to ask.

One part is written for each batch, under a name that is made of the batch, so that a batch which is done twice has one
part. At the start and at the end of a run the parts are put together. Any program that reads Parquet can ask:

duckdb -c "select name, reason from '_manifest/*.parquet' where outcome = 'failed'"
"""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from .places import Place, in_words

FOLDER = "_manifest"
DONE, FAILED = "done", "failed"
SCHEMA = pa.schema(
    {
        "name": pa.string(),  # of the picture, below the source
        "outcome": pa.string(),  # done or failed
        "reason": pa.string(),  # why it failed
        "written": pa.list_(pa.string()),  # files below the destination
        "notes": pa.list_(pa.string()),  # what there is to know of the picture
        "hash": pa.string(),  # SHA-256 of the picture's file
        "stamp": pa.string(),  # of the picture's file, as its place tells it
        "recipe": pa.string(),  # changes with whatever makes other colors or another file
        "settings": pa.string(),  # JSON
        "checkpoint": pa.string(),  # name and SHA-256 of its file
        "seconds": pa.float64(),  # that it took
        "time": pa.timestamp("us", tz="UTC"),  # when it was finished
    }
)
_AT_ONCE = 16  # parts that are read at the same time


def now() -> datetime:
    """For the column `time`."""
    return datetime.now(UTC)


def table_of(rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    """Rows with the names of `SCHEMA`; what is left out is empty."""
    return pa.Table.from_pylist([{name: row.get(name) for name in SCHEMA.names} for row in rows], schema=SCHEMA)


def write_part(place: Place, key: str, rows: pa.Table) -> None:
    """Of the batch `key`, whole or not at all."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "part")
        pq.write_table(rows, file)
        place.put(file, f"{FOLDER}/{key}.parquet")


def read_manifest(place: Place) -> pd.DataFrame:
    """The last word on each picture, with the columns of `SCHEMA`.

    Raises:
        UserError: the destination can't be reached.
    """
    return _last_words(_read(place, _parts(place)))


def put_together(place: Place) -> pd.DataFrame:
    """Make one file of all parts, and read it; for one process at a time."""
    parts = _parts(place)
    rows = _last_words(_read(place, parts))
    if len(parts) > 1:
        write_part(place, f"all-{uuid.uuid4().hex[:12]}", pa.Table.from_pandas(rows, SCHEMA, preserve_index=False))
        with ThreadPoolExecutor(_AT_ONCE) as pool:  # a part that is left, if this is killed, says nothing new
            list(pool.map(place.files.rm_file, parts))
    return rows


def _parts(place: Place) -> list[str]:
    with in_words(place.url):
        folder = place.path(FOLDER)
        place.files.invalidate_cache()
        paths = place.files.find(folder, maxdepth=1) if place.files.exists(folder) else []
        return [str(path) for path in paths if path.endswith(".parquet")]


def _read(place: Place, paths: list[str]) -> pa.Table:
    def read(path: str) -> pa.Table:
        return pq.read_table(pa.BufferReader(place.files.cat_file(path)), schema=SCHEMA)

    with in_words(place.url), ThreadPoolExecutor(_AT_ONCE) as pool:
        return pa.concat_tables([SCHEMA.empty_table(), *pool.map(read, paths)])


def _last_words(rows: pa.Table) -> pd.DataFrame:
    frame = cast(pd.DataFrame, rows.to_pandas()).sort_values("time", kind="stable")
    return frame.drop_duplicates("name", keep="last").reset_index(drop=True)

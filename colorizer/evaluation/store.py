"""Evaluations on disk, so that an interrupted one resumes where it stopped."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..files import write_text, writing
from .results import FID_DIM, PictureResult


class Store:
    """An evaluation on disk: `about.json`, and `results.jsonl` with a line for each picture that was measured."""

    def __init__(self, folder: Path, about: dict[str, Any], fresh: bool = False) -> None:
        """Open it; what was measured before is kept.

        Args:
            folder: of this evaluation.
            about: of `describe`.
            fresh: forget what was measured before.
        """
        self.folder, self.about = folder, about
        self._rows: int | None = None  # of features, once counted
        write_text(folder / "about.json", json.dumps(about, indent=1))
        for name in ("results.jsonl", "features.f32") if fresh else ():
            (folder / name).unlink(missing_ok=True)

    @classmethod
    def of(cls, about: dict[str, Any], root: Path, fresh: bool = False) -> Store:
        """The place of an evaluation below the folder of a run or the cache; the same for the same."""
        key = hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:12]
        return cls(root / "evaluations" / key, about, fresh)

    def load(self, features: bool = True) -> Iterator[PictureResult]:
        """What was measured so far, in its order, with or without `features`; a last line that was cut by a kill is
        dropped."""
        path = self.folder / "results.jsonl"
        if not path.exists():
            return
        with path.open("rb") as file:
            for k, line in enumerate(iter(file.readline, b"")):
                if not line.endswith(b"\n"):
                    os.truncate(path, file.tell() - len(line))
                    return
                yield PictureResult(**json.loads(line), features=self._features(k) if features else None)

    def append(self, result: PictureResult) -> None:
        """One more picture."""
        path, features = self.folder / "results.jsonl", self.folder / "features.f32"
        if result.features is not None:
            rows = path.read_bytes().count(b"\n") if path.exists() and self._rows is None else self._rows or 0
            with writing(features), features.open("r+b" if rows else "wb") as file:
                file.seek(rows * result.features.nbytes)  # over what a kill left behind
                file.write(result.features.tobytes())
            self._rows = rows + 1
        line = {k: v for k, v in vars(result).items() if k != "features"}
        with writing(path), path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def _features(self, row: int) -> npt.NDArray[np.float32] | None:
        path, columns = self.folder / "features.f32", len(self.about.get("networks", ())) + 2
        if not path.exists():
            return None
        size = columns * FID_DIM
        values = np.fromfile(path, np.float32, size, offset=4 * row * size)
        return values.reshape(columns, FID_DIM) if len(values) == size else None


def find_evaluations(*roots: Path) -> list[Path]:
    """The folders of all evaluations below cache and runs, the latest first."""
    folders = {path.parent for root in roots for path in root.glob("evaluations/*/results.jsonl")}
    return sorted(folders, key=lambda f: (f / "results.jsonl").stat().st_mtime, reverse=True)

"""The embedding cache: the frozen extractor looks at each picture once, not once an epoch.

A cache is a folder for one extractor (its weights' fingerprint): `rows.f32`, the embeddings one after the
other, and `index.txt`, whose k-th line names the picture (hash of its file) and flip of row k. Maps, which are larger,
are `rows.f16`, and only of pictures as they are: a flipped one's is taken to be the flipped map. Rows are written
before their lines, so that a killed run leaves at worst rows without a line, and these are cut off.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from filelock import FileLock

from ..arrays import resize
from ..color.lab import rgb_to_lab_tensor
from ..files import writing
from ..model.backbones import EMBEDDING_DIM
from ..model.pretrained import FeatureExtractor
from ..pictures.reading import thumbnail_rgb
from ..pictures.sources import PictureSource
from .scan import PictureInfo

_PREPROCESSING = "v1"  # to be changed with anything between the file and the extractor


class EmbeddingCache:
    """Embeddings of whole pictures, as they are and flipped, on disk and memory-mapped."""

    def __init__(self, folder: Path, fingerprint: str, shape: tuple[int, ...] = (EMBEDDING_DIM,)) -> None:
        """Open or make the cache of one extractor.

        Args:
            folder: where all caches are; this one's is a folder in it.
            fingerprint: `FeatureExtractor.fingerprint()`.
            shape: of an embedding: a vector's (C,), or a map's (C, h, w).
        """
        self.shape, self.maps = shape, len(shape) == 3
        self._type = np.dtype(np.float16 if self.maps else np.float32)
        self._row_bytes = self._type.itemsize * math.prod(shape)
        self.folder = folder / "embeddings" / f"{fingerprint}-{_PREPROCESSING}"
        with writing(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        self._lock = FileLock(self.folder / "lock")
        self._row_of: dict[str, int] = {}
        self._rows: npt.NDArray[np.floating] | None = None
        self._load()

    @property
    def rows_file(self) -> Path:
        """Where the embeddings are."""
        return self.folder / f"rows.f{8 * self._type.itemsize}"

    def _load(self) -> None:
        with self._lock:
            index, rows = self.folder / "index.txt", self.rows_file
            index.touch()
            rows.touch()
            text = index.read_text()
            lines = text[: text.rfind("\n") + 1].splitlines()
            lines = lines[: rows.stat().st_size // self._row_bytes]
            # What a killed process left half-written is cut off; both files then end at the same row.
            whole = sum(len(line) + 1 for line in lines)
            if whole != len(text):
                with index.open("r+") as file:
                    file.truncate(whole)
            if rows.stat().st_size != len(lines) * self._row_bytes:
                with rows.open("r+b") as file:
                    file.truncate(len(lines) * self._row_bytes)
        self._row_of = {line: row for row, line in enumerate(lines)}
        self._rows = None

    def __getstate__(self) -> dict[str, object]:
        """For worker processes that are not forked: they only read, and map the rows themselves."""
        return {**self.__dict__, "_lock": None, "_rows": None}

    def __len__(self) -> int:
        return len(self._row_of)

    def get(self, key: str, flip: bool) -> npt.NDArray[np.float32]:
        """The embedding (*shape) of a picture; KeyError if it was not computed."""
        row = self._row_of[_entry(key, flip and not self.maps)]
        if self._rows is None:
            self._rows = np.memmap(self.rows_file, self._type, "r").reshape(-1, *self.shape)
        found = self._rows[row].astype(np.float32)
        return np.ascontiguousarray(found[..., ::-1]) if flip and self.maps else found

    def missing(self, pictures: Sequence[PictureInfo]) -> list[PictureInfo]:
        """Those whose embedding was not computed yet."""
        return [p for p in pictures if any(_entry(p.key, flip) not in self._row_of for flip in self.flips)]

    @property
    def flips(self) -> tuple[bool, ...]:
        """Whether a picture is embedded as it is, and mirrored."""
        return (False,) if self.maps else (False, True)

    def fill(
        self,
        extractor: FeatureExtractor,
        source: PictureSource,
        pictures: Sequence[PictureInfo],
        device: torch.device | str = "cpu",
        batch_size: int = 16,
        progress: Callable[[int, int], None] | None = None,
    ) -> int:
        """Compute what is missing; returns how many pictures that were.

        Args:
            extractor: the one whose fingerprint the cache was opened with.
            source: where the pictures are.
            pictures: those that will be asked for.
            device: to compute on.
            batch_size: pictures at a time; the most that is lost when killed.
            progress: called with (done, total).
        """
        missing = self.missing(pictures)
        if not missing:
            return 0
        extractor.to(device)
        with self._lock:
            self._load_if_changed()
            done = 0
            for batch, lightness in _prefetched(extractor.size, source, missing, batch_size):
                seen = [lightness.flip(-1) if flip else lightness for flip in self.flips]
                both = torch.stack(seen, dim=1).flatten(0, 1)  # picture, flipped, ...
                rows = extractor(both.to(device)).float().cpu().numpy()
                self._append([_entry(p.key, flip) for p in batch for flip in self.flips], rows)
                done += len(batch)
                if progress:
                    progress(done, len(missing))
        self._load()
        return len(missing)

    def _load_if_changed(self) -> None:
        if self.rows_file.stat().st_size != len(self._row_of) * self._row_bytes:
            self._load()

    def _append(self, entries: Sequence[str], rows: npt.NDArray[np.float32]) -> None:
        fresh = [k for k, entry in enumerate(entries) if entry not in self._row_of]
        with writing(self.rows_file), self.rows_file.open("ab") as file:
            file.write(np.ascontiguousarray(rows[fresh], dtype=self._type).tobytes())
        with writing(self.folder / "index.txt"), (self.folder / "index.txt").open("a") as file:
            file.write("".join(f"{entries[k]}\n" for k in fresh))
        for k in fresh:
            self._row_of[entries[k]] = len(self._row_of)


def _entry(key: str, flip: bool) -> str:
    return f"{key} {int(flip)}"


def picture_lightness(data: bytes, size: int) -> torch.Tensor:
    """A whole picture as the extractor sees it: (1, size, size) float32, L in [0, 100]."""
    rgb = resize(thumbnail_rgb(data, size), size, size)
    return rgb_to_lab_tensor(torch.from_numpy(rgb).permute(2, 0, 1).float() / 255)[:1]


def _prefetched(
    size: int, source: PictureSource, pictures: Sequence[PictureInfo], batch_size: int
) -> Iterator[tuple[Sequence[PictureInfo], torch.Tensor]]:
    """Batches of (pictures, lightness (N, 1, size, size)); the next one is decoded while one is computed."""
    batches = [pictures[k : k + batch_size] for k in range(0, len(pictures), batch_size)]

    def decode(batch: Sequence[PictureInfo]) -> torch.Tensor:
        return torch.stack([picture_lightness(source.read(p.name), size) for p in batch])

    with ThreadPoolExecutor(1) as pool:
        ahead = pool.submit(decode, batches[0])
        for k, batch in enumerate(batches):
            ready = ahead.result()
            if k + 1 < len(batches):
                ahead = pool.submit(decode, batches[k + 1])
            yield batch, ready

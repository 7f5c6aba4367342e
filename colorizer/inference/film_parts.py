"""What is done of a film, in a folder beside the result, until all of it is there."""

from __future__ import annotations

import hashlib
import pickle
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..files import code_version, whole_file, write_text
from .film_plan import PART
from .predictor import Predictor
from .steady import Known


class Parts:
    """The folder of what is done of a film, beside the result."""

    def __init__(self, target: Path, identity: str) -> None:
        """Of a result; what was made of another film, or in another way, is removed."""
        self.folder = target.with_name(f".{target.name}.parts")
        said = self.folder / "job.txt"
        if said.is_file() and said.read_text() != identity:
            shutil.rmtree(self.folder)
        write_text(said, identity)
        for left in self.folder.glob(".*.tmp"):
            left.unlink()

    def path(self, start: int) -> Path:
        """Of the part that begins with that frame."""
        return self.folder / f"{start:08}.mp4"

    def resumes_at(self, starts: Sequence[int], first: set[int]) -> int:
        """The frame to go on with.

        Args:
            starts: first frames of all parts.
            first: those of shots.
        """
        done = 0
        while done < len(starts) and self.path(starts[done]).is_file():
            done += 1
        while 0 < done < len(starts) and starts[done] not in first and not self._state(starts[done]).is_file():
            done -= 1
        return starts[done] if done < len(starts) else starts[-1] + PART

    def keep(self, start: int, known: Known) -> None:
        """What a part begins with, should it have to be begun again."""
        arrays = {key: value for key, value in vars(known).items() if value is not None}
        with whole_file(self._state(start)) as temporary, temporary.open("wb") as file:
            np.savez(file, **arrays)

    def state(self, start: int) -> Known:
        """Of `keep`."""
        with np.load(self._state(start), allow_pickle=False) as arrays:
            return Known(arrays["ab"], arrays["count"], arrays.get("painted"))

    def _state(self, start: int) -> Path:
        return self.folder / f"{start:08}.npz"

    def remove(self) -> None:
        """All of it."""
        shutil.rmtree(self.folder, ignore_errors=True)


def identity_of(predictor: Predictor, source: Path, *how: object) -> str:
    """What a result depends on: the network, the film, and how it is colored."""
    digest = hashlib.sha256(pickle.dumps(how))
    for tensor in predictor.checkpoint.network.state_dict().values():
        digest.update(tensor.cpu().numpy().tobytes())
    stat = source.stat()  # it may be 100 GB
    code = code_version(["color", "model", "film", "inference"])
    return "\n".join((f"{source.name} {stat.st_size} {stat.st_mtime_ns}", digest.hexdigest(), code))

"""A checkpoint that workers on other machines load, too: it is laid down at the destination, beside what it colored."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from ..errors import UserError
from ..files import cache_folder, whole_file
from ..model.checkpoints import BUNDLED, find_checkpoint
from .manifest import FOLDER
from .places import Place, in_words


@dataclass(frozen=True)
class Network:
    """A checkpoint.

    Attributes:
        asked: as it was asked for, by the argument of `find_checkpoint`.
        digest: SHA-256 of its file.
        suffix: of its file.
    """

    asked: str
    digest: str
    suffix: str

    @classmethod
    def of(cls, checkpoint: str | None) -> Network:
        """The arguments and errors are those of `find_checkpoint`."""
        file = find_checkpoint(checkpoint)
        return cls(checkpoint or BUNDLED, _digest(file), file.suffix)

    def __str__(self) -> str:
        return f"{self.asked} {self.digest}"

    @property
    def _name(self) -> str:
        return f"{FOLDER}/networks/{self.digest[:16]}{self.suffix}"

    def lay_down(self, place: Place) -> None:
        """At the destination, for the others; the bundled one is everywhere."""
        with in_words(place.url):
            if self.asked == BUNDLED or place.files.exists(place.path(self._name)):
                return
            with tempfile.TemporaryDirectory() as folder:
                place.put(Path(shutil.copy(find_checkpoint(self.asked), folder)), self._name)

    def found(self, place: Place) -> Path:
        """Its file on this machine.

        Raises:
            UserError: this machine has another version of the program.
        """
        if self.asked == BUNDLED:
            if _digest(find_checkpoint(None)) != self.digest:
                raise UserError("Not all machines have the same version of this program: the bundled networks differ.")
            return find_checkpoint(None)
        file = cache_folder() / "archive" / f"{self.digest}{self.suffix}"
        if not file.is_file():
            with whole_file(file) as temporary:
                place.files.get_file(place.path(self._name), str(temporary))
        return file


def _digest(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()

"""Training runs on disk.

A run is a folder: `config.json`; `metrics.jsonl`, a line for each interval and epoch; `previews/`; `last.pt`, the
full state to resume from; `best.safetensors`, the checkpoint to use; `held_out.json`, what it does not learn from;
`learned_from.txt`, a hash of each picture that it learns from; `process.json`, the trainer's process; `outcome.json`,
how it ended; and `log.txt`, what it said, where the page started it. Files are written under another name and renamed:
a reader never sees half of one.
"""

from __future__ import annotations

import json
import os
import pickle
import shutil
import signal
import time
from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import torch

from ..errors import UserError
from ..evaluation.testset import write_learned_from
from ..files import whole_file, write_text
from ..processes import Process, launch, this_process
from .config import TrainingConfig

_KILLED = "It was killed: by someone, or by the system because memory ran out. Then a smaller batch helps."
# Version 0.1 called the errors on validation crops by the names of those on whole pictures.
_OLD_KEYS = {
    "mse_ab": "crop_mse_ab", "mse_rgb": "crop_mse_rgb",
    "grey_mse_ab": "gray_crop_mse_ab", "grey_mse_rgb": "gray_crop_mse_rgb",
}  # fmt: skip


_ASKED = "stop-asked"  # a file
_SIGNS = ("config.json", "process.json", "outcome.json")  # of a run


class Outcome(NamedTuple):
    """How a run stands or ended.

    Attributes:
        state: waiting (for another run), running, finished, stopped (on demand), failed (by an error),
            or killed (without a word).
        reason: a sentence for "failed" and "killed", else "".
    """

    state: str
    reason: str = ""


class Run:
    """The folder of one run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    # ------------------------------------------------------------------------------- the trainer's side

    def check_new(self) -> None:
        """A UserError if the folder holds a run already."""
        if (self.folder / "config.json").exists():
            raise UserError(
                f"{self.folder} already holds a run. Continue it with --resume {self.folder}, "
                f"or choose another --output."
            )

    def register(self) -> None:
        """Note that this process works on the run; how an earlier one ended is forgotten.

        Raises:
            UserError: another process does.
        """
        process = this_process()
        if (other := self.process()) not in (None, process.pid):
            raise UserError(f"The run {self.folder.name} is still going, as process {other}. Stop it first.")
        write_text(self.folder / "process.json", json.dumps(process._asdict()))
        self.forget_end()

    def forget_end(self) -> None:
        """How it ended before, and that it was asked to, counts no more."""
        for name in ("outcome.json", _ASKED):
            (self.folder / name).unlink(missing_ok=True)

    def end(self, state: str, reason: str = "") -> None:
        """Note how it ended: "finished", "stopped" or "failed"."""
        write_text(self.folder / "outcome.json", json.dumps(Outcome(state, reason)._asdict()))
        (self.folder / "process.json").unlink(missing_ok=True)

    def begin(self, config: TrainingConfig, step: int, held_out: Iterable[str], learned_from: Iterable[str]) -> None:
        """Note the settings, the names of the pictures for validation and the hashes of the others, and cut what a
        killed run logged after the state it goes on from, at `step`."""
        kept = [line for line in self.metrics() if line["step"] <= step]
        write_text(self.folder / "metrics.jsonl", "".join(json.dumps(m) + "\n" for m in kept))
        write_text(self.folder / "config.json", json.dumps(asdict(config), indent=1))
        write_text(self.folder / "held_out.json", json.dumps({"data": config.data, "names": list(held_out)}, indent=0))
        write_learned_from(self.folder, learned_from)

    def wait(self) -> None:
        """Note that it waits for its turn; `go` takes that back."""
        write_text(self.folder / "waiting", "")

    def go(self) -> None:
        """It is its turn."""
        (self.folder / "waiting").unlink(missing_ok=True)

    def record(self, **values: Any) -> None:
        """Append a line to `metrics.jsonl`.

        Raises:
            UserError: no room, or no permission.
        """
        path = self.folder / "metrics.jsonl"
        try:
            with path.open("a") as file:
                file.write(json.dumps({"time": time.time(), **values}) + "\n")
        except OSError as error:
            raise UserError(f"{path} can't be written: {error.strerror}. Make room, then resume the run.") from error

    def save_state(self, state: dict[str, Any]) -> None:
        """Replace `last.pt`."""
        with whole_file(self.folder / "last.pt") as temporary, temporary.open("wb") as file:
            try:
                torch.save(state, file)
            except RuntimeError as error:  # no room, most often
                raise OSError(str(error).splitlines()[0]) from error
            file.flush()
            os.fsync(file.fileno())

    def load_state(self) -> dict[str, Any]:
        """What `save_state` wrote; never unpickles anything but tensors and plain values."""
        for stale in self.folder.glob(".*.tmp"):  # of a process that was killed while it wrote
            stale.unlink(missing_ok=True)
        try:
            return dict(torch.load(self.folder / "last.pt", map_location="cpu", weights_only=True))
        except FileNotFoundError as error:
            raise UserError(f"{self.folder} holds no saved state to resume from. Start the run anew.") from error
        except (OSError, RuntimeError, EOFError, ValueError, TypeError, LookupError, pickle.UnpicklingError) as error:
            raise UserError(
                f"The saved state {self.folder / 'last.pt'} is broken. Start a new run from the best weights of this "
                f"one, if it has any: --init {self.folder}."
            ) from error

    # --------------------------------------------------------------------------------- the reader's side

    def config(self) -> TrainingConfig:
        """The settings."""
        try:
            return TrainingConfig.read(json.loads((self.folder / "config.json").read_text()))
        except (OSError, ValueError, TypeError) as error:
            raise UserError(f"{self.folder} is not the folder of a training run.") from error

    def metrics(self) -> list[dict[str, Any]]:
        """All whole lines of `metrics.jsonl`: the last one may be in the writing, others may have been cut."""
        try:
            text = (self.folder / "metrics.jsonl").read_text()
        except FileNotFoundError:
            return []
        lines = (_json_object(line) for line in text[: text.rfind("\n") + 1].splitlines())
        return [{_OLD_KEYS.get(key, key): value for key, value in line.items()} for line in lines if line]

    def previews(self) -> list[Path]:
        """The preview pictures, oldest first: rows gray, colorized, true."""
        return sorted((self.folder / "previews").glob("epoch-*.png"))

    def log_tail(self, lines: int = 12) -> str:
        """The end of what the trainer said."""
        try:
            text = (self.folder / "log.txt").read_text(errors="replace")
        except FileNotFoundError:
            return ""
        return "\n".join([line for line in text.splitlines() if line.strip()][-lines:])

    def process(self) -> int | None:
        """The living trainer's process id, or None."""
        try:
            process = Process(**json.loads((self.folder / "process.json").read_text()))
        except (OSError, ValueError, TypeError):
            return None
        return process.pid if process.lives() else None

    def outcome(self) -> Outcome:
        """How it stands or ended."""
        if self.process() is not None:
            return Outcome("waiting" if (self.folder / "waiting").exists() else "running")
        try:
            return Outcome(**json.loads((self.folder / "outcome.json").read_text()))
        except (OSError, ValueError, TypeError):
            pass
        if (self.folder / "process.json").exists():  # one that had not begun says nothing when it is stopped
            return Outcome("stopped") if (self.folder / _ASKED).exists() else Outcome("killed", _KILLED)
        metrics = self.metrics()  # of version 0.1, started in a terminal
        finished = metrics and metrics[-1]["event"] == "epoch" and metrics[-1]["step"] >= metrics[-1]["steps"]
        return Outcome("finished" if finished else "stopped")

    def resumable(self) -> bool:
        """Whether there is a state to resume from, and something left to learn."""
        state = self.outcome().state
        return state in ("stopped", "failed", "killed") and (self.folder / "last.pt").exists()

    def delete(self) -> None:
        """Remove the folder with all that was learned.

        Raises:
            UserError: it is running.
        """
        if self.process() is not None:
            raise UserError(f"The run {self.folder.name} is still going. Stop it first.")
        doomed = self.folder.with_name(f".{self.folder.name}.deleted")
        self.folder.rename(doomed)  # at once, whatever becomes of the rest
        shutil.rmtree(doomed, ignore_errors=True)

    def stop(self) -> None:
        """Ask the trainer to save and end after its current step."""
        pid = self.process()
        if pid is not None:
            (self.folder / _ASKED).touch()
            os.kill(pid, signal.SIGTERM)


def _json_object(line: str) -> dict[str, Any]:
    try:
        content = json.loads(line)
    except ValueError:
        return {}
    return content if isinstance(content, dict) and {"event", "step"} <= content.keys() else {}


def start(folder: Path, arguments: Iterable[str]) -> Run:
    """Train in a process of its own, which outlives this one.

    Args:
        folder: of the run; its output goes to `log.txt` there.
        arguments: of train.py.
    """
    folder.mkdir(parents=True, exist_ok=True)
    run, arguments = Run(folder), list(arguments)
    with (folder / "log.txt").open("ab") as log:
        log.write(f"Started {datetime.now():%Y-%m-%d %H:%M:%S}: train.py {' '.join(arguments)}\n".encode())
        log.flush()
        # It registers itself, too, once it has imported all it needs; until then this keeps others away.
        run.forget_end()
        process = launch("colorizer.commands.train", arguments, log.fileno())
        write_text(folder / "process.json", json.dumps(process._asdict()))
    return run


def find_runs(folder: Path) -> list[Run]:
    """The runs in a folder, the one that last did something first."""
    folders = {path.parent for name in _SIGNS for path in folder.glob(f"*/{name}")}
    return [Run(path) for path in sorted(folders, key=lambda p: p.stat().st_ctime, reverse=True)]

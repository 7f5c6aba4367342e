"""Training runs on disk.

A run is a folder: `config.json`; `metrics.jsonl`, a line for each interval and epoch; `previews/`; `last.pt`, the
full state to resume from; `best.safetensors`, the checkpoint to use; and `log.txt` and `process.json` where it
was started by `start`. Files are written under another name and renamed: a reader never sees half of one.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from .errors import UserError
from .files import whole_file, write_text

if TYPE_CHECKING:
    from .config import TrainingConfig

TRAIN_PY = Path(__file__).parent.parent / "train.py"


def is_first_process() -> bool:
    """True outside `accelerate launch`, and in its first process."""
    return os.environ.get("RANK", "0") == "0"


def choose_device(wanted: str) -> torch.device:
    """The device meant by "auto", "cuda", "mps" or "cpu".

    Raises:
        UserError: it is not there.
    """
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if wanted == "auto":
        return torch.device(next(name for name, there in available.items() if there))
    if wanted not in available:
        raise UserError(f"There is no device {wanted!r}. Choose one of: auto, {', '.join(available)}.")
    if not available[wanted]:
        raise UserError(f"This machine has no {wanted} device that PyTorch can use. Use --device auto.")
    return torch.device(wanted)


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

    def begin(self, config: TrainingConfig, step: int) -> None:
        """Note the settings, and cut what a killed run logged after the state it goes on from, at `step`."""
        kept = [line for line in self.metrics() if line["step"] <= step]
        write_text(self.folder / "metrics.jsonl", "".join(json.dumps(m) + "\n" for m in kept))
        write_text(self.folder / "config.json", json.dumps(asdict(config), indent=1))

    def record(self, **values: Any) -> None:
        """Append a line to `metrics.jsonl`."""
        with (self.folder / "metrics.jsonl").open("a") as file:
            file.write(json.dumps({"time": time.time(), **values}) + "\n")

    def save_state(self, state: dict[str, Any]) -> None:
        """Replace `last.pt`."""
        with whole_file(self.folder / "last.pt") as temporary, temporary.open("wb") as file:
            torch.save(state, file)
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

    # --------------------------------------------------------------------------------- the reader's side

    def config(self) -> dict[str, Any]:
        """The settings, as in `TrainingConfig`."""
        try:
            return dict(json.loads((self.folder / "config.json").read_text()))
        except (OSError, ValueError) as error:
            raise UserError(f"{self.folder} is not the folder of a training run.") from error

    def metrics(self) -> list[dict[str, Any]]:
        """All lines of `metrics.jsonl`; a last one that is being written is left out."""
        try:
            text = (self.folder / "metrics.jsonl").read_text()
        except FileNotFoundError:
            return []
        return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]

    def previews(self) -> list[Path]:
        """The preview pictures, oldest first: rows grey, coloured, true."""
        return sorted((self.folder / "previews").glob("epoch-*.png"))

    def log_tail(self, lines: int = 12) -> str:
        """The end of the trainer's output, without its progress bars."""
        try:
            text = (self.folder / "log.txt").read_text(errors="replace")
        except FileNotFoundError:
            return ""
        whole = [line.rsplit("\r", 1)[-1] for line in text.split("\n")]
        return "\n".join([line for line in whole if line.strip() and "it/s]" not in line][-lines:])

    def process(self) -> int | None:
        """The running trainer's process id, or None."""
        try:
            noted = json.loads((self.folder / "process.json").read_text())
        except (OSError, ValueError):
            return None
        return noted["pid"] if _started(noted["pid"]) == noted["started"] is not None else None

    def status(self) -> str:
        """running, finished, stopped (it can be resumed), or failed (the log says why)."""
        if self.process() is not None:
            return "running"
        metrics = self.metrics()
        if metrics and metrics[-1]["event"] == "epoch" and metrics[-1]["step"] >= metrics[-1]["steps"]:
            return "finished"
        return "stopped" if (self.folder / "last.pt").exists() else "failed"

    def stop(self) -> None:
        """Ask the trainer to save and end after its current step."""
        pid = self.process()
        if pid is not None:
            os.kill(pid, signal.SIGTERM)


_CHILDREN: dict[int, subprocess.Popen[bytes]] = {}


def start(folder: Path, arguments: Iterable[str]) -> Run:
    """Run `train.py` as a process of its own, which outlives this one.

    Args:
        folder: of the run; its output goes to `log.txt` there.
        arguments: of train.py.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "log.txt").open("ab") as log:
        child = subprocess.Popen(
            [sys.executable, str(TRAIN_PY), *arguments],
            stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    _CHILDREN[child.pid] = child
    noted = {"pid": child.pid, "started": _started(child.pid)}
    write_text(folder / "process.json", json.dumps(noted))
    return Run(folder)


def find_runs(folder: Path) -> list[Run]:
    """The runs in a folder, the one that last did something first."""
    found = {path.parent for name in ("config.json", "process.json") for path in folder.glob(f"*/{name}")}
    return [Run(path) for path in sorted(found, key=lambda p: p.stat().st_ctime, reverse=True)]


def _started(pid: int) -> float | None:
    """When a living process began: a process id alone may have been given to another since."""
    import psutil  # accelerate needs it too

    if pid in _CHILDREN:
        _CHILDREN[pid].poll()  # reaps it if it has ended
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else float(process.create_time())
    except psutil.Error:
        return None

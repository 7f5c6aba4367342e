"""Training runs on disk.

A run is a folder: `config.json`; `metrics.jsonl`, a line for each interval and epoch; `previews/`; `last.pt`, the
full state to resume from; `best.safetensors`, the checkpoint to use; and `log.txt` and `process.json` where it
was started by `start`. Files are written under another name and renamed: a reader never sees half of one.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from filelock import FileLock, Timeout

from .errors import UserError
from .files import cache_folder, whole_file, write_text

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


@contextlib.contextmanager
def turn(device: torch.device, waiting: Callable[[], None] | None = None) -> Iterator[None]:
    """One run at a time on a device; the others wait for their turn. A killed one's turn ends with it.

    Args:
        device: where it is to run. Processes of `accelerate launch` don't wait: who launches them has the device.
        waiting: called once if there is a run before it; None not to wait.
    Raises:
        UserError: it would have to wait, and is not to.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        yield
        return
    folder = cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / f"{device.type}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        if waiting is None:
            raise UserError(f"A run is using the {device.type}. Wait until it is done, or stop it.") from None
        waiting()
        lock.acquire(poll_interval=0.5)
    try:
        yield
    finally:
        lock.release()


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

    def wait(self) -> None:
        """Note that it waits for its turn; `go` takes that back."""
        write_text(self.folder / "waiting", "")

    def go(self) -> None:
        """It is its turn."""
        (self.folder / "waiting").unlink(missing_ok=True)

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
        """The preview pictures, oldest first: rows gray, colored, true."""
        return sorted((self.folder / "previews").glob("epoch-*.png"))

    def log_tail(self, lines: int = 12) -> str:
        """The end of the trainer's output, without its progress bars."""
        return "\n".join(self._log()[-lines:])

    def _log(self) -> list[str]:
        try:
            text = (self.folder / "log.txt").read_text(errors="replace")
        except FileNotFoundError:
            return []
        whole = [line.rsplit("\r", 1)[-1] for line in text.split("\n")]
        return [line for line in whole if line.strip() and "it/s]" not in line and "s/it]" not in line]

    def why(self) -> str:
        """Why it is not running although it didn't finish: its own last words; "" if it was stopped, or runs."""
        if self.status() not in ("stopped", "failed"):
            return ""
        log = self._log()
        begun = max((k for k, line in enumerate(log) if line.startswith(_STARTED)), default=-1)
        said = log[begun + 1 :]
        if any(line.startswith(("Stopped and saved", "Interrupted")) for line in said):
            return ""
        if own := next((line for line in reversed(said) if line.startswith("train.py: ")), None):
            return own.removeprefix("train.py: ")
        if any(line.startswith("Traceback") for line in said):
            return f"An error of the program: {said[-1]}"
        if begun < 0:
            return ""
        return "It was killed: by someone, or by the system because memory ran out. Then a smaller batch helps."

    def process(self) -> int | None:
        """The running trainer's process id, or None."""
        try:
            noted = json.loads((self.folder / "process.json").read_text())
        except (OSError, ValueError):
            return None
        return noted["pid"] if _started(noted["pid"]) == noted["started"] is not None else None

    def status(self) -> str:
        """waiting (for another run), running, finished, stopped (it can be resumed), or failed (`why` says why)."""
        if self.process() is not None:
            return "waiting" if (self.folder / "waiting").exists() else "running"
        metrics = self.metrics()
        if metrics and metrics[-1]["event"] == "epoch" and metrics[-1]["step"] >= metrics[-1]["steps"]:
            return "finished"
        return "stopped" if (self.folder / "last.pt").exists() else "failed"

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
            os.kill(pid, signal.SIGTERM)


_STARTED = "Started"  # a line of log.txt, before what each start of the trainer says
_CHILDREN: dict[int, subprocess.Popen[bytes]] = {}


def start(folder: Path, arguments: Iterable[str]) -> Run:
    """Run `train.py` as a process of its own, which outlives this one.

    Args:
        folder: of the run; its output goes to `log.txt` there.
        arguments: of train.py.
    """
    folder.mkdir(parents=True, exist_ok=True)
    arguments = list(arguments)
    with (folder / "log.txt").open("ab") as log:
        log.write(f"{_STARTED} {datetime.now():%Y-%m-%d %H:%M:%S}: train.py {' '.join(arguments)}\n".encode())
        log.flush()
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
        if process.status() != psutil.STATUS_ZOMBIE:
            return float(process.create_time())
        if pid in _CHILDREN:
            _CHILDREN[pid].wait()
        return None
    except psutil.Error:
        return None

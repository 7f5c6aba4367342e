"""Processes that outlive each other: which one it is, and whether it still lives."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

_CHILDREN: dict[int, subprocess.Popen[bytes]] = {}


class Process(NamedTuple):
    """A process; its id alone may have been given to another since."""

    pid: int
    started: float

    def lives(self) -> bool:
        """Whether it has not ended."""
        return _started(self.pid) == self.started


def this_process() -> Process:
    """The calling one."""
    return process_of(os.getpid())


def process_of(pid: int) -> Process:
    """A process by its id; of one that has ended, one that never lived."""
    return Process(pid, _started(pid) or -1.0)


def launch(module: str, arguments: Sequence[str], log: int) -> Process:
    """Run a module of this package in a process that outlives this one; its output goes to the file descriptor."""
    child = subprocess.Popen(
        _command(module, arguments), stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
        start_new_session=True, env=_environment(),
    )  # fmt: skip
    _CHILDREN[child.pid] = child
    return process_of(child.pid)


def run_module(module: str, arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run a module of this package in a process of its own, to its end."""
    return subprocess.run(
        _command(module, arguments), capture_output=True, text=True, stdin=subprocess.DEVNULL, env=_environment()
    )


def _command(module: str, arguments: Sequence[str]) -> list[str]:
    return [sys.executable, "-m", module, *arguments]


def _environment() -> dict[str, str]:
    """In which this package is found, wherever it lies."""
    path = filter(None, (str(Path(__file__).parent.parent), os.environ.get("PYTHONPATH")))
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path)}


def _started(pid: int) -> float | None:
    import psutil

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

"""Runs wait for the device they compute on, first come, first served.

A waiting process holds a ticket, a file with a number; it is its turn when no living process has a lower one. A killed
process loses its turn by no longer living.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from ..device import device_identity
from ..errors import UserError
from ..files import cache_folder, write_text, writing
from ..processes import Process, this_process

if TYPE_CHECKING:
    import torch

_POLL_SECONDS = 0.5


@contextlib.contextmanager
def turn(device: torch.device, waiting: Callable[[], None] | None = None) -> Iterator[None]:
    """One run at a time on a device; the others wait for their turn.

    Args:
        device: where it is to run. Processes of `accelerate launch` don't wait: who launches them has the device.
        waiting: called once if there is a run before it; None not to wait.
    Raises:
        UserError: it would have to wait, and is not to.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        yield
        return
    tickets = _Tickets(cache_folder() / "queue" / device_identity(device))
    ticket = tickets.draw()
    try:
        if tickets.before(ticket):
            if waiting is None:
                raise UserError(f"A run is using the {device.type}. Wait until it is done, or stop it.")
            waiting()
            while tickets.before(ticket):
                time.sleep(_POLL_SECONDS)
        yield
    finally:
        ticket.unlink(missing_ok=True)


class _Tickets:
    """The queue of one device, in a folder: files NUMBER.json, each with its process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
        self._lock = FileLock(folder / "lock")

    def draw(self) -> Path:
        """A ticket behind all others."""
        with self._lock:
            number = max((int(path.stem) for path in self.folder.glob("*.json")), default=0) + 1
            ticket = self.folder / f"{number:09d}.json"
            write_text(ticket, json.dumps(this_process()))
            return ticket

    def before(self, ticket: Path) -> bool:
        """Whether a living process has a lower one; those of dead ones are thrown away."""
        with self._lock:
            for path in sorted(self.folder.glob("*.json")):
                if path.name >= ticket.name:
                    return False
                if Process(*json.loads(path.read_text())).lives():
                    return True
                path.unlink()
            return False

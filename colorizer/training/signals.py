"""Stopping a run from outside."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Iterator
from types import FrameType

_FORWARDED = 3.0  # seconds in which a launcher (torchrun) hands on to its processes what the whole group has had


def leave_stopping_to_the_parent(_worker: int) -> None:
    """For processes that decode pictures: Ctrl-C and SIGTERM reach the whole group, and the loop needs its batches."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


class StopRequest:
    """Ctrl-C or SIGTERM asks the loop to stop after its step; another one, three seconds later, stops at once."""

    def __init__(self) -> None:
        self._since: float | None = None

    @property
    def asked(self) -> bool:
        return self._since is not None

    def _ask(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if self._since is None:
            self._since = now
        elif now - self._since > _FORWARDED:
            raise KeyboardInterrupt

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        try:
            before = {s: signal.signal(s, self._ask) for s in (signal.SIGINT, signal.SIGTERM)}
        except ValueError:  # not in the main thread: whoever runs us there stops us otherwise
            yield
            return
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

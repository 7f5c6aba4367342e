"""A run from its start to its end: its turn on the device, its outcome, its own words for errors."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from accelerate import PartialState
from accelerate.state import AcceleratorState
from tqdm import tqdm

from ..device import choose_device, is_first_process
from ..errors import UserError
from .config import TrainingConfig
from .queue import turn
from .runs import Run
from .trainer import Trainer


def train(config: TrainingConfig, resume: bool = False, log: Callable[[str], None] = tqdm.write) -> bool:
    """Train a network; the run is left in the folder `config.output`.

    Args:
        config: what to train on what.
        resume: resume the run in that folder.
        log: called with lines for people, by the main process only.
    Returns:
        True if it came to its last epoch, False if it was asked to stop (Ctrl-C or SIGTERM); it can be resumed.
    Raises:
        UserError: with what is wrong and what to do.
    """
    first = is_first_process()
    if not first:
        log = _quiet
    run = Run(Path(config.output))

    def waiting() -> None:
        log("Another run has the device; this one waits for its turn.")
        run.register()
        run.wait()

    if first and run.folder.exists():  # a resumed one, or one that the page started
        run.register()
    try:
        with turn(choose_device(config.device), waiting), own_words():
            run.go()
            trainer = Trainer(config, resume, log)
            log(f"Training on {trainer.device} in {config.output}, from step {trainer.step} of {trainer.steps}.")
            finished = trainer.fit()
    except BaseException as error:
        if first and run.folder.exists():
            run.go()
            _note(run, error)
        raise
    if first:
        run.end("finished" if finished else "stopped")
    return finished


def _note(run: Run, error: BaseException) -> None:
    """How a run ended that came to an error. One that another process works on is left alone."""
    if run.process() not in (None, os.getpid()):
        return
    if isinstance(error, KeyboardInterrupt):
        run.end("stopped")
    else:
        own = isinstance(error, UserError)
        run.end("failed", str(error) if own else f"An error of the program: {type(error).__name__}: {error}")


def _quiet(line: str) -> None:
    pass


@contextlib.contextmanager
def own_words() -> Iterator[None]:
    """Out of memory becomes a UserError; the state that accelerate keeps for a process is cleared in the end."""
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
        no_memory = isinstance(error, torch.OutOfMemoryError | MemoryError) or "can't allocate memory" in str(error)
        if not no_memory:
            raise
        raise UserError(
            "Memory ran out. Resume with a smaller --batch-size, or start with a smaller --size."
        ) from error
    finally:
        if PartialState().num_processes == 1:  # else a second run in this process could not choose its precision
            AcceleratorState._reset_state(reset_partial_state=True)

"""Many pictures at once: what is to be coloured into which file, and doing it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .errors import UserError
from .inference import Colorizer, Settings, colorize_file
from .pictures import find_pictures


@dataclass(frozen=True)
class Job:
    """A picture and where its coloured copy goes; the suffix may still change with what the picture holds."""

    source: Path
    target: Path

    def done(self) -> Path | None:
        """The finished copy, if there is one."""
        candidates = (self.target, self.target.with_suffix(".png"))
        return next((path for path in candidates if path.is_file()), None)


@dataclass
class Outcome:
    """What became of a batch."""

    written: list[Path] = field(default_factory=list)
    skipped: list[Path] = field(default_factory=list)
    failed: list[tuple[Path, str]] = field(default_factory=list)


def plan(inputs: Iterable[Path], output: Path) -> list[Job]:
    """One job for each picture in files and folders, at any depth; names and subfolders are kept.

    Two pictures that would get the same name (from two folders, or a.bmp and a.png) get a number.

    Raises:
        UserError: an input is missing, holds no picture, or would be written over.
    """
    jobs: list[Job] = []
    taken: set[Path] = set()
    for given in inputs:
        if given.is_dir():
            within_output = output.resolve()
            if given.resolve() == within_output:
                raise UserError(f"The output folder is the input folder {given}. Choose another with -o.")
            found = [p for p in find_pictures(given) if within_output not in p.resolve().parents]
            if not found:
                raise UserError(f"There are no pictures in {given}.")
            pairs = [(p, output / p.relative_to(given)) for p in found]
        elif given.is_file():
            pairs = [(given, output / given.name)]
        else:
            raise UserError(f"There is no file or folder {given}.")
        for source, target in pairs:
            number, named = 1, target
            while named.with_suffix("") in taken:
                number += 1
                named = target.with_stem(f"{target.stem}-{number}")
            taken.add(named.with_suffix(""))
            if named.resolve() == source.resolve():
                raise UserError(f"{source} would be written over. Choose another folder with -o.")
            jobs.append(Job(source, named))
    return jobs


def run(
    colorizer: Colorizer,
    jobs: Sequence[Job],
    settings: Settings | None = None,
    overwrite: bool = False,
    progress: Callable[[Job], None] | None = None,
) -> Outcome:
    """Colour all; a picture that can't be read is noted, and the rest goes on.

    Args:
        colorizer: the network.
        jobs: of `plan`.
        settings: how to colour.
        overwrite: colour again what is already there.
        progress: called after each.
    """
    outcome = Outcome()
    for job in jobs:
        done = None if overwrite else job.done()
        if done is not None:
            outcome.skipped.append(done)
        else:
            try:
                outcome.written.append(colorize_file(colorizer, job.source, job.target, settings))
            except (UserError, OSError, MemoryError) as error:
                outcome.failed.append((job.source, str(error) or type(error).__name__))
        if progress:
            progress(job)
    return outcome

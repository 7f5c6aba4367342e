"""Many pictures at once: what is to be colored into which file, and doing it."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..device import cores_shared
from ..errors import UserError
from ..model.hints import HINTS_SUFFIX, Hint, read_hints
from ..pictures.photo import Photo
from ..pictures.reading import find_pictures, number_of_pages, read_picture
from ..pictures.sources import ZipSource
from ..pictures.writing import Output, write_picture
from .settings import Settings

if TYPE_CHECKING:
    from .colorizer import Colorizer
    from .onnx_colorizer import OnnxColorizer, OnnxPhoto
    from .prepared import PreparedPhoto


@dataclass(frozen=True)
class Job:
    """A picture and where its colored copy goes; the suffix may still change with what the picture holds.

    Attributes:
        source: the picture; or its path within the zip file.
        target: the file for the result.
        archive: the zip file, if it is in one.
        hints_file: the file of its hints, if that is not beside it.
        page: of the file, from 0; None where it is the only one.
    """

    source: Path
    target: Path
    archive: ZipSource | None = None
    hints_file: Path | None = None
    page: int | None = None

    def read(self) -> Photo:
        """The decoded picture."""
        if self.archive is None:
            return read_picture(self.source, page=self.page)
        return read_picture(self.archive.read(self.source.as_posix()), self.source.name)

    def hints(self) -> list[Hint]:
        """Of the file NAME.hints.json beside the picture NAME.jpg, or given with it, if there is one."""
        beside = self.hints_file or self.source.with_suffix(HINTS_SUFFIX)
        if (self.archive is not None and self.hints_file is None) or not beside.is_file():
            return []
        return read_hints(beside, [self.source.name])[self.source.name]

    def done(self) -> Path | None:
        """The finished copy, if there is one."""
        candidates = (self.target, self.target.with_suffix(".png"))
        return next((path for path in candidates if path.is_file()), None)


@dataclass(frozen=True)
class Result:
    """What became of a picture.

    Attributes:
        job: of `plan`.
        written: the colored file, and its alternatives after it; one file if it was there already; none on failure.
        skipped: it was there already.
        problem: why it failed, if it did.
        notes: what there is to know, such as frames left behind.
    """

    job: Job
    written: tuple[Path, ...] = ()
    skipped: bool = False
    problem: str | None = None
    notes: tuple[str, ...] = ()


def plan(inputs: Iterable[Path], output: Path, format: str | None = None) -> list[Job]:
    """One job for each picture in files, folders and zip files, at any depth; names and subfolders are kept.

    Args:
        inputs: files, folders, zip files; NAME.hints.json among them holds the hints of the picture NAME.
        output: the folder for the results.
        format: their suffix without the dot; None for each picture's own.

    Two pictures that would get the same name (from two folders, or a.bmp and a.png) get a number.

    Raises:
        UserError: an input is missing, holds no picture, or would be written over.
    """
    jobs: list[Job] = []
    taken: set[Path] = set()
    given = list(inputs)
    hints = {p.name.removesuffix(HINTS_SUFFIX): p for p in given if p.name.endswith(HINTS_SUFFIX) and p.is_file()}
    for path in given:
        if path in hints.values():
            continue
        archive = None
        if path.is_dir():
            within_output = output.resolve()
            if path.resolve() == within_output:
                raise UserError(f"The output folder is the input folder {path}. Choose another with -o.")
            pictures = [p for p in find_pictures(path) if within_output not in Path(os.path.realpath(p)).parents]
            if not pictures:
                raise UserError(f"There are no pictures in {path}.")
            pairs = [pair for p in pictures for pair in _pages(p, p.relative_to(path))]
        elif path.is_file() and path.suffix.lower() == ".zip":
            archive = ZipSource(path)
            if not archive.names:
                raise UserError(f"There are no pictures in {path}.")
            pairs = [(Path(name), safe_path(name), None) for name in archive.names]
        elif path.is_file():
            pairs = _pages(path, Path(path.name))
        else:
            raise UserError(f"There is no file or folder {path}.")
        for source, relative, page in pairs:
            target = output / relative
            target = target if format is None else target.with_suffix(f".{format}")
            number, named = 1, target
            while named.with_suffix("") in taken:
                number += 1
                named = target.with_stem(f"{target.stem}-{number}")
            taken.add(named.with_suffix(""))
            if archive is None and os.path.realpath(named) == os.path.realpath(source):
                raise UserError(f"{source} would be written over. Choose another folder with -o.")
            jobs.append(Job(source, named, archive, hints.get(source.stem), page))
    if alone := set(hints) - {job.source.stem for job in jobs}:
        raise UserError(f"There is no picture {min(alone)} that {hints[min(alone)].name} could hold the hints of.")
    return jobs


def _pages(source: Path, relative: Path) -> list[tuple[Path, Path, int | None]]:
    """A file with its name below the output's folder; of one with several pages each, NAME-page1, NAME-page2, ..."""
    number = number_of_pages(source)
    if number == 1:
        return [(source, relative, None)]
    return [(source, relative.with_stem(f"{relative.stem}-page{k + 1}"), k) for k in range(number)]


def safe_path(name: str) -> Path:
    """A zip entry's name as a path that stays below the folder it is put in.

    >>> safe_path("../album/./a.jpg").as_posix()
    'album/a.jpg'
    """
    parts = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".", "..")]
    return Path(*(part.replace(":", "_") for part in parts))


def run(
    colorizer: Colorizer | OnnxColorizer,
    jobs: Sequence[Job],
    settings: Settings | None = None,
    hints: Mapping[str, Sequence[Hint]] | None = None,
    output: Output | None = None,
    alternatives: int = 0,
    overwrite: bool = False,
    workers: int = 1,
    stop: threading.Event | None = None,
) -> Iterator[Result]:
    """Color all; a picture that can't be read is one result among the others, and the rest is colored.

    Args:
        colorizer: the network.
        jobs: of `plan`.
        settings: how to color.
        hints: known colors, by the picture's file name; else those of NAME.hints.json beside it.
        output: how the results are written.
        alternatives: other colorings to write, too, at most, as NAME-alternative1, NAME-alternative2, ...
        overwrite: color again what is already there.
        workers: pictures in work at the same time.
        stop: when set, no further picture is begun.
    Yields:
        the results as they finish.
    """

    def work(job: Job) -> Result | None:
        if stop is not None and stop.is_set():
            return None
        done = None if overwrite else job.done()
        if done is not None:
            return Result(job, (done,), skipped=True)
        try:
            own_hints = (hints or {}).get(job.source.name)
            own_hints = job.hints() if own_hints is None else own_hints
            return colorize_file(colorizer, job, settings, own_hints, output or Output(), alternatives)
        except (UserError, OSError, MemoryError) as error:
            return Result(job, problem=reason_of(error))

    with cores_shared(workers), ThreadPoolExecutor(workers) as pool:
        futures = [pool.submit(work, job) for job in jobs]
        try:
            for future in as_completed(futures):
                if (result := future.result()) is not None:
                    yield result
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def reason_of(error: Exception) -> str:
    """Why a picture could not be colored."""
    reason = "There is not enough memory for it." if isinstance(error, MemoryError) else str(error)
    return reason or type(error).__name__


def colorize_file(
    colorizer: Colorizer | OnnxColorizer,
    job: Job,
    settings: Settings | None = None,
    hints: Sequence[Hint] = (),
    output: Output | None = None,
    alternatives: int = 0,
) -> Result:
    """Color a file into another, whole or not at all; the arguments are those of `run`."""
    output = replace(output or Output(), credit=colorizer.credit)
    photo = job.read()
    prepared = colorizer.prepare(photo)
    target = job.target.with_suffix(output.suffix(photo, job.target.suffix))
    written = [target]
    if alternatives:
        written += _write_alternatives(prepared, alternatives, settings, hints, target, output)
    write_picture(prepared.colorize(settings, hints, in_place=True), target, output)  # last: it says that all is done
    pale = (f"{job.source.name}: {sentence}" for sentence in prepared.not_shown(hints))
    return Result(job, tuple(written), notes=(*photo.metadata.notes, *pale))


def _write_alternatives(
    prepared: PreparedPhoto | OnnxPhoto, n: int, settings: Settings | None, hints: Sequence[Hint], target: Path,
    output: Output,
) -> list[Path]:  # fmt: skip
    from .alternatives import alternative_photos  # which needs PyTorch
    from .prepared import PreparedPhoto

    assert isinstance(prepared, PreparedPhoto)  # `OnnxColorizer.check` has refused
    written = []
    for k, (other, _) in enumerate(alternative_photos(prepared, n, settings, hints), 1):
        written.append(target.with_stem(f"{target.stem}-alternative{k}"))
        write_picture(other, written[-1], output)
    return written

"""Films, from file to file: shot by shot, steadily, with what is known of single frames carried through their shots.

colorizer.film("reel.mp4", "colorized/reel.mp4")
colorizer.film("reel.mp4", "reel-color.mp4", corrections=[Correction(12.5, hints=[(420, 310, 9, "#7a1f1f")])])

The colored parts of a film lie in a folder beside the result until all are there, so that what is killed goes on where
it was, and ends with the same file.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from av.video.frame import VideoFrame

from ..arrays import Plane
from ..errors import UserError
from ..film.reading import Film, interlacing, open_film
from ..film.writing import FilmOutput, Segment, assemble, segment
from ..pictures.photo import Photo
from .corrections import Correction
from .film_parts import Parts, identity_of
from .film_plan import Progress, Shot, ShownFrame, Stopped, frames_of, into_shots, plan_film, seconds_of
from .film_strokes import paint_at, strokes_of, whole_things
from .predictor import Predictor
from .prepared import PreparedPhoto
from .settings import Settings
from .steady import Steadiness, Steady, steady_colors
from .upsampling import colorize_photo, guide_of


@dataclass(frozen=True)
class FilmResult:
    """What became of a film.

    Attributes:
        target: the colored film.
        shots: of it.
        notes: what there is to know, such as what could not be read.
    """

    target: Path
    shots: tuple[Shot, ...]
    notes: tuple[str, ...] = ()

    @property
    def frames(self) -> int:
        """How many frames were colored."""
        return sum(shot.frames for shot in self.shots)


def colorize_film(
    predictor: Predictor,
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    settings: Settings | None = None,
    corrections: Sequence[Correction] = (),
    output: FilmOutput | None = None,
    deinterlace: bool = False,
    steadiness: Steadiness | None = None,
    progress: Progress | None = None,
    stop: threading.Event | None = None,
) -> FilmResult:
    """Color a film.

    Args:
        predictor: by which.
        source: the film.
        target: the file to write; where it can't hold the result, with the suffix .mkv.
        settings: how to color.
        corrections: what is known of single frames.
        output: how the result is written.
        deinterlace: of `open_film`.
        steadiness: how colors are kept steady.
        progress: called with "shots" or "color", the frames done, and how many there are (at first: about).
        stop: when set, `Stopped` is raised; the same call goes on from there.
    Raises:
        UserError: of `open_film`; or a correction that doesn't fit; or the result can't be written.
    """
    source, output, settings = Path(source), output or FilmOutput(), settings or Settings()
    target = Path(target).with_suffix(output.suffix(Path(target).suffix))
    if os.path.realpath(target) == os.path.realpath(source):
        raise UserError(f"{source} would be written over. Choose another folder.")
    steadiness = steadiness or Steadiness()
    woven = "" if deinterlace else interlacing(source)
    plan, notes = plan_film(source, corrections, deinterlace, progress, stop)
    notes = (*([woven] if woven else []), *notes)
    told = {number for number in plan.corrections if any(hint.influence for hint in plan.hints(number))}
    predictor.check(hints=bool(told))
    parts = Parts(target, identity_of(predictor, source, settings, corrections, output, deinterlace, steadiness))
    starts = [start for shot in plan.shots for start in plan.starts(shot)]
    begin = parts.resumes_at(starts, {shot.first for shot in plan.shots})
    total, done = sum(shot.frames for shot in plan.shots), begin
    part_begins = set(starts)
    with open_film(source, deinterlace) as film:
        frames = enumerate(film.frames())
        for shot in plan.shots:
            if shot.first + shot.frames <= begin:
                continue
            strokes, behind = strokes_of(predictor, source, plan, shot, deinterlace, steadiness)
            own = plan.settings(shot) or settings
            first = max(begin, shot.first)

            def colors_of(shown: ShownFrame, own: Settings = own) -> Plane:
                return PreparedPhoto(predictor, film.photo(shown.frame)).ab(own, plan.hints(shown.number))

            colored = steady_colors(
                frames_of(film, frames, first, shot.first + shot.frames), colors_of, steadiness,
                parts.state(first) if first > shot.first else None, plan.must(shot), strokes, behind,
                whole_things(film), told,
            )  # fmt: skip
            with contextlib.ExitStack() as open_part:
                for steady in colored:
                    if stop is not None and stop.is_set():
                        raise Stopped
                    number = steady.frame.number
                    if number in part_begins:
                        open_part.close()
                        if number > first and steady.known is not None:
                            parts.keep(number, steady.known)
                        part = open_part.enter_context(segment(parts.path(number), film.info, output))
                    _write(part, film, steady, own)
                    done += 1
                    if progress is not None:
                        progress("color", done, total)
        info, notes = film.info, (*notes, *(note for note in film.notes if note not in notes))
    lost = assemble(source, [parts.path(start) for start in starts], target, info)
    parts.remove()
    return FilmResult(target, tuple(plan.shots), (*notes, *lost))


def preview_film(
    predictor: Predictor,
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    at: float = 0,
    seconds: float = 3,
    settings: Settings | None = None,
    short_side: int = 240,
) -> Path:
    """A few seconds of a film in color, small, without sound: to see how it will be.

    Args:
        predictor, source, settings: of `colorize_film`.
        target: the file to write, .mp4.
        at: where it begins, in seconds.
        seconds: how long it is.
        short_side: of its frames, at most, in pixels.
    """
    own, target = settings or Settings(), Path(target)
    with open_film(source, short_side=short_side) as film:
        film.seek(at)
        numbered = enumerate(film.frames())
        until = _until(film, numbered, at + seconds)
        with segment(target, film.info, FilmOutput(preset="veryfast")) as part:
            for shot in into_shots(until):
                for steady in steady_colors(shot, lambda s: PreparedPhoto(predictor, film.photo(s.frame)).ab(own)):
                    _write(part, film, steady, own)
    return target


def _write(part: Segment, film: Film, steady: Steady[ShownFrame], settings: Settings) -> None:
    """A frame in its colors, and what is painted over them."""
    photo = film.photo(steady.frame.frame)
    guide = guide_of(photo)
    paint = None if steady.painted is None else paint_at(steady.painted, guide)
    colored = colorize_photo(photo, guide, steady.ab, settings.saturation, settings.strength, True, paint)
    part.write(colored.rgb, steady.frame.time)


def still(source: str | os.PathLike[str], at: float) -> Photo:
    """The frame of a film at a moment, in seconds; the last one, if the film ends before."""
    with open_film(source) as film:
        film.seek(at)
        frame = None
        for frame in film.frames():
            if seconds_of(film, frame) >= at - 1e-3:
                break
        if frame is None:
            raise UserError(f"{film.name} has no picture at {at} seconds.")
        return film.photo(frame)


def _until(film: Film, numbered: Iterator[tuple[int, VideoFrame]], end: float) -> Iterator[ShownFrame]:
    for number, frame in numbered:
        if number and seconds_of(film, frame) >= end:
            return
        yield ShownFrame(number, frame, film.light(frame))

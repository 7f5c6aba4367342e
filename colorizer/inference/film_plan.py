"""What is to be done with a film, before any of it is colored: its shots, and the frames that corrections are of."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from av.video.frame import VideoFrame

from ..arrays import Plane
from ..errors import UserError
from ..film.reading import Film, open_film
from ..film.shots import CutFinder
from ..model.hints import Hint, parse_hints
from .corrections import Correction
from .settings import Settings

PART = 500  # frames of a shot that are written as one file
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Shot:
    """A part of a film between two cuts.

    Attributes:
        first: number of its first frame.
        frames: how many it has.
        begins, ends: in seconds.
    """

    first: int
    frames: int
    begins: float
    ends: float

    def __contains__(self, number: int) -> bool:
        """Whether that frame is one of its."""
        return self.first <= number < self.first + self.frames


class Stopped(Exception):
    """Somebody has asked to stop; what is done is kept."""


@dataclass
class ShownFrame:
    """A frame of a film; see `steady.Frame`."""

    number: int
    frame: VideoFrame
    light: Plane

    @property
    def time(self) -> int:
        """In the film's time base."""
        return self.frame.pts or 0


@dataclass
class FilmPlan:
    """Shots, and corrections by the numbers of their frames."""

    shots: list[Shot]
    corrections: dict[int, Correction] = field(default_factory=dict)

    def hints(self, number: int) -> list[Hint]:
        """Those of a frame."""
        return parse_hints(self.corrections[number].hints) if number in self.corrections else []

    def starts(self, shot: Shot) -> list[int]:
        """The first frames of its parts."""
        return list(range(shot.first, shot.first + shot.frames, PART))

    def settings(self, shot: Shot) -> Settings | None:
        """Those that a correction gives it; the latest, if there are several."""
        own = [c.settings for n, c in sorted(self.corrections.items()) if n in shot and c.settings]
        return own[-1] if own else None

    def must(self, shot: Shot) -> Callable[[int], bool]:
        """Which frames must be keys: those that something is known of, and those that parts begin with."""
        numbers = {*self.starts(shot), *(n for n in self.corrections if n in shot)}
        return lambda number: number in numbers


def find_shots(
    path: str | os.PathLike[str], deinterlace: bool = False, progress: Progress | None = None,
    stop: threading.Event | None = None,
) -> list[Shot]:  # fmt: skip
    """Where a film is cut.

    Args:
        path: its file.
        deinterlace: of `open_film`.
        progress: called with "shots", the frames looked at, and how many there are about.
        stop: when set, `Stopped` is raised.
    Raises:
        UserError: of `open_film`.
    """
    return plan_film(path, (), deinterlace, progress, stop)[0].shots


def plan_film(
    path: str | os.PathLike[str],
    corrections: Sequence[Correction],
    deinterlace: bool,
    progress: Progress | None,
    stop: threading.Event | None,
) -> tuple[FilmPlan, tuple[str, ...]]:
    """Shots, and which frames the corrections are of; and what there is to know of the film."""
    shots: list[Shot] = []
    waiting = sorted(corrections, key=lambda c: c.at)
    placed: dict[int, list[Correction]] = {}
    with open_film(path, deinterlace) as film:
        cuts, about = CutFinder(), film.info.about_frames
        first, begins, number, now = 0, 0.0, -1, 0.0
        for number, frame in enumerate(film.frames()):
            if stop is not None and stop.is_set():
                raise Stopped
            now = seconds_of(film, frame)
            if cuts.begins(film.light(frame)) and number:
                shots.append(Shot(first, number - first, begins, now))
                first, begins = number, now
            while waiting and waiting[0].at <= now + 1e-3:
                placed.setdefault(number, []).append(waiting.pop(0))
            if progress is not None:
                progress("shots", number + 1, max(about, number + 1))
        length = 1 / float(film.info.rate) if film.info.rate else 0.04
        shots.append(Shot(first, number + 1 - first, begins, now + length))
        if waiting:
            ends, at = shots[-1].ends, waiting[0].at
            raise UserError(f"{film.name} ends at {ends:.2f} seconds: there is no frame at {at:.2f} to correct.")
        plan = FilmPlan(shots)
        for frame_number, several in placed.items():
            hints = tuple(hint for c in several for hint in parse_hints(c.hints))
            references = [c.reference for c in several if c.reference is not None]
            chosen = [c.settings for c in several if c.settings is not None]
            plan.corrections[frame_number] = Correction(
                several[-1].at, hints, references[-1] if references else None, chosen[-1] if chosen else None
            )
        return plan, film.notes


def frames_of(film: Film, frames: Iterator[tuple[int, VideoFrame]], first: int, end: int) -> Iterator[ShownFrame]:
    """Frames `first` .. `end` - 1."""
    for number, frame in frames:
        if number >= first:
            yield ShownFrame(number, frame, film.light(frame))
        if number + 1 == end:
            return


def into_shots(frames: Iterable[ShownFrame]) -> Iterator[Iterator[ShownFrame]]:
    """Shots, each to be gone through before the next."""
    cuts, rest = CutFinder(), iter(frames)
    following = next(rest, None)
    if following is not None:
        cuts.begins(following.light)

    def shot() -> Iterator[ShownFrame]:
        nonlocal following
        while following is not None:
            yield following
            following = next(rest, None)
            if following is not None and cuts.begins(following.light):
                return

    while following is not None:
        yield shot()


def seconds_of(film: Film, frame: VideoFrame) -> float:
    """When a frame is shown, counted from the first."""
    return float((frame.pts or 0) * film.info.time_base) - film.info.begins

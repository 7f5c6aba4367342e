"""Films, from file to file: shot by shot, steadily, with what is known of single frames carried through their shots.

colorizer.film("reel.mp4", "colorized/reel.mp4")
colorizer.film("reel.mp4", "reel-color.mp4", corrections=[Correction(12.5, hints=[(420, 310, 9, "#7a1f1f")])])

The colored parts of a film lie in a folder beside the result until all are there, so that what is killed goes on where
it was, and ends with the same file.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from av.video.frame import VideoFrame

from ..arrays import Plane, resize, resize_linear
from ..color.lab import rgb_to_lab
from ..errors import UserError
from ..files import code_version, whole_file, write_text
from ..film.reading import Film, interlacing, open_film
from ..film.shots import CutFinder
from ..film.writing import FilmOutput, assemble, segment
from ..model.hints import Hint, parse_hints
from ..pictures.photo import Photo
from .corrections import Correction
from .predictor import Predictor
from .prepared import PreparedPhoto
from .settings import Settings
from .steady import Key, Known, Steadiness, carried_back, keys_of, over, steady_colors
from .upsampling import Paint, colorize_photo, guide_of, guided_coefficients

PART = 500  # frames of a shot that are written as one file
_BACK = 250  # keys that strokes are carried back by, at most: some 2000 frames; each takes 1.4 MB of memory
_EPSILON, _CONTRAST = 1e-3, 2.0  # of the edges of what strokes cover, as of `steady.carried_paint`
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


class Stopped(Exception):
    """Somebody has asked to stop; what is done is kept."""


@dataclass
class _Shown:
    number: int
    frame: VideoFrame
    light: Plane

    @property
    def time(self) -> int:
        """In the film's time base."""
        return self.frame.pts or 0


@dataclass
class _Plan:
    """Shots, and corrections by the numbers of their frames."""

    shots: list[Shot]
    corrections: dict[int, Correction] = field(default_factory=dict)
    strokes: dict[int, tuple[Hint, ...]] = field(default_factory=dict)

    def starts(self, shot: Shot) -> list[int]:
        """The first frames of its parts."""
        return list(range(shot.first, shot.first + shot.frames, PART))

    def settings(self, shot: Shot) -> Settings | None:
        """Those that a correction gives it; the latest, if there are several."""
        own = [c.settings for n, c in sorted(self.corrections.items()) if _within(n, shot) and c.settings]
        return own[-1] if own else None

    def must(self, shot: Shot) -> Callable[[int], bool]:
        """Which frames must be keys: those that something is known of, and those that parts begin with."""
        numbers = {*self.starts(shot), *(n for n in self.corrections if _within(n, shot))}
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
    return _planned(path, (), deinterlace, progress, stop)[0].shots


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
    plan, notes = _planned(source, corrections, deinterlace, progress, stop)
    notes = (*([woven] if woven else []), *notes)
    _check(predictor, plan)
    parts = _Parts(target, _identity(predictor, source, settings, corrections, output, deinterlace, steadiness))
    starts = [start for shot in plan.shots for start in plan.starts(shot)]
    begin = parts.resumes_at(starts, {shot.first for shot in plan.shots})
    total, done = sum(shot.frames for shot in plan.shots), begin
    part_begins = set(starts)
    with open_film(source, deinterlace) as film:
        frames = enumerate(film.frames())
        for shot in plan.shots:
            if shot.first + shot.frames <= begin:
                continue
            strokes, behind = _strokes(predictor, source, plan, shot, deinterlace, steadiness)
            own = plan.settings(shot) or settings
            first = max(begin, shot.first)

            def colors_of(shown: _Shown, own: Settings = own) -> Plane:
                return PreparedPhoto(predictor, film.photo(shown.frame)).ab(own, plan.strokes.get(shown.number, ()))

            colored = steady_colors(
                _shown(film, frames, first, shot.first + shot.frames), colors_of, steadiness,
                parts.state(first) if first > shot.first else None, plan.must(shot), strokes, behind,
            )  # fmt: skip
            with contextlib.ExitStack() as open_part:
                for steady in colored:
                    if stop is not None and stop.is_set():
                        raise Stopped
                    number = steady.frame.number
                    if number in part_begins:
                        open_part.close()
                        if number > shot.first and number > first and steady.known is not None:
                            parts.keep(number, steady.known)
                        part = open_part.enter_context(segment(parts.path(number), film.info, output))
                    photo = film.photo(steady.frame.frame)
                    guide = guide_of(photo)
                    paint = None if steady.painted is None else _paint(steady.painted, guide)
                    photo = colorize_photo(photo, guide, steady.ab, own.saturation, own.strength, True, paint)
                    part.write(photo.rgb, steady.frame.time)
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
            for shot in _cut(until):
                for steady in steady_colors(shot, lambda s: PreparedPhoto(predictor, film.photo(s.frame)).ab(own)):
                    photo = film.photo(steady.frame.frame)
                    part.write(
                        colorize_photo(photo, guide_of(photo), steady.ab, own.saturation, own.strength, True).rgb,
                        steady.frame.time,
                    )
    return target


def still(source: str | os.PathLike[str], at: float) -> Photo:
    """The frame of a film at a moment, in seconds; the last one, if the film ends before."""
    with open_film(source) as film:
        film.seek(at)
        frame = None
        for frame in film.frames():
            if _seconds(film, frame) >= at - 1e-3:
                break
        if frame is None:
            raise UserError(f"{film.name} has no picture at {at} seconds.")
        return film.photo(frame)


def _until(film: Film, numbered: Iterator[tuple[int, VideoFrame]], end: float) -> Iterator[_Shown]:
    for number, frame in numbered:
        if number and _seconds(film, frame) >= end:
            return
        yield _Shown(number, frame, film.light(frame))


def _cut(frames: Iterable[_Shown]) -> Iterator[Iterator[_Shown]]:
    """Shots, each to be gone through before the next."""
    cuts, rest = CutFinder(), iter(frames)
    following = next(rest, None)
    if following is not None:
        cuts.begins(following.light)

    def shot() -> Iterator[_Shown]:
        nonlocal following
        while following is not None:
            yield following
            following = next(rest, None)
            if following is not None and cuts.begins(following.light):
                return

    while following is not None:
        yield shot()


def _planned(
    path: str | os.PathLike[str],
    corrections: Sequence[Correction],
    deinterlace: bool,
    progress: Progress | None,
    stop: threading.Event | None,
) -> tuple[_Plan, tuple[str, ...]]:
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
            now = _seconds(film, frame)
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
        plan = _Plan(shots)
        for frame_number, several in placed.items():
            hints = tuple(hint for c in several for hint in parse_hints(c.hints))
            references = [c.reference for c in several if c.reference is not None]
            chosen = [c.settings for c in several if c.settings is not None]
            plan.corrections[frame_number] = Correction(
                several[-1].at, hints, references[-1] if references else None, chosen[-1] if chosen else None
            )
            plan.strokes[frame_number] = hints
        return plan, film.notes


def _check(predictor: Predictor, plan: _Plan) -> None:
    told = any(hint.influence for hints in plan.strokes.values() for hint in hints)
    predictor.check(hints=told)


def _shown(film: Film, frames: Iterator[tuple[int, VideoFrame]], first: int, end: int) -> Iterator[_Shown]:
    """Frames `first` .. `end` - 1."""
    for number, frame in frames:
        if number >= first:
            yield _Shown(number, frame, film.light(frame))
        if number + 1 == end:
            return


def _strokes(
    predictor: Predictor, source: Path, plan: _Plan, shot: Shot, deinterlace: bool, steadiness: Steadiness
) -> tuple[dict[int, Plane], dict[int, Plane]]:
    """What is painted in a shot: at the frames it was said of, and at the keys before them."""
    numbers = sorted(n for n, c in plan.corrections.items() if _within(n, shot) and (c.hints or c.reference))
    strokes: dict[int, Plane] = {}
    behind: dict[int, Plane] = {}
    if not numbers:
        return strokes, behind
    with open_film(source, deinterlace) as film:
        frames = _shown(film, enumerate(film.frames()), shot.first, numbers[-1] + 1)
        keys: deque[Key[_Shown]] = deque(maxlen=_BACK)
        for key in keys_of(frames, steadiness, plan.must(shot)):
            shown = key.frames[0]
            keys.append(Key([shown], [], [], key.there, key.there))  # all that it takes
            if shown.number not in numbers:
                continue
            painted = _painted(predictor, film.photo(shown.frame), plan.corrections[shown.number], shown.light)
            if painted is not None:
                strokes[shown.number] = painted
                for number, earlier in carried_back(reversed(keys), painted).items():
                    lower = over(behind.get(number), earlier)
                    if lower is not None:
                        behind[number] = lower
    return strokes, behind


def _painted(predictor: Predictor, photo: Photo, correction: Correction, light: Plane) -> Plane | None:
    """`Known.painted` of a correction, at the size of the small copy."""
    height, width = light.shape
    lower = None
    if correction.reference is not None:
        reference = rgb_to_lab(resize(correction.reference.rgb, width, height))
        lower = np.dstack([np.ones_like(light), reference[..., 1:], light]).astype(np.float32)
    paint = PreparedPhoto(predictor, photo).paint(parse_hints(correction.hints))
    if paint is None:
        return lower
    layers = np.dstack([paint.cover, paint.cover[..., None] * paint.ab, paint.cover * paint.lightness])
    return over(resize(np.asarray(layers, np.float32), width, height), lower)


def _paint(painted: Plane, guide: Plane) -> Paint:
    """`Known.painted` at a guide's size."""
    height, width = guide.shape
    spread = np.asarray(cv2.blur(painted, (9, 9)), np.float32)  # colors where next to nothing is covered
    sure = painted[..., :1] > 0.2
    color = np.where(sure, painted, spread)
    ab_light = resize_linear(np.asarray(color[..., 1:] / np.maximum(color[..., :1], 1e-3), np.float32), width, height)
    radius = max(round(min(guide.shape) / min(painted.shape[:2])), 1) + 1
    cover = resize_linear(np.ascontiguousarray(painted[..., 0]), width, height)
    slope, offset = guided_coefficients(guide, [cover], radius, _EPSILON)
    sharp = np.clip((slope * guide + offset - 0.5) * _CONTRAST + 0.5, 0, 1).astype(np.float32)
    return Paint(sharp, np.ascontiguousarray(ab_light[..., :2]), np.ascontiguousarray(ab_light[..., 2]))


class _Parts:
    """The folder of what is done of a film, beside the result."""

    def __init__(self, target: Path, identity: str) -> None:
        """Of a result; what was made of another film, or in another way, is removed."""
        self.folder = target.with_name(f".{target.name}.parts")
        said = self.folder / "job.txt"
        if said.is_file() and said.read_text() != identity:
            shutil.rmtree(self.folder)
        write_text(said, identity)
        for left in self.folder.glob(".*.tmp"):
            left.unlink()

    def path(self, start: int) -> Path:
        """Of the part that begins with that frame."""
        return self.folder / f"{start:08}.mp4"

    def resumes_at(self, starts: Sequence[int], first: set[int]) -> int:
        """The frame to go on with.

        Args:
            starts: first frames of all parts.
            first: those of shots.
        """
        done = 0
        while done < len(starts) and self.path(starts[done]).is_file():
            done += 1
        while 0 < done < len(starts) and starts[done] not in first and not self._state(starts[done]).is_file():
            done -= 1
        return starts[done] if done < len(starts) else starts[-1] + PART

    def keep(self, start: int, known: Known) -> None:
        """What a part begins with, should it have to be begun again."""
        arrays = {key: value for key, value in vars(known).items() if value is not None}
        with whole_file(self._state(start)) as temporary, temporary.open("wb") as file:
            np.savez(file, **arrays)

    def state(self, start: int) -> Known:
        """Of `keep`."""
        with np.load(self._state(start), allow_pickle=False) as arrays:
            return Known(arrays["ab"], arrays["count"], arrays.get("painted"))

    def _state(self, start: int) -> Path:
        return self.folder / f"{start:08}.npz"

    def remove(self) -> None:
        """All of it."""
        shutil.rmtree(self.folder, ignore_errors=True)


def _identity(predictor: Predictor, source: Path, *how: object) -> str:
    """What a result depends on."""
    digest = hashlib.sha256()
    for tensor in predictor.checkpoint.network.state_dict().values():
        digest.update(tensor.cpu().numpy().tobytes())
    for correction in how[1]:  # type: ignore[attr-defined]
        if correction.reference is not None:
            digest.update(correction.reference.rgb.tobytes())
    stat = source.stat()  # it may be 100 GB
    code = code_version(["color", "model", "film", "inference"])
    return "\n".join(
        (
            f"{source.name} {stat.st_size} {stat.st_mtime_ns}",
            digest.hexdigest(),
            code,
            hashlib.sha256(repr(how).encode()).hexdigest(),
        )
    )


def _within(number: int, shot: Shot) -> bool:
    return shot.first <= number < shot.first + shot.frames


def _seconds(film: Film, frame: VideoFrame) -> float:
    return float((frame.pts or 0) * film.info.time_base) - film.info.begins

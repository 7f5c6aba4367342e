"""Films in: any container and codec that FFmpeg reads, frame by frame.

with open_film("reel.mp4") as film:
    for frame in film.frames():
        photo = film.photo(frame)
"""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np
from av.container import InputContainer
from av.filter import Graph
from av.video.frame import VideoFrame

from ..arrays import Array, Plane
from ..color.lab import lightness
from ..errors import UserError
from ..limits import limits
from ..pictures.photo import Photo
from .flow import SIDE, small_copy

# Of what FFmpeg reads, the formats that lie in one file: play lists and their like name other files, and addresses.
_CONTAINERS = (
    "mov,matroska,webm,avi,mpeg,mpegts,mpegvideo,m4v,h264,hevc,flv,asf,ogg,mxf,dv,gif,rm,nut,ivf,wtv,vc1,obu,mjpeg,"
    "yuv4mpegpipe,nuv,gxf,lxf,apng,flic,film_cpk,swf,roq,smk,dirac,av1,mlv,ty,rpl"
)
# What is wrong with a film is said in our own words. Not by `set_level`: a decoder's thread that calls back into Python
# to log may wait for the one that waits for it.
av.logging.set_libav_level(av.logging.FATAL)

_UNSPECIFIED, _BT709, _BT601 = 2, 1, 5  # AVColorSpace
_HIGH_DEFINITION = 720  # rows from which players take an unspecified matrix to be that of BT.709
_LOOKED_AT = 120  # frames, to find out whether they are interlaced
_INTERLACED, _TELECINED = 0.95, 0.35  # share of combed frames from which they are
_DAMAGED = 100  # places in a row that can't be decoded, after which it is given up


@dataclass(frozen=True)
class FilmInfo:
    """What a film is.

    Attributes:
        width, height: in pixels, as stored: before `rotation`.
        rate: frames a second on average; None where it is not said.
        seconds: its length, as far as it is said; 0 where not.
        time_base: unit of the frames' times, in seconds.
        rotation: degrees, counterclockwise, by which players turn it: 0, 90, 180 or 270.
        aspect: of a pixel, width to height.
        deep: more than 8 bits.
        matrix: of its colors, an AVColorSpace.
        audio, subtitles: how many streams of each.
        begins: time of the first frame, in seconds.
    """

    width: int
    height: int
    rate: Fraction | None
    seconds: float
    time_base: Fraction
    rotation: int
    aspect: Fraction
    deep: bool
    matrix: int
    audio: int
    subtitles: int
    begins: float

    @property
    def about_frames(self) -> int:
        """How many frames there are, about; 0 where that is not said."""
        return round(self.seconds * self.rate) if self.rate else 0

    @property
    def shown_size(self) -> tuple[int, int]:
        """(height, width) as players show it."""
        return (self.width, self.height) if self.rotation in (90, 270) else (self.height, self.width)


class Film:
    """An open film. Its frames can be gone through once; to begin again, open it again."""

    def __init__(
        self, container: InputContainer, name: str, deinterlace: bool = False, short_side: int | None = None
    ) -> None:
        """Of an open container; most callers want `open_film`."""
        self._container, self.name, self._deinterlace, self._short_side = container, name, deinterlace, short_side
        self.damaged = 0  # places that could not be decoded
        self.resized = 0  # frames of another size than the first
        streams = [s for s in container.streams.video if not s.disposition & av.stream.Disposition.attached_pic]
        if not streams:
            kind = "only sound" if container.streams.audio else "no moving picture"
            raise UserError(f"{name} holds {kind}. Give a film.")
        self._stream = streams[0]
        self._stream.thread_type = "AUTO"
        self._frames = self._decoded()
        first = next(self._frames, None)
        if first is None:
            raise UserError(f"{name} is broken: none of its frames can be read. Use another copy of it.")
        second = next(self._frames, None)
        if second is None:
            raise UserError(f"{name} holds a single picture: no film, or a broken one. Color it as a photograph.")
        self._first = [first, second]
        self.info = self._about(first)

    def _about(self, first: VideoFrame) -> FilmInfo:
        stream, container = self._stream, self._container
        if first.width * first.height > (most := limits().film_megapixels) * 10**6:
            raise UserError(f"{self.name} has frames of more than {most} megapixels. Make it smaller and try again.")
        length = (
            stream.duration * stream.time_base
            if stream.duration and stream.time_base
            else Fraction(container.duration or 0, av.time_base)
        )
        rate = stream.average_rate or stream.guessed_rate
        matrix = first.colorspace
        if matrix == _UNSPECIFIED:
            matrix = _BT709 if first.height >= _HIGH_DEFINITION else _BT601
        scale = min(1.0, (self._short_side or 1 << 16) / min(first.width, first.height))
        width, height = (max(round(side * scale / 2), 1) * 2 for side in (first.width, first.height))
        if scale == 1:
            width, height = first.width, first.height
        return FilmInfo(
            width,
            height,
            rate if rate and rate > 0 else None,
            max(float(length), 0.0),
            stream.time_base or Fraction(1, 1000),
            round(first.rotation / 90) % 4 * 90,
            stream.sample_aspect_ratio or Fraction(1),
            max(c.bits for c in first.format.components) > 8,
            matrix,
            len(container.streams.audio),
            len(container.streams.subtitles),
            float((first.pts or 0) * (stream.time_base or 0)),
        )

    def seek(self, seconds: float) -> None:
        """Go on with a frame at or before that moment, counted from the first frame, instead of the first."""
        stamp = round((seconds + self.info.begins) / self.info.time_base)
        try:
            self._container.seek(max(stamp, 0), stream=self._stream, backward=True)
        except av.error.FFmpegError:
            return  # it can't be gone about in: from the beginning, then
        self._first, self._frames = [], self._decoded()

    def frames(self) -> Iterator[VideoFrame]:
        """All of them, each with a time (`pts`, in `info.time_base`) later than the one before; and of one size."""
        last: int | None = None
        step = max(round(1 / (self.info.rate * self.info.time_base)), 1) if self.info.rate else 1
        for frame in self._progressive():
            if (frame.width, frame.height) != (self.info.width, self.info.height):
                self.resized += not self._short_side
                time = frame.pts
                frame = frame.reformat(self.info.width, self.info.height, interpolation="AREA")
                frame.pts = time
            if frame.pts is None:
                frame.pts = 0 if last is None else last + step
            if last is not None and frame.pts <= last:
                frame.pts = last + 1
            last = frame.pts
            yield frame

    def _progressive(self) -> Iterator[VideoFrame]:
        source = self._all()
        if not self._deinterlace:
            yield from source
            return
        first = next(source)
        graph = _graph(first, self.info.time_base, "bwdif", "mode=send_frame:deint=all")
        for frame in itertools.chain((first,), source, (None,)):
            graph.vpush(frame)
            while True:
                try:
                    yield graph.vpull()
                except (av.error.BlockingIOError, av.error.EOFError):
                    break

    def _all(self) -> Iterator[VideoFrame]:
        yield from self._first
        self._first = []
        yield from self._frames

    def _decoded(self) -> Iterator[VideoFrame]:
        """What can be had of it."""
        packets, in_a_row = self._container.demux(self._stream), 0
        while in_a_row < _DAMAGED:
            try:
                packet = next(packets, None)
                if packet is None:
                    return
                yield from packet.decode()
                in_a_row = 0
            except av.error.EOFError:
                return
            except av.error.FFmpegError:
                self.damaged += 1
                in_a_row += 1

    def photo(self, frame: VideoFrame) -> Photo:
        """A frame as people see it, turned upright: 8 bits, or 16 if it is deeper."""
        return Photo(turned(self._pixels(frame, "rgb48le" if self.info.deep else "rgb24"), self.info.rotation))

    def light(self, frame: VideoFrame) -> Plane:
        """L of a small copy of a frame, upright, (H, W) in [0, 100]: what movement is looked for in."""
        scale = min(1.0, SIDE / min(frame.width, frame.height))
        size = max(round(frame.width * scale), 2), max(round(frame.height * scale), 2)
        small = turned(self._pixels(frame, "rgb24", *size), self.info.rotation)
        return small_copy(lightness(small))

    def _pixels(self, frame: VideoFrame, format: str, width: int | None = None, height: int | None = None) -> Array:
        rgb = frame.reformat(width, height, format, src_colorspace=self.info.matrix, interpolation="AREA")
        return cast(Array, rgb.to_ndarray())

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences about what had to be left out or changed, of the frames so far."""
        notes = []
        if self.damaged:
            notes.append(f"{self.name} is damaged: {self.damaged} places of it could not be read and were left out.")
        if self.resized:
            notes.append(f"{self.name} changes its size: {self.resized} frames were brought to that of the first.")
        return tuple(notes)


@contextlib.contextmanager
def open_film(path: str | os.PathLike[str], deinterlace: bool = False, short_side: int | None = None) -> Iterator[Film]:
    """Open a film.

    Args:
        path: its file.
        deinterlace: whether its frames are woven of two half pictures each and are to be made whole (bwdif).
        short_side: of its frames, at most, in pixels: larger ones are made smaller.
    Raises:
        UserError: not there, no film, or broken.
    """
    with open_container(path) as container:
        yield Film(container, Path(path).name, deinterlace, short_side)


@contextlib.contextmanager
def open_container(path: str | os.PathLike[str]) -> Iterator[InputContainer]:
    """A film's file, for its streams as they are; errors are those of `open_film`."""
    path = Path(path)
    if not path.is_file():
        raise UserError(f"There is no film {path}.")
    try:
        container = av.open(
            str(path.absolute()), options={"protocol_whitelist": "file", "format_whitelist": _CONTAINERS},
            metadata_errors="replace",
        )  # fmt: skip
    except PermissionError as error:
        raise UserError(f"{path} can't be opened: permission denied.") from error
    except (av.error.FFmpegError, ValueError) as error:
        raise UserError(f"{path.name} is not a film, or it is broken, or of a kind that can't be read.") from error
    with container:
        yield container


def interlacing(path: str | os.PathLike[str]) -> str:
    """Whether the first frames of a film are woven of half pictures: a sentence that says so; or nothing.

    By FFmpeg's filter idet, which looks for combs.
    """
    with open_film(path) as film:
        graph: Graph | None = None
        combed = looked_at = 0
        for frame in itertools.islice(film.frames(), _LOOKED_AT):
            graph = graph or _graph(frame, film.info.time_base, "idet")
            graph.vpush(frame)
            with contextlib.suppress(av.error.BlockingIOError, av.error.EOFError):
                kind = graph.vpull().metadata.get("lavfi.idet.single.current_frame")
                combed += kind in ("tff", "bff")
                looked_at += 1
    share = combed / max(looked_at, 1)
    if share >= _INTERLACED:
        return f"{film.name} is interlaced: where things move it has combs. Deinterlacing removes them."
    if share >= _TELECINED:
        return f"{film.name} seems telecined: some of its frames are woven of two. Deinterlacing makes them whole."
    return ""


def _graph(frame: VideoFrame, time_base: Fraction, filter: str, options: str | None = None) -> Graph:
    """A filter of FFmpeg, for frames like this one."""
    graph = Graph()
    buffer = graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=time_base)
    buffer.link_to(node := graph.add(filter, options))
    node.link_to(graph.add("buffersink"))
    graph.configure()
    return graph


def turned(pixels: Array, degrees: int) -> Array:
    """HWC or HW, turned counterclockwise by 0, 90, 180 or 270 degrees."""
    return np.ascontiguousarray(np.rot90(pixels, degrees // 90)) if degrees else pixels

"""Films out: each shot into a file of its own, and all of them, with what was heard and read, into one.

So a killed job loses one shot at most, and what it ends with is the same file as that of an unbroken one.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import av
import numpy as np
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from ..arrays import Array
from ..errors import UserError
from ..files import whole_file
from .reading import FilmInfo, open_container, turned

SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv")
_FORMATS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska"}
_DEPTH = 2  # frames by which H.264 may be stored out of order, with the encoder's usual pyramid of them
_BEGINS = "comment"  # of a part: the time of its first frame
_LIMITED = 1  # AVColorRange: 16..235, as films have it


@dataclass(frozen=True)
class FilmOutput:
    """How a film is written.

    Attributes:
        quality: of H.264, its constant rate factor: 0 best .. 51, each 6 about half the size.
        lossless: FFV1 instead, in a .mkv file; every pixel as it was computed.
        preset: of the encoder: how much time it takes to make the file small.
    """

    quality: int = 18
    lossless: bool = False
    preset: str = "medium"

    def __post_init__(self) -> None:
        if not 0 <= self.quality <= 51:
            raise UserError(f"The quality of a film must lie between 0, the best, and 51, not {self.quality}.")

    def suffix(self, own: str) -> str:
        """Of the result's file, with the dot; `own` is that of the film's."""
        return ".mkv" if self.lossless or own.lower() not in SUFFIXES else own.lower()


class Segment:
    """A file of a part of a film, open to be written; made by `segment`."""

    def __init__(self, file: OutputContainer, info: FilmInfo, output: FilmOutput) -> None:
        """Make its stream."""
        self._file, self._info, self._output = file, info, output
        if output.lossless:
            codec, options, pixels = "ffv1", {"level": "3", "slicecrc": "1"}, "gbrp16le" if info.deep else "bgr0"
        else:
            codec, options = "libx264", {"crf": str(output.quality), "preset": output.preset}
            halved = info.width % 2 == info.height % 2 == 0  # an odd number of pixels can't be halved
            pixels = ("yuv420p" if halved else "yuv444p") + ("10le" if info.deep else "")
        self._stream = cast(VideoStream, file.add_stream(codec, rate=info.rate or 25, options=options))
        self._context = context = self._stream.codec_context
        context.width, context.height, context.pix_fmt = info.width, info.height, pixels
        context.time_base = self._stream.time_base = info.time_base
        context.sample_aspect_ratio = info.aspect
        context.thread_count = 2  # what is written depends on it
        if not output.lossless:
            context.colorspace, context.color_range = info.matrix, _LIMITED
        self._first: int | None = None

    def write(self, rgb: Array, time: int) -> None:
        """Write a frame.

        Args:
            rgb: HWC, uint8 or uint16, upright.
            time: in `info.time_base`, later than the one before.
        """
        if self._first is None:  # the file itself would keep when it begins to a millisecond only
            self._first = time
            self._file.metadata[_BEGINS] = str(time)
        stored = turned(rgb, (360 - self._info.rotation) % 360)
        frame = VideoFrame.from_ndarray(stored, format="rgb48le" if stored.dtype == np.uint16 else "rgb24")
        frame = frame.reformat(
            format=self._context.pix_fmt,
            dst_colorspace=None if self._output.lossless else self._info.matrix,
            dst_color_range=None if self._output.lossless else _LIMITED,
            interpolation="AREA",
        )
        frame.pts, frame.time_base = time - self._first, self._info.time_base
        self._file.mux(self._stream.encode(frame))

    def finish(self) -> None:
        """Write what still waits."""
        self._file.mux(self._stream.encode(None))


@contextlib.contextmanager
def segment(path: Path, info: FilmInfo, output: FilmOutput) -> Iterator[Segment]:
    """Write a part of a film, .mp4, whole or not at all.

    Raises:
        UserError: no room, no permission, or no such place.
    """
    with whole_file(path) as temporary, av.open(str(temporary), "w", format="mp4") as file:
        part = Segment(file, info, output)
        yield part
        part.finish()


def assemble(source: Path, segments: Sequence[Path], target: Path, info: FilmInfo) -> tuple[str, ...]:
    """Put the colored parts of a film together, with its sound, its subtitles, its chapters and what it says of itself.

    Args:
        source: the film.
        segments: files of `segment`, in order.
        target: the file to write, .mp4, .m4v, .mov or .mkv; whole or not at all.
        info: of the film.
    Returns:
        sentences about what that kind of file can't hold.
    """
    notes: list[str] = []
    with (
        whole_file(target) as temporary,
        open_container(source) as film,
        av.open(str(segments[0])) as first,
        av.open(str(temporary), "w", format=_FORMATS[target.suffix.lower()]) as out,
    ):
        out.metadata.update(film.metadata)
        video = out.add_stream_from_template(first.streams.video[0])
        video.time_base = info.time_base
        if info.rotation:
            video.set_display_rotation(info.rotation)
        others = _others(film, out, target, notes)
        with contextlib.suppress(ValueError, av.error.FFmpegError):
            out.set_chapters(film.chapters())
        pictures = _pictures(segments, video, info)
        waiting = next(pictures, None)
        for packet in _packets(film, others):
            while waiting is not None and _seconds(waiting) <= _seconds(packet):
                out.mux(waiting)
                waiting = next(pictures, None)
            packet.stream = others[packet.stream.index]
            out.mux(packet)
        while waiting is not None:
            out.mux(waiting)
            waiting = next(pictures, None)
    return tuple(notes)


def _others(film: InputContainer, out: OutputContainer, target: Path, notes: list[str]) -> dict[int, Stream]:
    """New streams for sound and subtitles, by the index of the film's."""
    streams: dict[int, Stream] = {}
    for stream in (*film.streams.audio, *film.streams.subtitles):
        kind = "sound" if stream.type == "audio" else "subtitles"
        name = stream.codec_context.codec.canonical_name if stream.codec_context else "an unknown kind"
        if stream.codec_context is None or name not in out.supported_codecs:
            notes.append(f"{target.suffix} files can't hold its {kind} ({name}): they were left out.")
            continue
        try:
            streams[stream.index] = own = out.add_stream_from_template(stream)
        except (ValueError, av.error.FFmpegError):
            notes.append(f"Its {kind} ({name}) could not be taken over: they were left out.")
            continue
        own.metadata.update(stream.metadata)
        own.disposition = stream.disposition
    return streams


def _packets(film: InputContainer, streams: dict[int, Stream]) -> Iterator[Packet[Any]]:
    """Those of the film that are taken over as they are."""
    if not streams:
        return
    with contextlib.suppress(av.error.FFmpegError):  # a damaged end
        for packet in film.demux([film.streams[index] for index in streams]):
            if packet.dts is not None:
                yield packet


def _pictures(segments: Sequence[Path], stream: VideoStream, info: FilmInfo) -> Iterator[Packet[Any]]:
    """The packets of all segments. When each is decoded is told anew: the encoders did not know of each other."""
    times = sorted(packet.pts or 0 for path in segments for packet in _packets_of(path, info))
    first = times[0] - _DEPTH * max((times[-1] - times[0]) // max(len(times) - 1, 1), 1)
    early = [first + k * (times[0] - first) // _DEPTH for k in range(_DEPTH)]
    for packet, decoded in zip((p for path in segments for p in _packets_of(path, info)), early + times, strict=False):
        packet.dts, packet.stream = decoded, stream
        yield packet


def _packets_of(path: Path, info: FilmInfo) -> Iterator[Packet[Any]]:
    with av.open(str(path)) as file:
        video = file.streams.video[0]
        begins = round(int(file.metadata[_BEGINS]) * info.time_base / (video.time_base or info.time_base))
        for packet in file.demux(video):
            if packet.pts is not None:
                packet.pts += begins
                yield packet


def _seconds(packet: Packet[Any]) -> float:
    return float(packet.dts * packet.time_base) if packet.dts is not None and packet.time_base else 0.0

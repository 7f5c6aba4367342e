"""Films for tests, made here: pans over drawn photographs, in any container and codec."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.frame import VideoFrame

from colorizer.arrays import Array

from ..conftest import draw_photo

WIDTH, HEIGHT = 128, 96


def pan(seed: int, frames: int, step: float = 1.0) -> list[Array]:
    """A camera that moves to the right over a drawn photograph, by `step` pixels a frame."""
    photo = np.asarray(draw_photo(seed, (WIDTH + int(frames * step) + 1, HEIGHT)))
    return [np.ascontiguousarray(photo[:, int(k * step) : int(k * step) + WIDTH]) for k in range(frames)]


def write_film(
    path: Path,
    frames: Sequence[Array],
    codec: str = "libx264",
    pixels: str = "yuv420p",
    times: Sequence[int] | None = None,
    time_base: Fraction = Fraction(1, 25),
    rotation: int = 0,
    sound: str | None = None,
    options: dict[str, str] | None = None,
    aspect: Fraction | None = None,
) -> Path:
    """A film of these frames, HWC RGB, by default 25 a second; with a tone of `sound`, a codec, if that is given."""
    with av.open(str(path), "w") as file:
        video: Any = file.add_stream(codec, rate=25, options=options or {})
        video.width, video.height, video.pix_fmt = frames[0].shape[1], frames[0].shape[0], pixels
        video.codec_context.time_base = time_base
        if aspect:
            video.codec_context.sample_aspect_ratio = aspect
        if rotation:
            video.set_display_rotation(rotation)
        tone: Any = file.add_stream(sound, rate=48000) if sound else None
        for k, rgb in enumerate(frames):
            frame = VideoFrame.from_ndarray(rgb, format="rgb24").reformat(format=pixels)
            frame.pts, frame.time_base = (times[k] if times else k), time_base
            file.mux(video.encode(frame))
        file.mux(video.encode(None))
        if tone is not None:
            _play(file, tone, len(frames) / 25)
    return path


def _play(file: Any, tone: Any, seconds: float) -> None:
    samples = (0.3 * np.sin(np.arange(int(48000 * seconds)) * 0.06)).astype(np.float32)
    size = tone.codec_context.frame_size or 1024
    for start in range(0, len(samples) - size, size):
        frame = av.AudioFrame.from_ndarray(np.stack([samples[start : start + size]] * 2), "fltp", "stereo")
        frame.sample_rate, frame.pts, frame.time_base = 48000, start, Fraction(1, 48000)
        file.mux(tone.encode(frame))
    file.mux(tone.encode(None))


def about(path: Path) -> dict[str, Any]:
    """What a film is, by its file: size, times of its frames, kinds of its streams, their packets."""
    with av.open(str(path)) as file:
        video = file.streams.video[0]
        decoded = list(file.decode(video))
        found: dict[str, Any] = {
            "size": (video.width, video.height),
            "times": [round(float((frame.pts - decoded[0].pts) * frame.time_base), 3) for frame in decoded],
            "rotation": decoded[0].rotation,
            "pixels": video.pix_fmt,
            "aspect": video.sample_aspect_ratio,
            "matrix": video.colorspace,
            "kinds": sorted((s.type, s.codec_context.codec.canonical_name) for s in file.streams if s.codec_context),
        }
    with av.open(str(path)) as file:
        found["sound"] = [bytes(p) for p in file.demux(audio=0) if p.size] if file.streams.audio else []
    return found

"""Films in and out: whatever container and codec, what is not a picture stays as it is."""

from __future__ import annotations

import io
import itertools
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from colorizer.errors import UserError
from colorizer.film.reading import interlacing, open_film
from colorizer.film.writing import FilmOutput, assemble, segment

from ..conftest import draw_photo
from .made import HEIGHT, WIDTH, about, pan, write_film


def _rewritten(source: Path, target: Path, output: FilmOutput | None = None, parts: int = 2) -> Path:
    """As coloring does it: all frames, in several segments, put together."""
    with open_film(source) as film:
        frames = [(film.photo(frame).rgb, frame.pts or 0) for frame in film.frames()]
        info = film.info
    segments = []
    for k in range(parts):
        segments.append(target.with_name(f"part{k}.mp4"))
        with segment(segments[-1], info, output or FilmOutput()) as part:
            for rgb, time in frames[k * len(frames) // parts : (k + 1) * len(frames) // parts]:
                part.write(rgb, time)
    assemble(source, segments, target, info)
    return target


@pytest.mark.parametrize(
    ("name", "codec", "pixels", "sound"),
    [
        ("a.mp4", "libx264", "yuv420p", "aac"), ("a.mov", "mpeg4", "yuv420p", "aac"), ("a.mkv", "ffv1", "gray", "flac"),
        ("a.mkv", "libx265", "yuv420p10le", "ac3"), ("a.avi", "mpeg4", "yuv420p", "mp2"),
        ("a.mpg", "mpeg2video", "yuv420p", "mp2"), ("a.webm", "libvpx-vp9", "yuv420p", "libopus"),
        ("a.ts", "libx264", "yuv420p", "aac"), ("a.mkv", "ffv1", "yuva444p", None), ("a.flv", "flv", "yuv420p", None),
    ],
)  # fmt: skip
def test_what_is_not_a_picture_is_kept(name: str, codec: str, pixels: str, sound: str | None, tmp_path: Path) -> None:
    frames = pan(1, 20)
    source = write_film(tmp_path / name, frames, codec, pixels, sound=sound)
    before = about(source)
    target = tmp_path / ("out" + FilmOutput().suffix(source.suffix))
    after = about(_rewritten(source, target))
    assert after["size"] == before["size"] == (WIDTH, HEIGHT)
    assert after["times"] == pytest.approx(before["times"], abs=0.0015)  # Matroska counts milliseconds
    assert len(after["sound"]) == len(before["sound"])
    assert after["sound"] == before["sound"] or source.suffix == ".ts"  # whose packets have other headers
    assert after["pixels"].endswith("10le") == pixels.endswith("10le")
    assert ("video", "h264") in after["kinds"]


def test_pixels_survive(tmp_path: Path) -> None:
    """Lossless is exact; H.264 at its usual quality nearly so."""
    frames = pan(2, 10)
    source = write_film(tmp_path / "a.mkv", frames, "ffv1", "bgr0")
    for output, most in ((FilmOutput(lossless=True), 0.0), (FilmOutput(quality=10), 4.0)):
        target = _rewritten(source, tmp_path / f"out{most}.mkv", output)
        with open_film(target) as film:
            got = [film.photo(frame).rgb for frame in film.frames()]
        errors = [np.abs(a.astype(int) - b).mean() for a, b in zip(got, frames, strict=True)]
        assert max(errors) <= most


def test_deep_films_stay_deep(tmp_path: Path) -> None:
    source = write_film(tmp_path / "a.mkv", pan(2, 6), "ffv1", "gray10le")
    with open_film(source) as film:
        photo = film.photo(next(film.frames()))
        assert film.info.deep
        assert photo.rgb.dtype == np.uint16
    assert about(_rewritten(source, tmp_path / "b.mkv"))["pixels"] == "yuv420p10le"


def test_variable_rates_and_absurd_ones(tmp_path: Path) -> None:
    times = [0, 1, 5, 6, 7, 30, 31, 33, 60, 61, 62, 63]
    source = write_film(tmp_path / "a.mp4", pan(1, 12), times=times, time_base=Fraction(1, 50))
    assert about(_rewritten(source, tmp_path / "b.mp4", parts=3))["times"] == [round(t / 50, 3) for t in times]
    fast = write_film(tmp_path / "c.mp4", pan(1, 6), time_base=Fraction(1, 1_000_000))
    assert len(about(_rewritten(fast, tmp_path / "d.mp4"))["times"]) == 6


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_rotation_is_kept_and_frames_are_seen_upright(rotation: int, tmp_path: Path) -> None:
    frames = pan(3, 6)
    source = write_film(tmp_path / "a.mp4", [np.ascontiguousarray(np.rot90(f, -(rotation // 90))) for f in frames],
                        rotation=rotation, options={"crf": "4"})  # fmt: skip
    with open_film(source) as film:
        assert film.info.shown_size == (HEIGHT, WIDTH)
        assert np.abs(film.photo(next(film.frames())).rgb.astype(int) - frames[0]).mean() < 6
    target = _rewritten(source, tmp_path / "b.mp4")
    assert about(target)["rotation"] == about(source)["rotation"] != 0
    with open_film(target) as film:
        assert np.abs(film.photo(next(film.frames())).rgb.astype(int) - frames[0]).mean() < 8


def test_odd_sizes_and_pixels_that_are_not_square(tmp_path: Path) -> None:
    frames = [f[:-1, :-1].copy() for f in pan(1, 6)]
    odd = write_film(tmp_path / "a.mkv", frames, "ffv1", "yuv444p")
    assert about(_rewritten(odd, tmp_path / "b.mkv"))["size"] == (WIDTH - 1, HEIGHT - 1)
    wide = write_film(tmp_path / "c.mp4", pan(1, 6), aspect=Fraction(16, 11))
    assert about(_rewritten(wide, tmp_path / "d.mp4"))["aspect"] == Fraction(16, 11)


def test_subtitles_and_titles_are_kept(tmp_path: Path) -> None:
    plain = write_film(tmp_path / "plain.mkv", pan(1, 10))
    words = io.BytesIO(b"1\n00:00:00,040 --> 00:00:00,200\nGood evening\n")
    source = tmp_path / "a.mkv"
    with av.open(str(plain)) as film, av.open(words, format="srt") as said, av.open(str(source), "w") as out:
        out.metadata["title"] = "The harvest"
        streams = [out.add_stream_from_template(f.streams[0]) for f in (film, said)]
        for file, stream in zip((film, said), streams, strict=True):
            for packet in file.demux():
                if packet.size:
                    packet.stream = stream
                    out.mux(packet)
    target = _rewritten(source, tmp_path / "b.mkv")
    with av.open(str(target)) as film:
        assert film.metadata["title"] == "The harvest"
        assert any(b"Good evening" in bytes(p) for p in film.demux(subtitles=0))


def test_what_is_no_film_is_one_sentence(tmp_path: Path) -> None:
    good = write_film(tmp_path / "good.mp4", pan(1, 10), sound="aac")
    bad = {
        "empty.mp4": (b"", "not a film"),
        "text.mp4": (b"Dear film,\n", "not a film"),
        "cut.mp4": (good.read_bytes()[:2000], "not a film, or it is broken"),
        "list.m3u8": (b"#EXTM3U\n#EXTINF:10,\n" + str(good).encode() + b"\n#EXT-X-ENDLIST\n", "not a film"),
        "list.mp4": (b"ffconcat version 1.0\nfile " + str(good).encode() + b"\n", "not a film"),
    }
    for name, (content, words) in bad.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UserError, match=words), open_film(tmp_path / name):
            pass
    draw_photo(1).save(tmp_path / "still.mp4", "JPEG")
    one = write_film(tmp_path / "one.mp4", pan(1, 1))
    sound = tmp_path / "sound.mp4"
    with av.open(str(good)) as film, av.open(str(sound), "w") as out:
        stream = out.add_stream_from_template(film.streams.audio[0])
        for packet in film.demux(audio=0):
            if packet.dts is not None:
                packet.stream = stream
                out.mux(packet)
    for path, words in ((tmp_path / "still.mp4", "."), (one, "single picture"), (sound, "only sound"), (
        tmp_path / "none.mp4", "There is no film"), (tmp_path, "There is no film")):  # fmt: skip
        with pytest.raises(UserError, match=words), open_film(path):
            pass


def test_frames_that_are_too_large_are_refused(tmp_path: Path) -> None:
    source = write_film(tmp_path / "large.mkv", [np.zeros((2600, 4000, 3), np.uint8)] * 2, "ffv1", "gray")
    with pytest.raises(UserError, match="more than 10 megapixels"), open_film(source):
        pass


def test_what_can_be_had_of_a_damaged_film(tmp_path: Path) -> None:
    source = write_film(tmp_path / "a.ts", pan(1, 40), options={"g": "8"})
    content = bytearray(source.read_bytes())
    random = np.random.default_rng(1)
    for at in random.integers(len(content) // 4, len(content), 60):
        content[at] = int(random.integers(256))
    damaged = tmp_path / "damaged.ts"
    damaged.write_bytes(content[: len(content) * 9 // 10])
    with open_film(damaged) as film:
        times = [frame.pts or 0 for frame in film.frames()]
    assert len(times) >= 10
    assert all(b > a for a, b in itertools.pairwise(times))


def test_another_size_in_mid_stream(tmp_path: Path) -> None:
    one = write_film(tmp_path / "1.ts", pan(1, 8), options={"g": "4"})
    small = [np.ascontiguousarray(f[:48, :64]) for f in pan(2, 8)]
    other = write_film(tmp_path / "2.ts", small, options={"g": "4"})
    both = tmp_path / "both.ts"
    both.write_bytes(one.read_bytes() + other.read_bytes())
    with open_film(both) as film:
        sizes = {(frame.width, frame.height) for frame in film.frames()}
        assert sizes == {(WIDTH, HEIGHT)}
        assert "changes its size" in film.notes[0]


def test_interlaced_films_are_told_and_made_whole(tmp_path: Path) -> None:
    """Lines of every other frame, woven: combs where things move, until they are taken out."""
    whole = pan(4, 60, 4)
    woven = []
    for a, b in zip(whole[::2], whole[1::2], strict=True):
        frame = a.copy()
        frame[1::2] = b[1::2]
        woven.append(frame)
    plain = write_film(tmp_path / "plain.mkv", whole[::2], "ffv1", "yuv422p")
    combed = write_film(tmp_path / "combed.mkv", woven, "ffv1", "yuv422p")
    assert interlacing(plain) == ""
    assert "interlaced" in interlacing(combed)

    def combs(deinterlace: bool) -> float:
        with open_film(combed, deinterlace) as film:
            pictures = [film.photo(frame).rgb.astype(int) for frame in film.frames()]
        assert len(pictures) == 30
        return float(np.mean([np.abs(p[2:-2:2] - (p[1:-3:2] + p[3:-1:2]) / 2).mean() for p in pictures]))

    assert combs(True) < 0.6 * combs(False)


def test_deinterlacing_takes_few_frames_at_a_time(tmp_path: Path) -> None:
    """However long the film is."""
    source = write_film(tmp_path / "a.mkv", pan(1, 60), "ffv1", "yuv422p")
    with open_film(source, deinterlace=True) as film:
        next(film.frames())
        assert len(list(film._frames)) > 40, "the rest is not decoded yet"


def test_where_a_film_is_gone_to(tmp_path: Path) -> None:
    source = write_film(tmp_path / "a.mp4", pan(1, 50), options={"g": "10"})
    with open_film(source) as film:
        film.seek(1.2)
        first = next(film.frames())
        assert 0.8 <= float((first.pts or 0) * film.info.time_base) <= 1.2
    with open_film(source, short_side=48) as film:
        frame = next(film.frames())
        assert (frame.width, frame.height) == (64, 48)
        assert not film.notes

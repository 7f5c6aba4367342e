"""Films from file to file: steady, corrected, stopped, killed and resumed."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from colorizer import Colorizer, Settings, UserError
from colorizer.arrays import Array
from colorizer.color.lab import lightness, rgb_to_lab
from colorizer.film.reading import open_film
from colorizer.film.writing import FilmOutput
from colorizer.inference import film_parts, film_plan
from colorizer.inference.corrections import Correction, parse_corrections, read_corrections
from colorizer.inference.film import colorize_film, preview_film, still
from colorizer.inference.film_plan import Stopped, find_shots

from ..conftest import ROOT, draw_photo, wait_until
from ..film.made import HEIGHT, WIDTH, about, pan, write_film


def _gray(frames: list[Array]) -> list[Array]:
    return [np.repeat(np.round(f.mean(2, keepdims=True)).astype(np.uint8), 3, 2) for f in frames]


@pytest.fixture(scope="module")
def reel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three shots of 30, 20 and 30 frames, with sound."""
    shots = pan(1, 30), [np.ascontiguousarray(rgb[::-1]) for rgb in pan(2, 20)], pan(3, 30)
    frames = [rgb for shot in shots for rgb in shot]
    return write_film(
        tmp_path_factory.mktemp("reel") / "reel.mp4", _gray(frames), sound="aac", options={"crf": "8", "g": "12"}
    )


def _frames(path: Path) -> list[Array]:
    with open_film(path) as film:
        return [film.photo(frame).rgb for frame in film.frames()]


def _chroma(rgb: Array) -> float:
    return float(np.hypot(*np.moveaxis(rgb_to_lab(rgb)[..., 1:], 2, 0)).mean())


def test_a_film_in_and_a_film_out(colorizer: Colorizer, reel: Path, tmp_path: Path) -> None:
    result = colorizer.film(reel, tmp_path / "out.mp4", Settings(vividness=1.5), output=FilmOutput(lossless=True))
    assert result.target == tmp_path / "out.mkv"
    assert [(shot.first, shot.frames) for shot in result.shots] == [(0, 30), (30, 20), (50, 30)]
    assert result.shots[1].begins == pytest.approx(1.2)
    before, after = about(reel), about(result.target)
    assert after["times"] == before["times"]
    assert after["sound"] == before["sound"]
    for given, got in zip(_frames(reel), _frames(result.target), strict=True):
        assert _chroma(got) > 2
        assert np.abs(lightness(got) - lightness(given)).mean() < 0.5  # each frame's own L
    assert [p.name for p in tmp_path.iterdir()] == ["out.mkv"]


def test_by_default_beside_the_film(colorizer: Colorizer, tmp_path: Path) -> None:
    source = write_film(tmp_path / "short.mp4", _gray(pan(1, 4)))
    assert colorizer.film(source).target == tmp_path / "short-color.mp4"


def test_shots_without_coloring(reel: Path) -> None:
    told: list[tuple[str, int, int]] = []
    shots = find_shots(reel, progress=lambda *said: told.append(said))
    assert [shot.frames for shot in shots] == [30, 20, 30]
    assert told[-1] == ("shots", 80, 80)


def test_stopped_and_gone_on_with_it_is_the_same_file(
    colorizer: Colorizer, reel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever it was stopped: also in the middle of a shot."""
    monkeypatch.setattr(film_plan, "PART", 8)
    monkeypatch.setattr(film_parts, "PART", 8)
    whole = colorizer.film(reel, tmp_path / "whole.mp4").target.read_bytes()
    colored: set[int] = set()
    for at in (12, 37, 70):
        stop = threading.Event()

        def tell(phase: str, done: int, total: int, at: int = at, stop: threading.Event = stop) -> None:
            if phase == "color":
                colored.add(done)
                if done >= at:
                    stop.set()

        with pytest.raises(Stopped):
            colorize_film(colorizer.predictor, reel, tmp_path / "broken.mp4", progress=tell, stop=stop)
        assert not (tmp_path / "broken.mp4").exists()
    told: list[int] = []
    colorize_film(
        colorizer.predictor, reel, tmp_path / "broken.mp4",
        progress=lambda phase, done, total: told.append(done) if phase == "color" else None,
    )  # fmt: skip
    assert min(told) > 60  # the rest alone
    assert (tmp_path / "broken.mp4").read_bytes() == whole


def test_another_way_of_coloring_begins_anew(colorizer: Colorizer, reel: Path, tmp_path: Path) -> None:
    stop = threading.Event()
    with pytest.raises(Stopped):
        colorize_film(
            colorizer.predictor, reel, tmp_path / "a.mp4", stop=stop,
            progress=lambda phase, done, total: stop.set() if phase == "color" and done > 40 else None,
        )  # fmt: skip
    colorizer.film(reel, tmp_path / "a.mp4", Settings(strength=0))
    assert max(_chroma(rgb) for rgb in _frames(tmp_path / "a.mp4")) < 1.5


@pytest.mark.slow
def test_killed_and_started_again(reel: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "colorizer", str(reel), "-o", str(tmp_path / "out")]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    parts = tmp_path / "out" / ".reel.mp4.parts"
    wait_until(lambda: (parts / "00000000.mp4").is_file())
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "out" / "reel.mp4").exists()
    began = (parts / "00000000.mp4").stat().st_mtime_ns
    again = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    wait_until(lambda: (parts / "00000030.mp4").is_file() or again.poll() is not None)
    if again.poll() is None and (parts / "00000000.mp4").is_file():
        assert (parts / "00000000.mp4").stat().st_mtime_ns == began
    out, error = again.communicate(timeout=120)
    assert again.returncode == 0, error.decode()
    assert b"80 frames in 3 shots" in out
    whole = tmp_path / "whole"
    subprocess.run([*command[:-1], str(whole)], cwd=ROOT, env=environment, check=True, capture_output=True, timeout=120)
    assert (whole / "reel.mp4").read_bytes() == (tmp_path / "out" / "reel.mp4").read_bytes()
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["reel.mp4"]


def _hue(rgb: Array, area: tuple[slice, slice]) -> tuple[float, float]:
    lab = rgb_to_lab(rgb)[area]
    return float(lab[..., 1].mean()), float(lab[..., 2].mean())


def test_a_correction_holds_through_its_shot_and_no_further(colorizer: Colorizer, reel: Path, tmp_path: Path) -> None:
    """A reference of one hue for a frame in the middle of the second shot."""
    first = still(reel, 1.6)
    reference = type(first)(np.zeros((HEIGHT, WIDTH, 3), np.uint8) + np.array([200, 90, 170], np.uint8))
    result = colorizer.film(
        reel, tmp_path / "out.mkv", corrections=[Correction(1.6, reference=reference)],
        output=FilmOutput(lossless=True),
    )  # fmt: skip
    frames = _frames(result.target)
    middle = slice(20, 80), slice(30, 90)
    a, b, *_ = rgb_to_lab(reference.rgb)[0, 0, 1:].tolist()
    for number in (30, 33, 40, 49):
        got = _hue(frames[number], middle)
        assert got[0] > 0.5 * a
        assert got[1] < 0.3 * b
    plain = _frames(colorizer.film(reel, tmp_path / "plain.mkv", output=FilmOutput(lossless=True)).target)
    for number in (0, 29, 50, 79):
        assert np.array_equal(frames[number], plain[number])


def test_a_stroke_holds_to_what_it_lies_on(colorizer: Colorizer, tmp_path: Path) -> None:
    frames = []
    for k in range(40):  # a light disc moves over dark ground with a texture
        rng = np.random.default_rng(3)
        ground = np.clip(rng.normal(70, 6, (HEIGHT, WIDTH)), 0, 255)
        y, x = np.mgrid[:HEIGHT, :WIDTH]
        ground[(x - 40 - k) ** 2 + (y - 48) ** 2 < 22**2] = 170 + rng.normal(0, 3)
        frames.append(np.repeat(ground[..., None].astype(np.uint8), 3, 2))
    source = write_film(tmp_path / "disc.mkv", frames, "ffv1", "bgr0")
    stroke = Correction(0.8, hints=[{"points": [[52, 48], [68, 48]], "radius": 4, "color": "#3050c0"}])  # type: ignore[list-item]
    lossless = FilmOutput(lossless=True)
    with_it = _frames(colorizer.film(source, tmp_path / "a.mkv", corrections=[stroke], output=lossless).target)
    without = _frames(colorizer.film(source, tmp_path / "b.mkv", output=lossless).target)
    for number in (0, 10, 30, 39):
        disc = slice(38, 58), slice(30 + number, 50 + number)
        assert _hue(with_it[number], disc)[1] < -20  # blue
        elsewhere = slice(0, HEIGHT), slice(100, WIDTH) if number < 20 else slice(0, 20)
        change = np.abs(with_it[number][elsewhere].astype(int) - without[number][elsewhere]).mean()
        assert change < 2


def test_settings_of_a_shot(colorizer: Colorizer, reel: Path, tmp_path: Path) -> None:
    given = parse_corrections([{"at": 1.5, "settings": {"strength": 0}}], "test")
    frames = _frames(colorizer.film(reel, tmp_path / "out.mp4", corrections=given).target)
    assert _chroma(frames[35]) < 1.5
    assert min(_chroma(frames[20]), _chroma(frames[60])) > 2


def test_a_file_of_corrections(tmp_path: Path) -> None:
    draw_photo(1).save(tmp_path / "still.png")
    path = tmp_path / "reel.json"
    path.write_text(
        json.dumps(
            [
                {"at": 1, "hints": [[5, 6, 2, "red"]], "settings": {"look": "vivid", "saturation": 1.1}},
                {"at": 2.5, "reference": "still.png"},
            ]
        )
    )
    one, other = read_corrections(path)
    assert one.settings == Settings(vividness=2.0, saturation=1.1)
    assert other.reference is not None
    wrong: list[tuple[Any, str]] = [
        ({}, "must hold a list"), ([3], '"at", in seconds'), ([{"hints": []}], '"at", in seconds'),
        ([{"at": -1}], "0 seconds or more"), ([{"at": 1, "color": "red"}], '"at", in seconds'),
        ([{"at": 1, "settings": {"loudness": 3}}], "settings are any of"),
        ([{"at": 1, "settings": {"vividness": "much"}}], "are numbers"),
        ([{"at": 1, "reference": 4}], "name of a picture"), ([{"at": 1, "hints": [[1]]}], "hint"),
        ([{"at": 1, "reference": "none.png"}], "none.png"),
    ]  # fmt: skip
    for content, words in wrong:
        path.write_text(json.dumps(content))
        with pytest.raises(UserError, match=words):
            read_corrections(path)
    path.write_text("{")
    with pytest.raises(UserError, match="not JSON"):
        read_corrections(path)
    with pytest.raises(UserError, match="can't be read"):
        read_corrections(tmp_path / "none.json")
    with pytest.raises(UserError, match="beside a file"):
        parse_corrections([{"at": 1, "reference": "/etc/passwd"}], "page")


def test_wrong_films_and_corrections_are_one_sentence(colorizer: Colorizer, reel: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"ends at 3\.20 seconds"):
        colorizer.film(reel, tmp_path / "out.mp4", corrections=[Correction(9)])
    with pytest.raises(UserError, match="written over"):
        colorizer.film(reel, reel)
    with pytest.raises(UserError, match="between 0"):
        FilmOutput(quality=60)
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="can't be written"):
        colorizer.film(reel, tmp_path / "file" / "out.mp4")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file"]


def test_a_preview_and_a_still(colorizer: Colorizer, reel: Path, tmp_path: Path) -> None:
    target = preview_film(colorizer.predictor, reel, tmp_path / "preview.mp4", at=0.8, seconds=1, short_side=48)
    told = about(target)
    assert told["size"] == (64, 48)
    assert len(told["times"]) == pytest.approx(25, abs=12)  # it begins where the film can be entered
    frames = _frames(reel)
    assert np.abs(still(reel, 2.0).rgb.astype(int) - frames[50]).mean() < 1
    assert np.abs(still(reel, 99).rgb.astype(int) - frames[-1]).mean() < 1


def test_the_command_line(reel: Path, tmp_path: Path) -> None:
    def run(*more: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "colorizer", *more, "-o", str(tmp_path / "out")]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)

    (tmp_path / "corrections.json").write_text('[{"at": 0.5, "hints": [[20, 20, 5, "#a03030"]]}]')
    done = run(str(reel), "--corrections", str(tmp_path / "corrections.json"), "--film-quality", "24")
    assert done.returncode == 0, done.stderr
    assert "80 frames in 3 shots" in done.stdout
    assert "there already" in run(str(reel)).stdout
    (tmp_path / "bad.mp4").write_text("no film")
    wrong = {
        "not a film": [str(tmp_path / "bad.mp4")],
        "between 0": [str(reel), "--overwrite", "--film-quality", "99"],
        "one film": [str(reel), str(reel), "--corrections", "x.json"],
    }
    for words, given in wrong.items():
        failed = run(*given)
        assert failed.returncode == 2
        assert words in failed.stderr
        assert "Traceback" not in failed.stderr
    many = run(str(tmp_path / "bad.mp4"), str(reel), "--preview", "1")
    assert many.returncode == 2
    assert list(itertools.chain((tmp_path / "out").glob("*.parts"), (tmp_path / "out").glob(".*"))) == []


def test_progress_is_told(colorizer: Colorizer, reel: Path, tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    colorize_film(colorizer.predictor, reel, tmp_path / "a.mp4", progress=lambda *said: told.append(said))
    assert [at for phase, at, _ in told if phase == "shots"] == list(range(1, 81))
    assert [at for phase, at, total in told if phase == "color" and total == 80] == list(range(1, 81))

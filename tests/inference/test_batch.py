"""Folders at once, by function and by command line."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from colorizer import LOOKS, Colorizer, Settings, UserError
from colorizer.color.lab import rgb_to_lab
from colorizer.inference import batch
from colorizer.inference.batch import plan, run
from colorizer.model.hints import read_hints
from colorizer.pictures.reading import read_picture
from colorizer.pictures.writing import SIMULATED

from ..conftest import EXAMPLES, ROOT, draw_photo


@pytest.fixture
def album(tmp_path: Path) -> Path:
    folder = tmp_path / "album"
    (folder / "deep" / "er").mkdir(parents=True)
    for k, name in enumerate(("a.jpg", "b.png", "deep/a.jpg", "deep/er/c.bmp")):
        draw_photo(k).convert("L").save(folder / name)
    return folder


def _colorizer(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "colorizer", *map(str, arguments)],
        cwd=ROOT, capture_output=True, text=True, timeout=300,
    )  # fmt: skip


def test_a_folder_keeps_its_names_and_skips_what_is_done(album: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    (album / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 broken")
    done = _colorizer(album, "-o", out)
    assert done.returncode == 1
    assert "4 colorized" in done.stdout
    assert "broken.jpg" in done.stderr
    assert "Traceback" not in done.stderr
    written = sorted(str(p.relative_to(out)) for p in out.rglob("*") if p.is_file())
    assert written == ["a.jpg", "b.png", "deep/a.jpg", "deep/er/c.png"]
    with Image.open(out / "deep/a.jpg") as picture:
        assert (picture.size, picture.mode) == ((96, 80), "RGB")
    before = {p: p.stat().st_mtime_ns for p in out.rglob("*.*")}
    (album / "broken.jpg").unlink()
    again = _colorizer(album, "-o", out)
    assert again.returncode == 0
    assert "0 colorized" in again.stdout
    assert "4 were there already" in again.stdout
    assert {p: p.stat().st_mtime_ns for p in out.rglob("*.*")} == before


def test_bad_input_is_one_sentence_and_code_2(album: Path, tmp_path: Path) -> None:
    for arguments, words in (
        ((tmp_path / "none", "-o", tmp_path / "out"), "no file or folder"),
        ((album / "a.jpg", "-o", album), "written over"),
        ((album, "-o", album), "output folder is the input"),
        ((album, "-o", tmp_path / "out", "--vividness", "-3"), "vividness"),
        ((album, "-o", tmp_path / "out", "--format", "gif"), "Choose one of"),
        ((album, "-o", tmp_path / "out", "--jobs", "0"), "at least 1"),
        ((album, "-o", tmp_path / "out", "--hints", album / "a.jpg"), "hints file"),
        ((album, "-o", tmp_path / "out", "--checkpoint", album / "a.jpg"), "not a checkpoint"),
    ):
        failed = _colorizer(*arguments)
        assert failed.returncode == 2, failed
        assert words in failed.stderr
        assert "Traceback" not in failed.stderr
    assert not (tmp_path / "out").exists()


def test_the_same_name_from_two_places_gets_a_number(album: Path, tmp_path: Path) -> None:
    draw_photo(9).save(album / "a.png")
    jobs = plan([album / "a.jpg", album / "deep" / "a.jpg", album / "a.png"], tmp_path / "out")
    assert [j.target.name for j in jobs] == ["a.jpg", "a-2.jpg", "a-3.png"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="no pictures"):
        plan([tmp_path / "empty"], tmp_path / "out")


def test_an_output_folder_inside_the_input_is_not_colored_again(album: Path) -> None:
    first = plan([album], album / "out")
    (album / "out").mkdir()
    draw_photo(1).save(album / "out" / "a.jpg")
    assert [j.source for j in plan([album], album / "out")] == [j.source for j in first]


def test_every_adjustment_is_an_option(tmp_path: Path) -> None:
    photo, out = EXAMPLES / "black-and-white" / "coffee.jpg", tmp_path / "out"
    hints = tmp_path / "hints.json"
    hints.write_text('[[300, 250, 25, "#2040c0"]]')
    done = _colorizer(
        photo, "-o", out, "--hints", hints, "--alternatives", 2, "--format", "png", "--vividness", 1.5,
        "--saturation", 1.1, "--strength", 0.9, "--working-size", 160, "--agreement", 0.3, "--people", 0.5, "--note",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    names = sorted(p.name for p in out.iterdir())
    assert names[-1] == "coffee.png"
    assert names[:-1] == [f"coffee-alternative{k}.png" for k in range(1, len(names))]
    assert len(names) >= 2
    colorized = read_picture(out / "coffee.png")
    assert rgb_to_lab(colorized.rgb)[240:260, 290:310, 2].mean() < -15
    assert SIMULATED.encode() in colorized.metadata.exif
    expected = Colorizer.from_pretrained().colorize(
        read_picture(photo),
        Settings(1.5, agreement=0.3, people=0.5, saturation=1.1, strength=0.9, working_size=160),
        [(300, 250, 25, "#2040c0")],
    )
    assert np.abs(colorized.rgb.astype(int) - expected.rgb).max() <= 1


def test_a_look_and_what_differs_from_it(tmp_path: Path) -> None:
    photo = EXAMPLES / "black-and-white" / "coffee.jpg"
    for name, options, settings in (
        ("vivid", ("--look", "vivid"), LOOKS["vivid"]),
        ("paler", ("--look", "vivid", "--strength", 0.5), replace(LOOKS["vivid"], strength=0.5)),
    ):
        done = _colorizer(photo, "-o", tmp_path / name, "--format", "png", *options)
        assert done.returncode == 0, done.stderr
        expected = Colorizer.from_pretrained().colorize(read_picture(photo), settings)
        written = read_picture(tmp_path / name / "coffee.png").rgb
        assert np.abs(written.astype(int) - expected.rgb).max() <= 1


def test_hints_for_a_folder_go_by_name(album: Path, tmp_path: Path) -> None:
    names = ["a.jpg", "b.png"]
    file = tmp_path / "hints.json"
    file.write_text('{"b.png": [{"points": [[10, 10], [40, 10]], "radius": 5, "color": "red"}]}')
    found = read_hints(file, names)
    assert list(found) == ["b.png"]
    assert [(h.points, h.radius) for h in found["b.png"]] == [(((10, 10), (40, 10)), 5)]
    for text, words in (
        ('{"c.png": []}', "not among the pictures"),
        ("[[1, 2, 3]]", "2 of them|there are 2"),
        ("{", "not JSON"),
        ('{"b.png": 7}', "a list"),
        ('{"b.png": [[1, 2]]}', "A hint is"),
        ('{"b.png": [{"x": 1, "y": 2, "radius": 3}]}', "no 'color'"),
        ('{"b.png": [{"x": 1, "y": 2, "radius": 3, "color": "nocolor"}]}', "A hint is"),
    ):
        file.write_text(text)
        with pytest.raises(UserError, match=words):
            read_hints(file, names)
    with pytest.raises(UserError, match="can't be read"):
        read_hints(tmp_path / "none.json", names)


def test_a_zip_file_and_several_at_once(album: Path, tmp_path: Path, colorizer: Colorizer) -> None:
    with zipfile.ZipFile(tmp_path / "album.zip", "w") as archive:
        for path in sorted(p for p in album.rglob("*") if p.is_file()):
            archive.write(path, path.relative_to(album))
        archive.writestr("/abs/a2.jpg", (album / "a.jpg").read_bytes())
        archive.writestr("../../above.jpg", (album / "a.jpg").read_bytes())
        archive.writestr("broken.png", "no picture")
    jobs = plan([tmp_path / "album.zip"], tmp_path / "out")
    results = list(run(colorizer, jobs, workers=2))
    assert sorted(p.relative_to(tmp_path / "out").as_posix() for r in results for p in r.written) == [
        "a.jpg", "abs/a2.jpg", "b.png", "deep/a.jpg", "deep/er/c.png",
    ]  # fmt: skip
    assert [(r.job.source.name, r.problem) for r in results if r.problem] == [
        ("broken.png", "broken.png is not a picture that can be read. Use a JPEG, PNG, WebP, TIFF or HEIC file.")
    ]
    (tmp_path / "no.zip").write_text("no zip")
    with pytest.raises(UserError, match="not a zip file"):
        plan([tmp_path / "no.zip"], tmp_path / "out")


def test_a_stopped_batch_begins_no_further_picture(album: Path, tmp_path: Path, colorizer: Colorizer) -> None:
    stop = threading.Event()
    work = run(colorizer, plan([album], tmp_path / "out"), stop=stop)
    next(work)
    stop.set()
    assert len(list(work)) < 3
    first = [p for p in (tmp_path / "out").rglob("*") if p.is_file()]
    assert 1 <= len(first) < 4
    assert all(r.skipped == (r.written[0] in first) for r in run(colorizer, plan([album], tmp_path / "out")))


def test_hints_beside_a_picture_are_taken(colorizer: Colorizer, tmp_path: Path) -> None:
    shutil.copy(EXAMPLES / "black-and-white" / "coffee.jpg", tmp_path / "coffee.jpg")
    stroke = {"points": [[60, 350], [200, 350]], "radius": 9, "color": "#2040c0"}
    results = []
    for number in range(3):
        if number == 1:
            (tmp_path / "coffee.hints.json").write_text(json.dumps([stroke]))
        if number == 2:
            (tmp_path / "coffee.hints.json").write_text("[[1, 2]]")
        jobs = batch.plan([tmp_path / "coffee.jpg"], tmp_path / f"out{number}", "png")
        results += list(batch.run(colorizer, jobs))
    plain, colored = (read_picture(r.written[0]).rgb for r in results[:2])
    assert not np.array_equal(plain, colored)
    assert "A hint is" in (results[2].problem or "")


def test_hints_given_with_a_picture_are_taken(tmp_path: Path) -> None:
    """As from a page, where each file lies in a folder of its own; and what they cannot do is said."""
    photo, apart = EXAMPLES / "black-and-white" / "coffee.jpg", tmp_path / "apart"
    apart.mkdir()
    file = apart / "coffee.hints.json"
    file.write_text('[{"points": [[60, 350], [200, 350]], "radius": 9, "color": "#2040c0"}]')
    [job] = plan([file, photo], tmp_path / "out")
    assert [hint.points for hint in job.hints()] == [((60, 350), (200, 350))]
    done = _colorizer(photo, file, "-o", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    with pytest.raises(UserError, match=r"no picture coffee that coffee\.hints"):
        plan([file, EXAMPLES / "black-and-white" / "chelsea.jpg"], tmp_path / "out")
    white = tmp_path / "white.png"
    Image.new("L", (80, 60), 252).save(white)
    (tmp_path / "white.hints.json").write_text('[[40, 30, 5, "#a02020"]]')
    done = _colorizer(white, "-o", tmp_path / "out")
    assert "white.png: Stroke 1: the photo is too light there" in done.stderr

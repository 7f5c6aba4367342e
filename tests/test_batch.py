"""Folders at once, by function and by command line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from colorizer import UserError
from colorizer.batch import plan

from .conftest import ROOT, draw_photo


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
    assert "4 coloured" in done.stdout
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
    assert "0 coloured" in again.stdout
    assert "4 were there already" in again.stdout
    assert {p: p.stat().st_mtime_ns for p in out.rglob("*.*")} == before


def test_bad_input_is_one_sentence_and_code_2(album: Path, tmp_path: Path) -> None:
    for arguments, words in (
        ((tmp_path / "none", "-o", tmp_path / "out"), "no file or folder"),
        ((album / "a.jpg", "-o", album), "written over"),
        ((album, "-o", album), "output folder is the input"),
        ((album, "-o", tmp_path / "out", "--vividness", "-3"), "vividness"),
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


def test_an_output_folder_inside_the_input_is_not_coloured_again(album: Path) -> None:
    first = plan([album], album / "out")
    (album / "out").mkdir()
    draw_photo(1).save(album / "out" / "a.jpg")
    assert [j.source for j in plan([album], album / "out")] == [j.source for j in first]

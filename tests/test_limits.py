"""How much is taken on: each limit is set by a variable, and answered by its own sentence."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from pathlib import Path

import gradio as gr
import numpy as np
import pytest

from colorizer import Colorizer, Settings, UserError
from colorizer.limits import Limits, limits
from colorizer.model.hints import parse_hints
from colorizer.pictures.reading import read_picture
from colorizer.training.runs import Run
from colorizer.ui import access, common

from .conftest import ROOT, draw_photo


@pytest.fixture(autouse=True)
def _read_anew() -> Iterator[None]:
    limits.cache_clear()
    yield
    limits.cache_clear()


def _limit(monkeypatch: pytest.MonkeyPatch, name: str, value: int) -> None:
    monkeypatch.setenv(Limits.variable(name), str(value))


def test_variables_are_read_and_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    assert limits() == Limits()
    limits.cache_clear()
    for k, limit in enumerate(fields(Limits), 1):
        _limit(monkeypatch, limit.name, k)
    assert [getattr(limits(), limit.name) for limit in fields(Limits)] == list(range(1, len(fields(Limits)) + 1))
    for wrong in ("0", "-3", "many", "1.5"):
        limits.cache_clear()
        monkeypatch.setenv("COLORIZER_MAX_RUNS", wrong)
        with pytest.raises(UserError, match=rf"COLORIZER_MAX_RUNS must be a whole number above 0, not {wrong}"):
            limits()


def test_each_limit_stands_in_the_docs() -> None:
    docs = (ROOT / "docs" / "hosting.md").read_text()
    for limit in fields(Limits):
        assert f"| `{Limits.variable(limit.name)}` | {limit.default} | {limit.metadata['about']} |" in docs


def test_a_wrong_one_is_said_before_the_page_starts() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "app.py")], env={**os.environ, "COLORIZER_MAX_QUEUE": "none"},
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr == "app.py: COLORIZER_MAX_QUEUE must be a whole number above 0, not none.\n"


def test_photographs_and_working_copies(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, colorizer: Colorizer) -> None:
    gray = np.full((400, 1200), 128, np.uint8)
    with pytest.raises(UserError, match=r"A working size of 2048 is too large for a photo of this shape.*1152 or less"):
        colorizer(gray, Settings(working_size=2048))
    draw_photo(0, (1200, 1000)).save(tmp_path / "large.png")
    assert read_picture(tmp_path / "large.png").rgb.shape == (1000, 1200, 3)
    _limit(monkeypatch, "megapixels", 1)
    limits.cache_clear()
    with pytest.raises(UserError, match=r"large.png has more than 1 megapixels"):
        read_picture(tmp_path / "large.png")


def test_hints(monkeypatch: pytest.MonkeyPatch) -> None:
    _limit(monkeypatch, "hints", 3)
    _limit(monkeypatch, "hint_points", 5)
    assert len(parse_hints([[1, 1, 1, "red"]] * 3)) == 3
    with pytest.raises(UserError, match="These are 4 hints; at most 3 are taken"):
        parse_hints([[1, 1, 1, "red"]] * 4)
    with pytest.raises(UserError, match="have 6 points; at most 5 are taken"):
        parse_hints([{"points": [[k, 1] for k in range(6)], "radius": 1, "color": "red"}])


def test_uploads_in_all(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(access, "get_upload_folder", lambda: str(tmp_path))
    _limit(monkeypatch, "uploads_megabytes", 1)
    (tmp_path / "some").mkdir()
    (tmp_path / "some" / "photo.jpg").write_bytes(bytes(900_000))
    access.check_room()
    (tmp_path / "some" / "other.jpg").write_bytes(bytes(200_000))
    with pytest.raises(gr.Error, match=r"holds as many photographs as it can \(1 MB\)"):
        access.check_room()


def test_runs_that_wait_and_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from colorizer.ui.train import start_training

    monkeypatch.setenv("COLORIZER_RUNS", str(tmp_path))
    _limit(monkeypatch, "runs", 1)
    (tmp_path / "one").mkdir()
    Run(tmp_path / "one").register()  # this process works on it
    settings = ("skip_fusion", "classification", "tf_efficientnet_lite0", 4, 0, 32, "", 0, "the classifier")
    with pytest.raises(gr.Error, match="1 runs are training or wait for it; more than 1 would take too much memory"):
        start_training("sample", 1, *settings)
    assert [path.name for path in tmp_path.iterdir()] == ["one"]


def test_results_are_put_away_without_a_race(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(common, "_RESULTS", tmp_path)
    for k in range(60):
        old = tmp_path / "page" / f"old{k}"
        old.mkdir(parents=True)
        (old / "photo.png").write_bytes(bytes(100))
        os.utime(old, (time.time() - 9000,) * 2)
    with ThreadPoolExecutor(8) as pool:
        folders = list(pool.map(lambda _: common.result_folder(), range(40)))
    assert len(set(folders)) == 40
    assert sorted(tmp_path.glob("*/*")) == sorted(folders), "the old ones are gone, the new ones are there"
    assert not (tmp_path / "page").exists()


@pytest.mark.parametrize("limit", ["results_megabytes", "visitor_megabytes"])
def test_the_oldest_results_go_first_and_of_a_page_that_has_much_its_own(
    limit: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(common, "_RESULTS", tmp_path)
    page = ""
    monkeypatch.setattr(common, "session", lambda: page)
    folders: list[tuple[str, Path]] = []
    for k in range(10):
        page = "../mine" if k % 2 else "another"  # a client names its session as it likes
        folders.append((page, common.result_folder()))
        (folders[-1][1] / "photo.png").write_bytes(bytes(300_000))
        os.utime(folders[-1][1], (time.time() - 100 + k,) * 2)
        assert tmp_path in folders[-1][1].resolve().parents
    _limit(monkeypatch, limit, 1)
    limits.cache_clear()
    page = "../mine"
    common.result_folder()
    if limit == "results_megabytes":
        assert [folder.exists() for _, folder in folders] == [False] * 7 + [True] * 3, "the newest that fit stay"
    else:
        mine = [folder.exists() for page, folder in folders if page == "../mine"]
        assert mine == [False] * 2 + [True] * 3
        assert all(folder.exists() for page, folder in folders if page == "another")

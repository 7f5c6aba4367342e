"""The measuring programs, run on the examples as a user runs them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from .conftest import EXAMPLES, ROOT

pytestmark = pytest.mark.slow


def _benchmark(name: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "benchmarks" / name), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=600)


def test_the_quality_table(tmp_path: Path) -> None:
    done = _benchmark("quality.py", EXAMPLES / "color", "--json", tmp_path / "table.json")
    assert done.returncode == 0, done.stderr
    table = json.loads((tmp_path / "table.json").read_text())
    assert table["gray"]["share"] < 1
    assert table["true colors"]["frechet"] == pytest.approx(0, abs=1e-6)
    assert table["20 hints"]["mse_ab"] < table["5 hints"]["mse_ab"] < table["default"]["mse_ab"]
    assert table["cautious"]["colorfulness"] < table["default"]["colorfulness"] < table["vivid"]["colorfulness"]
    assert f"| {'20 hints'} |" in done.stdout


def test_several_people_at_once_get_their_photographs() -> None:
    done = _benchmark("load.py", "--people", 6, "--photos", 1, "--side", 200, "--json")
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout[done.stdout.index("{") :])
    assert (figures["people"], figures["calls"], figures["errors"]) == (6, 6, 0)
    assert figures["memory_mb"]["start"] <= figures["memory_mb"]["peak"]
    assert figures["median_s"] <= figures["p95_s"]


def test_the_contact_sheet_shows_every_photograph(tmp_path: Path) -> None:
    done = _benchmark("contact_sheet.py", EXAMPLES / "black-and-white", "-o", tmp_path / "sheet.png", "--width", 10)
    assert done.returncode == 0, done.stderr
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.height == 5 * 326


def test_the_stability_tables() -> None:
    done = _benchmark("stability.py", EXAMPLES / "black-and-white", "--limit", 2)
    assert done.returncode == 0, done.stderr
    by_size, by_working_size = (float(x) for x in re.findall(r"all pairs +: +([\d.]+)", done.stdout))
    assert 0 < by_size < 4
    assert by_working_size > 0


def test_where_it_fails(tmp_path: Path) -> None:
    for k, photo in enumerate(sorted((EXAMPLES / "color").glob("*.jpg"))):
        folder = tmp_path / "photos" / ("one", "two")[k % 2]  # a photograph that is there twice would be left out
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(photo, folder)
    done = _benchmark("quality.py", tmp_path / "photos", "--by-folder")
    assert done.returncode == 0, done.stderr
    assert {"| one |", "| two |"} <= {line[:7] for line in done.stdout.splitlines()}


def test_networks_are_compared_where_they_are_equally_colorful() -> None:
    done = _benchmark("equal_color.py", EXAMPLES / "color")
    assert done.returncode == 0, done.stderr
    rows = [line.split("|")[1:5] for line in done.stdout.splitlines() if line.startswith("| bundled")]
    assert len(rows) == 4
    shares = [float(row[3].strip().rstrip("%")) for row in rows]
    assert shares[1:] == pytest.approx([60, 65, 92], abs=3)
    vividness = [float(row[1]) for row in rows]
    assert vividness == sorted(vividness)


def test_strokes_and_skin_on_labeled_photographs(tmp_path: Path) -> None:
    """A portrait whose suit and face are outlined roughly."""
    with Image.open(EXAMPLES / "color" / "astronaut.jpg") as photo:
        photo.convert("RGB").save(tmp_path / "a.jpg", quality=95)
        width, height = photo.size
    labels = Image.new("L", (width, height))
    pen = ImageDraw.Draw(labels)
    pen.rectangle((int(0.1 * width), int(0.6 * height), int(0.4 * width), int(0.9 * height)), fill=13)
    pen.ellipse((int(0.38 * width), int(0.12 * height), int(0.48 * width), int(0.3 * height)), fill=41)
    labels.save(tmp_path / "a.mask.png")
    done = _benchmark("strokes.py", tmp_path)
    assert done.returncode == 0, done.stderr
    fills = [float(x) for x in re.findall(r"^\| (?:\d hints?|a stroke) \| ([\d.]+)", done.stdout, re.MULTILINE)]
    assert len(fills) == 4
    assert fills[0] > 0.5
    done = _benchmark("skin.py", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "| natural |" in done.stdout


@pytest.mark.parametrize(
    "name", ["quality.py", "equal_color.py", "contact_sheet.py", "stability.py", "strokes.py", "skin.py"]
)
def test_a_folder_that_is_not_there_is_one_sentence(name: str, tmp_path: Path) -> None:
    more = ["-o", tmp_path / "x.png"] if name == "contact_sheet.py" else []
    done = _benchmark(name, tmp_path / "none", *more)
    assert done.returncode == 2
    assert done.stderr.startswith(name)
    assert "Traceback" not in done.stderr


def test_networks_beside_each_other() -> None:
    done = _benchmark("peers.py", "eccv16", "--rounds", 1)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert re.match(r"bundled +\d+\.\d\d s \(\d+\.\d\d s\) +1\.0 times +37 MB", lines[1])
    assert re.match(r"eccv16 +\d+\.\d\d s \(\d+\.\d\d s\) +\d+\.\d times +129 MB", lines[2])

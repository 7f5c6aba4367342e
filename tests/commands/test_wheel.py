"""The package as others install it: a wheel, run from another folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ..conftest import EXAMPLES, ROOT

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel's content, and nothing of the repository."""
    wheels, folder = tmp_path_factory.mktemp("wheels"), tmp_path_factory.mktemp("installed")
    source = tmp_path_factory.mktemp("source")  # a build leaves its own folders behind
    for name in ("colorizer", "pyproject.toml", "requirements.txt", "README.md", "LICENSE"):
        (source / name).symlink_to(ROOT / name)
    for command in (
        ["wheel", "-q", "--no-deps", "-w", str(wheels), str(source)],
        ["install", "-q", "--no-deps", "--no-index", "--target", str(folder), "colorizer", "-f", str(wheels)],
    ):
        done = subprocess.run([sys.executable, "-m", "pip", *command], capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, done.stderr
    return folder


def _run(installed: Path, folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(installed), "COLORIZER_CACHE": str(folder / "cache")}
    done = subprocess.run(
        [sys.executable, *command], cwd=folder, env=environment, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr
    return done


def test_a_wheel_colors_trains_evaluates_and_opens_the_demo(installed: Path, tmp_path: Path) -> None:
    where = _run(installed, tmp_path, "-c", "import colorizer; print(colorizer.__file__)").stdout
    assert where.startswith(str(installed))
    photo = EXAMPLES / "black-and-white" / "coffee.jpg"
    _run(installed, tmp_path, "-m", "colorizer", str(photo), "-o", "out")
    assert (tmp_path / "out" / "coffee.jpg").is_file()
    small = ["--epochs=1", "--size=32", "--limit=12", "--batch-size=4", "--workers=0", "--device=cpu"]
    _run(installed, tmp_path, "-m", "colorizer.commands.train", "--data=sample", "--output=runs/mine", *small)
    measured = _run(
        installed, tmp_path, "-m", "colorizer.commands.evaluate", "--checkpoint=runs/mine", "--data=held-out",
        "--html=report.html",
    )  # fmt: skip
    assert "MSE of ab" in measured.stdout
    assert (tmp_path / "report.html").read_text().startswith("<!doctype html>")
    _run(installed, tmp_path, "-m", "colorizer.commands.export", "runs/mine", "-o", "mine.safetensors")
    demo = """
import os
from colorizer.ui.app import build
from colorizer.ui.theme import CSS, theme
page = build()
_, address, _ = page.launch(theme=theme(), css=CSS, prevent_thread_lock=True, quiet=True)
from gradio_client import Client, handle_file
print(Client(address, verbose=False).predict(handle_file(os.environ["PHOTO"]), api_name="/colorize"))
"""
    os.environ["PHOTO"] = str(photo)
    assert _run(installed, tmp_path, "-c", demo).stdout.strip().endswith("coffee-color.png")

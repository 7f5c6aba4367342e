"""Shared fixtures. Nothing here needs the network or a file outside the repository."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import socket
import subprocess
import sys
import tarfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from colorizer import Colorizer
from colorizer.training.runs import find_runs

ROOT = Path(__file__).parent.parent
SHARED = ROOT.parent / "shared" / "data"
EXAMPLES = ROOT / "examples"
PASSWORD = "open, sesame"

needs_shared = pytest.mark.skipif(
    not SHARED.is_dir(), reason="left out: needs the photographs of ../shared/data, which are not in the repository"
)


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Scans, embeddings and runs of the tests stay among the tests' files; child processes inherit it."""
    folder = tmp_path_factory.mktemp("cache")
    os.environ["COLORIZER_CACHE"] = str(folder)
    os.environ["HF_HOME"] = str(folder / "hf")


def draw_photo(seed: int, size: tuple[int, int] = (96, 80)) -> Image.Image:
    """A colorful picture with edges: blue above, green below, and discs whose color goes with their gray."""
    rng = np.random.default_rng(seed)
    width, height = size
    picture = Image.new("RGB", size, (110, 160, 220))
    pen = ImageDraw.Draw(picture)
    pen.rectangle((0, int(height * rng.uniform(0.4, 0.7)), width, height), fill=(60, 130, 50))
    for _ in range(4):
        x, y, r = (int(rng.integers(low, high)) for low, high in ((0, width), (0, height), (6, 20)))
        pen.ellipse((x - r, y - r, x + r, y + r), fill=tuple(rng.integers(0, 255, 3).tolist()))
    noise = rng.normal(0, 4, (height, width, 1))
    return Image.fromarray(np.clip(np.asarray(picture) + noise, 0, 255).astype(np.uint8))


def wait_until(true: Callable[[], bool], seconds: float = 120) -> None:
    """Wait for something that another process does."""
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until
        time.sleep(0.05)


def command(module: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """What one of `colorizer.commands` says to these arguments."""
    return subprocess.run(
        [sys.executable, "-m", f"colorizer.commands.{module}", *map(str, arguments)], cwd=ROOT, capture_output=True,
        text=True, timeout=120,
    )  # fmt: skip


def hub_environment(endpoint: str, home: Path) -> dict[str, str]:
    """Of a process that is to take `endpoint` for the Hugging Face Hub and to keep in `home` what it loads."""
    environment = {
        **os.environ, "HF_ENDPOINT": endpoint, "HF_HOME": str(home), "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DOWNLOAD_TIMEOUT": "5", "HF_HUB_ETAG_TIMEOUT": "5",
    }  # fmt: skip
    environment.pop("HF_HUB_OFFLINE", None)
    return environment


def write_shards(folder: Path, target: Path, number: int) -> None:
    """A folder's pictures as tar shards, as webdataset has them: a flat list of files, each with its label's."""
    target.mkdir()
    pictures = sorted(folder.rglob("*.png"))
    for shard in range(number):
        with tarfile.open(target / f"photos-{shard:03d}.tar", "w") as archive:
            for path in pictures[shard::number]:
                archive.add(path, path.name)
                label = tarfile.TarInfo(f"{path.stem}.cls")
                label.size = 1
                archive.addfile(label, io.BytesIO(b"7"))
            link = tarfile.TarInfo("link.png")
            link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
            archive.addfile(link)


@pytest.fixture(scope="session")
def photo_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 small color pictures in subfolders."""
    folder = tmp_path_factory.mktemp("photos")
    for k in range(24):
        path = folder / f"class{k % 3}" / f"photo{k:02d}.png"
        path.parent.mkdir(exist_ok=True)
        draw_photo(k).save(path)
    return folder


@pytest.fixture(scope="session")
def colorizer() -> Colorizer:
    """The bundled network."""
    return Colorizer.from_pretrained(device="cpu")


@pytest.fixture(scope="session")
def python() -> str:
    return sys.executable


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """(address, runs folder) of a running app.py."""
    with serve_app(tmp_path_factory.mktemp("app")) as served:
        yield served


@contextlib.contextmanager
def serve_app(folder: Path, **more: str) -> Iterator[tuple[str, Path]]:
    """(address, runs folder) of an app.py that runs meanwhile, with these variables of the environment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    temporary = folder / "tmp"  # so that runs and caches lie outside of it, as they do for users
    temporary.mkdir(exist_ok=True)
    environment = {
        **os.environ, "GRADIO_SERVER_NAME": "127.0.0.1", "GRADIO_SERVER_PORT": str(port), "TMPDIR": str(temporary),
        "COLORIZER_RUNS": str(folder / "runs"), "GRADIO_TEMP_DIR": str(folder / "gradio"), "OMP_NUM_THREADS": "1",
        "COLORIZER_OWNER_PASSWORD": PASSWORD,
    }  # fmt: skip
    environment.pop("SPACE_ID", None)
    environment.update(more)
    with (folder / "log.txt").open("wb") as log:
        process = subprocess.Popen([sys.executable, "app.py"], cwd=ROOT, env=environment, stdout=log, stderr=log)
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_until_served(address, process)
        yield address, folder / "runs"
        process.terminate()
        process.wait(30)
    finally:
        process.kill()
        process.wait()
        for run in find_runs(folder / "runs"):  # they outlive the app, and would a failed test
            if (pid := run.process()) is not None:
                os.kill(pid, signal.SIGKILL)
    said = (folder / "log.txt").read_text()
    # On a Space, Gradio reloads by the package `spaces`: it tells where that is missing, and of its loops at the end.
    of_gradio = ("`spaces` package is required", "Exception ignored in: <function BaseEventLoop.__del__")
    assert said.count("Traceback") == sum(map(said.count, of_gradio)), said


def _wait_until_served(address: str, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 180
    while time.monotonic() < until and process.poll() is None:
        try:
            urllib.request.urlopen(address, timeout=5).close()
            return
        except OSError:
            time.sleep(0.3)
    raise AssertionError("app.py does not answer")

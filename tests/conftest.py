"""Shared fixtures. Nothing here needs the network or a file outside the repository."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from colorizer import Colorizer

ROOT = Path(__file__).parent.parent
SHARED = ROOT.parent / "shared" / "data"
EXAMPLES = ROOT / "examples"

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
    """A colourful picture with edges: blue above, green below, and discs whose colour goes with their grey."""
    rng = np.random.default_rng(seed)
    width, height = size
    picture = Image.new("RGB", size, (110, 160, 220))
    pen = ImageDraw.Draw(picture)
    pen.rectangle((0, int(height * rng.uniform(0.4, 0.7)), width, height), fill=(60, 130, 50))
    for _ in range(4):
        x, y, r = rng.integers(0, width), rng.integers(0, height), rng.integers(6, 20)
        pen.ellipse((x - r, y - r, x + r, y + r), fill=tuple(rng.integers(0, 255, 3).tolist()))
    noise = rng.normal(0, 4, (height, width, 1))
    return Image.fromarray(np.clip(np.asarray(picture) + noise, 0, 255).astype(np.uint8))


@pytest.fixture(scope="session")
def photo_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 small colour pictures in subfolders."""
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

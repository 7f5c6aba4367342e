"""What the command line takes at most, in memory and time, for photos of each kind of file, beside a small photo.

python benchmarks/memory.py                     # 100 megapixels, the largest that are taken
python benchmarks/memory.py --megapixels 24
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil

sys.path.insert(0, str(Path(__file__).parent.parent))

from colorizer.arrays import Array
from colorizer.pictures.photo import Photo
from colorizer.pictures.writing import write_picture

ROOT = Path(__file__).parent.parent
KINDS = {  # name -> (suffix, dtype)
    "8-bit JPEG": (".jpg", np.uint8),
    "8-bit PNG": (".png", np.uint8),
    "16-bit PNG": (".png", np.uint16),
    "16-bit TIFF": (".tif", np.uint16),
}


def scan(megapixels: float, dtype: type) -> Array:
    """A 4:3 picture of waves with a little grain, HWC."""
    height = int((megapixels * 1e6 * 3 / 4) ** 0.5)
    width = int(megapixels * 1e6 / height)
    y, x = np.arange(height, dtype=np.float32)[:, None], np.arange(width, dtype=np.float32)[None]
    grain = np.random.default_rng(0).integers(0, 8, (height, width), np.uint8)
    gray = (np.sin(x / 50) * 60 + np.cos(y / 70) * 50 + 124 + grain).astype(np.uint8)
    gray = gray if dtype == np.uint8 else gray.astype(np.uint16) * np.uint16(257)
    return np.repeat(gray[..., None], 3, axis=2)


def measure(picture: Path, folder: Path) -> tuple[float, float]:
    """(GB at most, seconds) of coloring a file by the command line."""
    begun, peak = time.perf_counter(), 0
    command = [sys.executable, "-m", "colorizer", str(picture), "-o", str(folder), "--overwrite", "--device", "cpu"]
    process = psutil.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None:
        try:
            peak = max(peak, process.memory_info().rss)
        except psutil.Error:
            break
        time.sleep(0.01)
    if process.wait() != 0:
        raise SystemExit(f"{picture.name} could not be colored.")
    return peak / 1e9, time.perf_counter() - begun


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megapixels", type=float, default=99.9)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_picture(Photo(scan(0.5, np.uint8)), folder / "small.jpg")
        first, seconds = measure(folder / "small.jpg", folder / "out")
        print(f"{'':32} {'at most':>8} {'ratio':>6} {'seconds':>8} {'ratio':>6}")
        print(f"{'8-bit JPEG, 0.5 megapixels':32} {first:6.2f}GB {1:6.1f} {seconds:8.1f} {1:6.1f}")
        for name, (suffix, dtype) in KINDS.items():
            path = folder / f"large{suffix}"
            write_picture(Photo(scan(arguments.megapixels, dtype)), path)
            peak, took = measure(path, folder / "out")
            title = f"{name}, {arguments.megapixels:g} megapixels"
            print(f"{title:32} {peak:6.2f}GB {peak / first:6.1f} {took:8.1f} {took / seconds:6.1f}")
            path.unlink()


if __name__ == "__main__":
    main()

"""How long things take, as ratios within one run, and how memory grows with the photo.

python benchmarks/speed.py
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import psutil
import torch

sys.path.insert(0, str(Path(__file__).parent.parent))

from colorizer import Colorizer, Settings
from colorizer.inference.agreement import agreed
from colorizer.inference.objects import see
from colorizer.inference.prepared import SEEN_SIZE
from colorizer.inference.upsampling import colorize_photo, guide_of
from colorizer.model.networks import NetworkConfig, build_network
from colorizer.model.pretrained import build_backbone
from colorizer.pictures.photo import Photo
from colorizer.pictures.reading import read_picture
from colorizer.pictures.writing import write_picture

MEGAPIXELS = (0.5, 1, 2, 8, 12, 32)
STAGED = (1.0, 12.0)


def seconds(work: Callable[[], object], repeats: int = 5) -> float:
    """Median time of a call, after one that is not counted."""
    work()
    times = []
    for _ in range(repeats):
        begun = time.perf_counter()
        work()
        times.append(time.perf_counter() - begun)
    return statistics.median(times)


def photo(megapixels: float) -> np.ndarray:
    """A gray 4:3 picture of waves."""
    height = round((megapixels * 1e6 * 3 / 4) ** 0.5)
    y, x = np.mgrid[:height, : round(height * 4 / 3)]
    return ((np.sin(x / 50) + np.cos(y / 70)) * 60 + 128).astype(np.uint8)


def peak_memory(work: Callable[[], object]) -> float:
    """MB that a call takes at most, over what the process takes before it; sampled every 2 ms."""
    process, peak, done = psutil.Process(), 0, threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.002):
            peak = max(peak, process.memory_info().rss)

    before = process.memory_info().rss
    watcher = threading.Thread(target=watch)
    watcher.start()
    work()
    done.set()
    watcher.join()
    return max(peak - before, 0) / 1e6


def bandwidth() -> float:
    """Bytes a second that are read and written by copying an array much larger than the caches."""
    source = np.ones(256 << 20, np.uint8)
    target = np.empty_like(source)
    return 2 * source.nbytes / seconds(partial(np.copyto, target, source))


def stages(colorizer: Colorizer, megapixels: float, folder: Path) -> dict[str, Callable[[], object]]:
    """What coloring a JPEG file consists of, to be called one by one; each has its input ready."""
    path, settings, predictor = folder / "photo.jpg", Settings(), colorizer.predictor
    write_picture(Photo(np.repeat(photo(megapixels)[..., None], 3, axis=2)), path)
    read = read_picture(path)
    prepared = colorizer.prepare(read)
    guide, size = prepared.guide, predictor.working_size(settings)
    said = predictor.predict(guide, size, None, (), prepared.size)
    seen, ab = see(guide, SEEN_SIZE), prepared.ab(settings)
    colored = colorize_photo(read, guide, ab)
    return {
        "reading the file": partial(read_picture, path),
        "the guide": partial(guide_of, read),
        "the network": partial(predictor.predict, guide, size, None, (), prepared.size),
        "seeing things": partial(see, guide, SEEN_SIZE),
        "things agree": partial(agreed, said, seen.features, seen.light, settings.consent),
        "bins to ab": partial(predictor.colors, said, settings),
        "ab to the photo's pixels": partial(colorize_photo, read, guide, ab),
        "writing the file": partial(write_picture, colored, folder / "colored.jpg"),
    }


@torch.inference_mode()
def main() -> None:
    """Print the tables."""
    x, embedding = torch.rand(1, 1, 224, 224), torch.rand(1, 1000)
    passes: dict[str, Callable[[], object]] = {}
    for kind in ("skip_fusion", "fusion"):
        network = build_network(NetworkConfig(kind)).eval()
        passes[f"{kind}, 224x224"] = partial(network, x, embedding)
    for name, size in (("tf_efficientnet_lite0", 224), ("inception_resnet_v2", 299)):
        backbone, picture = build_backbone(name).eval(), torch.rand(1, 3, size, size)
        passes[f"{name}, {size}x{size}"] = partial(backbone, picture)
    times = {name: seconds(work) for name, work in passes.items()}
    first = next(iter(times.values()))
    print(f"{'one pass':36} {'time':>8} {'ratio':>7}")
    for name, t in times.items():
        print(f"{name:36} {t * 1000:6.0f}ms {t / first:7.1f}")
    colorizer = Colorizer.from_pretrained(device="cpu")
    speed = bandwidth()
    print(f"\nStages; the least is 3 bytes read and 3 written for each pixel, at {speed / 1e9:.1f} GB/s of this memory")
    for megapixels in STAGED:
        least = 6 * megapixels * 1e6 / speed
        print(f"{f'{megapixels} megapixels':36} {'time':>8} {'times the least':>16}")
        with tempfile.TemporaryDirectory() as folder:
            for name, work in stages(colorizer, megapixels, Path(folder)).items():
                t = seconds(work)
                print(f"{name:36} {t * 1000:6.1f}ms {t / least:16.1f}")
    print(f"\n{'coloring a photo':36} {'time':>8} {'ratio':>7} {'memory':>10} {'a pixel':>12}")
    first = 0.0
    for megapixels in MEGAPIXELS:
        gray = photo(megapixels)
        t = seconds(partial(colorizer, gray), repeats=3)
        first = first or t
        memory = peak_memory(partial(colorizer, gray))
        title = f"{megapixels} megapixels"
        print(f"{title:36} {t * 1000:6.0f}ms {t / first:7.1f} {memory:8.0f}MB {memory / megapixels:7.0f} bytes")


if __name__ == "__main__":
    main()

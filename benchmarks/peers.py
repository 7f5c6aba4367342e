"""How long networks take beside each other, photo to photo, in one run: the bundled one and others' published ones.

python benchmarks/peers.py                      # all of them, with random weights: nothing is downloaded
python benchmarks/peers.py eccv16 my.pth        # these; a file of weights may be given, too

A photograph of one megapixel is colored in memory by each network in turn, and the median of each is compared with that
of the bundled network. The memory is that of the weights, and the time of one pass alone is in brackets.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parent.parent))

from colorizer import Colorizer, Settings
from colorizer.arrays import resize
from colorizer.color.bins import N_BINS
from colorizer.inference.predictor import Predictor
from colorizer.model.checkpoints import Checkpoint, load_checkpoint
from colorizer.model.networks import build_network
from colorizer.model.published import PUBLISHED
from colorizer.pictures.photo import Photo
from colorizer.pictures.reading import read_picture
from colorizer.pictures.sources import EXAMPLES

_SIDES = (1152, 864)  # width and height of the photograph


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="*", help="names, or files of weights (default: one of each architecture)")
    parser.add_argument("--rounds", type=int, default=5, help="of which the median counts (default: 5)")
    arguments = parser.parse_args()
    names = arguments.networks or ["ddcolor", "ddcolor-tiny", "siggraph17", "eccv16"]
    colorizers = {name: Colorizer(Predictor(_checkpoint(name))) for name in ("bundled", *names)}
    photo = Photo(resize(read_picture(EXAMPLES / "black-and-white" / "coffee.jpg").rgb, *_SIDES))
    whole: dict[str, list[float]] = {name: [] for name in colorizers}
    alone: dict[str, list[float]] = {name: [] for name in colorizers}
    for k in range(arguments.rounds + 1):
        for name, colorizer in colorizers.items():
            prepared = colorizer.prepare(photo)
            size = colorizer.predictor.working_size(Settings())
            times = (
                _seconds(prepared.colorize),
                _seconds(partial(colorizer.predictor.predict, prepared.guide, size, None, (), prepared.size)),
            )
            if k:  # the first round warms up
                whole[name].append(times[0])
                alone[name].append(times[1])
    first = statistics.median(whole["bundled"])
    print(f"{torch.get_num_threads()} threads, {_SIDES[0]} x {_SIDES[1]} pixels")
    for name, colorizer in colorizers.items():
        weights = sum(p.nbytes for p in colorizer.predictor.network.parameters()) / 1e6
        seconds = statistics.median(whole[name])
        print(f"{name:14}{seconds:7.2f} s ({statistics.median(alone[name]):.2f} s)  {seconds / first:6.1f} times"
              f"  {weights:5.0f} MB")  # fmt: skip


def _checkpoint(name: str) -> Checkpoint:
    if name not in PUBLISHED:
        return load_checkpoint(name)
    config = PUBLISHED[name].config
    return Checkpoint(build_network(config).eval(), config, torch.full((N_BINS,), 1 / N_BINS), 0)


def _seconds(function: Callable[[], object]) -> float:
    begun = time.perf_counter()
    function()
    return time.perf_counter() - begun


if __name__ == "__main__":
    main()

"""Whether a photograph gets the same colors at every size.

python benchmarks/stability.py FOLDER

Each photograph is brought to a short side of 256, 512, 1024 and 2048 pixels and colored; the results are reduced to
256 again and compared by mean CIEDE2000. The same for working sizes around the default: the network's copy.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).parent.parent))

from colorizer import Colorizer, Settings
from colorizer.arrays import Array, eight_bit, resize
from colorizer.color.difference import ciede2000
from colorizer.color.lab import rgb_to_lab
from colorizer.commands.options import add_colorizer_options, colorizer_from, settings_from
from colorizer.errors import UserError
from colorizer.evaluation.testset import TestSet
from colorizer.pictures.photo import Photo
from colorizer.pictures.reading import read_picture

SIZES = (256, 512, 1024, 2048)
WORKING = (0.75, 1.0, 1.25, 1.5)  # of the default


def at(rgb: Array, short: int) -> Array:
    """A picture with this short side."""
    scale = short / min(rgb.shape[:2])
    return resize(rgb, round(rgb.shape[1] * scale), round(rgb.shape[0] * scale))


def differences(versions: list[Array]) -> Array:
    """Mean CIEDE2000 of each pair, at 256 pixels of short side."""
    first = at(versions[0], 256)
    labs = [rgb_to_lab(resize(v, first.shape[1], first.shape[0])) for v in versions]
    return np.array([ciede2000(a, b).mean() for a, b in itertools.combinations(labs, 2)])


def by_size(colorizer: Colorizer, rgb: Array, settings: Settings) -> Array:
    """The photograph at all sizes."""
    return differences([colorizer.colorize(Photo(at(rgb, s)), settings).rgb for s in SIZES])


def by_working_size(colorizer: Colorizer, rgb: Array, settings: Settings) -> Array:
    """The photograph seen by the network at all working sizes."""
    usual = colorizer.predictor.working_size(settings)
    sizes = [round(usual * factor) for factor in WORKING]
    return differences([colorizer.colorize(Photo(rgb), replace(settings, working_size=s)).rgb for s in sizes])


def main() -> int:
    """Print the tables; 2 if something needs fixing by the user."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", help="a folder of photographs, or a zip")
    parser.add_argument("--limit", type=int, help="at most this many, evenly spaced")
    add_colorizer_options(parser)
    arguments = parser.parse_args()
    try:
        colorizer, settings = colorizer_from(arguments), settings_from(arguments)
        photos = TestSet.open(arguments.data, arguments.limit)
    except UserError as error:
        print(f"stability.py: {error}", file=sys.stderr)
        return 2
    pictures = [eight_bit(read_picture(photos.source.read(name)).rgb) for name in photos.names]
    usual = colorizer.predictor.working_size(settings)
    for title, labels, measure in (
        ("size", list(SIZES), by_size),
        ("working size", [round(usual * factor) for factor in WORKING], by_working_size),
    ):
        found = np.stack([measure(colorizer, rgb, settings) for rgb in tqdm(pictures, leave=False)])
        print(f"{title}: mean CIEDE2000 over {len(pictures)} photographs")
        for (a, b), pair in zip(itertools.combinations(labels, 2), found.T, strict=True):
            print(f"  {a:5} and {b:5}: {pair.mean():5.2f}   90% under {np.quantile(pair, 0.9):5.2f}")
        print(f"  all pairs      : {found.mean():5.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

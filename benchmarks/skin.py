"""Is skin the color of skin: figures from photographs of people whose skin is labeled.

python benchmarks/skin.py FOLDER

FOLDER holds NAME.jpg with NAME.mask.png beside it, in which skin has the label 41. Each photograph is colored from its
L; of the skin's pixels the median a and b are compared with those of the true skin. It is right where the hue is within
10 degrees and the chroma at least 70%.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).parent.parent))

from outlined import find_outlined, labels_of

from colorizer import UserError
from colorizer.arrays import Array, eight_bit
from colorizer.color.lab import rgb_to_lab
from colorizer.commands.options import add_colorizer_options, colorizer_from, settings_from
from colorizer.inference.settings import LOOKS
from colorizer.model.objects import SKIN
from colorizer.pictures.photo import Photo
from colorizer.pictures.reading import read_picture

SMALLEST = 0.005  # of the picture
HUE, CHROMA = 10, 0.7  # degrees; share of the true one


def median_ab(rgb: Array, mask: Array) -> Array:
    """The median a and b, (2,), of an HWC picture in a mask, HW."""
    return np.asarray(np.median(rgb_to_lab(rgb)[mask][:, 1:], axis=0))


def main() -> int:
    """Print the table; 2 if something needs fixing by the user."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    add_colorizer_options(parser)
    arguments = parser.parse_args()
    try:
        colorizer, settings = colorizer_from(arguments), settings_from(arguments)
        paths = find_outlined(arguments.folder)
    except UserError as error:
        print(f"skin.py: {error}", file=sys.stderr)
        return 2
    looks = {"as given": settings} | {k: replace(v, working_size=settings.working_size) for k, v in LOOKS.items()}
    true, found = [], {name: [] for name in looks}  # type: ignore[var-annotated]
    for path in tqdm(paths, unit="photo", disable=None):
        photo = Photo(eight_bit(read_picture(path).rgb))
        labels = labels_of(path)
        skin = labels == SKIN
        if skin.mean() < SMALLEST:
            continue
        true.append(median_ab(photo.rgb, skin))
        prepared = colorizer.prepare(photo)
        for name, look in looks.items():
            found[name].append(median_ab(prepared.colorize(look).rgb, skin))
    a, b = np.array(true).T
    hue, chroma = np.arctan2(b, a), np.hypot(a, b)
    print(f"{len(true)} photographs\n")
    print("| | right | hue right | chroma right | chroma of the true % |\n|---|" + "---:|" * 4)
    for name, colors in found.items():
        a, b = np.array(colors).T
        turned = np.rad2deg(np.abs(np.angle(np.exp(1j * (np.arctan2(b, a) - hue)))))
        share = np.hypot(a, b) / chroma
        right = (turned <= HUE) & (share >= CHROMA)
        print(
            f"| {name} | {right.mean():.0%} | {(turned <= HUE).mean():.0%} | {(share >= CHROMA).mean():.0%} "
            f"| {100 * np.median(share):.0f} |"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Does a stroke color its object, all of it, and nothing else: a table, from photographs with labeled objects.

python benchmarks/strokes.py FOLDER

FOLDER holds NAME.jpg with NAME.mask.png beside it, whose values are labels of garments, skin and hair (see LABELS). In
each photograph the largest garment of at least 2% of it is given an unlikely color, by one hint at its middle, by two
and three hints, and by a stroke through its middle: chroma 45 at the garment's own mean L (less where sRGB ends
before), in a fixed sequence of hues.

Fill is the share of the garment's pixels within 30 degrees of the hint's hue at half of its chroma or more; leak the
mean change of ab outside of the garment, 5 pixels off; the same of skin and hair.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).parent.parent))

from outlined import find_outlined, labels_of

from colorizer import UserError
from colorizer.arrays import Array
from colorizer.color.gamut import fit_gamut
from colorizer.color.lab import rgb_to_lab
from colorizer.commands.options import add_colorizer_options, colorizer_from, settings_from
from colorizer.inference.objects import deepest_places
from colorizer.model.hints import Hint
from colorizer.pictures.reading import read_picture

NO_GARMENT, SKIN_AND_HAIR = (0, 19, 41), (19, 41)  # labels; 0 is everything else
SMALLEST, CHROMA, RADIUS, OFF = 0.02, 45.0, 0.015, 5  # shares of the picture and of its short side; pixels
TURN = 137.5  # degrees of hue from one photograph to the next

Mask = npt.NDArray[np.bool_]
Points = list[tuple[float, float]]


def garment_of(labels: Array) -> Mask | None:
    """The largest garment, HW; None if all are small."""
    numbers, counts = np.unique(labels, return_counts=True)
    sizes = {int(n): int(c) for n, c in zip(numbers, counts, strict=True) if n not in NO_GARMENT}
    if not sizes or max(sizes.values()) < SMALLEST * labels.size:
        return None
    return np.asarray(labels == max(sizes, key=lambda n: sizes[n]))


def middles(mask: Mask, number: int) -> Points:
    """The places furthest from the mask's edge, (x, y); each further one far from those before it, too."""
    return [(x + 0.5, y + 0.5) for x, y, _ in deepest_places(mask, number)]


def stroke_through(mask: Mask, middle: tuple[float, float]) -> Points:
    """The longest straight line through a place that stays in the mask, but for a tenth at both ends."""
    best: Points = [middle]
    longest = 0.0
    for angle in np.arange(0, np.pi, np.pi / 16):
        step = np.array([np.cos(angle), np.sin(angle)])
        ends = []
        for sign in (-1, 1):
            place = np.array(middle)
            while True:
                x, y = (place + sign * step).astype(int)
                if not (0 <= y < mask.shape[0] and 0 <= x < mask.shape[1] and mask[y, x]):
                    break
                place = place + sign * step
            ends.append(np.array(middle) + 0.8 * (place - np.array(middle)))
        if (length := float(np.hypot(*(ends[1] - ends[0])))) > longest:
            longest, best = length, [tuple(ends[0].tolist()), tuple(ends[1].tolist())]
    return best


def fill(lab: Array, mask: Mask, ab: tuple[float, float]) -> float:
    """Share of the mask's pixels that took a color."""
    a, b = lab[mask, 1], lab[mask, 2]
    chroma = np.hypot(*ab)
    along = (a * ab[0] + b * ab[1]) / chroma
    size = np.hypot(a, b)
    return float(((size >= chroma / 2) & (along >= size * np.cos(np.pi / 6))).mean())


def main() -> int:
    """Print the table; 2 if something needs fixing by the user."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--limit", type=int, help="at most this many photographs")
    add_colorizer_options(parser)
    arguments = parser.parse_args()
    try:
        colorizer, settings = colorizer_from(arguments), settings_from(arguments)
        paths = find_outlined(arguments.folder)
    except UserError as error:
        print(f"strokes.py: {error}", file=sys.stderr)
        return 2
    places: dict[str, Callable[[Mask], list[Points]]] = {
        "1 hint": lambda mask: [[p] for p in middles(mask, 1)],
        "2 hints": lambda mask: [[p] for p in middles(mask, 2)],
        "3 hints": lambda mask: [[p] for p in middles(mask, 3)],
        "a stroke": lambda mask: [stroke_through(mask, middles(mask, 1)[0])],
    }
    figures: dict[str, list[tuple[float, float, float, float]]] = {name: [] for name in places}
    for number, path in enumerate(tqdm(paths[: arguments.limit], unit="photo", disable=None)):
        photo = read_picture(path)
        labels = labels_of(path)
        mask = garment_of(labels)
        if mask is None:
            continue
        prepared = colorizer.prepare(photo)
        before = rgb_to_lab(prepared.colorize(settings).rgb)
        hue = np.deg2rad(TURN * number)
        wanted = np.array([before[mask, 0].mean(), CHROMA * np.cos(hue), CHROMA * np.sin(hue)], np.float32)
        a, b = fit_gamut(wanted[None, None])[0, 0, 1:].tolist()
        around = cv2.dilate(mask.astype(np.uint8), np.ones((2 * OFF + 1,) * 2)) == 0
        skin = np.isin(labels, SKIN_AND_HAIR) & around
        for name, draw in places.items():
            hints = [Hint(tuple(points), RADIUS * min(mask.shape), (a, b)) for points in draw(mask)]
            begun = time.perf_counter()
            colorized = prepared.colorize(settings, hints).rgb
            seconds = time.perf_counter() - begun
            lab = rgb_to_lab(colorized)
            change = np.linalg.norm(lab[..., 1:] - before[..., 1:], axis=-1)
            on_skin = float(change[skin].mean()) if skin.any() else float("nan")
            figures[name].append((fill(lab, mask, (a, b)), float(change[around].mean()), on_skin, seconds))
    print(f"{len(figures['1 hint'])} photographs\n")
    print("| | fill | filled by 80% | leak, ab | on skin and hair, ab | ms |\n|---|---:|---:|---:|---:|---:|")
    for name, rows in figures.items():
        filled, leak, on_skin, seconds = np.array(rows).T
        print(
            f"| {name} | {filled.mean():.2f} | {(filled >= 0.8).mean():.0%} | {leak.mean():.2f} "
            f"| {np.nanmean(on_skin):.2f} | {1000 * np.median(seconds):.0f} |"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())

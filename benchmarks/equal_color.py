"""Networks, or temperatures, compared where they are equally colorful: error metrics reward dullness otherwise.

python benchmarks/equal_color.py FOLDER --checkpoint bundled --checkpoint runs/mine

For each network a row at vividness 0, and one at each share of the true photographs' mean colorfulness, at the
vividness that reaches it: PSNR over that of gray, top-1 and Fréchet distance by EfficientNet-Lite2 and -Lite1, of
which neither is a part of a coloring network here.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).parent.parent))

from quality import JUDGES, Row

from colorizer.arrays import Array, eight_bit
from colorizer.commands.options import add_colorizer_options, settings_from
from colorizer.errors import UserError
from colorizer.evaluation.classifiers import Classifier, true_label
from colorizer.evaluation.metrics import colorfulness, gray_picture
from colorizer.evaluation.testset import TestSet
from colorizer.inference.colorizer import Colorizer
from colorizer.inference.settings import Settings
from colorizer.pictures.photo import Photo
from colorizer.pictures.reading import read_picture

SHARES = (0.6, 0.65, 0.92)
_HIGHEST, _HALVINGS = 6.0, 7  # vividness, and how finely it is searched


def vividness_at(share: Callable[[float], float], wanted: float) -> float:
    """The vividness at which `share`, which rises with it, is as wanted.

    >>> round(vividness_at(lambda v: v / 4, 0.5), 1)
    2.0
    """
    low, high = 0.0, _HIGHEST
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if share(middle) < wanted else (low, middle)
    return (low + high) / 2


def main() -> int:
    """Print the table; 2 if something needs fixing by the user."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", help="a folder of color photographs, or a zip")
    parser.add_argument("--limit", type=int, help="at most this many, evenly spaced")
    add_colorizer_options(parser, several=True)
    arguments = parser.parse_args()
    try:
        settings = settings_from(arguments)
        photos = TestSet.open(arguments.data, arguments.limit)
        judges = {judge: Classifier(name, device=arguments.device) for judge, name in JUDGES.items()}
        colorizers = {
            name: Colorizer.from_pretrained(name, arguments.features_weights, arguments.device)
            for name in arguments.checkpoint or ["bundled"]
        }
    except UserError as error:
        print(f"equal_color.py: {error}", file=sys.stderr)
        return 2
    true = [eight_bit(read_picture(photos.source.read(name)).rgb) for name in photos.names]
    labels = [true_label(name) for name in photos.names]

    def measured(pictures: list[Array]) -> Row:
        row = Row("")
        for picture, own, label in zip(pictures, true, labels, strict=True):
            row.add(picture, own, label, judges)
        return row

    true_row, gray_row = measured(true), measured([gray_picture(picture) for picture in true])
    gray, full = gray_row.summary(true_row)["psnr"], true_row.summary(true_row)["colorfulness"]

    def cells_of(row: Row) -> str:
        found = row.summary(true_row)
        cells = [f"{found['psnr'] - gray:+.2f}", f"{found['share']:.0f}%"]
        for judge in JUDGES:
            top1 = found[f"top1{judge}"]
            cells += ["" if np.isnan(top1) else f"{top1:.1f}", f"{found[f'frechet{judge}']:.1f}"]
        return " | ".join(cells)

    print("| | vividness | over gray, dB | color | top-1 % | Fréchet | top-1 % (Lite1) | Fréchet (Lite1) |")
    print("|---|" + "---:|" * 7)
    print(f"| gray | | {cells_of(gray_row)} |", flush=True)
    for name, colorizer in colorizers.items():
        prepared = [colorizer.prepare(Photo(picture)) for picture in tqdm(true, unit="photo", desc=name, disable=None)]

        def colored(vividness: float, prepared: list = prepared) -> list[Array]:  # type: ignore[type-arg]
            chosen: Settings = replace(settings, vividness=vividness)
            return [photo.colorize(chosen).rgb for photo in prepared]

        def share_at(vividness: float, colored: Callable[[float], list[Array]] = colored) -> float:
            return float(np.mean([colorfulness(p) for p in colored(vividness)])) / full

        for vividness in (0.0, *(vividness_at(share_at, wanted) for wanted in SHARES)):
            print(f"| {name} | {vividness:.2f} | {cells_of(measured(colored(vividness)))} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

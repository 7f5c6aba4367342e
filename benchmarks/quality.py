"""How good the colors are: the table of the model card, from a folder of color photographs.

python benchmarks/quality.py FOLDER
python benchmarks/quality.py FOLDER --checkpoint runs/mine --alpha 0.3

Rows: gray; vividness from cautious to vivid; the default with 1 to 20 hints; the true colors. A hint is the mean
color of a 7x7 patch at 256 pixels of short side (Zhang et al. 2017, section 4.1), its place drawn evenly over the
photo, the same in every run. With --alternatives, each of a photo's others, and the best of them and the default: how
much nearer to the truth the right choice is. Top-1 is over the photographs whose name begins with an ImageNet class.

The judges are two classifiers, of which neither is a part of a coloring network here: EfficientNet-Lite2, and Lite1.
With --by-folder, a second table has the default setting's errors in each folder of photographs, and a third the
photographs on which it loses most to gray.
"""

from __future__ import annotations

import argparse
import json
import sys
import zlib
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

import numpy as np
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).parent.parent))

from colorizer.arrays import Array, eight_bit, resize
from colorizer.color.lab import rgb_to_lab
from colorizer.commands.options import add_colorizer_options, colorizer_from, settings_from
from colorizer.errors import UserError
from colorizer.evaluation.classifiers import Classifier, true_label
from colorizer.evaluation.frechet import Features, frechet_distance
from colorizer.evaluation.metrics import METRICS, gray_picture, measure, mse
from colorizer.evaluation.testset import TestSet
from colorizer.files import write_text
from colorizer.inference.alternatives import alternative_photos
from colorizer.inference.settings import LOOKS, Settings
from colorizer.model.hints import Hint
from colorizer.pictures.photo import Photo
from colorizer.pictures.reading import read_picture

NUMBERS = (1, 2, 5, 10, 20)
COLUMNS = {  # figure -> (title, decimals)
    "psnr": ("PSNR dB", 2),
    "mse_rgb": ("MSE of RGB", 0),
    "mse_ab": ("MSE of ab", 0),
    "ssim": ("SSIM", 3),
    "ciede2000": ("CIEDE2000", 1),
    "auc": ("AuC %", 1),
    "colorfulness": ("colorfulness", 1),
    "share": ("of the true %", 0),
    "colorfulness_difference": ("difference", 1),
    "top1": ("top-1 %", 1),
    "frechet": ("Fréchet", 1),
    "top1_lite1": ("top-1 % (Lite1)", 1),
    "frechet_lite1": ("Fréchet (Lite1)", 1),
}
JUDGES = {"": "tf_efficientnet_lite2", "_lite1": "tf_efficientnet_lite1"}  # suffix of their figures -> classifier
WORST = 20  # photographs of the third table


@dataclass
class Row:
    """One way to color, over all photographs."""

    name: str
    settings: Settings | None = None
    hints: int = 0
    figures: list[dict[str, float]] = field(default_factory=list)
    right: dict[str, list[bool]] = field(default_factory=lambda: {judge: [] for judge in JUDGES})
    features: dict[str, list[Features]] = field(default_factory=lambda: {judge: [] for judge in JUDGES})

    def add(self, colorized: Array, true: Array, label: int | None, judges: dict[str, Classifier]) -> None:
        """Measure one photograph."""
        self.figures.append(measure(colorized, true))
        for judge, classifier in judges.items():
            seen, features = classifier(colorized)
            self.features[judge].append(features)
            if label is not None:
                self.right[judge].append(seen == label)

    def summary(self, true: Row) -> dict[str, float]:
        """Means, share of the true colorfulness, top-1 in percent, Fréchet distance to the true photographs."""
        means = {m: float(np.mean([f[m] for f in self.figures])) for m in METRICS if m in self.figures[0]}
        means["share"] = 100 * means["colorfulness"] / float(np.mean([f["colorfulness"] for f in true.figures]))
        for judge in JUDGES:
            right = self.right[judge]
            means[f"top1{judge}"] = 100 * float(np.mean(right)) if right else float("nan")
            means[f"frechet{judge}"] = frechet_distance(np.stack(self.features[judge]), np.stack(true.features[judge]))
        return means


def draw_hints(true: Array, number: int, rng: np.random.Generator) -> list[Hint]:
    """`number` hints with the true colors of a photograph, HWC uint8."""
    short = min(true.shape[:2])
    scale = 256 / short
    height, width = (round(side * scale) for side in true.shape[:2])
    ab = rgb_to_lab(resize(true, width, height))[..., 1:]
    hints = []
    for _ in range(number):
        y, x = (int(rng.integers(3, side - 3)) for side in (height, width))
        a, b = ab[y - 3 : y + 4, x - 3 : x + 4].mean((0, 1)).tolist()
        hints.append(Hint((((x + 0.5) / scale, (y + 0.5) / scale),), 3.5 / scale, (a, b)))
    return hints


def by_folder(names: list[str], gray: Row, colorized: Row, true: Row) -> list[str]:
    """Two tables as Markdown: of each folder the mean figures, and the photographs that lose most to gray."""
    folders: dict[str, list[int]] = {}
    for k, name in enumerate(names):
        folders.setdefault(PurePosixPath(name).parts[0] if "/" in name else "", []).append(k)
    gains = [c["psnr"] - g["psnr"] for c, g in zip(colorized.figures, gray.figures, strict=True)]

    def mean(row: Row, figure: str, chosen: list[int]) -> float:
        return float(np.mean([row.figures[k][figure] for k in chosen]))

    lines = ["| folder | photographs | over gray, dB | of the true colorfulness % | CIEDE2000 |", "|---|" + "---:|" * 4]
    for folder, chosen in sorted(folders.items(), key=lambda item: float(np.mean([gains[k] for k in item[1]]))):
        share = mean(colorized, "colorfulness", chosen) / max(mean(true, "colorfulness", chosen), 1e-6)
        lines.append(
            f"| {folder} | {len(chosen)} | {np.mean([gains[k] for k in chosen]):+.2f} | {100 * share:.0f} "
            f"| {mean(colorized, 'ciede2000', chosen):.1f} |"
        )
    lines += ["", "| photograph | over gray, dB | colorfulness | true colorfulness |", "|---|" + "---:|" * 3]
    for k in np.argsort(gains)[:WORST].tolist():
        colors = (row.figures[k]["colorfulness"] for row in (colorized, true))
        lines.append(f"| {names[k]} | {gains[k]:+.2f} | " + " | ".join(f"{c:.0f}" for c in colors) + " |")
    return lines


def main() -> int:
    """Print the table; 2 if something needs fixing by the user."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", help="a folder of color photographs, or a zip")
    parser.add_argument("--limit", type=int, help="at most this many, evenly spaced")
    parser.add_argument("--alternatives", type=int, default=0, metavar="N", help="measure other colorings, too: slow")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    parser.add_argument("--by-folder", action="store_true", help="also tables of folders and of the worst photos")
    add_colorizer_options(parser)
    arguments = parser.parse_args()
    try:
        colorizer, default = colorizer_from(arguments), settings_from(arguments)
        photos = TestSet.open(arguments.data, arguments.limit)
        judges = {judge: Classifier(name, device=arguments.device) for judge, name in JUDGES.items()}
    except UserError as error:
        print(f"quality.py: {error}", file=sys.stderr)
        return 2
    size = default.working_size
    gray, true_row = Row("gray"), Row("true colors")
    colorized_rows = [
        Row("cautious", replace(LOOKS["cautious"], working_size=size)),
        Row("default", default),
        Row("vivid", replace(LOOKS["vivid"], working_size=size)),
    ]
    if colorizer.predictor.takes_hints:
        colorized_rows += [Row(f"{n} hints", default, n) for n in NUMBERS]
    alternatives = [Row(f"alternative {k + 1}") for k in range(arguments.alternatives)]
    best = Row("best of default and alternatives")
    for name in tqdm(photos.names, unit="photo"):
        true = eight_bit(read_picture(photos.source.read(name)).rgb)
        label = true_label(name)
        all_hints = draw_hints(true, max(NUMBERS), np.random.default_rng(zlib.crc32(Path(name).name.encode())))
        gray.add(gray_picture(true), true, label, judges)
        true_row.add(true, true, label, judges)
        prepared = colorizer.prepare(Photo(true))
        for row in colorized_rows:
            colorized = prepared.colorize(row.settings, all_hints[: row.hints])
            row.add(colorized.rgb, true, label, judges)
            if row.name == "default" and arguments.alternatives:
                others = [p.rgb for p, _ in alternative_photos(prepared, arguments.alternatives, default)]
                for k, other in enumerate(others):
                    alternatives[k].add(other, true, label, judges)
                best.add(min([colorized.rgb, *others], key=lambda p: mse(p, true)), true, label, judges)
    rows = [gray, *colorized_rows, *(r for r in [*alternatives, best] if len(r.figures) > 1), true_row]
    table = {row.name: row.summary(true_row) for row in rows}
    print(f"{len(photos.names)} photographs, {len(true_row.right[''])} with a class\n")
    print("| |" + "|".join(title for title, _ in COLUMNS.values()) + "|\n|---|" + "---:|" * len(COLUMNS))
    for name, found in table.items():
        cells = (f"{found[c]:.{digits}f}" for c, (_, digits) in COLUMNS.items())
        print(f"| {name} |" + "|".join(cells) + "|")
    if arguments.by_folder:
        default_row = next(row for row in colorized_rows if row.name == "default")
        print("\n" + "\n".join(by_folder(list(photos.names), gray, default_row, true_row)))
    if arguments.json:
        write_text(arguments.json, json.dumps(table, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())

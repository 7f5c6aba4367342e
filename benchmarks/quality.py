"""How good the colors are: the table of the model card, from a folder of color photographs.

python benchmarks/quality.py FOLDER
python benchmarks/quality.py FOLDER --checkpoint runs/mine --alpha 0.3

Rows: gray; vividness from cautious to vivid; the default with 1 to 20 hints; the true colors. A hint is the mean
color of a 7x7 patch at 256 pixels of short side (Zhang et al. 2017, section 4.1), its place drawn evenly over the
photo, the same in every run. With --alternatives, each of a photo's others, and the best of them and the default: how
much nearer to the truth the right choice is. Top-1 is over the photographs whose name begins with an ImageNet class.
"""

from __future__ import annotations

import argparse
import json
import sys
import zlib
from dataclasses import dataclass, field, replace
from pathlib import Path

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
from colorizer.inference.settings import ALPHA, Settings
from colorizer.model.hints import Hint
from colorizer.pictures.photo import Photo
from colorizer.pictures.reading import read_picture

NUMBERS = (1, 2, 5, 10, 20)
CAUTIOUS, VIVID = Settings(vividness=0), Settings(vividness=0.55 / ALPHA, temperature=0.6)
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
}


@dataclass
class Row:
    """One way to color, over all photographs."""

    name: str
    settings: Settings | None = None
    hints: int = 0
    figures: list[dict[str, float]] = field(default_factory=list)
    right: list[bool] = field(default_factory=list)
    features: list[Features] = field(default_factory=list)

    def add(self, colorized: Array, true: Array, label: int | None, classifier: Classifier) -> None:
        """Measure one photograph."""
        self.figures.append(measure(colorized, true))
        seen, features = classifier(colorized)
        self.features.append(features)
        if label is not None:
            self.right.append(seen == label)

    def summary(self, true: Row) -> dict[str, float]:
        """Means, share of the true colorfulness, top-1 in percent, Fréchet distance to the true photographs."""
        means = {m: float(np.mean([f[m] for f in self.figures])) for m in METRICS if m in self.figures[0]}
        means["share"] = 100 * means["colorfulness"] / float(np.mean([f["colorfulness"] for f in true.figures]))
        means["top1"] = 100 * float(np.mean(self.right)) if self.right else float("nan")
        means["frechet"] = frechet_distance(np.stack(self.features), np.stack(true.features))
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


def main() -> int:
    """Print the table; 2 if something needs fixing by the user."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", help="a folder of color photographs, or a zip")
    parser.add_argument("--limit", type=int, help="at most this many, evenly spaced")
    parser.add_argument("--alternatives", type=int, default=0, metavar="N", help="measure other colorings, too: slow")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    add_colorizer_options(parser)
    arguments = parser.parse_args()
    try:
        colorizer, default = colorizer_from(arguments), settings_from(arguments)
        photos, classifier = TestSet.open(arguments.data, arguments.limit), Classifier(device=arguments.device)
    except UserError as error:
        print(f"quality.py: {error}", file=sys.stderr)
        return 2
    size = default.working_size
    gray, true_row = Row("gray"), Row("true colors")
    colorized_rows = [
        Row("cautious", replace(CAUTIOUS, working_size=size)),
        Row("default", default),
        Row("vivid", replace(VIVID, working_size=size)),
    ]
    if colorizer.predictor.takes_hints:
        colorized_rows += [Row(f"{n} hints", default, n) for n in NUMBERS]
    alternatives = [Row(f"alternative {k + 1}") for k in range(arguments.alternatives)]
    best = Row("best of default and alternatives")
    for name in tqdm(photos.names, unit="photo"):
        true = eight_bit(read_picture(photos.source.read(name)).rgb)
        label = true_label(name)
        all_hints = draw_hints(true, max(NUMBERS), np.random.default_rng(zlib.crc32(Path(name).name.encode())))
        gray.add(gray_picture(true), true, label, classifier)
        true_row.add(true, true, label, classifier)
        for row in colorized_rows:
            colorized = colorizer.colorize(Photo(true), row.settings, all_hints[: row.hints])
            row.add(colorized.rgb, true, label, classifier)
            if row.name == "default" and arguments.alternatives:
                others = [
                    p.rgb
                    for p, _ in alternative_photos(colorizer.prepare(Photo(true)), arguments.alternatives, default)
                ]
                for k, other in enumerate(others):
                    alternatives[k].add(other, true, label, classifier)
                best.add(min([colorized.rgb, *others], key=lambda p: mse(p, true)), true, label, classifier)
    rows = [gray, *colorized_rows, *(r for r in [*alternatives, best] if len(r.figures) > 1), true_row]
    table = {row.name: row.summary(true_row) for row in rows}
    print(f"{len(photos.names)} photographs, {len(true_row.right)} with a class\n")
    print("| |" + "|".join(title for title, _ in COLUMNS.values()) + "|\n|---|" + "---:|" * len(COLUMNS))
    for name, found in table.items():
        cells = (f"{found[c]:.{digits}f}" for c, (_, digits) in COLUMNS.items())
        print(f"| {name} |" + "|".join(cells) + "|")
    if arguments.json:
        write_text(arguments.json, json.dumps(table, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())

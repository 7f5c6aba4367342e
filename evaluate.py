"""Measure a network on a test set: MSE first, beside the grey baseline.

python evaluate.py --data photos/test                                    # the bundled checkpoint
python evaluate.py --checkpoint runs/mine --data photos/test --json out.json --html out.html
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def main() -> int:
    """0 done, 2 something to be mended by the user."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", metavar="PATH", help="a .safetensors file or a run's folder")
    parser.add_argument("--data", required=True, help="a folder, a zip, imagenette:ROOT or imagenet:ROOT")
    parser.add_argument("--json", type=Path, metavar="OUT", help="write every figure of every picture")
    parser.add_argument("--csv", type=Path, metavar="OUT", help="write a line for each picture")
    parser.add_argument("--html", type=Path, metavar="OUT", help="write a report with pictures, worst first")
    parser.add_argument("--limit", type=int, help="measure only this many pictures, evenly spaced")
    parser.add_argument("--features-weights", metavar="FILE", help="pretrained weights of the feature extractor")
    parser.add_argument("--alpha", type=float, help="0 cautious, 1 very vivid")
    parser.add_argument("--temperature", type=float, help="lower is more decided")
    parser.add_argument("--working-size", type=int, help="short side of the copy that the network sees")
    parser.add_argument("--device", choices=("auto", "cuda", "mps", "cpu"), default="auto")
    arguments = parser.parse_args()

    from tqdm import tqdm

    from colorizer import Colorizer, Settings, UserError, report
    from colorizer.evaluation import Evaluation, TestSet, describe, evaluate
    from colorizer.files import write_text

    adjusted = {k: getattr(arguments, k) for k in ("alpha", "temperature", "working_size")}
    try:
        settings = Settings(**{k: v for k, v in adjusted.items() if v is not None})
        colorizer = Colorizer.from_pretrained(arguments.checkpoint, arguments.features_weights, arguments.device)
        test_set = TestSet.open(arguments.data, arguments.limit)
        evaluation, worst = Evaluation(), report.WorstPictures()
        for measured in tqdm(evaluate(colorizer, test_set, evaluation, settings), total=len(test_set.names)):
            if arguments.html:
                worst.update(measured)
    except UserError as error:
        print(f"evaluate.py: {error}", file=sys.stderr)
        return 2
    summary = evaluation.compute()
    about = {"checkpoint": arguments.checkpoint or "bundled", "data": arguments.data, **describe(colorizer, settings)}
    about |= {f"{reason}, left out": len(names) for reason, names in test_set.left_out.items()}
    if arguments.json:
        write_text(arguments.json, report.as_json(summary, about, evaluation))
    if arguments.csv:
        write_text(arguments.csv, report.as_csv(evaluation))
    if arguments.html:
        write_text(arguments.html, report.as_html(summary, about, worst))
    print(report.text_table(summary))
    return 0


if __name__ == "__main__":
    sys.exit(main())

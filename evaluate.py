"""Measure a network on a test set: MSE first, beside the grey baseline.

python evaluate.py --data photos/test                                    # the bundled checkpoint
python evaluate.py --checkpoint runs/mine --data photos/test --json out.json --html out.html
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from colorizer.cli import add_colorizer_options, colorizer_from, settings_from


def main() -> int:
    """0 done, 2 something to be mended by the user."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="a folder, a zip, imagenette:ROOT or imagenet:ROOT")
    parser.add_argument("--json", type=Path, metavar="OUT", help="write every figure of every picture")
    parser.add_argument("--csv", type=Path, metavar="OUT", help="write a line for each picture")
    parser.add_argument("--html", type=Path, metavar="OUT", help="write a report with pictures, worst first")
    parser.add_argument("--limit", type=int, help="measure only this many pictures, evenly spaced")
    add_colorizer_options(parser)
    arguments = parser.parse_args()

    from tqdm import tqdm

    from colorizer import UserError, report
    from colorizer.evaluation import Evaluation, TestSet, describe, evaluate
    from colorizer.files import write_text

    try:
        settings = settings_from(arguments)
        colorizer = colorizer_from(arguments)
        test_set = TestSet.open(arguments.data, arguments.limit)
        evaluation, worst = Evaluation(), report.WorstPictures()
        for measured in tqdm(evaluate(colorizer, test_set, evaluation, settings), total=len(test_set.names)):
            if arguments.html:
                worst.update(measured)
        summary = evaluation.compute()
        about = {
            "checkpoint": arguments.checkpoint or "bundled",
            "data": arguments.data,
            **describe(colorizer, settings),
        }
        about |= {f"{reason}, left out": len(names) for reason, names in test_set.left_out.items()}
        if arguments.json:
            write_text(arguments.json, report.as_json(summary, about, evaluation))
        if arguments.csv:
            write_text(arguments.csv, report.as_csv(evaluation))
        if arguments.html:
            write_text(arguments.html, report.as_html(summary, about, worst))
    except UserError as error:
        print(f"evaluate.py: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nStopped before the last picture: nothing is written.", file=sys.stderr)
        return 130
    print(report.text_table(summary))
    return 0


if __name__ == "__main__":
    sys.exit(main())

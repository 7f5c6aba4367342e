"""Measure networks on a test set: MSE first, beside the gray baseline.

python evaluate.py --data photos/test                                    # the bundled checkpoint
python evaluate.py --checkpoint runs/mine --data photos/test --json out.json --html out.html
python evaluate.py --checkpoint runs/mine --checkpoint bundled --data photos/test     # compared on the same pictures
python evaluate.py --checkpoint runs/mine --data held-out                # what the run did not learn from

What is measured is kept: the same command goes on where it was stopped, and gives its figures again at once.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from colorizer.cli import add_colorizer_options, settings_from


def main() -> int:
    """0 done, 2 something to be mended by the user."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--data", required=True, help="a folder, a zip, tar shards, sample, imagenette, imagenet:ROOT, or held-out"
    )
    parser.add_argument("--json", type=Path, metavar="OUT", help="write every figure of every picture")
    parser.add_argument("--csv", type=Path, metavar="OUT", help="write a line for each picture")
    parser.add_argument("--html", type=Path, metavar="OUT", help="write a report with pictures, worst first")
    parser.add_argument("--limit", type=int, help="measure only this many pictures, evenly spaced")
    parser.add_argument("--fresh", action="store_true", help="measure anew what was measured before")
    add_colorizer_options(parser, several=True)
    arguments = parser.parse_args()

    from tqdm import tqdm

    from colorizer import Colorizer, UserError, report
    from colorizer import evaluation as measuring
    from colorizer.files import write_text
    from colorizer.perception import open_judges

    try:
        settings = settings_from(arguments)
        given = arguments.checkpoint or ["bundled"]
        networks = {
            name: Colorizer.from_pretrained(name, arguments.features_weights, arguments.device) for name in given
        }
        run = measuring.run_folder(given[0])
        test_set = measuring.TestSet.open(arguments.data, arguments.limit, run)
        judges = open_judges()
        about = measuring.describe(networks, test_set, arguments.data, settings, judges)
        store = measuring.store_for(about, run, arguments.fresh)
        evaluation = measuring.Evaluation(list(networks), judges)
        for _ in tqdm(measuring.evaluate(networks, test_set, evaluation, settings, store), total=len(test_set.names)):
            pass
        summary = evaluation.compute()
        if arguments.json:
            write_text(arguments.json, report.as_json(summary, about, evaluation))
        if arguments.csv:
            write_text(arguments.csv, report.as_csv(evaluation))
        if arguments.html:
            again = report.command(given, arguments.data, arguments.limit, settings)
            page = report.as_html(summary, about, again, evaluation, networks, test_set, settings)
            write_text(arguments.html, page)
    except UserError as error:
        print(f"evaluate.py: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nStopped. The same command goes on where it was.", file=sys.stderr)
        return 130
    print(report.text_table(summary))
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Measure networks on a test set: MSE first, beside the baseline of pictures left gray.

python evaluate.py --data photos/test                                    # the bundled checkpoint
python evaluate.py --checkpoint runs/mine --data photos/test --json out.json --html out.html
python evaluate.py --checkpoint runs/mine --checkpoint bundled --data photos/test     # compared on the same pictures
python evaluate.py --checkpoint runs/mine --data held-out                # what the run did not learn from

What is measured is kept: an interrupted evaluation resumes where it stopped, and a finished one is shown at once.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ..errors import UserError
from .options import add_colorizer_options, parser, run, settings_from


def main() -> int:
    """Exit status 0: done, 2: something needs fixing by the user."""
    p = parser("evaluate.py", __doc__)
    p.add_argument(
        "--data", required=True, help="a folder, a zip, tar shards, sample, imagenette, imagenet:ROOT, or held-out"
    )
    p.add_argument("--json", type=Path, metavar="OUT", help="write every figure of every picture")
    p.add_argument("--csv", type=Path, metavar="OUT", help="write a line for each picture")
    p.add_argument("--html", type=Path, metavar="OUT", help="write a report with pictures, worst first")
    p.add_argument("--limit", type=int, help="measure only this many pictures, evenly spaced")
    p.add_argument("--fresh", action="store_true", help="measure anew what was measured before")
    add_colorizer_options(p, several=True)
    arguments = p.parse_args()
    return run("evaluate.py", lambda: _evaluate(arguments), "Stopped. The same command resumes where it was.")


def _evaluate(arguments: argparse.Namespace) -> int:
    from tqdm import tqdm

    from ..evaluation import report
    from ..evaluation.evaluation import Evaluation
    from ..files import write_text

    if arguments.limit is not None and arguments.limit < 1:
        raise UserError(f"--limit must be at least 1, not {arguments.limit}.")
    checkpoints = {name: name for name in arguments.checkpoint or ["bundled"]}
    evaluation = Evaluation.open(
        checkpoints, arguments.data, settings_from(arguments), arguments.limit, arguments.features_weights,
        arguments.device, arguments.fresh,
    )  # fmt: skip
    for _ in tqdm(evaluation.run(), total=len(evaluation.test_set.names), disable=None):
        pass
    if arguments.json:
        write_text(arguments.json, evaluation.as_json())
    if arguments.csv:
        write_text(arguments.csv, report.as_csv(evaluation.results))
    if arguments.html:
        write_text(arguments.html, evaluation.as_html())
    print(report.text_table(evaluation.summary, evaluation.figures.seconds))
    for words in evaluation.remarks:
        print(words)
    return 0


if __name__ == "__main__":
    sys.exit(main())

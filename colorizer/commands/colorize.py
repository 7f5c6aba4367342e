"""Color photographs.

python -m colorizer old.jpg -o colorized/
python -m colorizer album/ more/*.tif -o colorized/      # folders at any depth; what is done is skipped
python -m colorizer old.jpg -o colorized/ --hints hints.json --alternatives 3 --format png
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UserError
from .options import add_colorizer_options, colorizer_from, parser, run, settings_from

if TYPE_CHECKING:
    from ..inference.batch import Result


def main() -> int:
    """Exit status 0: all done, 1: some pictures failed, 2: something needs fixing by the user."""
    p = parser("python -m colorizer", __doc__)
    p.add_argument("pictures", nargs="+", type=Path, help="photographs, folders and zip files of them")
    p.add_argument("-o", "--output", type=Path, required=True, help="the folder for the results")
    p.add_argument("--overwrite", action="store_true", help="color again what is already there")
    p.add_argument("--format", help="png, jpg, webp or tif (default: each picture's own, where that can hold it)")
    p.add_argument("--quality", type=int, default=95, help="of JPEG and WebP, 1 to 100 (default: 95)")
    p.add_argument("--note", action="store_true", help="say in the files' metadata that the colors are simulated")
    p.add_argument(
        "--hints", type=Path, metavar="FILE", help='known colors, JSON: [[x, y, radius, "#rrggbb"], ...] in pixels of '
        'the one picture, or {"NAME.jpg": [...], ...}',
    )  # fmt: skip
    p.add_argument(
        "--alternatives", type=int, default=0, metavar="N", help="also write up to N other colorings beside each"
    )
    p.add_argument("--jobs", type=int, default=1, metavar="N", help="pictures colored at the same time (default: 1)")
    add_colorizer_options(p)
    arguments = p.parse_args()
    return run("colorizer", lambda: _colorize(arguments), "Stopped. The same command resumes where it was.")


def _colorize(arguments: argparse.Namespace) -> int:
    from tqdm import tqdm

    from ..inference import batch
    from ..model.hints import read_hints
    from ..pictures.writing import Output

    settings = settings_from(arguments)
    output = Output(arguments.format, arguments.quality, arguments.note)
    if arguments.jobs < 1 or arguments.alternatives < 0:
        raise UserError("--jobs must be at least 1, and --alternatives at least 0.")
    jobs = batch.plan(arguments.pictures, arguments.output, arguments.format)
    hints = read_hints(arguments.hints, [job.source.name for job in jobs]) if arguments.hints else None
    colorizer = colorizer_from(arguments)
    told = any(hint.influence for own in (hints or {}).values() for hint in own)
    colorizer.predictor.check(hints=told, alternatives=arguments.alternatives > 0)
    work = batch.run(
        colorizer, jobs, settings, hints, output, arguments.alternatives, arguments.overwrite, arguments.jobs
    )
    return _report(list(tqdm(work, total=len(jobs), unit="picture", disable=None)), arguments.output)


def _report(results: list[Result], output: Path) -> int:
    skipped = sum(r.skipped for r in results)
    failed = [r for r in results if r.problem]
    already = f", {skipped} were there already" if skipped else ""
    print(f"{len(results) - skipped - len(failed)} colorized in {output}{already}.")
    for result in results:
        for note in result.notes:
            print(f"Note: {note}", file=sys.stderr)
        if result.problem:
            print(f"Not colorized: {result.job.source}: {result.problem}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

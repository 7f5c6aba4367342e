"""Color photographs.

python -m colorizer old.jpg -o colored/
python -m colorizer album/ more/*.tif -o colored/      # folders at any depth; what is done is skipped
python -m colorizer old.jpg -o colored/ --hints hints.json --alternatives 3 --format png
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from .cli import add_colorizer_options, colorizer_from, settings_from


def main() -> int:
    """0 all done, 1 some pictures failed, 2 something to be mended by the user."""
    parser = argparse.ArgumentParser(
        prog="python -m colorizer", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pictures", nargs="+", type=Path, help="photographs, folders and zip files of them")
    parser.add_argument("-o", "--output", type=Path, required=True, help="the folder for the results")
    parser.add_argument("--overwrite", action="store_true", help="color again what is already there")
    parser.add_argument("--format", help="png, jpg, webp or tif (default: each picture's own, where that can hold it)")
    parser.add_argument("--quality", type=int, default=95, help="of JPEG and WebP, 1 to 100 (default: 95)")
    parser.add_argument("--note", action="store_true", help="say in the files' metadata that the colors are simulated")
    parser.add_argument(
        "--hints", type=Path, metavar="FILE", help='known colors, JSON: [[x, y, radius, "#rrggbb"], ...] in pixels of '
        'the one picture, or {"NAME.jpg": [...], ...}',
    )  # fmt: skip
    parser.add_argument(
        "--alternatives", type=int, default=0, metavar="N", help="write up to N other colorings beside each, too"
    )
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="pictures in work at once (default: 1)")
    add_colorizer_options(parser)
    arguments = parser.parse_args()

    from tqdm import tqdm

    from . import batch
    from .errors import UserError
    from .hints import read_hints
    from .pictures import Output

    results: list[batch.Result] = []
    try:
        settings = settings_from(arguments)
        output = Output(arguments.format, arguments.quality, arguments.note)
        if arguments.jobs < 1 or arguments.alternatives < 0:
            raise UserError("--jobs must be at least 1, and --alternatives at least 0.")
        jobs = batch.plan(arguments.pictures, arguments.output, arguments.format)
        hints = read_hints(arguments.hints, [job.source.name for job in jobs]) if arguments.hints else None
        colorizer = colorizer_from(arguments)
        colorizer.check(hints=bool(hints), alternatives=arguments.alternatives > 0)
        work = batch.run(
            colorizer, jobs, settings, hints, output, arguments.alternatives, arguments.overwrite, arguments.jobs
        )
        for result in tqdm(work, total=len(jobs), unit="picture"):
            results.append(result)
    except UserError as error:
        print(f"colorizer: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nStopped. The same command goes on where it was.", file=sys.stderr)
        return 130
    skipped = sum(r.skipped for r in results)
    failed = [r for r in results if r.problem]
    already = f", {skipped} were there already" if skipped else ""
    print(f"{len(results) - skipped - len(failed)} colored in {arguments.output}{already}.")
    for result in results:
        for note in result.notes:
            print(f"Note: {note}", file=sys.stderr)
        if result.problem:
            print(f"Not colored: {result.job.source}: {result.problem}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

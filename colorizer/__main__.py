"""Colour photographs.

python -m colorizer old.jpg -o coloured/
python -m colorizer album/ more/*.tif -o coloured/      # folders at any depth; what is done is skipped
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
    parser.add_argument("pictures", nargs="+", type=Path, help="photographs and folders of them")
    parser.add_argument("-o", "--output", type=Path, required=True, help="the folder for the results")
    parser.add_argument("--overwrite", action="store_true", help="colour again what is already there")
    add_colorizer_options(parser)
    arguments = parser.parse_args()

    from tqdm import tqdm

    from . import batch
    from .errors import UserError

    try:
        settings = settings_from(arguments)
        jobs = batch.plan(arguments.pictures, arguments.output)
        colorizer = colorizer_from(arguments)
        with tqdm(total=len(jobs), unit="picture") as bar:
            outcome = batch.run(colorizer, jobs, settings, arguments.overwrite, lambda job: bar.update() and None)
    except UserError as error:
        print(f"colorizer: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nStopped. The same command goes on where it was.", file=sys.stderr)
        return 130
    already = f", {len(outcome.skipped)} were there already" if outcome.skipped else ""
    print(f"{len(outcome.written)} coloured in {arguments.output}{already}.")
    for source, reason in outcome.failed:
        print(f"Not coloured: {source}: {reason}", file=sys.stderr)
    return 1 if outcome.failed else 0


if __name__ == "__main__":
    sys.exit(main())

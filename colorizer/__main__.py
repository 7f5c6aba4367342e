"""Colour photographs.

python -m colorizer old.jpg -o coloured/
python -m colorizer album/ more/*.tif -o coloured/      # folders at any depth; what is done is skipped
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def main() -> int:
    """0 all done, 1 some pictures failed, 2 something to be mended by the user."""
    parser = argparse.ArgumentParser(
        prog="python -m colorizer", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pictures", nargs="+", type=Path, help="photographs and folders of them")
    parser.add_argument("-o", "--output", type=Path, required=True, help="the folder for the results")
    parser.add_argument("--checkpoint", help="a .safetensors file or a run's folder (default: the bundled one)")
    parser.add_argument("--features-weights", metavar="FILE", help="pretrained weights of the feature extractor")
    parser.add_argument("--alpha", type=float, help="0 cautious, 1 very vivid")
    parser.add_argument("--temperature", type=float, help="lower is more decided")
    parser.add_argument("--working-size", type=int, help="short side of the copy that the network sees")
    parser.add_argument("--overwrite", action="store_true", help="colour again what is already there")
    parser.add_argument("--device", choices=("auto", "cuda", "mps", "cpu"), default="auto")
    arguments = parser.parse_args()

    from tqdm import tqdm

    from . import batch
    from .errors import UserError
    from .inference import Colorizer, Settings

    adjusted = {k: getattr(arguments, k) for k in ("alpha", "temperature", "working_size")}
    try:
        settings = Settings(**{k: v for k, v in adjusted.items() if v is not None})
        jobs = batch.plan(arguments.pictures, arguments.output)
        colorizer = Colorizer.from_pretrained(arguments.checkpoint, arguments.features_weights, arguments.device)
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

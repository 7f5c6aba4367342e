"""Train the network that finds the object under a stroke, on photographs with outlined objects.

python -m colorizer.commands.train_objects --pictures photos/ --masks masks/ -o objects.safetensors

PICTURES holds photographs, MASKS images of the same names and sizes (NAME.png) whose values tell objects apart; 0 is no
object, unless --whole says that every segment is one. With --named the values are the kinds of Clothing Co-Parsing, and
the network learns to tell them apart, too.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ..errors import UserError
from .options import parser, run


def main() -> int:
    """Exit status 0: done, 2: something needs fixing by the user."""
    p = parser("python -m colorizer.commands.train_objects", __doc__)
    p.add_argument("--pictures", type=Path, action="append", required=True, help="may be given several times")
    p.add_argument("--masks", type=Path, action="append", required=True, help="one for each --pictures")
    p.add_argument("--whole", type=Path, action="append", default=[], metavar="MASKS", help="a folder given by --masks")
    p.add_argument("--named", type=Path, action="append", default=[], metavar="MASKS", help="likewise")
    p.add_argument("--share", type=float, action="append", help="how often each is drawn from (default: all alike)")
    p.add_argument("-o", "--output", type=Path, required=True, help="the file of the weights, .safetensors")
    p.add_argument("--steps", type=int, default=6000, help="of 2 photographs with 8 strokes each (default: 6000)")
    p.add_argument("--start", metavar="PATH", help="the skip_fusion checkpoint it begins with (default: bundled)")
    p.add_argument("--init", type=Path, metavar="FILE", help="weights to start from instead")
    p.add_argument("--seed", type=int, default=0, help="of everything random (default: 0)")
    arguments = p.parse_args()
    return run("train_objects", lambda: _train(arguments), "Stopped. What was saved last is complete.")


def _train(arguments: argparse.Namespace) -> int:
    from ..data.outlines import find_outlined
    from ..training.objects import train_objects

    number = len(arguments.pictures)
    shares = arguments.share or [1.0] * number
    if len(arguments.masks) != number or len(shares) != number or min(shares) <= 0:
        raise UserError("Give one --masks, and one positive --share or none, for each --pictures.")
    sets = [
        find_outlined(pictures, masks, masks in arguments.whole, masks in arguments.named)
        for pictures, masks in zip(arguments.pictures, arguments.masks, strict=True)
    ]
    total = sum(shares)
    train_objects(
        sets, [s / total for s in shares], arguments.output, arguments.steps, arguments.seed, arguments.start,
        arguments.init, lambda line: print(line, flush=True),
    )  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())

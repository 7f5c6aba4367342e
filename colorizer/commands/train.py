"""Train a network.

python train.py --data photos/ --epochs 10
python train.py --data imagenette:~/data --network fusion --objective regression --features inception_resnet_v2
python train.py --resume runs/mine
accelerate launch train.py --data photos/ --epochs 10        # several GPUs or machines
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UserError
from .options import add_options, chosen, parser, run

if TYPE_CHECKING:
    from ..training.config import TrainingConfig

# The default allocator hands large blocks back to the system after every step; the page faults of getting them
# again cost a third of the time on a CPU. glibc reads these at the start of a process, hence the second start.
_ALLOCATOR = {"MALLOC_TRIM_THRESHOLD_": "10000000000", "MALLOC_MMAP_THRESHOLD_": "10000000000"}


def main() -> int:
    """Exit status 0: done, 130: stopped (can be resumed), 2: something needs fixing by the user."""
    from ..training.config import TrainingOptions

    p = parser("train.py", __doc__)
    p.add_argument("--resume", metavar="RUN", help="resume the run in this folder")
    p.add_argument("--estimate", action="store_true", help="don't train: measure a few steps and say how long it takes")
    add_options(p, TrainingOptions)
    arguments = p.parse_args()
    if sys.platform == "linux" and not set(_ALLOCATOR) & set(os.environ):
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], {**os.environ, **_ALLOCATOR})
    return run("train.py", lambda: _train(arguments), "Interrupted: what was learned since the last save is lost.")


def configuration(arguments: argparse.Namespace) -> TrainingConfig:
    """The run asked for; a resumed one keeps its own settings but for those options anew.

    Raises:
        UserError: options that contradict each other, or make no sense.
    """
    from ..training.config import FROZEN, TrainingConfig, TrainingOptions
    from ..training.runs import Run

    options = chosen(arguments, TrainingOptions)
    if arguments.resume is not None:
        if clash := FROZEN & options.keys():
            raise UserError(f"A resumed run keeps its {', '.join(sorted(clash))}. Leave these options out.")
        return TrainingConfig(**{**asdict(Run(Path(arguments.resume)).config()), **options, "output": arguments.resume})
    if "data" not in options:
        raise UserError("Say what to train on with --data FOLDER, or which run to resume with --resume RUN.")
    options.setdefault("output", str(Path("runs", datetime.now().strftime("%Y%m%d-%H%M%S"))))
    return TrainingOptions(**options).resolve()


def _train(arguments: argparse.Namespace) -> int:
    config = configuration(arguments)
    if arguments.estimate:
        from ..training.estimate import estimate

        print(json.dumps(asdict(estimate(config))))
        return 0
    from ..device import is_first_process
    from ..training.train import train

    finished = train(config, arguments.resume is not None)
    if is_first_process():
        print(
            f"Done. Measure it with: python evaluate.py --checkpoint {config.output} --data FOLDER" if finished
            else f"Stopped and saved. Resume with: python train.py --resume {config.output}"
        )  # fmt: skip
    return 0 if finished else 130


if __name__ == "__main__":
    sys.exit(main())

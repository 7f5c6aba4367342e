"""Train a network.

python train.py --data photos/ --epochs 10
python train.py --data imagenette:~/data --network fusion --objective regression --features inception_resnet_v2
python train.py --resume runs/mine
accelerate launch train.py --data photos/ --epochs 10        # several GPUs or machines
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

# The default allocator hands large blocks back to the system after every step; the page faults of getting them
# again cost a third of the time on a CPU. glibc reads these at the start of a process, hence the second start.
_ALLOCATOR = {"MALLOC_TRIM_THRESHOLD_": "10000000000", "MALLOC_MMAP_THRESHOLD_": "10000000000"}


def parser() -> argparse.ArgumentParser:
    """The command line; what is not given is left to `TrainingConfig`."""
    from colorizer.cli import DEVICES
    from colorizer.features import EXTRACTORS
    from colorizer.networks import NETWORKS, OBJECTIVES

    p = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, argument_default=argparse.SUPPRESS
    )
    p.add_argument(
        "--data",
        help="a folder of pictures, a zip, tar shards (shards/*.tar, quoted), sample, imagenette, or imagenet:ROOT",
    )
    p.add_argument("--output", help="the run's folder (default: runs/DATE-TIME)")
    p.add_argument("--resume", metavar="RUN", help="go on with the run in this folder")
    p.add_argument("--estimate", action="store_true", help="don't train: measure a few steps and say how long it takes")
    p.add_argument("--epochs", type=int, help="default: 10")
    p.add_argument("--network", choices=NETWORKS, help="default: skip_fusion")
    p.add_argument("--objective", choices=OBJECTIVES, help="default: classification")
    p.add_argument("--features", choices=EXTRACTORS, help="default: tf_efficientnet_lite0")
    p.add_argument("--features-weights", metavar="FILE", help="pretrained weights of the feature extractor")
    p.add_argument(
        "--init", metavar="PATH", help="start from this checkpoint or run; bundled: the one that comes along"
    )
    p.add_argument("--freeze-early", action="store_true", help="with --init: keep the layers up to stride 4")
    p.add_argument("--batch-size", type=int, help="over all processes; default: 32")
    p.add_argument(
        "--learning-rate", type=float, help="default: 2e-3 for skip_fusion, 3e-4 for fusion; a quarter with --init"
    )
    p.add_argument("--size", type=int, help="side of the crops; default: 128 for skip_fusion, 224 for fusion")
    p.add_argument("--degrade", type=float, help="share of pictures made old; default: 0.35, 0 for fusion")
    p.add_argument("--ema", type=float, help="decay of the averaged weights; default: 0.998")
    p.add_argument("--perceptual", type=float, help="weight of a perceptual loss by EfficientNet-Lite0; default: 0")
    p.add_argument("--compile", action="store_true", help="torch.compile the network: pays in long runs only")
    p.add_argument("--rebalance", action="store_true", help="weight rare colors more while training")
    p.add_argument("--validation", type=float, help="share of the pictures to check with; default: 0.05")
    p.add_argument("--limit", type=int, help="use at most this many pictures")
    p.add_argument("--seed", type=int, help="default: 0")
    p.add_argument("--device", choices=DEVICES, help="default: auto")
    p.add_argument("--precision", choices=("auto", "fp32", "bf16", "fp16"), help="default: auto")
    p.add_argument("--workers", type=int, help="processes that decode pictures; default: 1, with a GPU the cores")
    p.add_argument("--log-every", type=int, help="steps between lines of metrics.jsonl; default: 20")
    p.add_argument("--save-every", type=int, help="steps between saved states; default: 100")
    return p


def configuration(given: dict[str, Any]) -> tuple[Any, bool]:
    """(TrainingConfig, resume) from the options given; a resumed run's own settings are the defaults."""
    from colorizer.config import TrainingConfig
    from colorizer.errors import UserError
    from colorizer.runs import Run

    resume = given.pop("resume", None)
    if resume is not None:
        fixed = {"network", "objective", "features", "data", "seed", "size", "output", "validation", "limit", "init"}
        if clash := fixed & given.keys():
            raise UserError(f"A resumed run keeps its {', '.join(sorted(clash))}. Leave these options out.")
        given = {**Run(Path(resume)).config(), **given, "output": resume}
    elif "data" not in given:
        raise UserError("Say what to train on with --data FOLDER, or what to go on with with --resume RUN.")
    given.setdefault("output", str(Path("runs", datetime.now().strftime("%Y%m%d-%H%M%S"))))
    known = {f.name for f in dataclasses.fields(TrainingConfig)}
    return TrainingConfig(**{k: v for k, v in given.items() if k in known}), resume is not None


def main() -> int:
    """0 done, 130 stopped (can be resumed), 2 something to be mended by the user."""
    given = vars(parser().parse_args())
    from colorizer.errors import UserError
    from colorizer.training import train

    try:
        only_estimate = given.pop("estimate", False)
        config, resume = configuration(given)
        if only_estimate:
            from colorizer.estimate import estimate

            print(json.dumps(dataclasses.asdict(estimate(config))))
            return 0
        finished = train(config, resume)
    except UserError as error:
        print(f"train.py: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nInterrupted before anything was learned since the last saved state.", file=sys.stderr)
        return 130
    if not finished:
        print(f"Stopped and saved. Go on with: python train.py --resume {config.output}")
        return 130
    print(f"Done. Measure it with: python evaluate.py --checkpoint {config.output} --data FOLDER")
    return 0


if __name__ == "__main__":
    if sys.platform == "linux" and not set(_ALLOCATOR) & set(os.environ):
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **_ALLOCATOR})
    sys.exit(main())

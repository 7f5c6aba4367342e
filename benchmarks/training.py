"""What training costs: waiting for pictures, computing embeddings, gradients, compiling; as ratios within one run.

python benchmarks/training.py                          # on the sample set
python benchmarks/training.py --data photos/train
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

sys.path.insert(0, str(Path(__file__).parent.parent))

from colorizer.data.crops import Sample
from colorizer.model.depthwise import DepthwiseConv2d
from colorizer.model.pretrained import build_backbone, load_extractor
from colorizer.training.config import TrainingOptions
from colorizer.training.train import own_words
from colorizer.training.trainer import Trainer

STEPS = 5


def trainer(data: str, folder: Path, network: str, **more: Any) -> Trainer:
    """A run with the defaults of its network, of which only a few steps are taken."""
    name = f"{network}-{len(list(folder.iterdir()))}"
    options = TrainingOptions(data, str(folder / name), network=network, batch_size=16, limit=120, **more)
    return Trainer(options.resolve(), False, lambda line: None)


@contextmanager
def pytorchs_gradients() -> Iterator[None]:
    """Meanwhile depthwise convolutions are differentiated by PyTorch."""
    own = DepthwiseConv2d.forward
    DepthwiseConv2d.forward = DepthwiseConv2d.by_pytorch  # type: ignore[method-assign]
    try:
        yield
    finally:
        DepthwiseConv2d.forward = own  # type: ignore[method-assign]


def seconds(step: Callable[[Sample], object], source: Iterator[Sample]) -> float:
    """Mean time of a step, after one that is not counted; the wait for its pictures is part of it."""
    step(next(source))
    begun = time.perf_counter()
    for _ in range(STEPS):
        step(next(source))
    return (time.perf_counter() - begun) / STEPS


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="sample")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        print(f"{'skip_fusion with all its losses':44} {'a step':>8} {'ratio':>7}")
        base = 0.0
        for title, gradients, precision in (
            ("PyTorch's gradients, float32", pytorchs_gradients, "fp32"),
            ("own gradients, float32", nullcontext, "fp32"),
            ("own gradients, bf16", nullcontext, "bf16"),
        ):
            with own_words(), gradients():  # a process has one precision at a time
                t = trainer(
                    arguments.data, folder, "skip_fusion", init="bundled", freeze_early=True, precision=precision,
                    perceptual=4.0, decoded=0.5, adversarial=0.1, workers=0,
                )  # fmt: skip
                taken = seconds(t._step, t.batches())
            base = base or taken
            print(f"{title:44} {taken:7.2f}s {taken / base:7.2f}")

        print(f"\n{'waiting for pictures':44} {'a step':>8} {'share':>7}")
        for network in ("skip_fusion", "fusion"):
            step, share, _ = trainer(arguments.data, folder, network).measure(STEPS)
            print(f"{network:44} {step:7.2f}s {share:7.1%}")

        weights = folder / "inception.safetensors"
        torch.manual_seed(0)
        save_file(build_backbone("inception_resnet_v2").state_dict(), weights)
        paper = trainer(
            arguments.data, folder, "fusion", objective="regression", features="inception_resnet_v2",
            features_weights=str(weights),
        )  # fmt: skip
        extractor = load_extractor("inception_resnet_v2", weights).to(paper.device)

        def live(batch: Sample) -> None:
            paper._step(batch._replace(embedding=extractor(batch.lightness.to(paper.device)).float()))

        cached, computed = seconds(paper._step, paper.batches()), seconds(live, paper.batches())
        print(f"\n{'the paper network, Inception-ResNet-v2':44} {'a step':>8} {'ratio':>7}")
        print(f"{'embeddings computed once':44} {cached:7.2f}s {1:7.1f}")
        print(f"{'embeddings computed at each step':44} {computed:7.2f}s {computed / cached:7.1f}")

        print(f"\n{'torch.compile':44} {'a step':>8} {'ratio':>7}")
        for network in ("skip_fusion", "fusion"):
            plain, compiled = (trainer(arguments.data, folder, network) for _ in range(2))
            compiled.network.compile()
            times = [seconds(t._step, t.batches()) for t in (plain, compiled)]
            print(f"{network + ', plain':44} {times[0]:7.2f}s {1:7.2f}")
            print(f"{network + ', compiled':44} {times[1]:7.2f}s {times[1] / times[0]:7.2f}")


if __name__ == "__main__":
    main()

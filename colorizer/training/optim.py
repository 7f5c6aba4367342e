"""How fast and how precisely a run learns, and the average of what it learned."""

from __future__ import annotations

import math

import torch
from timm.utils import ModelEmaV3

from ..device import has_bfloat16


def learning_rate_factor(step: int, steps: int, warmup: float) -> float:
    """Linear warm-up over a share of the steps, then a cosine to zero; `step` counts from 0.

    >>> [round(learning_rate_factor(step, 100, 0.1), 2) for step in (0, 9, 10, 55, 99)]
    [0.09, 0.91, 1.0, 0.5, 0.0]
    """
    rising = max(warmup * steps, 1)
    if step < rising:
        return (step + 1) / (rising + 1)
    return 0.5 * (1 + math.cos(math.pi * (step - rising) / max(steps - rising, 1)))


def choose_precision(wanted: str, device: torch.device) -> str:
    """bf16 where the processor computes in it (what that saves: `benchmarks/training.py`), else float32 ("no")."""
    if wanted != "auto":
        return {"fp32": "no"}.get(wanted, wanted)
    return "bf16" if has_bfloat16(device) else "no"


class AverageWeights(ModelEmaV3):  # type: ignore[misc]
    """The average of the weights, over fewer steps at the start, so that the first weights are soon forgotten."""

    def get_decay(self, step: int | None = None) -> float:
        """Share of the old average in the new one; `step` counts from 0."""
        return self.decay if step is None else min(float(self.decay), (1 + step) / (10 + step))

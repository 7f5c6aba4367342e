"""How long a run would take, measured on a few of its batches before it starts."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass, replace

import torch

from ..data.crops import BatchOrder
from ..data.embeddings import EmbeddingCache
from ..data.folder_weights import folder_weights
from ..data.survey import survey
from ..device import choose_device
from ..model.pretrained import FeatureExtractor
from .config import TrainingConfig
from .queue import turn
from .train import own_words
from .trainer import Trainer, extractor_of


@dataclass(frozen=True)
class Estimate:
    """How long a run would take, measured on a few batches.

    Attributes:
        steps: of the whole run.
        preparing: seconds for the embeddings that are not yet computed.
        step: seconds a step takes.
        validating: seconds that an epoch's validation takes.
        data_share: share of a step's time that is spent on waiting for pictures.
        seconds: all of it.
    """

    steps: int
    preparing: float
    step: float
    validating: float
    data_share: float
    seconds: float


def estimate(config: TrainingConfig, steps: int = 4) -> Estimate:
    """Measure how long a run would take: its first steps, and a little of its other work.

    Args:
        config: of the run; nothing is written to its output folder.
        steps: to measure, after one that is not counted.
    Raises:
        UserError: as `train`; or a run has the device.
    """
    with (
        turn(choose_device(config.device)),
        tempfile.TemporaryDirectory() as temporary,
        own_words(),
    ):
        whole = survey(config.data, config.limit, config.validation, config.validation_pictures)
        few = round(config.batch_size * (steps + 1) / (1 - config.validation)) + 8
        few = min(few, config.limit or few)
        first = replace(config, output=temporary, limit=few, validation_pictures=8, epochs=1, folder_weights=None)
        trainer = Trainer(first, False, lambda line: None)
        step, data_share, validating = trainer.measure(steps)
        preparing = 0.0
        if (cache := trainer.train_set.embeddings) is not None:
            missing = cache.missing(whole.train + whole.validation)
            extractor = extractor_of(config, trainer.accelerator.unwrap_model(trainer.network)) if missing else None
            preparing = len(missing) * _seconds_a_picture(extractor, cache, trainer.device) if extractor else 0.0
    weights = folder_weights(config.folder_weights, [p.name for p in whole.train])
    steps_in_all = BatchOrder(len(whole.train), config.batch_size, 0, 0, weights=weights).batches * config.epochs
    validating *= len(whole.validation) / len(trainer.validation_set)
    seconds = preparing + steps_in_all * step + config.epochs * validating
    return Estimate(steps_in_all, preparing, step, validating, data_share, seconds)


def _seconds_a_picture(extractor: FeatureExtractor, cache: EmbeddingCache, device: torch.device) -> float:
    """For its embeddings."""
    extractor.to(device)
    pictures = torch.full((16, 1, extractor.size, extractor.size), 50.0, device=device)
    extractor(pictures[:2])
    begun = time.perf_counter()
    extractor(pictures).cpu()
    return (time.perf_counter() - begun) / len(pictures) * len(cache.flips)

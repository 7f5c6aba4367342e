"""The settings of a training run."""

from __future__ import annotations

from dataclasses import dataclass

from .errors import UserError
from .networks import NetworkConfig


@dataclass
class TrainingConfig:
    """A training run. What is None is chosen by the network or the machine."""

    data: str
    output: str
    network: str = "skip_fusion"
    objective: str = "classification"
    features: str = "tf_efficientnet_lite0"
    features_weights: str | None = None
    init: str | None = None  # a checkpoint to start from; "bundled" is the one that comes with the program
    epochs: int = 10
    batch_size: int = 32
    learning_rate: float | None = None  # 2e-3 for skip_fusion, 3e-4 for fusion; a quarter with init
    weight_decay: float = 0.02
    warmup: float = 0.05  # share of all steps
    clip: float = 5.0  # gradient norm
    ema: float = 0.998  # decay of the averaged weights, which are the ones kept
    size: int | None = None  # crop: 128 for skip_fusion, 224 for fusion
    freeze_early: bool = False  # of skip_fusion: leave the layers up to stride 4 as they are
    degrade: float | None = None  # share of pictures whose L is made old: 0.35 for skip_fusion, 0 for fusion
    perceptual: float = 0.0  # weight of the perceptual loss
    compile: bool = False  # by torch.compile: a minute at the start; on a CPU a tenth less a step of skip_fusion
    rebalance: bool = False  # rebalanced cross-entropy of Zhang et al. 2016
    seed: int = 0
    validation: float = 0.05  # share of the pictures
    validation_pictures: int = 256  # at most
    limit: int | None = None  # use at most this many pictures
    device: str = "auto"
    precision: str = "auto"
    workers: int | None = None  # that decode pictures: 1 beside a CPU, which the network needs; a core each for a GPU
    log_every: int = 20  # steps
    save_every: int = 100  # steps

    def __post_init__(self) -> None:
        NetworkConfig(self.network, self.objective, self.features)
        skip = self.network == "skip_fusion"
        usual = 2e-3 if skip else 3e-4
        self.learning_rate = self.learning_rate or (usual / 4 if self.init else usual)
        self.size = self.size or (128 if skip else 224)
        if self.degrade is None:  # fusion's embeddings are of the pictures as they are
            self.degrade = 0.35 if skip else 0.0
        for name, low in (("epochs", 1), ("batch_size", 1), ("size", 32), ("log_every", 1), ("save_every", 1)):
            if getattr(self, name) < low:
                raise UserError(f"{name.replace('_', ' ')} must be at least {low}, not {getattr(self, name)}.")
        if self.size % 32:
            raise UserError(f"The crop size must be a multiple of 32, not {self.size}.")
        if not 0 < self.validation < 1:
            raise UserError(f"The validation share must lie between 0 and 1, not {self.validation}.")
        if not 0 <= self.degrade <= 1:
            raise UserError(f"The share of degraded pictures must lie between 0 and 1, not {self.degrade}.")
        if self.perceptual < 0:
            raise UserError(f"The weight of the perceptual loss must be 0 or more, not {self.perceptual}.")
        if not 0 <= self.ema < 1:
            raise UserError(f"The decay of the averaged weights must be at least 0 and below 1, not {self.ema}.")
        if self.freeze_early and not (skip and self.init):
            raise UserError("Only a skip_fusion network that starts from a checkpoint (--init) can keep early layers.")
        if self.learning_rate <= 0:
            raise UserError(f"The learning rate must be positive, not {self.learning_rate}.")

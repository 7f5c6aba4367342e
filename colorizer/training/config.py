"""The settings of a training run: each option's default, help and choices, in one place.

`TrainingOptions` is what a person chose, `TrainingConfig` what a run does: there nothing is left open.
"""

from __future__ import annotations

import math
from dataclasses import MISSING, asdict, dataclass, field, fields
from typing import Any

from ..device import DEVICES
from ..errors import UserError
from ..model.backbones import BACKBONES
from ..model.networks import CONTEXTS, OBJECTIVES, TRAINABLE, NetworkConfig


def _option(
    default: Any = MISSING, help: str = "", choices: tuple[str, ...] = (), metavar: str | None = None,
    frozen: bool = False, usual: str = "",
) -> Any:  # fmt: skip
    """A field.

    Args:
        default: its value if nobody says otherwise.
        help: of the command line.
        choices: values that it may have.
        metavar: of the command line.
        frozen: whether a resumed run keeps it.
        usual: the default in words, where it depends on others.
    """
    metadata = {"help": help, "choices": choices, "metavar": metavar, "frozen": frozen, "usual": usual}
    return field(metadata=metadata) if default is MISSING else field(default=default, metadata=metadata)


_OF_NETWORK = {
    what: ", ".join(f"{getattr(spec, what)} for {name}" for name, spec in TRAINABLE.items())
    for what in ("crop_size", "learning_rate", "degrade")
}


@dataclass(frozen=True)
class TrainingOptions:
    """What can be chosen for a run; None leaves it to the network or the machine."""

    data: str = _option(
        help="a folder of pictures, a zip, tar shards (shards/*.tar, quoted), sample, imagenette, or imagenet:ROOT",
        frozen=True,
    )
    output: str = _option(help="the run's folder", usual="runs/DATE-TIME", frozen=True)
    epochs: int = _option(10, "how often each picture is seen")
    network: str = _option("skip_fusion", "what is trained", tuple(TRAINABLE), frozen=True)
    objective: str = _option("classification", "what it predicts", OBJECTIVES, frozen=True)
    features: str = _option(
        "tf_efficientnet_lite0", f"the pretrained classifier: {', '.join(BACKBONES)}, or another model of timm",
        metavar="NAME", frozen=True,
    )  # fmt: skip
    context: str | None = _option(
        None, f"a frozen classifier that skip_fusion sees the whole picture by: {', '.join(CONTEXTS)}; or none",
        usual="that of --init, or none", metavar="NAME", frozen=True,
    )  # fmt: skip
    features_weights: str | None = _option(None, "pretrained weights of the classifier", metavar="FILE")
    init: str | None = _option(
        None, "start from this checkpoint or run; bundled: the one that comes along", metavar="PATH", frozen=True
    )
    freeze_early: bool = _option(False, "with --init: keep skip_fusion's layers up to stride 4")
    batch_size: int = _option(32, "pictures a step, over all processes")
    learning_rate: float | None = _option(
        None, "the highest", usual=f"{_OF_NETWORK['learning_rate']}; a quarter with --init"
    )
    size: int | None = _option(
        None, "side of the crops in pixels, a multiple of 32", usual=_OF_NETWORK["crop_size"], frozen=True
    )
    degrade: float | None = _option(None, "share of pictures whose L is made old", usual=_OF_NETWORK["degrade"])
    hinted: float = _option(0.5, "share of pictures with color hints, for networks that take them")
    perceptual: float = _option(0.0, "weight of a perceptual loss by EfficientNet-Lite0")
    decoded: float = _option(0.0, "weight of the error (as PSNR has it) of the colors that a classification decodes to")
    adversarial: float = _option(
        0.0, "weight of a small discriminator's opinion of vivid colors, after its first 120 steps; for a short finish"
    )
    rebalance: bool = _option(False, "weight rare colors more while training (Zhang et al. 2016)")
    ema: float = _option(0.998, "decay of the averaged weights, which are the ones kept")
    weight_decay: float = _option(0.02, "of AdamW")
    warmup: float = _option(0.05, "share of the steps in which the learning rate rises")
    clip: float = _option(5.0, "highest norm of the gradient")
    validation: float = _option(0.05, "share of the pictures for validation", frozen=True)
    validation_pictures: int = _option(256, "validate on at most this many pictures", frozen=True)
    folder_weights: str | None = _option(
        None, "how often pictures are seen an epoch, by the sub-folder that they lie in; 1 in all others",
        metavar="FOLDER=NUMBER,...", frozen=True,
    )  # fmt: skip
    limit: int | None = _option(None, "use at most this many pictures", frozen=True)
    seed: int = _option(0, "of everything random", frozen=True)
    device: str = _option("auto", "where to compute", DEVICES)
    precision: str = _option("auto", "of the computing", ("auto", "fp32", "bf16", "fp16"))
    compile: bool = _option(False, "torch.compile the network: pays in long runs only")
    workers: int | None = _option(
        None, "processes that decode pictures", usual="1 beside a CPU, which the network needs; one a core for a GPU"
    )
    log_every: int = _option(20, "steps between lines of metrics.jsonl")
    save_every: int = _option(100, "steps between saved states")
    log_with: str | None = _option(
        None, "also log to a tracker of Accelerate's: tensorboard, wandb, ...; it must be installed", metavar="TRACKER"
    )

    def resolve(self) -> TrainingConfig:
        """Everything chosen.

        Raises:
            UserError: a value that makes no sense.
        """
        spec = NetworkConfig(self.network, self.objective, self.features).spec
        chosen = asdict(self)
        if self.learning_rate is None:
            chosen["learning_rate"] = spec.learning_rate / 4 if self.init else spec.learning_rate
        if self.context is None:
            chosen["context"] = _context_of(self.init) if self.init and spec.takes_context else "none"
        if self.size is None:
            chosen["size"] = spec.crop_size
        if self.degrade is None:
            chosen["degrade"] = spec.degrade
        return TrainingConfig(**chosen)


_LEAST = {
    "epochs": 1, "batch_size": 1, "size": 32, "log_every": 1, "save_every": 1, "workers": 0, "seed": 0,
    "validation_pictures": 1, "limit": 2,
}  # fmt: skip


@dataclass(frozen=True)
class TrainingConfig(TrainingOptions):
    """A training run: the same as its options, with the network's own values where nothing was chosen."""

    learning_rate: float = 0.0
    size: int = 0
    degrade: float = 0.0
    context: str = "none"

    def __post_init__(self) -> None:
        for option in fields(TrainingOptions):
            choices, value = option.metadata["choices"], getattr(self, option.name)
            if choices and value not in choices:
                raise UserError(f"{_words(option.name)} must be one of {', '.join(choices)}, not {value!r}.")
        self.network_config  # noqa: B018 - refuses what isn't there
        for name, low in _LEAST.items():
            if (value := getattr(self, name)) is not None and value < low:
                raise UserError(f"{_words(name)} must be at least {low}, not {value}.")
        if self.size % 32:
            raise UserError(f"The crop size must be a multiple of 32, not {self.size}.")
        if not 0 < self.validation < 1:
            raise UserError(f"The validation share must lie between 0 and 1, not {self.validation}.")
        for name in ("degrade", "hinted", "warmup"):
            if not 0 <= getattr(self, name) <= 1:
                raise UserError(f"{_words(name)} is a share between 0 and 1, not {getattr(self, name)}.")
        for name in ("perceptual", "decoded", "adversarial"):
            if not 0 <= getattr(self, name) < math.inf:
                raise UserError(f"The weight of the {name} loss must be 0 or more, not {getattr(self, name)}.")
        if not 0 <= self.ema < 1:
            raise UserError(f"The decay of the averaged weights must be at least 0 and below 1, not {self.ema}.")
        if self.freeze_early and (TRAINABLE[self.network].takes_embedding or not self.init):
            raise UserError("Only a skip_fusion network that starts from a checkpoint (--init) can keep early layers.")
        for name in ("learning_rate", "clip"):
            if not 0 < getattr(self, name) < math.inf:
                raise UserError(f"{_words(name)} must be positive, not {getattr(self, name)}.")
        if not 0 <= self.weight_decay < math.inf:
            raise UserError(f"The weight decay must be 0 or more, not {self.weight_decay}.")

    @property
    def network_config(self) -> NetworkConfig:
        """What is trained."""
        context = "" if self.context == "none" else self.context
        return NetworkConfig(self.network, self.objective, self.features, context)

    @classmethod
    def read(cls, values: dict[str, Any]) -> TrainingConfig:
        """Of `config.json`; what other versions of the program wrote there beside is left out."""
        own = {option.name for option in fields(cls)}
        return cls(**{name: value for name, value in values.items() if name in own})


# What a resumed run keeps.
FROZEN = frozenset(option.name for option in fields(TrainingOptions) if option.metadata["frozen"])


def _context_of(init: str) -> str:
    from ..model.checkpoints import context_of  # which takes a second to import

    return context_of(init) or "none"


def _words(name: str) -> str:
    return f"The {name.replace('_', ' ')}"

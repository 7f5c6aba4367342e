"""Training of the network that finds the object under a stroke (`model.objects`)."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..color.lab import normalize_l
from ..data.outlines import Lesson, Outlined, colors_of, lesson
from ..files import whole_file
from ..model.checkpoints import load_checkpoint
from ..model.objects import PEOPLE, ObjectNetwork, save_objects
from .optim import choose_precision, learning_rate_factor

_SIZES = (192, 224, 256)  # short sides at which pictures are seen
_PICTURES, _STROKES = 2, 8  # a step, and on each
_RATES = {"head": 1.5e-3, "decoder": 4e-4, "encoder": 1e-4}
_WEIGHT_DECAY, _CLIP, _DICE, _KINDS = 1e-3, 2.0, 0.5, 0.3
_SAID, _SAVED = 50, 200  # steps between lines, and between saved weights


def loss_of(logits: Tensor, objects: Tensor) -> Tensor:
    """Cross-entropy and half of the Dice loss (Milletari, Navab and Ahmadi 2016), of (N, 1, h, w) shares in [0, 1]."""
    probable = logits.sigmoid()
    both, sizes = (probable * objects).sum((1, 2, 3)), (probable + objects).sum((1, 2, 3))
    dice = 1 - (2 * both + 1) / (sizes + 1)
    return F.binary_cross_entropy_with_logits(logits, objects) + _DICE * dice.mean()


def train_objects(
    sets: Sequence[Sequence[Outlined]], shares: Sequence[float], output: Path, steps: int, seed: int = 0,
    start: str | None = None, init: Path | None = None, log: Callable[[str], None] = print,
) -> None:  # fmt: skip
    """Train it; the weights are saved every few minutes and at the end.

    Args:
        sets: photographs with outlined objects.
        shares: how often each set is drawn from; they sum to 1.
        output: the file of the weights.
        steps: of 2 photographs with 8 strokes each.
        seed: of everything random.
        start: the skip_fusion checkpoint whose encoder and decoder it begins with; by default the bundled one.
        init: weights to start from instead, as of `save_objects`.
        log: called with a line now and then.
    """
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    network = ObjectNetwork()
    if init is not None:
        network.load_weights(init)
    else:
        own, trunk = network.trunk.state_dict(), load_checkpoint(start).network.state_dict()
        # What it sees of the whole picture is left out: strokes are outlined on crops.
        network.trunk.load_state_dict({k: own[k] if k.startswith("head.") else trunk[k] for k in own})
    colors = colors_of([outlined for chosen in sets for outlined in chosen], PEOPLE)
    network.colors = torch.where(colors.sum(1, keepdim=True) > 0, colors, network.colors)
    network.requires_grad_(True).trunk.eval()  # batch norms keep their statistics
    groups = _groups(network)
    optimizer = torch.optim.AdamW(
        [{"params": parameters, "lr": _RATES[name]} for name, parameters in groups.items()], weight_decay=_WEIGHT_DECAY
    )
    bf16 = torch.autocast("cpu", torch.bfloat16, choose_precision("auto", torch.device("cpu")) == "bf16")
    overlaps: list[float] = []
    begun = time.monotonic()
    for step in range(steps):
        factor = learning_rate_factor(step, steps, 0.05)
        for group, rate in zip(optimizer.param_groups, _RATES.values(), strict=True):
            group["lr"] = rate * factor
        losses = []
        for _ in range(_PICTURES):
            chosen = sets[int(rng.choice(len(sets), p=shares))]
            taught = lesson(chosen[int(rng.integers(len(chosen)))], int(rng.choice(_SIZES)), _STROKES, rng)
            if taught is not None:
                with bf16:
                    logits, objects, kinds = _answer(network, taught)
                losses.append(loss_of(logits, objects) + _KINDS * kinds)
                overlaps.append(overlap(logits, objects))
        if losses:
            torch.stack(losses).mean().backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(network.parameters(), _CLIP)
            optimizer.step()
            optimizer.zero_grad()
        if (step + 1) % _SAID == 0:
            mean = np.mean(overlaps[-2 * _SAID :])
            log(f"step {step + 1} of {steps}, {time.monotonic() - begun:.0f} s, overlap (IoU) {mean:.3f}")
        if (step + 1) % _SAVED == 0 or step + 1 == steps:
            with whole_file(output) as temporary:
                save_objects(network, temporary)


def _groups(network: ObjectNetwork) -> dict[str, list[nn.Parameter]]:
    encoder = network.trunk.pretrained_parameters()
    decoder = [*network.trunk.stages.parameters(), *network.trunk.top.parameters(), *network.trunk.context.parameters()]
    parts = (network.embed, network.kinds, network.body, network.out)
    return {"head": [p for part in parts for p in part.parameters()], "decoder": decoder, "encoder": encoder}


def _answer(network: ObjectNetwork, taught: Lesson) -> tuple[Tensor, Tensor, Tensor]:
    """Logits, what is true, and the loss of kinds, 0 where none are known."""
    light = normalize_l(torch.from_numpy(taught.lightness.astype(np.float32))[None, None])
    (features, seen), number = network.features(light), len(taught.strokes)
    size = features.shape[-2:]
    kinds = torch.zeros(())
    if taught.kinds is not None:
        small = F.interpolate(torch.from_numpy(taught.kinds)[None, None].float(), size, mode="nearest-exact")
        kinds = F.cross_entropy(seen.float(), small[:, 0].long())
    strokes, objects = (
        F.interpolate(torch.from_numpy(x).float()[:, None], size, mode="area") for x in (taught.strokes, taught.objects)
    )
    logits = network(features.expand(number, -1, -1, -1), light.expand(number, -1, -1, -1), strokes)
    return logits.float(), objects, kinds


def overlap(logits: Tensor, objects: Tensor) -> float:
    """Mean intersection over union at probability 0.5."""
    found, true = logits > 0, objects > 0.5
    return float(((found & true).sum((1, 2, 3)) / (found | true).sum((1, 2, 3)).clamp(min=1)).mean())

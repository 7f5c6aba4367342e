"""The mean of the weights of networks that were trained from one start, which is often better than each of them.

Wortsman et al., "Model soups" (ICML 2022).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from ..errors import UserError
from .checkpoints import Checkpoint, load_checkpoint
from .networks import build_network
from .skip_fusion import SkipFusionNetwork


def mean_checkpoint(paths: Sequence[str], shares: Sequence[float] = ()) -> Checkpoint:
    """The mean of several checkpoints' weights. One without context counts as if its context added nothing.

    Args:
        paths: of `find_checkpoint`.
        shares: of each in the mean, brought to a sum of 1; all equal if there are none.
    Raises:
        UserError: they are networks of different kinds, or the shares are none.
    """
    shares = tuple(shares) or (1.0,) * len(paths)
    if len(shares) != len(paths) or min(shares) < 0 or not 0 < sum(shares) < math.inf:
        raise UserError(f"Give {len(paths)} shares, one of each checkpoint, such as {','.join(['1'] * len(paths))}.")
    checkpoints = [load_checkpoint(path) for path in paths]
    seeing = next((checkpoint for checkpoint in checkpoints if checkpoint.config.context), None)
    if seeing is not None:
        checkpoints = [
            c if c.config != replace(seeing.config, context="") else _with_context(c, seeing) for c in checkpoints
        ]
    first = checkpoints[0]
    for path, other in zip(paths, checkpoints, strict=True):
        if (other.config, other.features_fingerprint) != (first.config, first.features_fingerprint):
            raise UserError(f"{path} and {paths[0]} are networks of different kinds: their weights have no mean.")
    parts = [share / sum(shares) for share in shares]

    def mean(tensors: Iterable[Tensor]) -> Tensor:
        return torch.stack([part * tensor for part, tensor in zip(parts, tensors, strict=True)]).sum(0)

    states = [checkpoint.network.state_dict() for checkpoint in checkpoints]
    first.network.load_state_dict(
        {k: mean(state[k] for state in states) if v.is_floating_point() else v for k, v in states[0].items()}
    )
    told = ", ".join(f"{part:.2g} of {path}" for part, path in zip(parts, paths, strict=True))
    info = {"data": first.info.get("data", {}), "training": {"mean": told}}
    return replace(first, prior=mean(checkpoint.prior for checkpoint in checkpoints), info=info)


def _with_context(checkpoint: Checkpoint, seeing: Checkpoint) -> Checkpoint:
    """The same, with the context of another, of which nothing is added."""
    network = build_network(seeing.config)
    assert isinstance(network, SkipFusionNetwork)
    assert network.whole is not None
    network.load_state_dict(seeing.network.state_dict())
    network.whole.silence()
    network.load_state_dict(checkpoint.network.state_dict(), strict=False)
    return replace(checkpoint, network=network.eval(), config=seeing.config)

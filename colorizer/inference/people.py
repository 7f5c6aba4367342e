"""Skin and hair in their own colors, also where a person is small.

The coloring network is not sure of skin that is a few of its pixels wide, and not being sure comes out as gray. The
network that finds objects was taught to see skin and hair, and knows which colors they had in the photographs that it
learned from. Where it sees them, the colors' probabilities are weighted by how much more often skin, or hair, has a
color than other things do (a product of experts: Hinton, "Training Products of Experts", 2002).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from ..color.bins import mix_uniform
from ..model.objects import PEOPLE

_DOUBT = 0.2  # probability up to which nothing is seen: animals and sand look a little like skin
_EXPONENT = 1.5  # of the ratio of probabilities
_COLOR_SHARE, _PRIOR_SHARE = 0.02, 0.05  # of a uniform distribution, in that of a kind and in the prior


def colored_as_people(output: Tensor, kinds: Tensor, colors: Tensor, prior: Tensor, weight: float = 1.0) -> Tensor:
    """A classification network's output with skin and hair drawn to their own colors.

    Args:
        output: (1, 313, h, w) logits.
        kinds: (1, 59, H, W) logits of `model.objects`.
        colors: (2, 313), how often hair and skin have each color; a row of zeros: not known.
        prior: (313,), how often anything has it.
        weight: 1 as usual, 0 changes nothing.
    Returns:
        (1, 313, h, w) logits.
    """
    seen = F.interpolate(kinds.softmax(1)[:, list(PEOPLE)], output.shape[-2:], mode="bilinear")  # (1, 2, h, w)
    sure = ((seen - _DOUBT) / (1 - _DOUBT)).clamp(min=0).to(output.device)
    ratio = mix_uniform(colors, _COLOR_SHARE).log() - mix_uniform(prior, _PRIOR_SHARE).log().to(colors.device)
    ratio = torch.where(colors.sum(1, keepdim=True) > 0, ratio, torch.zeros(())).to(output.device)  # (2, 313)
    return output + weight * _EXPONENT * torch.einsum("nkhw,kq->nqhw", sure, ratio)

"""Skin and hair in their own colors, also where a person is small.

The coloring network is not sure of skin that is a few of its pixels wide, and not being sure comes out as gray. The
network that finds objects was taught to see skin and hair, and knows which colors they had in the photographs that it
learned from. Where it sees them, these count more than what the coloring network says: the logarithms of both
distributions are averaged (a logarithmic opinion pool: Genest and Zidek, "Combining Probability Distributions", 1986).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from ..color.bins import ab_bins, mix_uniform
from ..model.objects import PEOPLE

_DOUBT = 0.2  # probability up to which nothing is seen: animals and sand look a little like skin
_SURE = 0.6  # from which it is sure
_GIVES_WAY = 0.8  # share of what the coloring network says that is replaced where it is sure
_UNIFORM = 0.02  # share of a uniform distribution in that of a kind
# The mean of many colors is paler than each of them. Frequencies are multiplied by this power of the colors' chroma,
# which gives skin its true chroma (`benchmarks/skin.py`).
_CHROMA, _PALEST = 0.5, 3.0


def colored_as_people(output: Tensor, kinds: Tensor, colors: Tensor, weight: float | Tensor = 1.0) -> Tensor:
    """A classification network's output with skin and hair drawn to their own colors.

    Args:
        output: (1, 313, h, w) logits.
        kinds: (1, 59, H, W) logits of `model.objects`.
        colors: (2, 313), how often hair and skin have each color; a row of zeros: not known.
        weight: of what is seen: 1 as usual, 0 changes nothing.
    Returns:
        (1, 313, h, w) log-probabilities, up to a constant for each pixel.
    """
    seen = kinds.softmax(1)[:, list(PEOPLE)]
    if seen.shape[-2:] != output.shape[-2:]:
        seen = F.interpolate(seen, output.shape[-2:], mode="bilinear")  # (1, 2, h, w)
    known = colors.sum(1) > 0
    sure = (weight * (seen - _DOUBT) / (_SURE - _DOUBT)).clamp(0, 1) * known[None, :, None, None]
    sure = (sure / sure.sum(1, keepdim=True).clamp(min=1)).to(output.device)
    chroma = ab_bins().norm(dim=1).clamp(min=_PALEST).to(colors.device)
    own = (mix_uniform(colors, _UNIFORM).log() + _CHROMA * chroma.log()).log_softmax(1).to(output.device)  # (2, 313)
    left = 1 - _GIVES_WAY * sure.sum(1, keepdim=True)
    return output.log_softmax(1) * left + torch.einsum("nkhw,kq->nqhw", sure, own)

"""What a run measures on its validation pictures after each epoch.

These are errors on square crops at the network's own settings, cheap, and good enough to choose the best epoch by. They
are not the errors of `evaluation.metrics`, which are of whole pictures colored as a user would have them colored; hence
they have names of their own: crop_mse_ab, crop_mse_rgb, and gray_... for the crops left gray.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from ..arrays import Array
from ..color.gamut import fit_gamut
from ..color.lab import lab_to_rgb_tensor, rgb_to_lab_tensor
from ..data.crops import Sample

PREVIEWS = 6


class Validation(NamedTuple):
    """Errors, and a picture of some of them.

    Attributes:
        errors: "crop_mse_ab" in Lab units squared, "crop_mse_rgb" in 0..255 squared, and both with "gray_" in front.
        preview: HWC uint8: rows gray, colorized, true.
        by_picture: (n,) the first of the errors, of each picture.
    """

    errors: dict[str, float]
    preview: npt.NDArray[np.uint8]
    by_picture: Array


@torch.no_grad()
def validate(predict: Callable[[Sample], Tensor], batches: Iterable[Sample], device: torch.device) -> Validation:
    """Measure a network on crops.

    Args:
        predict: of a batch, its ab (N, 2, h, w) in Lab units at any size.
        batches: of crops as they are.
        device: to compute on.
    """
    sums = dict.fromkeys(("crop_mse_ab", "crop_mse_rgb", "gray_crop_mse_ab", "gray_crop_mse_rgb"), 0.0)
    rows: list[Tensor] = []
    each: list[Tensor] = []
    number = 0
    for batch in batches:
        lab = rgb_to_lab_tensor(batch.rgb.to(device).float() / 255)  # (N, 3, S, S)
        true = lab_to_rgb_tensor(lab)
        ab = F.interpolate(predict(batch), lab.shape[-2:], mode="bilinear", align_corners=False)
        number += len(lab)
        for prefix, colors in (("", ab), ("gray_", torch.zeros_like(ab))):
            wide = torch.cat([lab[:, :1], colors], dim=1).permute(0, 2, 3, 1).cpu().numpy()
            fitted = torch.from_numpy(np.stack([fit_gamut(x) for x in wide])).permute(0, 3, 1, 2)
            rgb = lab_to_rgb_tensor(fitted.to(device))
            of_ab = ((colors - lab[:, 1:]) ** 2).mean((1, 2, 3))
            each += [] if prefix else [of_ab.cpu()]
            sums[f"{prefix}crop_mse_ab"] += float(of_ab.sum())
            sums[f"{prefix}crop_mse_rgb"] += float(((rgb - true) ** 2).mean((1, 2, 3)).sum()) * 255**2
            if not rows:
                gray = lab_to_rgb_tensor(F.pad(lab[:, :1], (0, 0, 0, 0, 0, 2)))
                rows = [torch.cat(list(x[:PREVIEWS]), dim=-1) for x in (gray, rgb, true)]
    preview = (torch.cat(rows, dim=-2) * 255).round().byte().permute(1, 2, 0).cpu().numpy()
    errors = {name: total / number for name, total in sums.items()}
    return Validation(errors, preview, torch.cat(each).double().numpy())

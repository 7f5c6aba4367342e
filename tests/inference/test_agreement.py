"""Places that are alike agree on their colors."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from colorizer import Colorizer, Settings
from colorizer.color.bins import N_BINS
from colorizer.color.lab import rgb_to_lab
from colorizer.inference.agreement import agreed
from colorizer.inference.working import cells_of
from colorizer.pictures.photo import Photo

from ..conftest import EXAMPLES


def _two_things() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Output, features and L of a picture of two halves; in each the output is uneven."""
    output = torch.randn(1, N_BINS, 24, 36, generator=torch.Generator().manual_seed(0))
    features = torch.zeros(1, 8, 24, 36)
    features[:, 0, :, :18] = features[:, 1, :, 18:] = 1
    light = torch.zeros(1, 1, 96, 144)
    return output, features, light


def _log_p(output: torch.Tensor) -> torch.Tensor:
    return output.log_softmax(1)


def test_a_thing_has_the_geometric_mean_of_its_places() -> None:
    output, features, light = _two_things()
    found = _log_p(agreed(output, features, light, 1))
    for half in (slice(0, 18), slice(18, 36)):
        mean = _log_p(output)[..., half].mean((2, 3), keepdim=True)
        assert torch.allclose(found[..., half], _log_p(mean).expand_as(found[..., half]), atol=1e-3)


def test_no_agreement_changes_nothing_and_a_share_lies_between() -> None:
    output, features, light = _two_things()
    assert torch.allclose(agreed(output, features, light, 0), _log_p(output), atol=1e-5)
    some, all_of_it = (agreed(output, features, light, share) for share in (0.25, 1))
    assert torch.allclose(some, torch.lerp(_log_p(output), all_of_it, 0.25), atol=1e-4)


def test_lightness_tells_things_apart_too() -> None:
    output, features, light = _two_things()
    features[:] = 1
    light[..., :72], light[..., 72:] = -1, 1
    found = _log_p(agreed(output, features, light, 1))
    left, right = found[0, :, 4, 4], found[0, :, 4, 30]
    assert torch.allclose(found[0, :, 20, 10], left, atol=1e-3)
    assert (left - right).abs().max() > 0.1


def test_a_large_working_copy_has_no_more_things() -> None:
    assert [len(cells_of(*size)) for size in ((48, 64), (500, 500))] == [8 * 11, 400]


@pytest.mark.parametrize("size", [(48, 64), (7, 100), (1, 1)])
def test_cells_are_means_of_equal_parts(size: tuple[int, int]) -> None:
    """Those of PyTorch's adaptive pooling."""
    x = torch.randn(1, 3, *size)
    grid = max(round(size[0] / 6), 1), max(round(size[1] / 6), 1)
    pooled = torch.nn.functional.adaptive_avg_pool2d(x, grid)[0].flatten(1).T
    assert torch.allclose(torch.from_numpy(cells_of(*size)) @ x[0].flatten(1).T, pooled, atol=1e-5)


@pytest.mark.parametrize("size", [(1, 1), (8, 8), (16, 96)])
def test_any_size(size: tuple[int, int]) -> None:
    output = torch.randn(1, N_BINS, *size)
    found = agreed(output, torch.randn(1, 8, 20, 30), torch.rand(1, 1, 40, 60), 0.5)
    assert found.shape == output.shape
    assert found.isfinite().all()


def test_a_photo_is_calmer_and_as_light_as_before(colorizer: Colorizer) -> None:
    gray = np.asarray(Image.open(EXAMPLES / "black-and-white" / "astronaut.jpg").convert("RGB"))
    prepared = colorizer.prepare(Photo(gray))
    alone, together = (rgb_to_lab(prepared.colorize(Settings(agreement=a)).rgb) for a in (0, 1))
    suit = slice(340, 440), slice(110, 170)
    assert together[suit][..., 1:].std((0, 1)).sum() < alone[suit][..., 1:].std((0, 1)).sum()
    assert np.abs(together[..., 0] - alone[..., 0]).max() < 1

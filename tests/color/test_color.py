"""Color science: known values and mathematics."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import torch
from skimage.color import deltaE_ciede2000, rgb2lab

from colorizer.arrays import from_unit, full_scale, planes_of
from colorizer.color.bins import (
    N_BINS,
    ab_bins,
    annealed_mean,
    rebalance_logits,
    rebalancing_weights,
    soft_encode,
    soft_histogram,
    trained_mean,
)
from colorizer.color.difference import ciede2000
from colorizer.color.gamut import fit_gamut, lab_to_display
from colorizer.color.lab import (
    denormalize_ab,
    lab_to_rgb,
    lab_to_rgb_tensor,
    lightness,
    normalize_ab,
    normalize_l,
    rgb_to_lab,
    rgb_to_lab_tensor,
)

GRID = np.stack(np.meshgrid(*[np.linspace(0, 1, 17)] * 3), -1).reshape(17, 289, 3)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
def test_round_trip_within_half_an_8_bit_step(dtype: type) -> None:
    rgb = from_unit(GRID, dtype)
    back = lab_to_rgb(rgb_to_lab(rgb), dtype)
    assert back.dtype == rgb.dtype
    step = np.abs(back.astype(np.float64) - rgb).max() / full_scale(dtype) * 255
    assert step < 0.5


def test_lab_agrees_with_an_independent_implementation() -> None:
    lab = rgb_to_lab(GRID)
    assert np.abs(lab - rgb2lab(GRID)).max() < 0.02
    assert lab.min((0, 1)) == pytest.approx([0, -86, -108], abs=0.3)
    assert lab.max((0, 1)) == pytest.approx([100, 98, 95], abs=0.6)


def test_tensors_and_arrays_agree() -> None:
    tensor = torch.from_numpy(GRID).permute(2, 0, 1)[None]  # (1, 3, H, W)
    lab = rgb_to_lab_tensor(tensor)
    assert torch.allclose(lab[0].permute(1, 2, 0).float(), torch.from_numpy(rgb_to_lab(GRID)), atol=1e-3)
    assert torch.allclose(lab_to_rgb_tensor(lab), tensor, atol=1e-5)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_lightness_is_the_l_of_lab(dtype: type) -> None:
    rgb = from_unit(GRID, dtype)
    assert np.abs(lightness(rgb) - rgb_to_lab(rgb)[..., 0]).max() < 1e-3


def test_other_dtypes_are_refused() -> None:
    with pytest.raises(TypeError, match="uint8, uint16"):
        rgb_to_lab(np.zeros((2, 2, 3), np.int32))


def test_normalized_ranges() -> None:
    lab = rgb_to_lab_tensor(torch.from_numpy(GRID).permute(2, 0, 1))
    assert normalize_l(lab[:1]).abs().max() <= 1 + 1e-5
    ab = normalize_ab(lab[1:])
    assert ab.abs().max() <= 1
    assert torch.allclose(denormalize_ab(ab), lab[1:])


def test_the_313_published_bins() -> None:
    bins = ab_bins()
    assert bins.shape == (313, 2) == (N_BINS, 2)
    assert len({tuple(b) for b in bins.tolist()}) == 313
    assert bins.min(0).values.tolist() == [-90, -110]
    assert bins.max(0).values.tolist() == [100, 100]
    assert (bins % 10 == 0).all()
    assert bins[0].tolist() == [-90, 50]
    assert bins[-1].tolist() == [100, 0]


def test_soft_encoding_is_a_gaussian_over_the_five_nearest() -> None:
    generator = torch.Generator().manual_seed(0)
    ab = (torch.rand(3, 2, 5, 7, generator=generator) * 140 - 70).round()
    indices, weights = soft_encode(ab)
    assert indices.shape == weights.shape == (3, 5, 5, 7)
    assert torch.allclose(weights.sum(1), torch.ones(3, 5, 7))
    point = ab[1, :, 2, 3]
    distance = (ab_bins() - point).norm(dim=1)
    chosen = distance[indices[1, :, 2, 3]]
    assert torch.allclose(chosen, distance.sort().values[:5], atol=1e-4)
    expected = torch.exp(-(chosen**2) / 50)
    assert torch.allclose(weights[1, :, 2, 3], expected / expected.sum(), atol=1e-5)


def test_soft_encoding_survives_colors_far_outside() -> None:
    _, weights = soft_encode(torch.full((1, 2, 1, 1), 400.0))
    assert torch.isfinite(weights).all()
    assert weights.sum() == pytest.approx(1)


def test_soft_encoding_of_a_bin_decodes_to_it() -> None:
    ab = ab_bins().T[None, :, :, None].contiguous()  # (1, 2, 313, 1)
    indices, weights = soft_encode(ab)
    assert (indices[0, 0, :, 0] == torch.arange(313)).all()
    decoded = (ab_bins()[indices] * weights[..., None]).sum(1)  # (1, 313, 1, 2)
    inner = (ab.abs().amax((0, 1, 3)) <= 60).nonzero().flatten()
    assert (decoded[0, inner, 0] - ab_bins()[inner]).norm(dim=1).max() < 3


def test_soft_histogram_counts_pixels() -> None:
    assert soft_histogram(torch.zeros(2, 2, 3, 4)).sum() == pytest.approx(24)


@pytest.mark.parametrize("share", [0.05, 0.5, 1.0])
def test_rebalancing_weights_have_mean_one_under_the_prior(share: float) -> None:
    prior = torch.rand(313, generator=torch.Generator().manual_seed(1)) ** 4
    prior /= prior.sum()
    weights = rebalancing_weights(prior, share)
    assert (prior * weights).sum() == pytest.approx(1, abs=1e-5)
    assert weights.argmax() == prior.argmin() or share == 1
    if share == 1:
        assert torch.allclose(weights, torch.ones(313))


def test_annealed_mean_goes_from_argmax_to_mean() -> None:
    logits = torch.randn(2, 313, 3, 4, generator=torch.Generator().manual_seed(2))
    best = ab_bins()[logits.argmax(1)].permute(0, 3, 1, 2)
    assert torch.allclose(annealed_mean(logits, 1e-4), best, atol=0.05)
    mean = torch.einsum("nqhw,qc->nchw", logits.softmax(1), ab_bins())
    assert torch.allclose(annealed_mean(logits, 1.0), mean, atol=1e-4)


@pytest.mark.parametrize(("alpha", "temperature"), [(0.0, 0.5), (0.57, 0.6), (1.0, 0.38)])
def test_the_mean_for_training_is_the_annealed_one_with_its_gradient(alpha: float, temperature: float) -> None:
    generator = torch.Generator().manual_seed(4)
    prior = torch.rand(N_BINS, generator=generator) ** 4
    prior /= prior.sum()
    logits = (3 * torch.randn(2, N_BINS, 3, 4, generator=generator)).requires_grad_()
    made = trained_mean(logits, prior, alpha, temperature)
    expected = annealed_mean(rebalance_logits(logits, prior, alpha), temperature)
    assert torch.allclose(made, expected, atol=1e-3)
    given = torch.randn(made.shape, generator=generator)
    ours, theirs = (torch.autograd.grad(y, logits, given)[0] for y in (made, expected))
    assert torch.allclose(ours, theirs, atol=1e-3)


def test_rebalancing_after_training() -> None:
    prior = torch.full((313,), 0.1 / 312)
    prior[5] = 0.9
    logits = prior.log().view(1, -1, 1, 1)  # a network that only knows the prior
    assert rebalance_logits(logits, prior, 0.0).equal(logits)
    flat = rebalance_logits(logits, prior, 1.0, share=0.0)
    assert flat.std() == pytest.approx(0, abs=1e-5)
    assert rebalance_logits(logits, prior, 2.0).argmax() != 5


def _far_outside() -> npt.NDArray[np.float32]:
    lab = np.random.default_rng(3).random((60, 60, 3), np.float32) * np.array([100, 500, 500], np.float32)
    return lab - np.array([0, 250, 250], np.float32)


def test_gamut_fit_keeps_l_and_hue_of_colors_far_outside() -> None:
    lab = _far_outside()
    fitted = fit_gamut(lab)
    rgb = lab_to_rgb(fitted, np.uint8)
    assert np.abs(lightness(rgb) - lab[..., 0]).max() < 0.5
    scale = np.linalg.norm(fitted[..., 1:], axis=-1) / np.linalg.norm(lab[..., 1:], axis=-1)
    assert (scale <= 1 + 1e-6).all()
    assert np.allclose(fitted[..., 1:], lab[..., 1:] * scale[..., None], atol=1e-3)


def test_gamut_fit_reaches_the_surface_and_leaves_the_inside() -> None:
    lab = rgb_to_lab(GRID)
    assert np.allclose(fit_gamut(lab), lab, atol=0.2)
    red = rgb_to_lab(np.array([[[1.0, 0, 0]]], np.float32))
    assert np.allclose(fit_gamut(red * np.array([1, 2, 2], np.float32)), red, atol=0.3)


@pytest.mark.parametrize(("dtype", "most"), [(np.uint8, 1), (np.uint16, 8), (np.float32, 1e-4)])
@pytest.mark.parametrize("strength", [1, 0.4, 0])
def test_what_is_shown_is_the_fitted_color(dtype: type, most: float, strength: float) -> None:
    """A table and float32 planes are as good as the formulas, to a step of 8 bits; most pixels to less."""
    for lab in (_far_outside(), rgb_to_lab(from_unit(GRID, np.uint8))):
        fitted = fit_gamut(lab) * np.array([1, strength, strength], np.float32)
        exact = lab_to_rgb(fitted, dtype)
        shown = np.empty_like(exact)
        lab_to_display(planes_of(lab), strength, shown)
        apart = np.abs(shown.astype(np.float64) - exact)
        assert apart.max() <= most
        assert (apart > most / 2).mean() < 0.01


def test_ciede2000_known_values() -> None:
    # Pairs 1, 7, 13 and 25 of the test data of Sharma, Wu and Dalal (2005), table 1.
    pairs = [
        ((50, 2.6772, -79.7751), (50, 0, -82.7485), 2.0425),
        ((50, 0, 0), (50, -1, 2), 2.3669),
        ((50, -0.001, 2.49), (50, 0.0009, -2.49), 4.8045),
        ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
    ]
    for x, y, difference in pairs:
        assert ciede2000(np.array(x), np.array(y)) == pytest.approx(difference, abs=1e-4)
    rng = np.random.default_rng(0)
    x, y = rng.normal(0, 40, (2, 1000, 3))
    assert np.allclose(ciede2000(x, y), deltaE_ciede2000(x, y), atol=1e-9)

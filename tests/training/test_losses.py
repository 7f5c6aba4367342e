"""Losses: known values, and where their gradients point."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F

from colorizer.color.bins import N_BINS, ab_bins, annealed_mean, soft_encode
from colorizer.model.pretrained import load_backbone
from colorizer.training.discriminators import Discriminators, Seen
from colorizer.training.losses import FrozenClassifier, decoded_loss, loss_function, perceptual_loss


def test_losses_are_zero_only_at_the_truth() -> None:
    ab = ab_bins()[[40, 200]].T.reshape(1, 2, 1, 2)
    assert loss_function(ab / 110, ab, "regression", None) == 0
    assert loss_function(ab / 110 + 0.1, ab, "regression", None) == pytest.approx(0.01, rel=1e-4)
    indices, weights = soft_encode(ab)
    truth = torch.full((1, 313, 1, 2), -30.0).scatter(1, indices, weights.log())
    entropy = -(weights * weights.log()).sum(1).mean()
    assert loss_function(truth, ab, "classification", None) == pytest.approx(entropy.item(), abs=1e-4)
    assert loss_function(torch.zeros(1, 313, 1, 2), ab, "classification", None) > entropy
    doubled = loss_function(truth, ab, "classification", torch.full((313,), 2.0))
    assert doubled == pytest.approx(2 * entropy.item(), abs=1e-4)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_cross_entropys_own_gradient_is_autograds(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    ab = torch.randn(2, 2, 3, 4) * 30
    indices, soft = soft_encode(ab)
    weights = torch.rand(313) + 0.5
    for w in (None, weights):
        logits = torch.randn(2, 313, 3, 4, dtype=dtype, requires_grad=True)
        own = loss_function(logits, ab, "classification", w)
        (own_gradient,) = torch.autograd.grad(own, logits)
        entropy = -(logits.float().log_softmax(1).gather(1, indices) * soft).sum(1)
        plain = entropy.mean() if w is None else (entropy * w[indices[:, 0]]).mean()
        (gradient,) = torch.autograd.grad(plain, logits)
        assert torch.allclose(own, plain)
        assert torch.allclose(own_gradient, gradient, atol=1e-6)


def test_the_error_of_decoded_colors_is_the_logarithm_of_each_pictures_own() -> None:
    true = torch.zeros(2, 2, 4, 4)
    assert decoded_loss(true, true).item() == 0
    off = true.clone()
    off[0, 0], off[0, 1] = 3, 4  # a mean square of 12.5 in the first picture, none in the second
    assert decoded_loss(off, true).item() == pytest.approx(math.log1p(12.5) / 2)


def test_the_error_of_decoded_colors_moves_logits_towards_the_true_color() -> None:
    true = ab_bins()[200].view(1, 2, 1, 1)
    logits = torch.zeros(1, N_BINS, 1, 1, requires_grad=True)
    for _ in range(50):
        (gradient,) = torch.autograd.grad(decoded_loss(annealed_mean(logits), true), logits)
        logits = (logits - gradient).detach().requires_grad_()
    before, after = (decoded_loss(annealed_mean(x), true).item() for x in (torch.zeros_like(logits), logits))
    assert after < before - 1


def test_the_perceptual_loss_sees_colors_and_leaves_the_classifier_as_it_is() -> None:
    classifier = FrozenClassifier(load_backbone("tf_efficientnet_lite0"))
    torch.manual_seed(0)
    true = F.interpolate(torch.rand(1, 3, 4, 4), 64, mode="bilinear")
    gray = true.mean(1, keepdim=True).expand_as(true).clone().requires_grad_()
    assert perceptual_loss(classifier(true), classifier(true)).item() == pytest.approx(0, abs=1e-6)
    loss = perceptual_loss(classifier(gray), classifier(true))
    assert 0 < loss.item() < 2
    loss.backward()
    assert gray.grad is not None
    assert gray.grad.abs().sum() > 0
    assert all(p.grad is None for p in classifier.backbone.parameters())
    assert not classifier.train().backbone.training


def _learn(judges: Discriminators, true: Seen, made: Seen) -> None:
    optimizer = torch.optim.Adam(judges.parameters(), 1e-3)
    for _ in range(60):
        optimizer.zero_grad()
        judges.loss(true, made).backward()
        optimizer.step()


def _seen(ab: torch.Tensor, value: float) -> Seen:
    """Of even lightness, with two maps and a vector of features that have this value at the first channel."""
    features = [torch.ones(4, 8, 4, 4), torch.ones(4, 16, 2, 2), torch.ones(4, 16)]
    for map_ in features:
        map_[:, 0] = value
    return Seen(torch.full((4, 1, 32, 32), 50.0), ab, features)


def test_discriminators_learn_to_tell_true_colors_patch_by_patch_and_by_what_a_classifier_sees() -> None:
    torch.manual_seed(0)
    judges = Discriminators([8, 16, 16])
    true, made = _seen(torch.full((4, 2, 32, 32), 30.0), 6.0), _seen(torch.zeros(4, 2, 32, 32), -6.0)
    assert [tuple(said.shape) for said in judges(true)] == [(4, 1, 8, 8), (4, 1, 4, 4), (4, 1, 2, 2), (4, 1, 1, 1)]
    assert float(judges.loss(true, true).detach()) >= 4, "what is the same can't be told apart"
    _learn(judges, true, made)
    assert float(judges.loss(true, made).detach()) < 1
    assert all(t.mean() > m.mean() for t, m in zip(judges(true), judges(made), strict=True))
    half = torch.cat([true.ab[..., :16], made.ab[..., 16:]], dim=-1)
    opinion = judges.patches(true.lightness, half).mean((0, 1, 2))
    assert opinion[0] > opinion[-1], "each patch for itself"


def test_what_discriminators_object_to_points_to_true_colors() -> None:
    torch.manual_seed(0)
    judges = Discriminators([8, 16, 16])
    true, made = _seen(torch.full((4, 2, 32, 32), 30.0), 6.0), _seen(torch.zeros(4, 2, 32, 32), -6.0)
    _learn(judges, true, made)
    assert judges.objection(made) > judges.objection(true)
    ab, vector = made.ab.clone().requires_grad_(), made.features[-1].clone().requires_grad_()
    judges.objection(Seen(made.lightness, ab, [*made.features[:-1], vector])).backward()
    assert ab.grad is not None
    assert vector.grad is not None
    for gradient in (ab.grad, vector.grad[:, 0]):
        assert gradient.mean() < 0, "more of what the true ones have is less to object to"
    ab = made.ab.clone().requires_grad_()
    judges.loss(true, made._replace(ab=ab)).backward()
    assert ab.grad is None, "their own loss does not reach the colors"

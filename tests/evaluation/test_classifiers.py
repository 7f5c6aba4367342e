"""The judging classifier and the Fréchet distance."""

from __future__ import annotations

import numpy as np
import pytest

from colorizer.evaluation.classifiers import Classifier, true_label
from colorizer.evaluation.frechet import frechet_distance
from colorizer.pictures.reading import read_picture

from ..conftest import EXAMPLES


def test_frechet_distance_of_known_gaussians() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(500, 4))
    assert frechet_distance(x, x) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(x, x + np.array([3, 0, 4, 0])) == pytest.approx(25)
    assert frechet_distance(x, 2 * x) == pytest.approx(((x.mean(0)) ** 2).sum() + np.trace(np.cov(x.T)))
    wide, narrow = np.array([[-2.0], [2.0]]), np.array([[-1.0], [0.0], [1.0]])
    assert frechet_distance(wide, narrow) == pytest.approx((wide.std(ddof=1) - narrow.std(ddof=1)) ** 2)


def test_frechet_distance_is_that_of_the_covariance_matrices() -> None:
    """Heusel et al. 2017, eq. 6, by eigenvalues of C1 C2."""
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(300, 5)) @ rng.normal(size=(5, 5)), rng.normal(size=(200, 5)) @ rng.normal(size=(5, 5)) + 1
    c1, c2 = np.cov(x.T), np.cov(y.T)
    root = np.sqrt(np.linalg.eigvals(c1 @ c2).real.clip(0)).sum()
    expected = ((x.mean(0) - y.mean(0)) ** 2).sum() + np.trace(c1) + np.trace(c2) - 2 * root
    assert frechet_distance(x, y) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("name", "label"),
    [("n01440764_10026.jpg", 0), ("n15075141/5.jpg", 999), ("a/n01443537/x.jpg", 1), ("n00000000_1.jpg", None),
     ("cat.jpg", None), ("n014407645.jpg", None)],
)  # fmt: skip
def test_classes_are_read_from_names(name: str, label: int | None) -> None:
    assert true_label(name) == label


def test_the_classifier_knows_what_is_in_a_picture() -> None:
    classifier = Classifier(device="cpu")
    label, features = classifier(read_picture(EXAMPLES / "color" / "chelsea.jpg").rgb)
    assert label in range(281, 286)  # a domestic cat
    assert features.shape == (1280,)
    assert features.min() >= 0
    assert classifier(np.zeros((3, 900, 3), np.uint8))[1].shape == (1280,)

"""Skin and hair in their own colors."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from colorizer import LOOKS, Colorizer, Settings
from colorizer.color.bins import N_BINS, ab_bins, mix_uniform
from colorizer.color.lab import rgb_to_lab
from colorizer.inference.people import colored_as_people
from colorizer.inference.predictor import Predictor
from colorizer.inference.prepared import PreparedPhoto
from colorizer.model.checkpoints import Checkpoint
from colorizer.model.networks import NetworkConfig, build_network
from colorizer.model.objects import HAIR, KINDS, SKIN, load_objects
from colorizer.pictures.photo import Photo

from ..conftest import EXAMPLES, draw_photo

PINK = 200  # a bin
EVEN = torch.full((N_BINS,), 1 / N_BINS)


def _kinds(kind: int, logit: float) -> torch.Tensor:
    kinds = torch.zeros(1, KINDS, 4, 4)
    kinds[:, kind, :, :2] = logit  # on the left
    return kinds


def _colors() -> torch.Tensor:
    """Hair's are not known, skin has one color alone."""
    colors = torch.zeros(2, N_BINS)
    colors[1, PINK] = 1
    return colors


def _log_p() -> torch.Tensor:
    return torch.randn(1, N_BINS, 8, 8, generator=torch.Generator().manual_seed(0)).log_softmax(1)


def test_where_skin_is_seen_its_colors_are_more_probable_and_nothing_else_changes() -> None:
    output = _log_p()
    people = colored_as_people(output, _kinds(SKIN, 20), _colors())
    left, right = people[..., :2], people[..., 6:]
    assert (left.argmax(1) == PINK).all()
    assert torch.allclose(right, output[..., 6:], atol=1e-5)


def test_where_it_is_sure_the_colors_are_those_of_skin_and_in_doubt_between() -> None:
    output, colors = _log_p(), _colors()
    colors[1] = torch.rand(N_BINS, generator=torch.Generator().manual_seed(1))
    own = (mix_uniform(colors[1:], 0.02).log() + 0.5 * ab_bins().norm(dim=1).clamp(min=3).log()).log_softmax(1)
    pool = (0.2 * output[0, :, 0, 0] + own[0]).log_softmax(0)
    sure = colored_as_people(output, _kinds(SKIN, 20), colors)[0, :, 0, 0].log_softmax(0)
    assert torch.allclose(sure, pool, atol=1e-4)
    doubtful = _kinds(SKIN, float(torch.tensor(0.4 / 0.6 * (KINDS - 1)).log()))  # a probability of 0.4
    between = colored_as_people(output, doubtful, colors)[0, :, 0, 0].log_softmax(0)
    assert torch.allclose(between, (0.6 * output[0, :, 0, 0] + 0.5 * own[0]).log_softmax(0), atol=1e-4)


@pytest.mark.parametrize(
    ("kind", "logit", "weight"),
    [(SKIN, 20, 0), (HAIR, 20, 1), (7, 20, 1), (SKIN, 2, 1)],
    ids=["not asked for", "colors not known", "a garment", "in doubt"],
)
def test_nothing_changes(kind: int, logit: float, weight: float) -> None:
    output = _log_p()
    assert torch.allclose(colored_as_people(output, _kinds(kind, logit), _colors(), weight), output, atol=1e-5)


def test_the_bundled_colors_of_skin_and_hair_are_those_of_people() -> None:
    hair, skin = load_objects().colors @ ab_bins()
    hue, chroma = float(torch.rad2deg(torch.atan2(skin[1], skin[0]))), float(skin.norm())
    assert 40 < hue < 60
    assert 10 < chroma < 25
    assert hair.norm() < chroma


def test_a_face_has_the_color_of_skin_and_the_rest_stays_as_it_was(colorizer: Colorizer) -> None:
    gray = np.asarray(Image.open(EXAMPLES / "black-and-white" / "astronaut.jpg").convert("RGB"))
    small = Photo(np.asarray(Image.fromarray(gray).resize((256, 256))))
    prepared = colorizer.prepare(small)
    plain, people = (rgb_to_lab(prepared.colorize(Settings(people=p)).rgb)[..., 1:] for p in (0, 1))
    face, helmet = (slice(45, 70), slice(100, 122)), (slice(190, 240), slice(190, 240))
    a, b = people[face].mean((0, 1))
    assert 35 < np.degrees(np.arctan2(b, a)) < 75
    assert 10 < np.hypot(a, b) < 30
    on_face, on_helmet = (np.abs(people[where] - plain[where]).mean() for where in (face, helmet))
    assert on_helmet < 0.75 * on_face
    assert on_helmet < 1.5


def test_a_regression_is_left_as_it_is() -> None:
    config = NetworkConfig("skip_fusion", "regression", "tf_efficientnet_lite0")
    checkpoint = Checkpoint(build_network(config).eval(), config, EVEN, 128, {})
    prepared = PreparedPhoto(Predictor(checkpoint, device="cpu"), Photo(np.asarray(draw_photo(1))))
    plain, people = (prepared.output(Settings(people=p)) for p in (0, 1))
    assert torch.equal(plain, people)


def test_the_network_is_asked_once_for_all_looks(colorizer: Colorizer, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    own = colorizer.predictor.predict
    monkeypatch.setattr(colorizer.predictor, "predict", lambda *given: (asked.append(given[1]), own(*given))[1])
    prepared = colorizer.prepare(Photo(np.asarray(draw_photo(3))))
    pictures = [prepared.colorize(settings).rgb for settings in LOOKS.values()]
    assert asked == [192]
    assert not np.array_equal(pictures[0], pictures[2])
    prepared.colorize(Settings(working_size=160))
    assert asked == [192, 160]

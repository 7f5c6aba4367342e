"""Hints: drawn in training, and given by a user; and the other colorings that they lead to."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from colorizer import Colorizer, UserError
from colorizer.color.difference import ciede2000
from colorizer.color.lab import lightness, rgb_to_lab
from colorizer.data.hint_sampling import MEAN_NUMBER, draw_patches, hint_planes
from colorizer.inference.alternatives import LEAST_DIFFERENCE, alternative_photos
from colorizer.inference.predictor import Predictor
from colorizer.inference.prepared import PreparedPhoto
from colorizer.model.checkpoints import Checkpoint
from colorizer.model.hints import Hint, as_strokes, covered_by, hint_planes_of, parse_hint, parse_hints
from colorizer.model.networks import NetworkConfig, build_network
from colorizer.model.pretrained import load_extractor
from colorizer.pictures.photo import Photo

from ..conftest import EXAMPLES

COFFEE = EXAMPLES / "black-and-white" / "coffee.jpg"


def _predictor(network: str, objective: str) -> Predictor:
    """With random weights."""
    config = NetworkConfig(network, objective)
    return Predictor(Checkpoint(build_network(config).eval(), config, torch.full((313,), 1 / 313), 128), device="cpu")


def test_patches_follow_the_published_law() -> None:
    drawn = [draw_patches(np.random.default_rng(k), (128, 96), 0.3) for k in range(4000)]
    some = [d for d in drawn if d]
    assert len(some) / len(drawn) == pytest.approx(0.3, abs=0.03)
    assert np.mean([len(d) for d in some]) == pytest.approx(MEAN_NUMBER, rel=0.1)
    patches = np.array(list(itertools.chain(*some)))
    assert set(patches[:, 2]) == set(range(1, 10))
    assert (patches[:, :2] >= 0).all()
    assert (patches[:, 0] + patches[:, 2] <= 128).all()
    assert (patches[:, 1] + patches[:, 2] <= 96).all()
    middle = (patches[:, 0] + patches[:, 2] / 2) / 128
    assert middle.mean() == pytest.approx(0.5, abs=0.02)


def test_a_patch_shows_its_mean_color_and_nothing_else() -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (16, 12, 3), np.uint8)
    ab = rgb_to_lab(rgb)[..., 1:]
    planes = hint_planes(rgb, [(4, 6, 3)])
    assert planes.shape == (3, 16, 12)
    assert planes[2].sum() == 9
    assert planes[2, 4:7, 6:9].min() == 1
    assert planes[:2, 5, 7] == pytest.approx(ab[4:7, 6:9].mean((0, 1)) / 110, abs=1e-6)
    assert abs(planes[:2, 0, 0]).max() == 0
    assert abs(hint_planes(rgb, [])).max() == 0


def test_a_users_hint_keeps_its_place_and_size_on_the_networks_copy() -> None:
    hint = parse_hint((300, 100, 40, "#ff0000"))
    assert hint.ab == pytest.approx((80.1, 67.2), abs=0.1)  # of sRGB red
    planes = hint_planes_of([hint], (400, 600), (96, 160))
    rows, columns = (planes[0, 2] > 0).nonzero(as_tuple=True)
    assert (rows.float().mean().item() + 0.5) / 96 == pytest.approx(0.25, abs=0.01)
    assert (columns.float().mean().item() + 0.5) / 160 == pytest.approx(0.5, abs=0.01)
    assert planes[0, 2].mean().item() == pytest.approx(np.pi * 40**2 / (400 * 600), rel=0.1)
    assert planes[0, :, rows[0], columns[0]].tolist() == pytest.approx([80.1 / 110, 67.2 / 110, 1], abs=2e-3)
    point = hint_planes_of([Hint(((600, 400),), 0, (0, 0))], (400, 600), (96, 160))  # the lower right corner
    assert point[0, 2].sum() == point[0, 2, -1, -1] == 1


def test_a_later_hint_lies_over_an_earlier_one() -> None:
    planes = hint_planes_of([Hint(((5, 5),), 3, (10, 10)), Hint(((5, 5),), 1, (-20, 0))], (10, 10), (10, 10))
    assert planes[0, 0, 5, 5] * 110 == pytest.approx(-20)
    assert planes[0, 0, 5, 3] * 110 == pytest.approx(10)


def test_wrong_hints_are_one_sentence(colorizer: Colorizer) -> None:
    gray = np.full((40, 60), 100, np.uint8)
    bad: Any
    for bad in ((1, 2, 3), (1, 2, 3, "#12"), (1, 2, -3, "#123456"), (float("nan"), 2, 3, "red"), ("a", 2, 3, "red"), 7):
        with pytest.raises(UserError, match="hint"):
            colorizer(gray, hints=[bad])
    with pytest.raises(UserError, match="not on the photo, which is 60 x 40 pixels"):
        colorizer(gray, hints=[(61, 5, 3, "red")])
    assert colorizer(gray, hints=[(59, 39, 3, "red")]).shape == (40, 60, 3)


def test_no_hints_color_as_if_there_were_none(colorizer: Colorizer) -> None:
    assert np.array_equal(np.asarray(colorizer(COFFEE)), np.asarray(colorizer(COFFEE, hints=[])))


def test_a_hint_pulls_its_object_and_stops_at_its_edge(colorizer: Colorizer) -> None:
    """Blue given at one point of a space suit: the far side of the suit follows, wall, flag and shuttle don't."""
    gray = np.asarray(Image.open(EXAMPLES / "black-and-white" / "astronaut.jpg").convert("L"))
    before = rgb_to_lab(colorizer(gray))[..., 1:]
    after = rgb_to_lab(colorizer(gray, hints=[(150, 330, 8, "#2040a0")]))[..., 1:]
    change = np.linalg.norm(after - before, axis=-1)
    assert after[326:335, 146:155, 1].mean() < -15  # blue at the hint
    for far in (np.s_[370:400, 270:300], np.s_[400:450, 60:90]):
        assert after[far][..., 1].mean() < -15
    far_side = change[370:400, 270:300].mean()
    for around in (change[:80, 280:340], change[:250, :40], change[:220, 380:], change[110:170, 200:240]):
        assert far_side > 20 * around.mean()


def test_hints_keep_l(colorizer: Colorizer) -> None:
    gray = np.asarray(Image.open(COFFEE).convert("L"))
    colorized = colorizer(gray, hints=[(100, 100, 20, "#00ff00"), (200, 150, 20, "#ff00ff")])
    assert np.abs(lightness(colorized) - lightness(np.repeat(gray[..., None], 3, 2))).max() < 0.5


def test_alternatives_differ_and_keep_l(colorizer: Colorizer) -> None:
    likeliest = colorizer(COFFEE)
    others = colorizer.alternatives(COFFEE, 3)
    assert 1 <= len(others) <= 3
    all_of_them = [rgb_to_lab(np.asarray(p)) for p in (likeliest, *others)]
    for one, other in itertools.combinations(all_of_them, 2):
        assert ciede2000(one, other).mean() > LEAST_DIFFERENCE / 2  # measured at full size, after the filter
        assert np.abs(one[..., 0] - other[..., 0]).max() < 1
    assert isinstance(others[0], Image.Image)


def test_an_alternative_comes_with_the_hints_that_lead_to_it(colorizer: Colorizer) -> None:
    gray = np.asarray(Image.open(COFFEE).convert("RGB"))
    mine = (50, 60, 12, "#803010")
    for photo, hints in alternative_photos(colorizer.prepare(Photo(gray)), 2, hints=[mine]):
        assert hints[0] == parse_hint(mine)
        again = colorizer(gray, hints=hints)
        assert np.abs(again.astype(int) - photo.rgb).mean() < 0.5


def test_a_regression_knows_no_alternatives() -> None:
    plain = Colorizer(_predictor("skip_fusion", "regression"))
    gray = np.full((64, 64), 100, np.uint8)
    with pytest.raises(UserError, match="classification"):
        plain.alternatives(gray)
    paper = Predictor(_predictor("fusion", "classification").checkpoint, load_extractor("tf_efficientnet_lite0"))
    assert Colorizer(paper)(gray, hints=[(1, 1, 1, "red")]).shape == (64, 64, 3), "strokes hold whatever the network"
    with pytest.raises(UserError, match="can't be told of hints"):
        Colorizer(paper)(gray, hints=[Hint(((1, 1),), 1, (20, 20), influence=True)])


def test_an_error_names_the_photos_own_pixels() -> None:
    """A large photo is looked at in a smaller copy, whose numbers mean nothing to the user."""
    prepared = PreparedPhoto(_predictor("skip_fusion", "classification"), Photo(np.full((3000, 4000, 3), 90, np.uint8)))
    with pytest.raises(UserError, match=r"The hint at \(9999, 20\) is not on the photo, which is 4000 x 3000 pixels"):
        prepared.colorize(hints=[(9999, 20, 5, "red")])


def test_a_stroke_covers_what_its_brush_passes() -> None:
    hint = parse_hint({"points": [[10, 20], [70, 20], [70, 50]], "radius": 4, "color": "red"})
    covered = covered_by(hint, (60, 80), (60, 80))
    y, x = np.mgrid[:60, :80] + 0.5
    for row, column in ((20, 12), (17, 40), (23, 40), (35, 67), (49, 73)):
        assert covered[row, column]
    for row, column in ((26, 40), (14, 40), (35, 60), (58, 70), (20, 78)):
        assert not covered[row, column]
    disc = covered_by(parse_hint((30, 30, 6, "red")), (60, 80), (60, 80))
    assert np.array_equal(disc, (x - 30) ** 2 + (y - 30) ** 2 <= 36)
    thin = covered_by(parse_hint({"points": [[0, 0], [80, 60]], "radius": 0, "color": "red"}), (60, 80), (30, 40))
    assert thin.sum() >= 40, "a line without gaps"
    assert (np.diff(np.flatnonzero(thin.any(0))) == 1).all()


def test_a_users_strokes_stay_as_they_are_in_an_alternative(colorizer: Colorizer) -> None:
    stroke = {"points": [[60, 350], [200, 350], [300, 360]], "radius": 9, "color": "#4d6a8f"}
    photo = Photo(np.asarray(Image.open(COFFEE).convert("RGB")))
    plans = alternative_photos(colorizer.prepare(photo), 2, hints=[parse_hint(stroke)])
    for _, hints in plans:
        assert hints[0] == parse_hint(stroke)
        assert 1 < len(hints) <= 4
        assert parse_hints(as_strokes(hints))[0].points == hints[0].points

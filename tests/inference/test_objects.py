"""Strokes that color their objects: masks, colors, and strokes beside each other."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from colorizer import Colorizer, Settings, UserError
from colorizer.arrays import Array
from colorizer.color.difference import ciede2000
from colorizer.color.lab import lightness, rgb_to_lab
from colorizer.inference.alternatives import object_colors, object_pictures
from colorizer.inference.objects import ObjectFinder
from colorizer.inference.prepared import PreparedPhoto
from colorizer.inference.upsampling import guide_of
from colorizer.model.hints import Hint, as_strokes, parse_hint, parse_hints, read_hints
from colorizer.model.objects import KINDS, ObjectNetwork, distance_to, load_objects
from colorizer.pictures.photo import Photo

from ..conftest import EXAMPLES

SUIT = {"points": [[120, 370], [150, 440]], "radius": 8, "color": "#2040a0"}  # an astronaut's


@pytest.fixture(scope="module")
def astronaut(colorizer: Colorizer) -> PreparedPhoto:
    """In gray, 512 x 512."""
    gray = np.asarray(Image.open(EXAMPLES / "black-and-white" / "astronaut.jpg").convert("RGB"))
    return colorizer.prepare(Photo(gray))


def _lab(prepared: PreparedPhoto, hints: Sequence[object], settings: Settings | None = None) -> Array:
    return rgb_to_lab(prepared.colorize(settings, parse_hints(list(hints))).rgb)


def test_the_network_takes_any_size_and_any_number_of_strokes() -> None:
    network = ObjectNetwork().eval()
    with torch.no_grad():
        light = torch.rand(3, 1, 64, 96) * 2 - 1
        features, kinds = network.features(light)
        assert kinds.shape == (3, KINDS, 16, 24)
        stroke = torch.zeros(3, 1, 16, 24)
        stroke[:, :, 8, 12] = 1
        assert network(features, light, stroke).shape == (3, 1, 16, 24)
    assert load_objects() is load_objects()


def test_distance_is_in_long_sides() -> None:
    stroke = torch.zeros(1, 1, 20, 40)
    stroke[0, 0, 10, 5] = 0.5
    distance = distance_to(stroke)[0, 0]
    assert distance[10, 5] == 0
    assert distance[10, 25].item() == pytest.approx(20 / 40, rel=0.02)


def test_a_stroke_colors_its_object_and_leaves_the_rest_as_it_was(astronaut: PreparedPhoto) -> None:
    before, after = _lab(astronaut, []), _lab(astronaut, [SUIT])
    change = np.linalg.norm(after[..., 1:] - before[..., 1:], axis=-1)
    assert after[380:430, 120:150, 2].mean() < -20, "blue along the stroke"
    assert np.median(after[300:460, 80:200, 2]) < -15, "and all around it on the suit"
    for around in (change[:80, 280:340], change[:200, :60], change[:220, 400:], change[60:180, 180:280]):
        assert around.mean() < 1.5, "flag, shuttle and face"


def test_the_color_asked_for_is_the_color_seen(astronaut: PreparedPhoto) -> None:
    wanted = parse_hint(SUIT)
    assert wanted.ab is not None
    for saturation in (0.5, 2.0):
        lab = _lab(astronaut, [SUIT], Settings(saturation=saturation))
        seen = lab[380:430, 120:150].reshape(-1, 3)
        in_reach = (seen[:, 0] > 30) & (seen[:, 0] < 55)  # there sRGB holds that color
        asked = np.column_stack([seen[:, 0], np.tile(wanted.ab, (len(seen), 1))])
        assert np.median(ciede2000(seen[in_reach], asked[in_reach])) < 5, "whatever the saturation of the rest"


def test_l_is_kept_under_strokes(astronaut: PreparedPhoto) -> None:
    colorized = astronaut.colorize(hints=parse_hints([SUIT, (200, 100, 20, "#ff00ff")])).rgb
    assert np.abs(lightness(colorized) - lightness(astronaut.photo.rgb)).max() < 0.5


def test_strokes_beside_each_other_share_the_picture(astronaut: PreparedPhoto) -> None:
    face = {"points": [[225, 120], [225, 140]], "radius": 8, "color": "#d9a883"}
    first, second = _lab(astronaut, [SUIT, face]), _lab(astronaut, [face, SUIT])
    assert np.abs(first - second).max() < 1e-3, "whichever came first"
    assert first[380:430, 120:150, 2].mean() < -20
    assert first[115:145, 215:235, 1].mean() > 8


def test_a_protected_thing_keeps_its_color(astronaut: PreparedPhoto) -> None:
    protect = {"points": [[225, 100], [225, 150]], "radius": 12, "protect": True}
    everywhere = [{**SUIT, "reach": 1.0}]
    before = _lab(astronaut, [])
    spilled, kept = (
        np.linalg.norm(_lab(astronaut, hints)[90:160, 205:245, 1:] - before[90:160, 205:245, 1:], axis=-1).mean()
        for hints in (everywhere, [*everywhere, protect])
    )
    assert kept <= spilled
    assert kept < 0.5
    assert np.abs(_lab(astronaut, [protect]) - before).max() < 1e-3, "alone it changes nothing"


def test_reach_takes_in_more(astronaut: PreparedPhoto) -> None:
    finder = ObjectFinder(astronaut.guide, astronaut.size)
    sizes = [finder.mask(parse_hint({**SUIT, "reach": reach})).mean() for reach in (-1, 0, 1)]
    assert sizes[0] < sizes[1] < sizes[2]


def test_influence_is_asked_for(astronaut: PreparedPhoto) -> None:
    """Without it the network is not told, so that nothing changes beyond the mask; with it, it is."""
    plain, told = (parse_hint({**SUIT, "influence": on}) for on in (False, True))
    settings = Settings()
    assert astronaut.output(settings, [plain]) is astronaut.output(settings, [])
    assert not torch.equal(astronaut.output(settings, [told]), astronaut.output(settings, []))
    held, free = (_lab(astronaut, [{**SUIT, "influence": True, "hold": hold}]) for hold in (True, False))
    under = slice(380, 430), slice(120, 150)
    assert np.abs(_lab(astronaut, [SUIT])[under] - held[under]).mean() < 1, "its object has its color all the same"
    assert np.abs(free[under] - held[under]).mean() > 1, "unless that is left to the network"


def _data_url(share: Array) -> str:
    buffer = io.BytesIO()
    Image.fromarray((share * 255).astype(np.uint8)).save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def test_a_hint_may_be_an_area(astronaut: PreparedPhoto, tmp_path: Path) -> None:
    """Given as an array, a file, a file in a hints file, or a data URL; of any size."""
    half = np.zeros((64, 64), bool)
    half[32:] = True
    Image.fromarray(half).save(tmp_path / "half.png")
    (tmp_path / "a.hints.json").write_text('[{"mask": "half.png", "color": "#208020"}]')
    before, results = _lab(astronaut, []), []
    for mask in (half, tmp_path / "half.png", _data_url(half)):
        results.append(_lab(astronaut, [{"mask": mask, "color": "#208020"}]))
    results.append(_lab(astronaut, read_hints(tmp_path / "a.hints.json", ["a.jpg"])["a.jpg"]))
    green = parse_hint((1, 1, 1, "#208020")).ab
    in_reach = (before[270:, :, 0] > 40) & (before[270:, :, 0] < 55)
    for after in results:
        assert np.abs(after - results[0]).max() < 0.5
        assert np.abs(after[:240] - before[:240]).max() < 0.5, "nothing above"
        assert np.median(after[270:][in_reach][:, 1:], axis=0) == pytest.approx(green, abs=3)
    [again] = parse_hints(as_strokes(parse_hints([{"mask": half, "protect": True}])))
    assert again.area is not None
    assert np.array_equal(again.area.share, half)


def test_wrong_masks_are_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no picture")
    for mask, words in (
        ("half.png", "by name only in a hints file"),
        ("data:image/png;base64,AAAA", "not an image that can be read"),
        (tmp_path / "text.png", "not an image that can be read"),
        (tmp_path / "none.png", "not an image that can be read"),
        (np.full((4, 4), 7.0), "from 0 to 1"),
        (np.zeros((4, 4, 3)), "two axes"),
    ):
        with pytest.raises(UserError, match=words):
            parse_hint({"mask": mask, "color": "red"})


def test_colors_for_one_thing_differ_and_stay_on_it(astronaut: PreparedPhoto) -> None:
    place = parse_hint({"points": [[128, 400]], "radius": 8, "protect": True})
    offered = object_colors(astronaut, place)
    assert len(offered) == 6
    colors = np.array([hint.ab for hint in offered])
    apart = np.linalg.norm(colors[:, None] - colors, axis=-1)[~np.eye(6, dtype=bool)]
    assert apart.min() > 5
    assert all(hint.points == place.points and hint.hold and not hint.influence for hint in offered)
    shown = object_pictures(astronaut, place, 3, Settings(), [], astronaut.photo)
    assert [hint for hint, _ in shown] == offered[:3]
    assert all(max(small.rgb.shape) <= 200 for _, small in shown)
    means = [rgb_to_lab(small.rgb)[..., 1:].mean((0, 1)) for _, small in shown]
    assert np.linalg.norm(means[0] - means[1]) > 2


def test_a_color_that_cannot_be_shown_is_said() -> None:
    gray = np.full((64, 96, 3), 245, np.uint8)
    gray[:, 48:] = 120
    finder = ObjectFinder(guide_of(Photo(gray)), (64, 96))
    said = finder.not_shown(parse_hints([(70, 30, 5, "#a03030"), (20, 30, 5, "#a03030"), (20, 30, 5, "#f4f2f0")]))
    assert len(said) == 1
    assert said[0].startswith("Stroke 2: the photo is too light there")


def test_wrong_strokes_are_one_sentence() -> None:
    for wrong, words in (
        ({**SUIT, "reach": 3}, "between -1 and 1"),
        ({"points": [[1, 2]], "radius": 3, "protect": True, "influence": True}, "no color to influence"),
        ({"points": [[1, 2]], "radius": 3}, "no 'color'"),
        ({**SUIT, "hold": False}, "does nothing"),
    ):
        with pytest.raises(UserError, match=words):
            parse_hint(wrong)
    hints = parse_hints([{**SUIT, "reach": -0.5}, {"points": [[1, 2]], "radius": 3, "protect": True}])
    again = parse_hints(as_strokes(hints))
    assert [(h.points, h.reach, h.influence, h.ab is None) for h in again] == [
        (h.points, h.reach, h.influence, h.ab is None) for h in hints
    ]
    assert isinstance(again[0], Hint)


def test_the_guide_of_a_large_photo_has_masks_of_its_own_size() -> None:
    photo = Photo(np.full((1500, 2000, 3), 90, np.uint8))
    finder = ObjectFinder(guide_of(photo), (1500, 2000))
    assert finder.mask(parse_hint((1000, 700, 30, "red"))).shape == finder.guide.shape


def test_a_thing_of_which_a_part_is_known_is_found_whole(astronaut: PreparedPhoto) -> None:
    """As in the next frame of a film, where a part could not be followed."""
    guide = guide_of(astronaut.photo)
    finder = ObjectFinder(guide, astronaut.size)
    mask = finder.mask(parse_hint(SUIT))
    cover = mask.copy()
    cover[350:420, 100:190] = 0  # lost
    found = finder.whole(cover)
    assert found.shape == guide.shape
    lost = np.zeros(guide.shape, bool)
    lost[350:420, 100:190] = mask[350:420, 100:190] > 0.9
    assert found[lost].mean() > 0.8
    assert found[mask < 0.1].mean() < 0.15
    assert finder.whole(np.zeros((48, 48), np.float32)).max() == 0

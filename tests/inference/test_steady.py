"""Steady colors: known movements, colors that flicker, strokes that are carried, and shots that are gone on with."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from colorizer.arrays import Plane, resize
from colorizer.color.lab import lightness, rgb_to_lab
from colorizer.film.flow import standing
from colorizer.inference.steady import Known, Steadiness, carried_back, carried_paint, keys_of, over, steady_colors

from ..film.made import pan

_FRAMES = 40


@dataclass
class _Frame:
    number: int
    light: Plane
    ab: Plane


def _frames(step: float = 1) -> list[_Frame]:
    """A pan; `ab` is what is true of it."""
    return [_Frame(k, lightness(rgb), rgb_to_lab(rgb)[..., 1:]) for k, rgb in enumerate(pan(5, _FRAMES, step))]


def _few(ab: Plane) -> Plane:
    """As a network says it: at a quarter of the size."""
    return np.asarray(resize(ab, ab.shape[1] // 4, ab.shape[0] // 4), np.float32)


def _flickering(frame: _Frame) -> Plane:
    """The truth, and an error of its own for each frame."""
    error = np.random.default_rng(frame.number).normal(0, 8, 2).astype(np.float32)
    return _few(frame.ab) + error


def test_what_does_not_flicker_stays_as_it_is() -> None:
    constant = np.full((24, 32, 2), (20, -10), np.float32)
    for steady in steady_colors(_frames(), lambda frame: constant):
        assert np.allclose(steady.ab, (20, -10), atol=1e-3)


def test_flickering_colors_become_steady_and_truer() -> None:
    frames = _frames()
    steady = list(steady_colors(frames, _flickering))
    assert [s.frame.number for s in steady] == list(range(_FRAMES))

    def change(planes: list[Plane]) -> float:  # along the movement, of a pixel a frame
        return float(np.mean([np.abs(b[:, :-1] - a[:, 1:]).mean() for a, b in itertools.pairwise(planes)]))

    def error(planes: list[Plane]) -> float:
        return float(np.mean([np.abs(p - f.ab).mean() for p, f in zip(planes, frames, strict=True)]))

    alone = [s.ab for s in steady_colors(frames, _flickering, Steadiness(every=1, memory=0, ahead=0))]
    together = [s.ab for s in steady]
    assert change(together) < 0.25 * change(alone)
    assert error(together) < 0.8 * error(alone)


def test_keys_lie_where_they_must() -> None:
    keys = list(keys_of(_frames(), Steadiness(every=8, lost=1), must=lambda number: number in (3, 20)))
    assert [key.frames[0].number for key in keys] == [0, 3, 11, 19, 20, 28, 36]
    assert [frame.number for key in keys for frame in key.frames] == list(range(_FRAMES))
    fast = list(keys_of(_frames(step=12), Steadiness(every=100, lost=0.2)))
    assert len(fast) > 5  # what has left the picture can't be followed


def test_a_shot_is_gone_on_with_as_if_it_had_not_been_interrupted() -> None:
    frames = _frames()
    whole = list(steady_colors(frames, _flickering, must=lambda number: number == 21))
    known = whole[21].known
    assert known is not None
    rest = list(steady_colors(frames[21:], _flickering, before=known))
    for one, other in zip(whole[21:], rest, strict=True):
        assert np.array_equal(one.ab, other.ab)


def _square(frame: _Frame, left: int) -> Plane:
    """Painted: a square in red, at the L that is there."""
    painted = np.zeros((*frame.light.shape, 4), np.float32)
    area = slice(30, 60), slice(left, left + 30)
    painted[area] = 1, 60, 40, 50
    return painted


def test_what_is_painted_goes_with_the_picture() -> None:
    """By a pixel a frame, to the left."""
    frames = _frames()
    gray = np.zeros((24, 32, 2), np.float32)
    painted = {0: _square(frames[0], 60)}
    steady = list(steady_colors(frames, lambda frame: gray, strokes=painted))
    for number in (10, 30):
        paint = steady[number].painted
        assert paint is not None
        inside = paint[36:54, 66 - number : 84 - number]
        assert inside[..., 0].mean() > 0.85
        assert np.allclose(inside[..., 1].sum() / inside[..., 0].sum(), 60, atol=0.5)
        assert paint[:20, :, 0].max() < 0.1
        assert paint[36:54, 110:, 0].max() < 0.1


def test_a_frame_that_is_painted_on_speaks_no_louder_for_the_rest_unless_the_network_was_told() -> None:
    frames, told = _frames(), 16
    painted = {told: _square(frames[told], 40)}

    def colors(frame: _Frame) -> Plane:  # another color at that frame alone
        return np.full((24, 32, 2), (50, 0) if frame.number == told else (0, 0), np.float32)

    def found(**more: object) -> list[Plane]:
        return [s.ab for s in steady_colors(frames, colors, must=lambda number: number == told, **more)]  # type: ignore[arg-type]

    plain, stroked, informed = found(), found(strokes=painted), found(strokes=painted, told={told})
    for one, other in zip(plain, stroked, strict=True):
        assert np.array_equal(one, other)
    assert plain[told][..., 0].mean() < 15
    assert informed[told][..., 0].mean() > 30


def test_what_is_painted_later_holds_before() -> None:
    frames = _frames()
    keys = list(keys_of(frames[:33], Steadiness(), must=lambda number: number == 32))
    assert keys[-1].frames[0].number == 32
    behind = carried_back(reversed(keys), _square(frames[32], 40))
    assert set(behind) == {key.frames[0].number for key in keys[:-1]}
    assert behind[0][36:54, 78:96, 0].mean() > 0.8  # 32 pixels to the right
    assert behind[0][36:54, :40, 0].max() < 0.1


def test_one_thing_painted_over_another() -> None:
    frame = _frames()[0]
    upper, lower = _square(frame, 40), _square(frame, 50)
    lower[..., 1] *= -1
    both = over(upper, lower)
    assert both is not None
    assert both[40, 45, 1] == 60
    assert both[40, 75, 1] == -60
    assert over(None, None) is None
    assert over(upper, None) is upper
    still = carried_paint(upper, standing(frame.light), frame)
    assert still is not None
    assert np.abs(still[35:55, 45:65, 0] - 1).max() < 0.05
    assert carried_paint(None, standing(frame.light), frame) is None


def test_few_frames_wait() -> None:
    """However long a shot is."""
    taken = 0

    def counted() -> Iterator[_Frame]:
        nonlocal taken
        for frame in _frames() * 3:
            taken += 1
            yield _Frame(taken - 1, frame.light, frame.ab)

    most = 0
    steadiness = Steadiness(every=4, ahead=2)
    for given, _ in enumerate(steady_colors(counted(), lambda frame: _few(frame.ab), steadiness), 1):
        most = max(most, taken - given)
    assert taken == 3 * _FRAMES
    assert most <= (steadiness.ahead + 2) * steadiness.every


def test_what_is_known_can_be_said_without_paint() -> None:
    known = Known(np.zeros((4, 4, 2), np.float32), np.ones((4, 4), np.float32))
    assert known.painted is None

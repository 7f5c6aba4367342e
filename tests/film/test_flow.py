"""Movement between frames, and cuts: known movements, and what is hidden."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from colorizer.arrays import Plane
from colorizer.color.lab import lightness
from colorizer.film.flow import FlowFinder, Step, joined, small_copy, standing, warp
from colorizer.film.shots import CutFinder

from .made import pan


def _texture(seed: int, height: int = 120, width: int = 160) -> Plane:
    noise = np.random.default_rng(seed).normal(0, 1, (height, width)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 3)
    return np.asarray(50 + 15 * smooth / smooth.std(), np.float32)


@pytest.mark.parametrize(("x", "y"), [(3, 0), (0, -2), (5, 4)])
def test_a_known_movement_is_found_both_ways(x: int, y: int) -> None:
    """The second frame shows what the first does, moved by (x, y)."""
    first = _texture(1)
    second = np.roll(first, (y, x), (0, 1))
    there, back = FlowFinder().steps(first, second)
    inner = slice(20, -20), slice(20, -20)
    assert np.abs(there.flow[inner] - (x, y)).mean() < 0.2
    assert np.abs(back.flow[inner] + (x, y)).mean() < 0.2
    assert there.seen[inner].mean() > 0.98
    assert np.abs(warp(second, there.flow) - first)[inner].mean() < 1  # of L


def test_flickering_exposure_has_not_moved() -> None:
    first = _texture(2)
    _, back = FlowFinder().steps(first, np.asarray(first * 0.8 + 6, np.float32))
    assert np.abs(back.flow).mean() < 0.1


def test_what_a_thing_uncovers_was_not_seen() -> None:
    """A square moves over what stands still: behind it lies what no frame before shows."""
    ground, square = _texture(3), _texture(4)[:40, :40]
    first, second = ground.copy(), ground.copy()
    first[40:80, 40:80] = square
    second[40:80, 52:92] = square
    _, back = FlowFinder().steps(first, second)
    assert back.seen[45:75, 42:50].mean() < 0.5  # uncovered
    assert back.seen[45:75, 58:86].mean() > 0.9  # of the square
    assert back.seen[5:30].mean() > 0.95  # of the ground


def test_ways_that_are_joined() -> None:
    """Two steps of (2, 1) and of (-1, 3) are one of (1, 4); what is hidden on either is hidden."""
    size = (32, 40)
    one = Step(np.full((*size, 2), (2, 1), np.float32), np.ones(size, np.float32))
    other = Step(np.full((*size, 2), (-1, 3), np.float32), np.ones(size, np.float32))
    other.seen[10, 10] = 0
    both = joined(one, other)
    assert np.allclose(both.flow, (1, 4))
    assert both.seen[9, 8] == 0  # which the first step brings to (10, 10)
    assert np.allclose(joined(standing(other.seen), other).flow, other.flow)


def test_cuts_are_found_and_nothing_else() -> None:
    """Three shots, with grain and flickering exposure."""
    frames = [rgb for seed in (1, 2, 3) for rgb in pan(seed, 12, 2)]
    random = np.random.default_rng(0)
    finder = CutFinder()
    begins = []
    for k, rgb in enumerate(frames):
        light = lightness(rgb) * np.float32(1 + random.normal(0, 0.03))
        light = np.asarray(light + random.normal(0, 2, light.shape), np.float32).clip(0, 100)
        if finder.begins(small_copy(light)):
            begins.append(k)
    assert begins == [0, 12, 24]


def test_small_copies() -> None:
    assert small_copy(np.zeros((480, 640), np.float32)).shape == (192, 256)
    assert small_copy(np.zeros((100, 60), np.float32)).shape == (100, 60)
    assert max(small_copy(np.zeros((50, 4000), np.float32)).shape) == 768

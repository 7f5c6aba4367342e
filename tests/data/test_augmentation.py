"""What is done to training pictures: L made old, one thing recolored."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from colorizer.color.lab import lightness, rgb_to_lab
from colorizer.data.crops import CropDataset
from colorizer.data.degradation import degrade
from colorizer.data.hint_sampling import draw_patches_within
from colorizer.data.recoloring import LARGEST, SMALLEST, recolor
from colorizer.data.scan import scan_pictures
from colorizer.pictures.sources import open_source

from ..conftest import draw_photo


def _light(seed: int) -> np.ndarray:
    return lightness(np.asarray(draw_photo(seed, (128, 112))))


def test_degraded_l_stays_l_and_is_the_same_for_the_same_draw() -> None:
    for k in range(40):
        light = _light(k)
        old = degrade(light, np.random.default_rng(k))
        assert (old.shape, old.dtype) == (light.shape, np.float32)
        assert 0 <= old.min() <= old.max() <= 100
        assert np.array_equal(old, degrade(light, np.random.default_rng(k)))


def test_degradation_does_each_of_its_faults() -> None:
    """Over many draws there are softer, noisier, flatter, darker and lighter pictures, and the scene is still there."""
    light = _light(3)

    def detail(x: np.ndarray) -> float:
        return float(np.abs(cv2.Laplacian(x / max(x.std(), 1e-6), cv2.CV_32F)).mean())

    drawn = [degrade(light, np.random.default_rng(k)) for k in range(200)]
    details = np.array([detail(x) for x in drawn]) / detail(light)
    contrasts = np.array([x.std() for x in drawn]) / light.std()
    means = np.array([x.mean() for x in drawn]) - light.mean()
    assert (details < 0.8).any()
    assert (details > 1.2).any()
    assert (contrasts < 0.7).any()
    assert means.min() < -8
    assert means.max() > 8
    likeness = [np.corrcoef(light.ravel(), x.ravel())[0, 1] for x in drawn]
    assert np.quantile(likeness, 0.1) > 0.7


def test_recoloring_changes_one_region_to_one_color() -> None:
    done = 0
    for k in range(30):
        rgb = np.asarray(draw_photo(k, (128, 128)))
        found = recolor(rgb, np.random.default_rng(k))
        if found is None:
            continue
        done += 1
        colorized, mask = found
        assert SMALLEST <= mask.mean() <= LARGEST
        away = cv2.dilate(mask.astype(np.uint8), np.ones((9, 9))) == 0
        assert np.abs(colorized[away].astype(int) - rgb[away]).max(initial=0) <= 2
        shift = np.linalg.norm(rgb_to_lab(colorized)[mask][:, 1:] - rgb_to_lab(rgb)[mask][:, 1:], axis=-1)
        assert shift.mean() > 3
    assert done > 15


def test_nothing_is_recolored_where_there_is_no_region() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    assert recolor(noise, np.random.default_rng(0)) is None


def test_patches_within_a_region_have_their_middle_there() -> None:
    mask = np.zeros((40, 50), bool)
    mask[30:, 45:] = True
    for k in range(50):
        patches = draw_patches_within(np.random.default_rng(k), mask)
        assert 1 <= len(patches) <= 3
        for top, left, side in patches:
            assert mask[top : top + side, left : left + side].any()
            assert 0 <= top <= 40 - side
            assert 0 <= left <= 50 - side


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_only_the_l_that_the_network_sees_is_degraded(share: float, photo_folder: Path) -> None:
    source = open_source(str(photo_folder))
    pictures = scan_pictures(source).pictures[:6]
    clean, old = (CropDataset(source, pictures, 64, seed=1, degrade=d) for d in (0.0, share))
    for index in range(6):
        a, b = clean[(0, index)], old[(0, index)]
        assert a.rgb.equal(b.rgb)
        assert a.lightness.equal(b.lightness) == (share == 0)
        true = lightness(a.rgb.permute(1, 2, 0).numpy())
        assert torch.allclose(a.lightness[0], torch.from_numpy(true))


def test_samples_bring_their_hints(photo_folder: Path) -> None:
    source = open_source(str(photo_folder))
    pictures = scan_pictures(source).pictures
    without, with_hints = (CropDataset(source, pictures, 64, hinted=h) for h in (None, 0.5))
    assert all(without[(0, k)].hints.shape == (0,) for k in range(24))
    known = [int(with_hints[(e, k)].hints[2].sum()) for e in range(3) for k in range(24)]  # pixels
    assert known.count(0) > 15
    assert max(known) > 200
    assert with_hints[(1, 5)].hints.equal(with_hints[(1, 5)].hints)
    plain = [with_hints[(e, k)].rgb.equal(without[(e, k)].rgb) for e in range(3) for k in range(24)]
    assert 0 < plain.count(False) < 25  # some have something recolored
    validation = CropDataset(source, pictures, 64, augment=False, hinted=0.5)
    assert validation[(0, 0)].hints.shape == (0,)

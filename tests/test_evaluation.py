"""Metrics: known values, and against independent implementations."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from skimage.metrics import mean_squared_error, peak_signal_noise_ratio, structural_similarity

from colorizer import Colorizer, UserError, report
from colorizer.color import lab_to_rgb, rgb_to_lab
from colorizer.evaluation import (
    METRICS,
    Evaluation,
    TestSet,
    auc,
    colorfulness,
    evaluate,
    grey_picture,
    measure,
    mse,
    psnr,
    ssim,
)

from .conftest import EXAMPLES, ROOT, draw_photo


@pytest.fixture
def pair() -> tuple[np.ndarray, np.ndarray]:
    true = np.asarray(draw_photo(7, (90, 70)))
    noise = np.random.default_rng(0).normal(0, 20, true.shape)
    return np.clip(true + noise, 0, 255).astype(np.uint8), true


def test_against_independent_implementations(pair: tuple[np.ndarray, np.ndarray]) -> None:
    x, y = pair
    assert mse(x, y) == pytest.approx(mean_squared_error(x, y), abs=1e-9)
    assert psnr(mse(x, y)) == pytest.approx(peak_signal_noise_ratio(y, x), abs=1e-9)
    expected = structural_similarity(
        x, y, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255, channel_axis=-1
    )
    assert ssim(x, y) == pytest.approx(expected, abs=1e-9)


def test_identical_pictures(pair: tuple[np.ndarray, np.ndarray]) -> None:
    found = measure(pair[1], pair[1])
    assert list(found) == list(METRICS)
    zero = {"mse_ab", "mse_rgb", "ciede2000", "colorfulness_difference"}
    assert all(found[m] == 0 for m in zero)
    assert found["psnr"] == 100
    assert found["ssim"] == pytest.approx(1)
    assert found["auc"] == pytest.approx(100)


def test_a_constant_offset_in_ab() -> None:
    lab = np.full((20, 20, 3), (60, 5, 5), np.float32)
    shifted = lab + np.array([0, 6, -8], np.float32)
    found = measure(lab_to_rgb(shifted, np.uint8), lab_to_rgb(lab, np.uint8))
    assert found["mse_ab"] == pytest.approx((36 + 64) / 2, rel=0.05)
    assert found["auc"] == pytest.approx(100 * (151 - 10) / 151, abs=0.5)


def test_auc_known_values() -> None:
    assert auc(np.zeros(5)) == 100
    assert auc(np.full(5, 151.0)) == 0
    assert auc(np.array([0.0, 1000.0])) == 50
    assert auc(np.array([75.0])) == pytest.approx(100 * 76 / 151)


def test_colorfulness_known_values() -> None:
    assert colorfulness(np.full((4, 4, 3), 90, np.uint8)) == 0
    half = np.zeros((2, 2, 3), np.uint8)
    half[0, :, 0] = 100  # rg is 100 or 0, yb is 50 or 0
    assert colorfulness(half) == pytest.approx(np.hypot(50, 25) + 0.3 * np.hypot(50, 25))


def test_grey_keeps_l_and_loses_colour(pair: tuple[np.ndarray, np.ndarray]) -> None:
    grey = grey_picture(pair[1])
    assert np.abs(rgb_to_lab(grey)[..., 0] - rgb_to_lab(pair[1])[..., 0]).max() < 0.5
    assert colorfulness(grey) < 0.5


def test_one_wrong_picture_among_many(pair: tuple[np.ndarray, np.ndarray]) -> None:
    evaluation = Evaluation()
    for k in range(9):
        evaluation.update(f"{k}", pair[1], pair[1])
    evaluation.update("wrong", *pair)
    summary = evaluation.compute()
    assert summary["pictures"] == 10
    assert summary["metrics"]["mse_rgb"] == pytest.approx(mse(*pair) / 10)
    assert summary["grey"]["mse_rgb"] == pytest.approx(mse(grey_picture(pair[1]), pair[1]))
    with pytest.raises(UserError):
        Evaluation().compute()


def test_a_set_with_its_reports() -> None:
    colorizer = Colorizer.from_pretrained(device="cpu")
    evaluation, worst = Evaluation(), report.WorstPictures(keep=3)
    test_set = TestSet.open(str(EXAMPLES / "color"))
    for measured in evaluate(colorizer, test_set, evaluation):
        assert measured.painted.shape == measured.true.shape == measured.grey.shape
        worst.update(measured)
    summary = evaluation.compute()
    assert summary["pictures"] == 5
    errors = [r.metrics["mse_rgb"] for _, r in worst.compute()]
    assert errors == sorted((r.metrics["mse_rgb"] for r in evaluation.results), reverse=True)[:3]
    page = report.as_html(summary, {"checkpoint": "<b>x</b>"}, worst)
    assert page.count("data:image/jpeg;base64,") == 3
    assert "&lt;b&gt;" in page
    assert "http" not in page
    rows = list(csv.DictReader(report.as_csv(evaluation).splitlines()))
    assert [float(r["mse_ab"]) for r in rows] == [r.metrics["mse_ab"] for r in evaluation.results]


def test_the_command_line_measures_and_writes(tmp_path: Path) -> None:
    outputs = {kind: tmp_path / f"out.{kind}" for kind in ("json", "csv", "html")}
    arguments = [f"--{kind}={path}" for kind, path in outputs.items()]
    done = subprocess.run(
        [sys.executable, str(ROOT / "evaluate.py"), "--data", str(EXAMPLES / "color"), "--limit=2", *arguments],
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    figures = json.loads(outputs["json"].read_text())
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["2", "pictures", "coloured", "grey"]
    assert lines[1].split()[-2:] == [f"{figures[p]['mse_ab']:.2f}" for p in ("metrics", "grey")]
    assert len(figures["per_picture"]) == 2
    assert outputs["html"].read_text().startswith("<!doctype html>")
    missing = subprocess.run(
        [sys.executable, str(ROOT / "evaluate.py"), "--data", str(tmp_path / "none")],
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert missing.returncode == 2
    assert "Traceback" not in missing.stderr
    nowhere = subprocess.run(
        [sys.executable, str(ROOT / "evaluate.py"), "--data", str(EXAMPLES / "color"), "--limit=1",
         "--json", str(outputs["csv"] / "below" / "a.json")],
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert nowhere.returncode == 2
    assert "can't be written" in nowhere.stderr
    assert "Traceback" not in nowhere.stderr

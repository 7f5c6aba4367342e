"""Training: a run on disk, killed and resumed, stopped and resumed, on one process and on two."""

from __future__ import annotations

import itertools
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from colorizer.errors import UserError
from colorizer.model.checkpoints import load_checkpoint
from colorizer.model.pretrained import build_backbone, load_backbone
from colorizer.training.config import TrainingConfig, TrainingOptions
from colorizer.training.estimate import estimate
from colorizer.training.optim import learning_rate_factor
from colorizer.training.runs import Run, start
from colorizer.training.signals import StopRequest
from colorizer.training.train import train
from colorizer.training.trainer import Trainer

from ..conftest import ROOT, wait_until, write_shards

SMALL = [
    "--size=32",
    "--batch-size=4",
    "--workers=0",
    "--validation=0.2",
    "--log-every=1",
    "--save-every=2",
    "--device=cpu",
]


_FROZEN = "whole.extractor.backbone."


def _train_py(*arguments: str, **options: Any) -> subprocess.Popen[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, str(ROOT / "train.py"), *arguments], env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options,
    )  # fmt: skip


def _run_train_py(*arguments: str) -> str:
    process = _train_py(*arguments)
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output
    return output


def _wait_for_step(run: Run, step: int, process: subprocess.Popen[str]) -> None:
    until = time.monotonic() + 120
    while time.monotonic() < until and process.poll() is None:
        if any(m["step"] >= step for m in run.metrics()):
            return
        time.sleep(0.01)
    raise AssertionError(f"step {step} was not reached: {process.communicate()[0]}")


def _same_weights(a: Path, b: Path) -> bool:
    x, y = (load_file(p / "best.safetensors") for p in (a, b))
    states = [torch.load(p / "last.pt", weights_only=True)["network"] for p in (a, b)]
    return all(torch.equal(x[k], y[k]) for k in x) and all(torch.equal(v, states[1][k]) for k, v in states[0].items())


def _config(data: Path, output: Path, **changes: Any) -> TrainingConfig:
    settings: dict[str, Any] = {
        "epochs": 1, "size": 32, "batch_size": 8, "workers": 0, "validation": 0.2, "log_every": 1, "device": "cpu"
    }  # fmt: skip
    return TrainingOptions(str(data), str(output), **{**settings, **changes}).resolve()


@pytest.mark.parametrize("objective", ["regression", "classification"])
@pytest.mark.parametrize("network", ["fusion", "skip_fusion"])
def test_every_network_learns_both_objectives(network: str, objective: str, photo_folder: Path, tmp_path: Path) -> None:
    lines: list[str] = []
    config = _config(photo_folder, tmp_path / "run", network=network, objective=objective, epochs=3)
    assert train(config, log=lines.append)
    run = Run(tmp_path / "run")
    metrics = run.metrics()
    epochs = [m for m in metrics if m["event"] == "epoch"]
    steps = [m for m in metrics if m["event"] == "step"]
    assert len(epochs) == 3
    assert epochs[0]["gray_crop_mse_ab"] > 0
    assert steps[-1]["loss"] < steps[0]["loss"]
    assert {"crop_mse_ab", "crop_mse_rgb", "gray_crop_mse_rgb"} <= epochs[0].keys()
    assert "less_bundled" not in epochs[0], "too few pictures to say which is better"
    assert len(run.previews()) == 3
    assert run.outcome().state == "finished"
    checkpoint = load_checkpoint(tmp_path / "run")
    assert (checkpoint.config.network, checkpoint.config.objective) == (network, objective)
    assert checkpoint.info["training"]["epochs"] >= 1
    assert "24 pictures" in lines[0]


def test_a_run_is_told_from_the_bundled_network(photo_folder: Path, tmp_path: Path) -> None:
    """By its error on the same pictures."""
    settings: dict[str, Any] = {"size": 64, "validation": 0.4, "epochs": 1, "batch_size": 4}
    same, fresh = tmp_path / "same", tmp_path / "fresh"
    assert train(_config(photo_folder, same, init="bundled", learning_rate=1e-12, **settings), log=lambda line: None)
    assert train(_config(photo_folder, fresh, **settings), log=lambda line: None)
    (a,), (b,) = ([m for m in Run(run).metrics() if m["event"] == "epoch"] for run in (same, fresh))
    bundled = [run["crop_mse_ab"] - run["less_bundled"] for run in (a, b)]
    assert bundled[0] == pytest.approx(bundled[1], rel=1e-5)
    assert a["crop_mse_ab"] < b["crop_mse_ab"]
    assert b["less_bundled_low"] < b["less_bundled"] < b["less_bundled_high"]


def test_a_killed_run_resumes_to_the_same_weights(photo_folder: Path, tmp_path: Path) -> None:
    settings = ["--data", str(photo_folder), "--epochs=3", *SMALL]
    _run_train_py(*settings, "--output", str(tmp_path / "unbroken"))
    run = Run(tmp_path / "killed")
    process = _train_py(*settings, "--output", str(run.folder))
    _wait_for_step(run, 7, process)  # in the middle of the second epoch of 4 or 5 steps
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert run.outcome().state == "killed"
    _run_train_py("--resume", str(run.folder))
    assert _same_weights(tmp_path / "unbroken", run.folder)
    logged = [[(m["event"], m["step"]) for m in r.metrics()] for r in (run, Run(tmp_path / "unbroken"))]
    assert [m for m in logged[0] if m[0] != "start"] == [m for m in logged[1] if m[0] != "start"]
    assert [step for event, step in logged[0] if event == "start"] == [0, 6]


def test_a_finish_before_a_discriminator_resumes_to_the_same_weights(
    photo_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("colorizer.training.trainer._JUDGES_START", 2)
    whole, halves, plain = (tmp_path / name for name in ("whole", "halves", "plain"))
    for run, weight in ((whole, 0.5), (plain, 0.0)):
        assert train(_config(photo_folder, run, epochs=2, adversarial=weight), log=lambda line: None)
    epoch = Trainer._epoch
    monkeypatch.setattr(Trainer, "_epoch", lambda self, k, stop: k == 0 and epoch(self, k, stop))
    config = _config(photo_folder, halves, epochs=2, adversarial=0.5)
    assert not train(config, log=lambda line: None)
    monkeypatch.setattr(Trainer, "_epoch", epoch)
    assert train(config, resume=True, log=lambda line: None)
    assert _same_weights(whole, halves)
    assert not _same_weights(whole, plain)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_saves_and_says_how_to_resume(number: int, photo_folder: Path, tmp_path: Path) -> None:
    """It reaches the whole group, as from a terminal, timeout, systemd or SLURM: those that decode pictures, too."""
    run = Run(tmp_path / "run")
    settings = ["--data", str(photo_folder), "--epochs=400", *SMALL, "--workers=2", "--output", str(run.folder)]
    process = _train_py(*settings, start_new_session=True)
    _wait_for_step(run, 3, process)
    os.killpg(process.pid, number)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert f"python train.py --resume {run.folder}" in output
    assert "Traceback" not in output
    state = run.load_state()
    assert state["step"] == run.metrics()[-1]["step"]
    assert not list(run.folder.glob(".*.tmp"))


def test_a_signal_that_a_launcher_hands_on_is_the_same_wish(monkeypatch: pytest.MonkeyPatch) -> None:
    """torchrun sends it to processes which have had it from the terminal: they must still save."""
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    stop = StopRequest()
    with stop.listening():
        assert not stop.asked
        signal.raise_signal(signal.SIGINT)
        assert stop.asked
        now[0] += 1
        signal.raise_signal(signal.SIGTERM)
        now[0] += 5
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


@pytest.mark.slow
def test_a_run_killed_at_6_random_moments_ends_with_the_same_weights(photo_folder: Path, tmp_path: Path) -> None:
    settings = ["--data", str(photo_folder), "--epochs=24", *SMALL]
    _run_train_py(*settings, "--output", str(tmp_path / "unbroken"))
    run, rng = Run(tmp_path / "killed"), random.Random(20)
    resumed = 0
    for kill in range(6):
        begin = ["--resume", str(run.folder)] if (run.folder / "last.pt").exists() else None
        resumed += begin is not None
        if begin is None:
            shutil.rmtree(run.folder, ignore_errors=True)
        process = _train_py(*(begin or [*settings, "--output", str(run.folder)]))
        if kill % 4:  # while it learns, validates or saves, after it saved for the first time; else while it starts
            before = (run.folder / "last.pt").stat().st_mtime_ns if begin else 0
            until = time.monotonic() + 120
            while time.monotonic() < until and process.poll() is None:
                if (run.folder / "last.pt").exists() and (run.folder / "last.pt").stat().st_mtime_ns > before:
                    break
                time.sleep(0.005)
            time.sleep(rng.uniform(0, 0.5))
        else:
            time.sleep(rng.uniform(0, 5))
        process.kill()
        process.communicate()
        run.metrics()  # never half a line
        if (run.folder / "last.pt").exists():
            assert torch.load(run.folder / "last.pt", weights_only=True)["step"] >= 0  # never half a file
        if (run.folder / "best.safetensors").exists():
            load_checkpoint(run.folder)
    assert resumed > 2
    if run.outcome().state != "finished":
        _run_train_py("--resume", str(run.folder))
    assert _same_weights(tmp_path / "unbroken", run.folder)


def test_runs_on_one_device_wait_for_each_other(photo_folder: Path, tmp_path: Path) -> None:
    first, second = (Run(tmp_path / name) for name in ("first", "second"))
    settings = ["--data", str(photo_folder), *SMALL]
    start(first.folder, [*settings, "--epochs=4000", "--output", str(first.folder)])
    try:
        wait_until(lambda: bool(first.metrics()))
        start(second.folder, [*settings, "--epochs=1", "--output", str(second.folder)])
        wait_until(lambda: second.outcome().state == "waiting")
        assert "waits for its turn" in second.log_tail()
        with pytest.raises(UserError, match="A run is using the cpu"):
            estimate(_config(photo_folder, tmp_path / "none"))
        with pytest.raises(UserError, match="still going"):
            first.delete()
        first.stop()
        wait_until(lambda: second.outcome().state == "finished")
        assert first.outcome().state == "stopped"
        assert first.outcome().reason == ""
        second.delete()
        assert not second.folder.exists()
    finally:
        for run in (first, second):
            if (pid := run.process()) is not None:
                os.kill(pid, signal.SIGKILL)


def test_a_run_that_died_says_why(photo_folder: Path, tmp_path: Path) -> None:
    killed = Run(tmp_path / "killed")
    start(killed.folder, ["--data", str(photo_folder), *SMALL, "--epochs=4000", "--output", str(killed.folder)])
    wait_until(lambda: len(killed.metrics()) > 5)
    assert killed.outcome() == ("running", "")
    pid = killed.process()
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: killed.process() is None)
    assert "killed" in killed.outcome().reason
    wrong = Run(tmp_path / "wrong")
    start(wrong.folder, ["--data", str(tmp_path / "nowhere"), *SMALL, "--output", str(wrong.folder)])
    wait_until(lambda: wrong.process() is None)
    assert wrong.outcome().state == "failed"
    assert "There is no folder or zip file" in wrong.outcome().reason


@pytest.mark.parametrize(
    "error",
    [torch.OutOfMemoryError("CUDA out of memory"), MemoryError(), RuntimeError("can't allocate memory: 9 bytes")],
)
def test_out_of_memory_is_named(
    error: Exception, photo_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise error

    monkeypatch.setattr(Trainer, "_step", fails)
    with pytest.raises(UserError, match="Memory ran out"):
        train(_config(photo_folder, tmp_path / "run"), log=lambda line: None)


@pytest.mark.parametrize("network", ["skip_fusion", "fusion"])
def test_the_time_is_estimated_without_a_run(network: str, photo_folder: Path, tmp_path: Path) -> None:
    config = _config(photo_folder, tmp_path / "run", network=network, epochs=7)
    time_needed = estimate(config, steps=2)
    assert time_needed.steps == 7 * 2  # 19 pictures to learn from, in batches of 8
    assert time_needed.step > 0
    assert 0 <= time_needed.data_share <= 1
    assert time_needed.seconds == pytest.approx(
        time_needed.preparing + time_needed.steps * time_needed.step + 7 * time_needed.validating
    )
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
@pytest.mark.parametrize("shards", [False, True])
def test_two_processes_learn_what_one_learns(shards: bool, photo_folder: Path, tmp_path: Path) -> None:
    data = str(photo_folder)
    if shards:
        write_shards(photo_folder, tmp_path / "shards", 3)
        data = str(tmp_path / "shards" / "*.tar")
    settings = ["--data", data, "--epochs=1", "--network=fusion", "--precision=fp32", *SMALL]
    _run_train_py(*settings, "--output", str(tmp_path / "one"))
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    launched = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node=2", "--standalone",
         str(ROOT / "train.py"), *settings, "--output", str(tmp_path / "two")],
        env=environment, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert launched.returncode == 0, launched.stdout + launched.stderr
    assert launched.stdout.count("Done.") == 1
    one, two = (Run(tmp_path / name).metrics() for name in ("one", "two"))
    assert (one[0]["processes"], two[0]["processes"]) == (1, 2)
    assert [m["step"] for m in one] == [m["step"] for m in two]
    assert two[-1]["crop_mse_ab"] == pytest.approx(one[-1]["crop_mse_ab"], rel=1e-3)
    losses = [[m["loss"] for m in metrics if m["event"] == "step"] for metrics in (one, two)]
    assert len(losses[0]) > 3
    # What a process logs is the loss of its own half of each batch.
    assert np.mean(losses[1]) == pytest.approx(np.mean(losses[0]), rel=0.2)


@pytest.mark.slow
def test_inception_from_a_file_trains_and_measures(photo_folder: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    weights = tmp_path / "irv2.pth"
    torch.save(build_backbone("inception_resnet_v2").state_dict(), weights)
    few = tmp_path / "few"
    few.mkdir()
    for path in sorted(photo_folder.rglob("*.png"))[:6]:
        shutil.copy(path, few)
    run = tmp_path / "run"
    settings = ["--network=fusion", "--objective=regression", "--features=inception_resnet_v2", "--epochs=1"]
    _run_train_py("--data", str(few), *settings, *SMALL, "--features-weights", str(weights), "--output", str(run))
    measured = subprocess.run(
        [sys.executable, str(ROOT / "evaluate.py"), "--checkpoint", str(run), "--data", str(few), "--json",
         str(tmp_path / "out.json")],
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert measured.returncode == 0, measured.stderr
    assert "MSE of ab" in measured.stdout
    assert json.loads((tmp_path / "out.json").read_text())["pictures"] == 6
    weights.unlink()
    gone = subprocess.run(
        [sys.executable, str(ROOT / "evaluate.py"), "--checkpoint", str(run), "--data", str(few)],
        capture_output=True, text=True, timeout=300, env={**os.environ, "HF_ENDPOINT": "http://127.0.0.1:9"},
    )  # fmt: skip
    assert gone.returncode == 2
    assert "--features-weights" in gone.stderr


def test_bad_input_is_one_sentence_and_code_2(photo_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "config.json").write_text("{}")
    for arguments, words in (
        (["--epochs=3"], "--data FOLDER"),
        (["--data", str(tmp_path / "none")], "no folder or zip"),
        (["--data", str(photo_folder), "--epochs=0"], "epochs must be at least 1"),
        (["--data", str(photo_folder), "--size=50"], "multiple of 32"),
        (["--data", str(photo_folder), "--output", str(tmp_path / "old")], "--resume"),
        (["--resume", str(tmp_path)], "not the folder of a training run"),
    ):
        process = _train_py(*arguments, cwd=tmp_path)
        output, _ = process.communicate(timeout=120)
        assert process.returncode == 2, output
        assert words in output
        assert "Traceback" not in output
    assert not (tmp_path / "runs").exists()


def test_learning_rate_warms_up_and_falls_to_zero() -> None:
    factors = [learning_rate_factor(s, 1000, 0.05) for s in range(1000)]
    assert factors[0] < 0.05
    assert max(factors) == pytest.approx(1, abs=0.03)
    assert factors.index(max(factors)) in range(48, 52)
    assert factors[-1] < 1e-4
    assert all(a >= b for a, b in itertools.pairwise(factors[51:]))


def test_a_run_can_start_from_a_checkpoint_and_keep_its_early_layers(photo_folder: Path, tmp_path: Path) -> None:
    lines: list[str] = []
    config = _config(photo_folder, tmp_path / "run", init="bundled", freeze_early=True)
    assert config.learning_rate == 5e-4
    assert train(config, log=lines.append)
    before, after = (load_checkpoint(p).network.state_dict() for p in (None, tmp_path / "run"))
    changed = {k for k in before if not torch.allclose(before[k], after[k], atol=1e-7)}
    assert any(k.startswith("head") for k in changed)
    assert any(k.startswith("encoder.blocks.2.") for k in changed)
    early = ("stem", "encoder.bn1", "encoder.blocks.0.", "encoder.blocks.1.", "hint_stem")
    assert not any(k.startswith(early) for k in changed)
    assert load_checkpoint(tmp_path / "run").info["training"]["init"] == "bundled"
    with pytest.raises(UserError, match=r"another network \(skip_fusion classification"):
        train(_config(photo_folder, tmp_path / "other", init="bundled", objective="regression"), log=lines.append)
    assert not (tmp_path / "other").exists()
    with pytest.raises(UserError, match="--init"):
        _config(photo_folder, tmp_path / "x", freeze_early=True)


def test_a_run_sees_the_whole_picture_by_a_frozen_classifier(photo_folder: Path, tmp_path: Path) -> None:
    """From a checkpoint that doesn't; one that starts from its own goes on with it, and so does a resumed one."""
    context = "tf_efficientnet_lite0"
    first, second = tmp_path / "first", tmp_path / "second"
    plain = tmp_path / "plain"
    assert train(_config(photo_folder, plain), log=lambda line: None)
    assert train(_config(photo_folder, first, init=str(plain), context=context), log=lambda line: None)
    config = _config(photo_folder, second, init=str(first))
    assert config.context == context
    assert _config(photo_folder, tmp_path / "other", init=str(first), network="fusion").context == "none"
    assert train(config, log=lambda line: None)
    assert train(replace(config, epochs=2), resume=True, log=lambda line: None)
    states = [load_checkpoint(run).network.state_dict() for run in (first, second)]
    frozen = load_backbone(context).state_dict()
    for state in states:
        assert all(v.equal(frozen[k]) for name, v in state.items() if (k := name.removeprefix(_FROZEN)) != name)
    assert not states[0]["whole.additions.0.out.weight"].equal(states[1]["whole.additions.0.out.weight"])
    with pytest.raises(UserError, match="--context"):
        train(_config(photo_folder, tmp_path / "other", init=str(first), context="none"), log=lambda line: None)
    with pytest.raises(UserError, match="no context 'resnet18'"):
        _config(photo_folder, tmp_path / "other", context="resnet18")


def test_a_diverging_run_says_so_and_keeps_its_state(photo_folder: Path, tmp_path: Path) -> None:
    config = _config(
        photo_folder, tmp_path / "run", network="fusion", objective="regression", learning_rate=1e30, clip=1e30
    )
    with pytest.raises(UserError, match="lower --learning-rate"):
        train(config, log=lambda line: None)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="left out: torch.compile needs a C++ compiler")
def test_broken_files_of_a_run_are_one_sentence(photo_folder: Path, tmp_path: Path) -> None:
    _run_train_py(f"--data={photo_folder}", f"--output={tmp_path / 'run'}", "--epochs=1", *SMALL)
    run = Run(tmp_path / "run")
    whole, metrics = (run.folder / "last.pt").read_bytes(), run.metrics()
    for broken in (whole[: len(whole) // 2], b"", b"text"):
        (run.folder / "last.pt").write_bytes(broken)
        with pytest.raises(UserError, match="broken"):
            run.load_state()
    lines = (run.folder / "metrics.jsonl").read_text().splitlines()
    (run.folder / "metrics.jsonl").write_text("\n".join([lines[0], lines[1][:20], "3", *lines[2:], '{"half": ']))
    assert run.metrics() == [metrics[0], *metrics[2:]]
    (run.folder / "config.json").write_text('{"data": 3')
    with pytest.raises(UserError, match="not the folder of a training run"):
        run.config()


def test_a_compiled_run_learns_the_same_and_can_go_on_uncompiled(photo_folder: Path, tmp_path: Path) -> None:
    settings = ["--data", str(photo_folder), "--epochs=2", "--precision=fp32", *SMALL]
    for name, more in (("plain", []), ("compiled", ["--compile"])):
        _run_train_py(*settings, *more, "--output", str(tmp_path / name))
    plain, compiled = (Run(tmp_path / name).metrics() for name in ("plain", "compiled"))
    assert compiled[-1]["crop_mse_ab"] == pytest.approx(plain[-1]["crop_mse_ab"], rel=0.02)
    assert load_checkpoint(tmp_path / "compiled").config == load_checkpoint(tmp_path / "plain").config

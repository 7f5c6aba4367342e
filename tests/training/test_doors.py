"""What others may know of a run: its process, how it ended, its place in the queue, its options."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from colorizer.commands.train import configuration
from colorizer.commands.train import main as train_main
from colorizer.errors import UserError
from colorizer.evaluation.metrics import METRICS
from colorizer.model.networks import TRAINABLE
from colorizer.training import queue
from colorizer.training.config import FROZEN, TrainingConfig, TrainingOptions
from colorizer.training.runs import Run, find_runs, start
from colorizer.training.train import train

from ..conftest import ROOT, wait_until

SMALL = {"size": 32, "batch_size": 8, "workers": 0, "validation": 0.2, "log_every": 1, "device": "cpu"}


def _options(**values: object) -> list[str]:
    return [f"--{name.replace('_', '-')}={value}" for name, value in values.items()]


def test_a_run_of_a_terminal_is_known_to_be_running(photo_folder: Path, tmp_path: Path) -> None:
    run = Run(tmp_path / "runs" / "mine")
    command = [sys.executable, "train.py", *_options(data=photo_folder, output=run.folder, epochs=4000, **SMALL)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: bool(run.metrics()) and (run.folder / "last.pt").exists())
        assert run.process() == process.pid
        assert run.outcome() == ("running", "")
        assert not run.resumable()
        with pytest.raises(UserError, match="still going"):
            run.delete()
        again = subprocess.run(
            [sys.executable, "train.py", "--resume", str(run.folder)], cwd=ROOT, capture_output=True, text=True,
            timeout=120,
        )  # fmt: skip
        assert again.returncode == 2
        assert f"still going, as process {process.pid}" in again.stderr
        run.stop()
        assert process.wait(60) == 130
        assert run.outcome() == ("stopped", "")
        assert run.resumable()
        assert [r.folder for r in find_runs(tmp_path / "runs")] == [run.folder]
    finally:
        process.kill()
        process.wait()


def test_how_a_run_ended_is_data_and_not_prose(photo_folder: Path, tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    options = TrainingOptions(str(photo_folder), str(run.folder), epochs=1, **SMALL)  # type: ignore[arg-type]
    assert train(options.resolve(), log=lambda line: None)
    assert json.loads((run.folder / "outcome.json").read_text()) == {"state": "finished", "reason": ""}
    (run.folder / "log.txt").write_text("train.py: Something.\nTraceback: it/s]\n")
    assert run.outcome() == ("finished", "")
    wrong = Run(tmp_path / "wrong")
    start(wrong.folder, _options(data=tmp_path / "nowhere", output=wrong.folder, **SMALL))
    wait_until(lambda: wrong.process() is None)
    state, reason = wrong.outcome()
    assert state == "failed"
    assert reason.startswith("There is no folder or zip file")
    assert wrong.folder in [r.folder for r in find_runs(tmp_path)]
    killed = Run(tmp_path / "killed")
    start(killed.folder, _options(data=photo_folder, output=killed.folder, epochs=4000, **SMALL))
    wait_until(lambda: bool(killed.metrics()))
    pid = killed.process()
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: killed.process() is None)
    assert killed.outcome().state == "killed"


def test_the_errors_on_crops_have_names_of_their_own(photo_folder: Path, tmp_path: Path) -> None:
    options = TrainingOptions(str(photo_folder), str(tmp_path / "run"), epochs=1, **SMALL)  # type: ignore[arg-type]
    assert train(options.resolve(), log=lambda line: None)
    epoch = Run(tmp_path / "run").metrics()[-1]
    assert {"crop_mse_ab", "gray_crop_mse_rgb"} <= epoch.keys()
    assert not set(METRICS) & epoch.keys()
    old = {"event": "epoch", "step": 3, "steps": 3, "mse_ab": 1.0, "grey_mse_rgb": 2.0}
    (tmp_path / "run" / "metrics.jsonl").write_text(json.dumps(old) + "\n")  # as version 0.1 wrote it
    assert Run(tmp_path / "run").metrics() == [
        {"event": "epoch", "step": 3, "steps": 3, "crop_mse_ab": 1.0, "gray_crop_mse_rgb": 2.0}
    ]


def test_a_learning_rate_of_zero_is_refused_not_replaced() -> None:
    with pytest.raises(UserError, match="learning rate must be positive"):
        TrainingOptions("x", "y", learning_rate=0.0).resolve()
    for name, spec in TRAINABLE.items():
        config = TrainingOptions("x", "y", network=name).resolve()
        assert (config.learning_rate, config.size, config.degrade) == (
            spec.learning_rate, spec.crop_size, spec.degrade,
        )  # fmt: skip
    assert TrainingOptions("x", "y", init="bundled").resolve().learning_rate == 2e-3 / 4


def test_every_option_is_on_the_command_line_with_its_default(capsys: pytest.CaptureFixture[str]) -> None:
    argv, sys.argv = sys.argv, ["train.py", "--help"]
    try:
        with pytest.raises(SystemExit):
            train_main()
    finally:
        sys.argv = argv
    text = " ".join(capsys.readouterr().out.split())
    for option in dataclasses.fields(TrainingOptions):
        assert f"--{option.name.replace('_', '-')}" in text
        if isinstance(option.default, int | float) and not isinstance(option.default, bool):
            assert f"(default: {option.default})" in text


def test_a_resumed_run_keeps_what_is_frozen(tmp_path: Path) -> None:
    config = TrainingOptions("data", str(tmp_path), seed=7, learning_rate=1e-4).resolve()
    (tmp_path / "config.json").write_text(json.dumps({**dataclasses.asdict(config), "of another version": 1}))
    resumed = configuration(argparse.Namespace(resume=str(tmp_path), epochs=30))
    assert resumed == dataclasses.replace(config, epochs=30)
    assert isinstance(resumed, TrainingConfig)
    assert {"data", "network", "seed", "size", "limit"} <= FROZEN
    for name in FROZEN:
        with pytest.raises(UserError, match=f"keeps its {name}"):
            configuration(argparse.Namespace(resume=str(tmp_path), **{name: 1}))


_WAITS = """
import sys, time, torch
from colorizer.training.queue import turn
with turn(torch.device("cpu"), lambda: print("waiting", flush=True)):
    print("mine", flush=True)
    sys.stdin.readline()
"""


def test_first_come_first_served(tmp_path: Path) -> None:
    environment = {**os.environ, "COLORIZER_CACHE": str(tmp_path)}
    processes = []
    for k in range(4):
        process = subprocess.Popen(
            [sys.executable, "-c", _WAITS], cwd=ROOT, env=environment, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline().strip() == ("waiting" if k else "mine")
        processes.append(process)
    try:
        processes[1].kill()  # one that waits and dies holds nobody up
        processes[1].wait()
        for now, after in ((0, 2), (2, 3)):
            for later in processes[after:]:
                assert later.poll() is None
            stdin, stdout = processes[now].stdin, processes[after].stdout
            assert stdin is not None
            assert stdout is not None
            stdin.write("\n")
            stdin.flush()
            assert stdout.readline().strip() == "mine"
        processes[3].kill()
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def test_each_device_has_its_own_queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLORIZER_CACHE", str(tmp_path))
    monkeypatch.setattr(queue, "device_identity", lambda device: f"{device.type}-{device.index}")
    first, second = torch.device("cuda", 0), torch.device("cuda", 1)
    waits = pytest.raises(UserError, match="A run is using the cuda")
    with queue.turn(first), queue.turn(second), waits, queue.turn(first):  # the second waits for nobody
        raise AssertionError("not its turn")
    with queue.turn(first):
        pass
    assert not list((tmp_path / "queue").rglob("*.json"))


def test_a_tracker_gets_what_is_logged(photo_folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="left out: needs the package tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    options = TrainingOptions(
        str(photo_folder), str(tmp_path / "run"), epochs=1, log_with="tensorboard", **SMALL  # type: ignore[arg-type]
    )  # fmt: skip
    assert train(options.resolve(), log=lambda line: None)
    events = EventAccumulator(str(tmp_path / "run" / "trackers"))
    events.Reload()
    logged = {e.step: e.value for e in events.Scalars("crop_mse_ab")}
    [epoch] = [m for m in Run(tmp_path / "run").metrics() if m["event"] == "epoch"]
    assert logged == {epoch["step"]: pytest.approx(epoch["crop_mse_ab"])}
    with pytest.raises(UserError, match="no tracker 'nothing'"):
        train(dataclasses.replace(options.resolve(), output=str(tmp_path / "x"), log_with="nothing"))

"""What goes wrong while a run goes on, and what nobody should have asked for."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from colorizer import UserError
from colorizer.evaluation.classifiers import Classifiers
from colorizer.evaluation.evaluation import Evaluation
from colorizer.model.checkpoints import find_checkpoint, load_checkpoint
from colorizer.training.config import TrainingOptions
from colorizer.training.runs import Run, start
from colorizer.training.train import train
from colorizer.training.trainer import Trainer

from ..conftest import ROOT, command, draw_photo, wait_until
from ..film.made import pan, write_film


def _options(data: Path, run: Path, **more: Any) -> TrainingOptions:
    usual = {"epochs": 1, "size": 32, "batch_size": 4, "workers": 0, "validation": 0.2, "device": "cpu"}
    return TrainingOptions(str(data), str(run), **{**usual, **more})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epochs", -1), ("batch_size", 0), ("learning_rate", float("nan")), ("learning_rate", float("inf")),
        ("workers", -1), ("limit", -3), ("limit", 1), ("validation_pictures", 0), ("clip", -1.0),
        ("clip", float("nan")),
        ("weight_decay", -1.0), ("seed", -1), ("perceptual", float("nan")), ("decoded", -0.1), ("warmup", float("nan")),
        ("ema", 1.0), ("save_every", 0), ("validation", float("nan")),
    ],
)  # fmt: skip
def test_absurd_numbers_are_refused_before_anything_begins(name: str, value: float, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"must|is a share") as error:
        _options(tmp_path, tmp_path / "run", **{name: value}).resolve()
    assert str(value) in str(error.value)


@pytest.mark.parametrize("gone", [2, 24])
def test_pictures_that_vanish_are_counted_and_too_many_end_the_run(
    gone: int, photo_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, run, lines = tmp_path / "photos", tmp_path / "run", list[str]()
    shutil.copytree(photo_folder, data)
    step = Trainer._step

    def vanishing(self: Trainer, batch: Any) -> float:
        if self.step == 1:
            learned = [data / picture.name for picture in self.train_set.pictures]
            for path in learned[:gone]:
                path.unlink(missing_ok=True)
        return step(self, batch)

    monkeypatch.setattr(Trainer, "_step", vanishing)
    config = _options(data, run, epochs=3).resolve()
    if gone == 2:
        assert train(config, log=lines.append)
        assert sum("can't be read any more; others stand in" in line for line in lines) == 1
        assert Run(run).metrics()[-1]["lost"] >= 2
        return
    with pytest.raises(UserError, match=r"Most of the pictures .* can't be read any more\. Bring them back"):
        train(config, log=lines.append)
    assert Run(run).outcome().state == "failed"
    shutil.copytree(photo_folder, data, dirs_exist_ok=True)
    monkeypatch.setattr(Trainer, "_step", step)
    assert train(config, resume=True, log=lines.append), "nothing is lost"


def test_a_run_that_is_stopped_before_it_has_begun(photo_folder: Path, tmp_path: Path) -> None:
    run = start(tmp_path / "run", [f"--data={photo_folder}", f"--output={tmp_path / 'run'}", "--epochs=1"])
    run.stop()
    wait_until(lambda: run.process() is None)
    assert run.outcome() == ("stopped", "")
    again = start(run.folder, [f"--data={photo_folder}", f"--output={run.folder}", "--epochs=100"])
    wait_until(lambda: again.process() is not None)
    os.kill(again.process() or 0, signal.SIGKILL)
    wait_until(lambda: again.process() is None)
    assert again.outcome().state == "killed", "nobody asked it to stop this time"


def test_checkpoints_that_were_made_up(tmp_path: Path) -> None:
    with safe_open(find_checkpoint(None), framework="pt") as opened:
        about = json.loads(opened.metadata()["colorizer"])
        tensors = {key: opened.get_tensor(key) for key in opened.keys()}  # noqa: SIM118 - not a dict
    name = next(key for key in tensors if key.endswith("weight"))
    broken = {**tensors, name: torch.full_like(tensors[name], torch.nan)}
    cases: list[tuple[dict[str, Any], dict[str, torch.Tensor]]] = [({}, broken)]
    for key, value in (("size", None), ("size", "128"), ("size", -1), ("info", 3), ("features_weights", 7)):
        cases.append(({key: value}, tensors))
    for changed, weights in cases:
        told = {k: v for k, v in {**about, **changed}.items() if v is not None or k != "size"}
        save_file(weights, tmp_path / "made-up.safetensors", metadata={"colorizer": json.dumps(told)})
        with pytest.raises(UserError, match=r"made-up\.safetensors is not a checkpoint of this program"):
            load_checkpoint(tmp_path / "made-up.safetensors")


def test_an_export_does_not_write_over_its_input(tmp_path: Path) -> None:
    own = tmp_path / "mine.safetensors"
    shutil.copy(find_checkpoint(None), own)
    before = own.read_bytes()
    done = command("export", own, "-o", own)
    assert done.returncode == 2
    assert done.stderr == f"export: {own} would be written over. Choose another file with -o.\n"
    assert own.read_bytes() == before


def test_names_that_are_no_text_do_not_end_a_report(tmp_path: Path) -> None:
    odd = os.fsdecode(os.fsencode(str(tmp_path)) + b"/photos/\xff\xfe<b>.png")
    (tmp_path / "photos").mkdir()
    draw_photo(0).save(tmp_path / "photos" / "plain.png")
    shutil.copy(tmp_path / "photos" / "plain.png", odd)
    draw_photo(1).save(tmp_path / "photos" / "plain.png")
    evaluation = Evaluation.open({"bundled": "bundled"}, str(tmp_path / "photos"), classifiers=Classifiers())
    list(evaluation.run())
    reports = evaluation.write_reports()
    assert len(reports) == 3
    assert all(path.read_text(encoding="utf-8") for path in reports)
    assert "<b>" not in reports[2].read_text(encoding="utf-8")


@pytest.mark.skipif(sys.platform == "win32", reason="left out: Windows has no limit of file sizes to simulate it by")
def test_a_full_disk_is_one_sentence_and_leaves_nothing_half(photo_folder: Path, tmp_path: Path) -> None:
    import resource

    def small_files() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))

    run = tmp_path / "run"
    arguments = [
        f"--data={photo_folder}",
        f"--output={run}",
        "--epochs=2",
        "--size=32",
        "--batch-size=8",
        "--workers=0",
    ]
    done = subprocess.run(
        [sys.executable, str(ROOT / "train.py"), *arguments], preexec_fn=small_files, capture_output=True, text=True,
        timeout=120,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert "can't be written" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(run.glob(".*.tmp"))
    assert Run(run).outcome().state == "failed"


_PHOTO = "colorizer/examples/black-and-white/coffee.jpg"
_WRITERS = {
    "coloring": ("colorizer", _PHOTO, "-o", "{there}/coffee.png"),
    "exporting": ("colorizer.commands.export", "bundled", "-o", "{there}/mine.safetensors"),
    "evaluating": ("colorizer.commands.evaluate", "--data", "sample", "--limit", "2"),
    "embeddings": (
        "colorizer.commands.train", "--data", "{photos}", "--output", "{elsewhere}/run", "--epochs", "1",
        "--size", "64", "--network", "fusion", "--features", "tf_efficientnet_lite0", "--workers", "0",
    ),
    "saving": (
        "colorizer.commands.train", "--data", "{photos}", "--output", "{there}/run", "--epochs", "1", "--size", "32",
        "--workers", "0",
    ),
    "a film": ("colorizer", "{elsewhere}/reel.mp4", "-o", "{there}/out"),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="left out: Windows has no such limits and mounts")
@pytest.mark.parametrize("fault", ["full", "read-only", "a file stands there"])
@pytest.mark.parametrize("what", _WRITERS)
def test_what_can_not_be_written_is_one_sentence(what: str, fault: str, photo_folder: Path, tmp_path: Path) -> None:
    import resource

    there, elsewhere = tmp_path / "there", tmp_path / "elsewhere"
    there.mkdir()
    before: tuple[str, ...] = ()
    if fault == "read-only":
        mount = f"mount --bind {there} {there} && mount -o remount,ro,bind {there}"
        before = ("unshare", "--mount", "bash", "-c", f'{mount} && exec "$@"', "-")
        if shutil.which("unshare") is None or subprocess.run([*before, "true"], capture_output=True).returncode:
            pytest.skip("left out: no right to mount")
    elif fault == "a file stands there":
        there.rmdir()
        there.touch()

    def full() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))

    if what == "a film":
        elsewhere.mkdir()
        write_film(elsewhere / "reel.mp4", pan(1, 12))
    module, *arguments = (word.format(there=there, elsewhere=elsewhere, photos=photo_folder) for word in _WRITERS[what])
    done = subprocess.run(
        [*before, sys.executable, "-m", module, *arguments], cwd=ROOT, preexec_fn=full if fault == "full" else None,
        env={**os.environ, "COLORIZER_CACHE": str(there / "cache")}, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == (1 if what == "coloring" else 2), done.stderr
    assert done.stderr.count("can't be written: ") == 1
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.rglob(".*.tmp"))


def test_start_times_tell_processes_apart_that_differ_by_a_second(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.register()
    known = json.loads((tmp_path / "process.json").read_text())
    assert run.process() == os.getpid()
    (tmp_path / "process.json").write_text(json.dumps({**known, "started": known["started"] - 1}))
    assert run.process() is None, "another process had this number before"

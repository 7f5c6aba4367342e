"""Checkpoints on the Hugging Face Hub: up and down again, by a stand-in on this machine."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from colorizer import UserError
from colorizer.model.checkpoints import find_checkpoint, load_checkpoint
from colorizer.model.export import model_card
from colorizer.model.hub import is_repository

from ..conftest import EXAMPLES, ROOT, hub_environment
from ..hub import TOKEN, standing_in


@pytest.fixture
def hub() -> Iterator[str]:
    with standing_in() as address:
        yield address


# A module as by `python -m`, but without the waiting of the Hub's library between its tries.
_IMPATIENT = """
import runpy, sys, time
time.sleep = lambda seconds: None
runpy.run_module(sys.argv.pop(1), run_name="__main__", alter_sys=True)
"""


def _elsewhere(
    endpoint: str, home: Path, *command: object, token: str | None = TOKEN
) -> subprocess.CompletedProcess[str]:
    """In a new process: huggingface_hub reads its settings when it is imported."""
    environment = hub_environment(endpoint, home)
    environment.pop("HF_TOKEN", None)
    if token:
        environment["HF_TOKEN"] = token
    module, *arguments = map(str, command)
    return subprocess.run(
        [sys.executable, "-c", _IMPATIENT, module, *arguments],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.mark.slow
def test_pushed_and_loaded_again(hub: str, tmp_path: Path) -> None:
    bundled = find_checkpoint(None)
    pushed = _elsewhere(hub, tmp_path / "up", "colorizer.commands.export", bundled, "--push", "me/my-colors")
    assert pushed.returncode == 0, pushed.stderr
    assert "me/my-colors" in pushed.stdout
    photo, out = EXAMPLES / "black-and-white" / "coffee.jpg", tmp_path / "out"
    arguments = ("colorizer", photo, "-o", out, "--device", "cpu", "--format", "png")
    loaded = _elsewhere(hub, tmp_path / "down", *arguments, "--checkpoint", "me/my-colors", token=None)
    assert loaded.returncode == 0, loaded.stderr
    again = _elsewhere("http://127.0.0.1:9", tmp_path / "down", *arguments, "--checkpoint", "me/my-colors")
    assert again.returncode == 0, "from the cache, without a connection: " + again.stderr
    plain = _elsewhere(hub, tmp_path / "down", *arguments[:-2], "--format", "png", "--overwrite", "-o", tmp_path / "b")
    assert plain.returncode == 0, plain.stderr
    assert (out / "coffee.png").read_bytes() == (tmp_path / "b" / "coffee.png").read_bytes()


@pytest.mark.slow
def test_what_can_go_wrong_is_one_sentence(hub: str, tmp_path: Path) -> None:
    bundled = find_checkpoint(None)
    for endpoint, name, token, words in (
        (hub, "me/mine", "hf_wrong", "logged in"),
        ("http://127.0.0.1:9", "me/mine", TOKEN, "connection"),
        (hub, "mine", TOKEN, "owner/name"),
    ):
        failed = _elsewhere(endpoint, tmp_path, "colorizer.commands.export", bundled, "--push", name, token=token)
        assert failed.returncode == 2, failed.stderr
        assert words in failed.stderr
        assert "Traceback" not in failed.stderr
    for endpoint in (hub, "http://127.0.0.1:9"):
        gone = _elsewhere(endpoint, tmp_path, "colorizer", EXAMPLES, "-o", tmp_path / "out", "--checkpoint", "no/thing")
        assert gone.returncode == 2
        assert "There is no checkpoint no/thing, neither on this computer nor" in gone.stderr
        assert "Traceback" not in gone.stderr


def test_a_path_is_not_taken_for_a_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").mkdir()
    assert is_repository("me/my-colors")
    for path in ("runs/mine", "mine", "a/b.safetensors", "/a/b", "a/b/c", "../b"):
        assert not is_repository(path), path
    with pytest.raises(UserError, match=r"There is no checkpoint runs/mine\. Give"):
        find_checkpoint("runs/mine")


def test_the_model_card_says_what_is_known() -> None:
    card = model_card(load_checkpoint(), "me/my-colors")
    front_matter = card.split("---")[1]
    assert "pipeline_tag: image-to-image" in front_matter
    assert "image-colorization" in front_matter
    assert 'Colorizer.from_pretrained("me/my-colors")' in card
    assert "| network | skip_fusion |" in card
    assert "| training crops | 128 pixels |" in card

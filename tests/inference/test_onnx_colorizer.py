"""Coloring by ONNX Runtime: the same colors, without PyTorch, from the same command."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from colorizer import LOOKS, Colorizer, Settings, UserError
from colorizer.inference.onnx_colorizer import OnnxColorizer
from colorizer.inference.onnx_export import export_onnx_colorizer
from colorizer.model.checkpoints import Checkpoint, load_checkpoint
from colorizer.model.networks import NetworkConfig, build_network
from colorizer.model.onnx_file import export_onnx
from colorizer.model.pretrained import load_backbone
from colorizer.model.skip_fusion import SkipFusionNetwork
from colorizer.pictures.reading import read_picture

from ..conftest import EXAMPLES, ROOT, draw_photo

pytest.importorskip("onnxruntime", reason="left out: needs onnxruntime (pip install onnx onnxruntime)")

# `colorizer` where importing PyTorch, or what else isn't asked for, fails.
WITHOUT = "import sys; sys.modules.update(dict.fromkeys(('torch', 'timm', 'pillow_heif', 'gradio', 'av')));"
COMMAND = f"{WITHOUT} from colorizer.__main__ import main; sys.exit(main())"


def _checkpoint(network: str, context: str = "") -> Checkpoint:
    torch.manual_seed(0)
    config = NetworkConfig(network, "regression", context=context)
    return Checkpoint(build_network(config).eval(), config, torch.full((313,), 1 / 313), 128)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundled network, whole."""
    path = tmp_path_factory.mktemp("onnx") / "colors.onnx"
    export_onnx_colorizer(load_checkpoint(), path)
    return path


def _run(*arguments: object) -> tuple[int, str, str]:
    command = [sys.executable, "-c", COMMAND, *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    return done.returncode, done.stdout.strip(), done.stderr.strip()


@pytest.mark.parametrize(
    "settings",
    [*LOOKS.values(), Settings(people=0, agreement=0), Settings(temperature=0.9, saturation=1.3, strength=0.6)],
)
@pytest.mark.parametrize("shape", [(192, 256), (300, 200)])
def test_the_same_colors(file: Path, colorizer: Colorizer, settings: Settings, shape: tuple[int, int]) -> None:
    with Image.open(EXAMPLES / "black-and-white" / "astronaut.jpg") as picture:
        photo = read_picture(picture.resize(shape))
    found = OnnxColorizer(file).prepare(photo).colorize(settings).rgb
    expected = colorizer.colorize(photo, settings).rgb
    difference = np.abs(found.astype(int) - expected)
    assert difference.max() <= 2
    assert difference.mean() < 0.01


def test_a_regression_too(tmp_path: Path) -> None:
    from colorizer.inference.predictor import Predictor

    checkpoint = _checkpoint("skip_fusion")
    export_onnx_colorizer(checkpoint, tmp_path / "colors.onnx")
    photo = read_picture(draw_photo(3, (200, 150)))
    for settings in (Settings(), Settings(vividness=2)):
        found = OnnxColorizer(tmp_path / "colors.onnx").prepare(photo).colorize(settings).rgb
        expected = Colorizer(Predictor(checkpoint)).colorize(photo, settings).rgb
        assert np.abs(found.astype(int) - expected).max() <= 2


def test_a_network_that_sees_the_whole_picture_too(tmp_path: Path) -> None:
    from colorizer.inference.predictor import Predictor

    checkpoint = _checkpoint("skip_fusion", "tf_efficientnet_lite0")
    network = checkpoint.network
    assert isinstance(network, SkipFusionNetwork)
    assert network.whole is not None
    network.load_context(load_backbone("tf_efficientnet_lite0"))
    export_onnx_colorizer(checkpoint, tmp_path / "before.onnx")
    torch.nn.init.normal_(network.whole.vector.weight, std=3)
    export_onnx_colorizer(checkpoint, tmp_path / "colors.onnx")
    photo = read_picture(draw_photo(3, (200, 150)))
    before, found = (
        OnnxColorizer(tmp_path / name).prepare(photo).colorize(Settings()).rgb
        for name in ("before.onnx", "colors.onnx")
    )
    expected = Colorizer(Predictor(checkpoint)).colorize(photo).rgb
    assert np.abs(found.astype(int) - expected).max() <= 2
    assert np.abs(before.astype(int) - expected).max() > 2


def test_a_folder_without_pytorch(file: Path, photo_folder: Path, tmp_path: Path, colorizer: Colorizer) -> None:
    code, said, errors = _run(photo_folder, "-o", tmp_path / "out", "--checkpoint", file, "--jobs", 2)
    assert (code, said) == (0, f"24 colorized in {tmp_path / 'out'}."), errors
    with Image.open(tmp_path / "out" / "class0" / "photo00.png") as colored:
        expected = colorizer(photo_folder / "class0" / "photo00.png")
        assert np.abs(np.asarray(colored).astype(int) - np.asarray(expected)).max() <= 2


def test_what_it_can_not_do_is_said(file: Path, tmp_path: Path) -> None:
    photo = EXAMPLES / "black-and-white" / "astronaut.jpg"
    hints = tmp_path / "hints.json"
    hints.write_text('[[120, 80, 10, "#7a1f1f"]]')
    alone = tmp_path / "alone.onnx"
    export_onnx(load_checkpoint(), alone)
    (tmp_path / "text.onnx").write_text("not a network")
    for arguments, code, words in (
        (("--checkpoint", file, "--hints", hints), 1, "An .onnx file knows no hints"),
        (("--checkpoint", file, "--alternatives", 2), 2, "An .onnx file knows no alternatives"),
        (("--checkpoint", alone), 2, "--whole"),
        (("--checkpoint", tmp_path / "text.onnx"), 2, "is no file that photos can be colored with"),
        (("--checkpoint", tmp_path / "gone.onnx"), 2, "There is no checkpoint"),
        (("--checkpoint", file, "--working-size", 20), 2, "The working size must lie between"),
    ):
        found, _, errors = _run(photo, "-o", tmp_path / "out", *arguments)
        assert (found, "Traceback" in errors) == (code, False), errors
        assert words in errors


def test_what_can_not_be_exported_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="needs the feature extractor"):
        export_onnx_colorizer(_checkpoint("fusion"), tmp_path / "colors.onnx")
    with pytest.raises(UserError, match="published elsewhere"):
        export_onnx_colorizer(_checkpoint("eccv16"), tmp_path / "colors.onnx")
    assert not list(tmp_path.iterdir())

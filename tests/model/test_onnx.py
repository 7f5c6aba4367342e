"""A network as an ONNX file computes what it computes here."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from colorizer import UserError
from colorizer.model.checkpoints import Checkpoint, load_checkpoint
from colorizer.model.networks import NetworkConfig, build_network
from colorizer.model.onnx_file import export_onnx

runtime = pytest.importorskip("onnxruntime", reason="left out: needs onnxruntime (pip install onnx onnxruntime)")


def _checkpoint(network: str) -> Checkpoint:
    config = NetworkConfig(network, "regression")
    return Checkpoint(build_network(config).eval(), config, torch.full((313,), 1 / 313), 128)


@pytest.mark.parametrize("network", ["bundled", "fusion"])
def test_the_same_colors_at_any_size(network: str, tmp_path: Path) -> None:
    checkpoint = load_checkpoint() if network == "bundled" else _checkpoint(network)
    export_onnx(checkpoint, tmp_path / "colors.onnx")
    session = runtime.InferenceSession(tmp_path / "colors.onnx", providers=["CPUExecutionProvider"])
    generator = torch.Generator().manual_seed(0)
    for height, width in ((96, 128), (192, 256), (256, 96)):
        inputs = {"lightness": torch.rand(1, 1, height, width, generator=generator) * 2 - 1}
        if network == "fusion":
            inputs["embedding"] = torch.rand(1, 1000, generator=generator)
        else:
            hints = torch.rand(1, 3, height, width, generator=generator) * 2 - 1
            inputs["hints"] = hints * (hints[:, :1].abs() > 0.9)
        with torch.no_grad():
            expected = checkpoint.network(inputs["lightness"], inputs.get("embedding"), inputs.get("hints"))
        (found,) = session.run(None, {name: tensor.numpy() for name, tensor in inputs.items()})
        assert found.shape == expected.shape
        assert np.abs(found - expected.numpy()).max() < 1e-3
    about = json.loads(session.get_modelmeta().custom_metadata_map["colorizer"])
    assert about["objective"] == checkpoint.config.objective
    assert np.allclose(about["prior"], checkpoint.prior, atol=1e-6)
    assert len(about["bins"]) == 313


def test_a_published_network_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="eccv16 is published elsewhere"):
        export_onnx(_checkpoint("eccv16"), tmp_path / "colors.onnx")
    assert not list(tmp_path.iterdir())

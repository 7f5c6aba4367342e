"""The mean of several networks' weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from colorizer import UserError
from colorizer.model.averaging import mean_checkpoint
from colorizer.model.checkpoints import Checkpoint, load_checkpoint, save_checkpoint
from colorizer.model.networks import NetworkConfig, build_network

from ..conftest import command

KIND = NetworkConfig("skip_fusion", "classification")


def _saved(path: Path, seed: int, kind: NetworkConfig = KIND) -> str:
    torch.manual_seed(seed)
    prior = torch.rand(313).softmax(0)
    save_checkpoint(Checkpoint(build_network(kind).eval(), kind, prior, 128, {"data": {"learned_from": 7}}), path)
    return str(path)


def test_each_counts_by_its_share(tmp_path: Path) -> None:
    one, other = (_saved(tmp_path / f"{seed}.safetensors", seed) for seed in (1, 2))
    mean = mean_checkpoint([one, other], [1, 3])
    a, b = load_checkpoint(one), load_checkpoint(other)
    states = a.network.state_dict(), b.network.state_dict()
    for name, tensor in mean.network.state_dict().items():
        if tensor.is_floating_point():
            torch.testing.assert_close(tensor, 0.25 * states[0][name] + 0.75 * states[1][name])
    torch.testing.assert_close(mean.prior, 0.25 * a.prior + 0.75 * b.prior)
    assert mean.info["training"]["mean"] == f"0.25 of {one}, 0.75 of {other}"
    assert mean.info["data"] == {"learned_from": 7}
    assert not mean.network.training


def test_all_alike_without_shares(tmp_path: Path) -> None:
    one, other = (_saved(tmp_path / f"{seed}.safetensors", seed) for seed in (1, 2))
    ours = mean_checkpoint([one, other]).network.state_dict()
    for name, tensor in mean_checkpoint([other, one], [2, 2]).network.state_dict().items():
        torch.testing.assert_close(tensor, ours[name])


def test_the_mean_of_one_network_with_itself_is_that_network(tmp_path: Path) -> None:
    one = _saved(tmp_path / "1.safetensors", 1)
    done = command("export", one, one, "--shares", "0.3,0.7", "-o", tmp_path / "mean.safetensors", "--full")
    assert done.returncode == 0, done.stderr
    own = load_checkpoint(one).network.state_dict()
    for name, tensor in load_checkpoint(tmp_path / "mean.safetensors").network.state_dict().items():
        torch.testing.assert_close(tensor, own[name])


def test_without_context_nothing_is_added_by_one(tmp_path: Path) -> None:
    kind = replace(KIND, context="tf_efficientnet_lite0")
    plain, seeing = _saved(tmp_path / "1.safetensors", 1), _saved(tmp_path / "2.safetensors", 2, kind)
    checkpoint = load_checkpoint(seeing)
    torch.nn.init.normal_(checkpoint.network.whole.vector.weight)  # type: ignore[arg-type]
    save_checkpoint(checkpoint, seeing)
    mean = mean_checkpoint([plain, seeing], [1, 3])
    assert mean.config == kind
    of_plain, own = (load_checkpoint(path).network.state_dict() for path in (plain, seeing))
    for name, tensor in mean.network.state_dict().items():
        if name in of_plain and tensor.is_floating_point():
            torch.testing.assert_close(tensor, 0.25 * of_plain[name] + 0.75 * own[name])
        elif name.startswith("whole.vector."):
            torch.testing.assert_close(tensor, 0.75 * own[name])
        elif name.startswith("whole.extractor."):
            torch.testing.assert_close(tensor, own[name])
    same = mean_checkpoint([seeing, plain], [3, 1]).network.state_dict()
    for name, tensor in mean.network.state_dict().items():
        torch.testing.assert_close(tensor, same[name])


def test_networks_of_different_kinds_have_no_mean(tmp_path: Path) -> None:
    one = _saved(tmp_path / "1.safetensors", 1)
    other = _saved(tmp_path / "2.safetensors", 2, NetworkConfig("skip_fusion", "regression"))
    with pytest.raises(UserError, match=r"2\.safetensors and .*1\.safetensors are networks of different kinds"):
        mean_checkpoint([one, other])


@pytest.mark.parametrize("shares", [[1], [1, 2, 3], [1, -1], [0, 0], [1, float("nan")], [1, float("inf")]])
def test_shares_that_are_none(shares: list[float]) -> None:
    with pytest.raises(UserError, match=r"Give 2 shares, one of each checkpoint, such as 1,1\."):
        mean_checkpoint(["bundled", "bundled"], shares)


def test_shares_that_are_no_numbers(tmp_path: Path) -> None:
    done = command("export", "bundled", "bundled", "--shares", "1;2", "-o", tmp_path / "mean.safetensors")
    assert done.returncode == 2
    assert done.stderr == "export: The shares must be numbers with commas between them, not 1;2.\n"
    assert not list(tmp_path.iterdir())

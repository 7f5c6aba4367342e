"""Context: what a frozen classifier sees in the whole picture, and where it reaches a network."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from torch import nn

from colorizer import UserError
from colorizer.model.checkpoints import Checkpoint, context_of, load_checkpoint, save_checkpoint
from colorizer.model.folding import folded
from colorizer.model.networks import NetworkConfig, build_network
from colorizer.model.pretrained import load_backbone
from colorizer.model.skip_fusion import SkipFusionNetwork
from colorizer.model.whole_picture import WholePicture, part_and_whole

LITE0 = "tf_efficientnet_lite0"


@pytest.fixture
def network() -> SkipFusionNetwork:
    torch.manual_seed(0)
    built = SkipFusionNetwork("classification", LITE0, LITE0).eval()
    built.load_context(load_backbone(LITE0))
    return built


def _whole(network: SkipFusionNetwork) -> WholePicture:
    assert network.whole is not None
    return network.whole


def _trained(network: SkipFusionNetwork) -> SkipFusionNetwork:
    """As if what is added had been learned."""
    for addition in _whole(network).additions:
        nn.init.normal_(addition.out.weight, std=0.1)  # type: ignore[arg-type]
    nn.init.normal_(_whole(network).vector.weight, std=0.1)
    return network


def test_it_changes_nothing_before_training_and_something_after(network: SkipFusionNetwork) -> None:
    x = torch.rand(1, 1, 64, 96) * 2 - 1
    one, other = torch.randn(2, 1, 320, 8, 8)
    with torch.no_grad():
        assert network(x, one).equal(network(x, other))
        _trained(network)
        assert not network(x, one).equal(network(x, other))


def test_alone_a_picture_is_its_own_whole(network: SkipFusionNetwork) -> None:
    """A crop's colors follow the whole picture; without one, they are those of a picture that is all there is."""
    _trained(network)
    x = torch.rand(2, 1, 64, 96) * 2 - 1
    with torch.no_grad():
        own = _whole(network).embed(x)
        assert own.shape == (2, 320, 8, 8)
        assert network(x).equal(network(x, own))
        assert network(x, torch.stack([own, own], dim=1)).equal(network(x, own))
        elsewhere = torch.stack([own, own.flip(0)], dim=1)
        assert not network(x, elsewhere).equal(network(x, own)), "what lies around the part counts"


def test_a_part_is_added_where_it_lies(network: SkipFusionNetwork) -> None:
    """The map is of what is colored: its left half reaches the left half, but for the mean."""
    whole = _whole(_trained(network))
    part = torch.zeros(1, 320, 8, 8)
    left = part.clone()
    left[..., :4] = 1
    around = torch.randn(1, 320, 8, 8)
    sizes = [(4, 4), (8, 8)]
    with torch.no_grad():
        without, with_ = (whole(torch.stack([p, around], dim=1), sizes) for p in (part, left))
    for before, after in zip(without, with_, strict=True):
        half = before.shape[-1] // 2
        assert torch.allclose(before[..., half:], after[..., half:], atol=1e-5)
        assert (before[..., :half] - after[..., :half]).abs().max() > 0.01


def test_the_part_that_a_crop_covers() -> None:
    """Of a map that says how far right and down it is, at the centers of its cells."""
    centers = (torch.arange(8) + 0.5) / 8
    ramps = torch.stack([centers.expand(8, 8), centers[:, None].expand(8, 8)])
    part, whole = part_and_whole(ramps, (0, 0, 1, 1))
    assert torch.allclose(part, ramps)
    assert whole.equal(ramps)
    left, top, right, bottom = 0.2, 0.3, 0.7, 0.9
    part, whole = part_and_whole(ramps, (left, top, right, bottom))
    assert whole.equal(ramps)
    assert torch.allclose(part[0], (left + centers * (right - left)).expand(8, 8), atol=1e-5)
    assert torch.allclose(part[1], (top + centers * (bottom - top))[:, None].expand(8, 8), atol=1e-5)


def test_the_classifier_stays_frozen(network: SkipFusionNetwork) -> None:
    _trained(network).train()
    backbone = _whole(network).extractor.backbone
    before = {name: tensor.clone() for name, tensor in backbone.state_dict().items()}
    network(torch.rand(2, 1, 64, 64)).square().mean().backward()
    assert all(tensor.equal(before[name]) for name, tensor in backbone.state_dict().items())
    assert not any(p.requires_grad for p in backbone.parameters())
    assert not any(m.training for m in backbone.modules())
    addition = _whole(network).additions[0]
    assert addition.training
    assert all(p.grad is not None for p in addition.parameters())


def test_it_is_the_pretrained_classifier(network: SkipFusionNetwork) -> None:
    backbone = load_backbone(LITE0).eval()
    x = torch.rand(1, 1, 256, 256) * 2 - 1
    with torch.no_grad():
        expected = backbone.forward_head(backbone.forward_features(x.expand(-1, 3, -1, -1)), pre_logits=True)
        extractor = _whole(network).extractor
        found = extractor.vector(extractor(50 * (x + 1)))
    assert torch.allclose(found, expected, atol=1e-3)


def test_folded_batch_norms_compute_the_same(network: SkipFusionNetwork) -> None:
    _trained(network)
    for addition in _whole(network).additions:
        nn.init.uniform_(addition.norm.running_mean, -1, 1)  # type: ignore[arg-type]
    x = torch.rand(1, 1, 64, 96) * 2 - 1
    with torch.no_grad():
        before, copied = network(x), folded(network)
        assert copied is not network
        assert (copied(x) - before).abs().max() < 1e-3 * before.abs().max()


def test_a_checkpoint_keeps_it(network: SkipFusionNetwork, tmp_path: Path) -> None:
    _trained(network)
    config = NetworkConfig("skip_fusion", "classification", LITE0, LITE0)
    save_checkpoint(Checkpoint(network, config, torch.full((313,), 1 / 313), 128), tmp_path / "a.safetensors")
    loaded = load_checkpoint(tmp_path / "a.safetensors")
    assert loaded.config == config
    assert context_of(tmp_path / "a.safetensors") == LITE0
    x = torch.rand(1, 1, 64, 64)
    with torch.no_grad():
        assert loaded.network(x).equal(network(x))


def test_checkpoints_without_it_are_what_they_were(tmp_path: Path) -> None:
    """Programs that know nothing of context go on to read them."""
    config = NetworkConfig("skip_fusion", "regression")
    file = tmp_path / "a.safetensors"
    save_checkpoint(Checkpoint(build_network(config), config, torch.full((313,), 1 / 313), 128), file)
    with safe_open(file, framework="pt") as opened:
        about = opened.metadata()["colorizer"]
    assert '"format": 1,' in about
    assert "context" not in about
    assert context_of(file) == ""
    (tmp_path / "text.safetensors").write_text("nothing")
    assert context_of(tmp_path / "text.safetensors") == context_of(tmp_path / "gone") == ""


def test_what_is_no_context_is_refused() -> None:
    with pytest.raises(UserError, match=r"no context 'resnet18'. Choose one of: tf_efficientnet_lite0, "):
        NetworkConfig("skip_fusion", "classification", LITE0, "resnet18")
    with pytest.raises(UserError, match="The network fusion takes no context"):
        NetworkConfig("fusion", "classification", LITE0, LITE0)
    with pytest.raises(ValueError, match="no context"):
        SkipFusionNetwork("regression").load_context(load_backbone(LITE0))

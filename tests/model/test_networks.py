"""The networks, layer by layer against the published table."""

from __future__ import annotations

from typing import Any, cast

import pytest
import torch
from torch import nn

from colorizer.errors import UserError
from colorizer.model.folding import folded
from colorizer.model.fusion import FusionNetwork
from colorizer.model.networks import NetworkConfig, build_network
from colorizer.model.pretrained import build_backbone, load_backbone
from colorizer.model.skip_fusion import SkipFusionNetwork

# Baldassarre et al. 2017, table 1: (output channels, stride of the map's side to the input's) after each 3x3 layer.
ENCODER = [(64, 2), (128, 2), (128, 4), (256, 4), (256, 8), (512, 8), (512, 8), (256, 8)]
DECODER = [(128, 8), (64, 4), (64, 4), (32, 2), (2, 2)]


def _shapes(network: FusionNetwork, part: nn.Module, size: int) -> list[tuple[int, int]]:
    seen: list[tuple[int, int]] = []
    handles = [
        m.register_forward_hook(lambda _m, _i, out: seen.append((out.shape[1], size // out.shape[2])))
        for m in part.modules()
        if isinstance(m, nn.Conv2d)
    ]
    network(torch.zeros(1, 1, size, size), torch.zeros(1, 1000))
    for handle in handles:
        handle.remove()
    return seen


def test_paper_network_layer_by_layer() -> None:
    network = FusionNetwork("regression").eval()
    assert _shapes(network, network.encoder, 224) == ENCODER
    assert _shapes(network, network.decoder, 224) == DECODER
    convs = [m for part in (network.encoder, network.decoder) for m in part.modules() if isinstance(m, nn.Conv2d)]
    assert all(m.kernel_size == (3, 3) for m in convs)
    fusion = network.fusion[0]
    assert isinstance(fusion, nn.Conv2d)
    assert (fusion.in_channels, fusion.out_channels, fusion.kernel_size) == (1256, 256, (1, 1))


def test_paper_network_classifies_at_a_quarter() -> None:
    network = FusionNetwork("classification").eval()
    assert _shapes(network, network.decoder, 224) == [*DECODER[:3], (313, 4)]


@pytest.mark.parametrize("size", [(8, 8), (64, 40), (224, 224), (136, 96)])
@pytest.mark.parametrize("kind", ["fusion", "skip_fusion"])
def test_any_size_divisible_by_8(size: tuple[int, int], kind: str) -> None:
    h, w = size
    x, embedding = torch.rand(2, 1, h, w) * 2 - 1, torch.randn(2, 1000)
    with torch.no_grad():
        logits = build_network(NetworkConfig(kind, "classification")).eval()(x, embedding)
        colors = build_network(NetworkConfig(kind, "regression")).eval()(x, embedding)
    assert logits.shape == (2, 313, h // 4, w // 4)
    full = (h, w) if kind == "fusion" else (h // 4, w // 4)
    assert colors.shape == (2, 2, *full)
    assert colors.abs().max() <= 1


def test_other_sizes_and_missing_embeddings_are_refused() -> None:
    with pytest.raises(ValueError, match="divisible by 8"):
        SkipFusionNetwork("regression")(torch.zeros(1, 1, 60, 64))
    with pytest.raises(ValueError, match="embedding"):
        FusionNetwork("regression")(torch.zeros(1, 1, 64, 64))


def test_the_embedding_reaches_every_pixel() -> None:
    network = FusionNetwork("regression").eval()
    x = torch.zeros(1, 1, 64, 64)
    changed = network(x, torch.zeros(1, 1000)) != network(x, torch.ones(1, 1000) * 5)
    assert changed.float().mean() > 0.99


def test_hints_change_nothing_before_training_and_something_after() -> None:
    network = SkipFusionNetwork("classification").eval()
    x, hints = torch.rand(1, 1, 64, 64), torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        assert network(x, hints=hints).equal(network(x))
        assert network(x, hints=torch.zeros_like(hints)).equal(network(x))
        network.hint_stem.weight.fill_(0.1)
        assert not network(x, hints=hints).equal(network(x))


def test_encoder_stays_in_eval_mode_and_is_the_pretrained_one() -> None:
    network = SkipFusionNetwork("classification")
    backbone = load_backbone("tf_efficientnet_lite0")
    network.load_pretrained(backbone)
    assert torch.equal(network.stem.weight, backbone.state_dict()["conv_stem.weight"])
    before = network.encoder.bn1.running_mean.clone()
    network.train()(torch.rand(2, 1, 64, 64)).sum().backward()
    assert network.encoder.bn1.running_mean.equal(before)
    assert network.stem.weight.grad is not None
    assert network.stages.training
    assert not any(m.training for m in network.encoder.modules())


def test_wrong_choices_name_the_right_ones() -> None:
    with pytest.raises(UserError, match="skip_fusion, fusion"):
        NetworkConfig("unet")
    with pytest.raises(UserError, match="classification, regression"):
        NetworkConfig("fusion", "gan")
    with pytest.raises(UserError, match=r"tf_efficientnet_lite0, .*inception_resnet_v2; or any model of timm"):
        NetworkConfig("fusion", "regression", "no_such_model")
    with pytest.raises(UserError, match=r"without padding.*--network fusion"):
        build_network(NetworkConfig("skip_fusion", "regression", "inception_resnet_v2"))
    with pytest.raises(UserError, match="no feature maps at strides 4, 8, 16 and 32"):
        build_network(NetworkConfig("skip_fusion", "regression", "vit_tiny_patch16_224"))


@pytest.mark.parametrize("features", ["tf_efficientnet_lite1", "tf_efficientnet_lite2", "resnet18", "convnext_atto"])
def test_any_timm_model_with_maps_at_strides_4_to_32_is_an_encoder(features: str) -> None:
    network = build_network(NetworkConfig("skip_fusion", "classification", features))
    assert isinstance(network, SkipFusionNetwork)
    network.load_pretrained(build_backbone(features))
    network.train()
    x, hints = torch.rand(2, 1, 64, 96), torch.rand(2, 3, 64, 96)
    with torch.no_grad():
        assert network(x, None, hints).equal(network(x)), "hints change nothing before training"
    network(x, None, hints).square().mean().backward()
    gradients = [p.grad for p in network.parameters()]
    assert all(g is not None for g in gradients[:4])
    network.freeze_early()
    free = {name for name, p in network.named_parameters() if p.requires_grad}
    assert "head.weight" in free
    assert not {n for n in free if n.startswith(("stem.", "hint_stem."))}
    assert any(n.startswith("encoder.") for n in free)


def test_a_backbone_sees_pictures_as_it_was_trained_to() -> None:
    """Gray 0.5 in [-1, 1] is 0.75 in [0, 1], which resnet18 wants less ImageNet's mean and over its deviation."""
    network = SkipFusionNetwork("regression", "resnet18").eval()
    seen: list[torch.Tensor] = []
    network.stem.register_forward_hook(lambda _m, inputs, _o: seen.append(inputs[0]))
    network(torch.full((1, 1, 32, 32), 0.5))
    expected = (0.75 - torch.tensor([0.485, 0.456, 0.406])) / torch.tensor([0.229, 0.224, 0.225])
    assert torch.allclose(seen[0][0, :, 0, 0], expected, atol=1e-5)


@pytest.mark.parametrize("features", ["", "no_such_model", "resnet50.no_such_weights", 1, None])
def test_what_timm_does_not_have_is_a_sentence(features: Any) -> None:
    with pytest.raises(UserError, match="There is no feature extractor"):
        NetworkConfig(features=features)


@pytest.mark.parametrize("features", ["tf_efficientnet_lite0", "resnet18", "mobilenetv3_small_100"])
def test_folded_batch_norms_compute_the_same(features: str) -> None:
    network = SkipFusionNetwork("classification", features)
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:  # as after training: not the identity
        for values, low, high in ((norm.running_mean, -0.2, 0.2), (norm.running_var, 0.5, 2), (norm.weight, 0.5, 2)):
            assert values is not None
            nn.init.uniform_(values, low, high)
    nn.init.normal_(network.hint_stem.weight)
    lightness, hints = torch.rand(1, 1, 64, 96) * 2 - 1, torch.rand(1, 3, 64, 96)
    with torch.no_grad():
        before, copied = network.eval()(lightness, None, hints), folded(network)
        after = copied(lightness, None, hints)
        assert network(lightness, None, hints).equal(before), "the network itself stays as it was"
    assert (after - before).abs().max() < 1e-3 * before.abs().max()
    assert sum(isinstance(module, nn.BatchNorm2d) for module in copied.modules()) < len(norms) / 2


class _OtherOrder(nn.Module):
    def __init__(self, conv: nn.Module, norm: nn.Module) -> None:
        super().__init__()
        self.conv, self.norm = conv, norm

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        norm: torch.Tensor = self.norm(self.conv(x).abs())
        return norm


def test_what_can_not_be_folded_is_left_alone() -> None:
    network = SkipFusionNetwork("classification").eval()
    conv, norm, *_ = cast(nn.Sequential, network.stages[2])
    nn.init.uniform_(cast(torch.Tensor, norm.running_mean), 1, 2)
    network.stages[2] = _OtherOrder(conv, norm)
    assert folded(network) is network

"""Our EfficientNet-Lite is timm's, weight by weight and map by map."""

from __future__ import annotations

import subprocess
import sys

import pytest
import timm
import torch

from colorizer.model.efficientnet_lite import SCALES, Conv2dSame, EfficientNetLite
from colorizer.model.skip_fusion import encoder_maps

from ..conftest import EXAMPLES, ROOT


@pytest.mark.parametrize("name", ["tf_efficientnet_lite0", "tf_efficientnet_lite2", "tf_efficientnet_lite4"])
def test_the_same_as_timms(name: str) -> None:
    torch.manual_seed(0)
    theirs, ours = timm.create_model(name).eval(), EfficientNetLite(name).eval()
    assert list(ours.state_dict()) == list(theirs.state_dict())
    ours.load_state_dict(theirs.state_dict())
    assert [name for name, _ in ours.named_parameters()] == [name for name, _ in theirs.named_parameters()]
    keys = ("reduction", "module", "num_chs")
    info = theirs.feature_info if isinstance(theirs.feature_info, list) else theirs.feature_info.info
    assert [[e[k] for k in keys] for e in ours.feature_info] == [[e[k] for k in keys] for e in info]
    assert ours.num_features == theirs.head_hidden_size
    assert ours.default_cfg["first_conv"] == theirs.default_cfg["first_conv"]
    x = torch.rand(2, 3, 96, 160) * 2 - 1
    with torch.no_grad():
        assert torch.allclose(ours(x), theirs(x), atol=1e-4)
        assert torch.allclose(ours.forward_features(x), theirs.forward_features(x), atol=1e-4)
        pooled = torch.rand(2, ours.num_features)
        assert torch.allclose(ours.get_classifier()(pooled), theirs.get_classifier()(pooled), atol=1e-5)
        maps, pooled = encoder_maps(ours, x, [1, 2, 3, 4])
        their_maps, their_pooled = encoder_maps(theirs, x, [1, 2, 3, 4])
    for found, expected in zip([*maps, pooled], [*their_maps, their_pooled], strict=True):
        assert torch.allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize("side", [7, 8, 13])
@pytest.mark.parametrize(("kernel", "stride"), [(3, 2), (5, 2), (3, 1)])
def test_padding_is_tensorflows(side: int, kernel: int, stride: int) -> None:
    from timm.layers import Conv2dSame as Theirs

    ours, theirs = Conv2dSame(1, 1, kernel, stride), Theirs(1, 1, kernel, stride)
    theirs.load_state_dict(ours.state_dict())
    x = torch.rand(1, 1, side, side + 1)
    assert torch.allclose(ours(x), theirs(x), atol=1e-6)
    assert ours(x).shape[-2:] == (-(-side // stride), -(-(side + 1) // stride))


def test_a_photo_is_colored_without_what_takes_long_to_import() -> None:
    photo = EXAMPLES / "black-and-white" / "astronaut.jpg"
    code = (
        f"import sys; from colorizer import Colorizer; Colorizer.from_pretrained()({str(photo)!r});"
        "print(sorted({'timm', 'torchvision', 'torch._dynamo'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "[]", done.stderr


def test_the_scales_are_those_of_the_paper() -> None:
    million = [sum(p.numel() for p in EfficientNetLite(name).parameters()) / 1e6 for name in SCALES]
    assert [round(m, 1) for m in million] == [4.7, 5.4, 6.1, 8.2, 13.0]

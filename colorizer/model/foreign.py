"""Other people's weights, as they were published, in the form of our networks.

A file is recognized by the names of its tensors. Each of them must be there, in its shape, and none beside them: what
is left over or missing says that the file is damaged, or of another network.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from ..errors import UserError
from .networks import NetworkConfig, build_network
from .weights_file import read_weights

# Under which a file may hold its weights, besides at the top.
_WRAPPERS = ("params_ema", "params", "state_dict", "model")
_PREFIX = "module."  # of networks that were trained on several GPUs
# DDColor's names (github.com/piddnad/DDColor, basicsr/archs/ddcolor_arch.py), and ours.
_DDCOLOR = [
    (r"encoder\.arch\.downsample_layers\.0\.(\d)\.", r"stem.\1."),
    (r"encoder\.arch\.downsample_layers\.(\d)\.(\d)\.", r"stages.\1.downsample.\2."),
    (r"encoder\.arch\.stages\.(\d)\.(\d+)\.dwconv\.", r"stages.\1.blocks.\2.conv_dw."),
    (r"encoder\.arch\.stages\.(\d)\.(\d+)\.pwconv(\d)\.", r"stages.\1.blocks.\2.mlp.fc\3."),
    (r"encoder\.arch\.stages\.(\d)\.(\d+)\.", r"stages.\1.blocks.\2."),
    (r"encoder\.arch\.norm(\d)\.", r"norms.\1."),
    (r"decoder\.layers\.(\d)\.shuf\.conv\.", r"climb.\1.expand."),
    (r"decoder\.layers\.(\d)\.bn\.", r"climb.\1.skip_norm."),
    (r"decoder\.layers\.(\d)\.conv\.", r"climb.\1.join."),
    (r"decoder\.last_shuf\.conv\.0\.", r"pixels."),
    (r"decoder\.color_decoder\.query_feat\.weight", r"colors.queries"),
    (r"decoder\.color_decoder\.query_embed\.weight", r"colors.query_places"),
    (r"decoder\.color_decoder\.level_embed\.weight", r"colors.levels"),
    (r"decoder\.color_decoder\.input_proj\.", r"colors.project."),
    (r"decoder\.color_decoder\.transformer_cross_attention_layers\.(\d)\.multihead_attn\.", r"colors.layers.\1.cross."),
    (r"decoder\.color_decoder\.transformer_cross_attention_layers\.(\d)\.norm\.", r"colors.layers.\1.cross_norm."),
    (r"decoder\.color_decoder\.transformer_self_attention_layers\.(\d)\.self_attn\.", r"colors.layers.\1.own."),
    (r"decoder\.color_decoder\.transformer_self_attention_layers\.(\d)\.norm\.", r"colors.layers.\1.own_norm."),
    (r"decoder\.color_decoder\.transformer_ffn_layers\.(\d)\.linear1\.", r"colors.layers.\1.widen."),
    (r"decoder\.color_decoder\.transformer_ffn_layers\.(\d)\.linear2\.", r"colors.layers.\1.narrow."),
    (r"decoder\.color_decoder\.transformer_ffn_layers\.(\d)\.norm\.", r"colors.layers.\1.norm."),
    (r"decoder\.color_decoder\.decoder_norm\.", r"colors.norm."),
    (r"decoder\.color_decoder\.color_embed\.layers\.0\.", r"colors.embed.0."),
    (r"decoder\.color_decoder\.color_embed\.layers\.1\.", r"colors.embed.2."),
    (r"decoder\.color_decoder\.color_embed\.layers\.2\.", r"colors.embed.4."),
    (r"refine_net\.0\.0\.", r"refine."),
]
_CONVNEXT = {192: "convnext_large", 96: "convnext_tiny"}  # by the channels of its first layer


def read_foreign(file: Path) -> Mapping[str, Tensor]:
    """The tensors of a .safetensors file, or of a PyTorch one, of which nothing but weights is unpickled.

    Raises:
        UserError: it is neither, or damaged.
    """
    try:
        content = read_weights(file)
        for wrapper in _WRAPPERS:
            if isinstance(content, dict) and isinstance(content.get(wrapper), dict):
                content = content[wrapper]
        tensors = {str(k).removeprefix(_PREFIX): v for k, v in content.items()}
        if not tensors or not all(isinstance(v, Tensor) for v in tensors.values()):
            raise ValueError("not weights alone")
    except Exception as error:  # whatever the file is, the user needs one sentence
        raise UserError(
            f"{file} is not a file of weights, or it is damaged ({type(error).__name__}). Download it again, or give "
            f"another."
        ) from error
    return tensors


def converted(tensors: Mapping[str, Tensor], file: Path) -> tuple[NetworkConfig, dict[str, Tensor]]:
    """Published weights as those of one of our networks.

    Args:
        tensors: of `read_foreign`.
        file: named in errors.
    Returns:
        the network's configuration and its state.
    Raises:
        UserError: of no network that is known here; or a tensor is missing, left over, or of another shape.
    """
    if "decoder.color_decoder.query_feat.weight" in tensors:
        stem = tensors.get("encoder.arch.downsample_layers.0.0.weight")
        features = _CONVNEXT.get(len(stem) if stem is not None and stem.ndim else 0, "")
        if not features:
            raise UserError(f"{file} is a DDColor of an encoder that is not known here: give the large or tiny one.")
        config, state, unused = NetworkConfig("ddcolor", "regression", features), *_ddcolor(dict(tensors), file)
    elif "model10.1.weight" in tensors:
        config, state = NetworkConfig("siggraph17", "regression", ""), dict(tensors)
        unused = {"model_class.0.weight": (529, 256, 1, 1), "model_class.0.bias": (529,)}
    elif "model_out.weight" in tensors and "model8.6.weight" in tensors:
        config, state, unused = NetworkConfig("eccv16", "regression", ""), dict(tensors), {}
    else:
        raise UserError(
            f"{file} holds weights of no network that is known here. Give a checkpoint of this program, or the "
            f"published weights of DDColor, SIGGRAPH17 or ECCV16."
        )
    with torch.device("meta"):
        wanted = {k: tuple(v.shape) for k, v in build_network(config).state_dict().items()} | unused
    _check(wanted, state, config, file)
    return config, {k: v for k, v in state.items() if k not in unused}


def _check(
    wanted: Mapping[str, tuple[int, ...]], state: Mapping[str, Tensor], config: NetworkConfig, file: Path
) -> None:
    counters = {name for name in wanted if name.endswith("num_batches_tracked")}  # older files have none
    problems = [f"{name} is missing" for name in wanted if name not in state and name not in counters]
    problems += [f"{name} is left over" for name in state if name not in wanted]
    problems += [
        f"{name} has the shape {tuple(v.shape)} instead of {wanted[name]}"
        for name, v in state.items()
        if name in wanted and tuple(v.shape) != wanted[name]
    ]
    if problems:
        more = f", and {len(problems) - 1} more" if len(problems) > 1 else ""
        raise UserError(
            f"{file} looks like {config.network}, but {problems[0]}{more}: it is of another version, or damaged. "
            f"Download it again, or give another."
        )


def _ddcolor(tensors: dict[str, Tensor], file: Path) -> tuple[dict[str, Tensor], dict[str, tuple[int, ...]]]:
    """DDColor's tensors under our names; and those that it has but does not color with."""
    for name, usual in (("mean", (0.485, 0.456, 0.406)), ("std", (0.229, 0.224, 0.225))):
        constant = tensors.pop(name, None)  # not in all files
        if constant is not None and not torch.allclose(constant.float().flatten(), torch.tensor(usual), atol=1e-3):
            raise UserError(f"{file} was trained on pictures that were normalized otherwise ({name}).")
    state = {}
    for name, tensor in _without_spectral_norm(tensors).items():
        ours = name
        for pattern, replacement in _DDCOLOR:
            ours, found = re.subn("^" + pattern, replacement, name)
            if found:
                break
        state[ours] = tensor
    # The encoder's last norm is of a pooled vector that nothing reads.
    channels = len(state["norms.3.weight"]) if "norms.3.weight" in state else 0
    return state, {f"encoder.arch.norm.{part}": (channels,) for part in ("weight", "bias")}


def _without_spectral_norm(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights as they are used: each divided by its largest singular value, u^T W v by the vectors beside it.

    Miyato et al., "Spectral Normalization for Generative Adversarial Networks" (2018), eq. 8, as
    `torch.nn.utils.spectral_norm` has it in eval mode.
    """
    plain = dict(tensors)
    for name in [k for k in tensors if k.endswith(".weight_orig")]:
        stem = name.removesuffix("_orig")
        weight, u, v = (plain.get(stem + end) for end in ("_orig", "_u", "_v"))
        if weight is None or u is None or v is None or weight.ndim != 4:
            continue  # what is there of it is left over
        matrix = weight.float().flatten(1)
        if (len(u), len(v)) != tuple(matrix.shape):
            continue
        for end in ("_orig", "_u", "_v"):
            del plain[stem + end]
        plain[stem] = weight.float() / torch.dot(u.float(), matrix @ v.float())
    return plain

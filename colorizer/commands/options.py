"""What the command lines share: options out of dataclasses, and how they end."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import MISSING, Field, fields, replace
from typing import TYPE_CHECKING, Any

from ..device import DEVICES
from ..errors import UserError
from ..inference.settings import LOOKS, Settings

if TYPE_CHECKING:
    from ..inference.colorizer import Colorizer
    from ..inference.onnx_colorizer import OnnxColorizer
    from ..pictures.writing import Output

_TYPES = {"int": int, "float": float, "str": str}


def parser(prog: str, description: str | None) -> argparse.ArgumentParser:
    """Of a command whose module's docstring describes it."""
    formatter = argparse.RawDescriptionHelpFormatter
    return argparse.ArgumentParser(prog=prog, description=description, formatter_class=formatter)


def add_options(parser: argparse.ArgumentParser, options: type[Any]) -> None:
    """An option for each field of a dataclass, whose metadata have its help; what is not given is left to its default.

    Args:
        parser: to add to.
        options: a dataclass with fields of int, float, str and bool, or None.
    """
    for option in fields(options):
        kind = str(option.type).removesuffix(" | None")
        more: dict[str, Any] = {"action": "store_true"}
        if kind != "bool":
            choices = option.metadata.get("choices") or None
            more = {"type": _TYPES[kind], "choices": choices, "metavar": option.metadata.get("metavar")}
        name = f"--{option.name.replace('_', '-')}"
        parser.add_argument(name, default=argparse.SUPPRESS, help=_help(option), **more)


def _help(option: Field[Any]) -> str:
    silent = any(option.default is nothing for nothing in (None, MISSING, False))
    usual = option.metadata.get("usual") or ("" if silent else str(option.default))
    return (option.metadata["help"] + (f" (default: {usual})" if usual else "")).replace("%", "%%")


def chosen(arguments: argparse.Namespace, options: type[Any]) -> dict[str, Any]:
    """The fields that were given on the command line."""
    return {field.name: getattr(arguments, field.name) for field in fields(options) if hasattr(arguments, field.name)}


def add_colorizer_options(parser: argparse.ArgumentParser, several: bool = False) -> None:
    """Which network, or which `several`, and how it colors."""
    parser.add_argument(
        "--checkpoint", metavar="PATH", action="append" if several else "store",
        help="bundled (default), the name of a published network (python -m colorizer.commands.networks lists them), a "
        "file of weights, a run's folder, or OWNER/NAME on the Hugging Face Hub"
        + ("; may be given several times" if several else ""),
    )  # fmt: skip
    parser.add_argument("--features-weights", metavar="FILE", help="pretrained weights of the feature extractor")
    parser.add_argument(
        "--look", choices=LOOKS, default="natural",
        help="cautious: smallest errors; natural (default); vivid: as colorful as life; the options below change it",
    )  # fmt: skip
    add_options(parser, Settings)
    parser.add_argument("--device", choices=DEVICES, default="auto", help="where to compute (default: auto)")


def add_output_options(parser: argparse.ArgumentParser) -> None:
    """How photographs are written."""
    parser.add_argument("--format", help="png, jpg, webp or tif (default: each picture's own, where that can hold it)")
    parser.add_argument("--quality", type=int, default=95, help="of JPEG and WebP, 1 to 100 (default: 95)")
    parser.add_argument("--note", action="store_true", help="say in the files' metadata that the colors are simulated")


def output_from(arguments: argparse.Namespace) -> Output:
    """How they are to be written."""
    from ..pictures.writing import Output

    return Output(arguments.format, arguments.quality, arguments.note)


def settings_from(arguments: argparse.Namespace) -> Settings:
    """The settings given; those of the look for the others."""
    return replace(LOOKS[arguments.look], **chosen(arguments, Settings))


def colorizer_from(arguments: argparse.Namespace) -> Colorizer:
    """The Colorizer asked for."""
    from ..inference.colorizer import Colorizer

    return Colorizer.from_pretrained(arguments.checkpoint, arguments.features_weights, arguments.device)


def photo_colorizer_from(arguments: argparse.Namespace) -> Colorizer | OnnxColorizer:
    """The Colorizer asked for; of an .onnx file one that needs no PyTorch, and colors photos alone."""
    if str(arguments.checkpoint).endswith(".onnx"):
        from ..inference.onnx_colorizer import OnnxColorizer

        return OnnxColorizer(arguments.checkpoint)
    return colorizer_from(arguments)


def run(prog: str, command: Callable[[], int], interrupted: str) -> int:
    """Run a command to its exit status.

    Args:
        prog: its name, before errors.
        command: what to do; returns the status.
        interrupted: what to say after Ctrl-C, whose status is 130.
    Returns:
        2, after one sentence, when something needs fixing by the user.
    """
    try:
        return command()
    except UserError as error:
        print(f"{prog}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"\n{interrupted}", file=sys.stderr)
        return 130

"""The options that the command lines share."""

from __future__ import annotations

import argparse
from dataclasses import fields
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .inference import Colorizer
    from .settings import Settings

DEVICES = ("auto", "cuda", "mps", "cpu")


def add_colorizer_options(parser: argparse.ArgumentParser, several: bool = False) -> None:
    """Which network, or which `several`, and how it colors."""
    parser.add_argument(
        "--checkpoint", metavar="PATH", action="append" if several else "store",
        help="a .safetensors file, a run's folder, OWNER/NAME on the Hugging Face Hub, or bundled (default)"
        + ("; may be given several times" if several else ""),
    )  # fmt: skip
    parser.add_argument("--features-weights", metavar="FILE", help="pretrained weights of the feature extractor")
    parser.add_argument(
        "--vividness", type=float, help="0 cautious, 1 as usual (default), 3 vivid: the chance of rarer colors"
    )
    parser.add_argument("--temperature", type=float, help="lower is more decided (default: 0.5)")
    parser.add_argument("--saturation", type=float, help="chroma times this (default: 1)")
    parser.add_argument("--strength", type=float, help="0 gray .. 1 full color (default)")
    parser.add_argument(
        "--working-size", type=int, help="short side of the copy that the network sees (default: 1.5 training crops)"
    )
    parser.add_argument("--device", choices=DEVICES, default="auto")


def settings_from(arguments: argparse.Namespace) -> Settings:
    """The settings given; the defaults of `Settings` for the others."""
    from .settings import Settings

    given = {field.name: getattr(arguments, field.name) for field in fields(Settings)}
    return Settings(**{name: value for name, value in given.items() if value is not None})


def colorizer_from(arguments: argparse.Namespace) -> Colorizer:
    """The Colorizer asked for."""
    from .inference import Colorizer

    return Colorizer.from_pretrained(arguments.checkpoint, arguments.features_weights, arguments.device)

"""The options that the command lines share."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .inference import Colorizer, Settings

DEVICES = ("auto", "cuda", "mps", "cpu")


def add_colorizer_options(parser: argparse.ArgumentParser) -> None:
    """Which network, and how it colours."""
    parser.add_argument(
        "--checkpoint", metavar="PATH", help="a .safetensors file or a run's folder (default: the bundled one)"
    )
    parser.add_argument("--features-weights", metavar="FILE", help="pretrained weights of the feature extractor")
    parser.add_argument("--alpha", type=float, help="0 cautious, 1 very vivid")
    parser.add_argument("--temperature", type=float, help="lower is more decided")
    parser.add_argument(
        "--working-size", type=int, help="short side of the copy that the network sees (default: 1.5 training crops)"
    )
    parser.add_argument("--device", choices=DEVICES, default="auto")


def settings_from(arguments: argparse.Namespace) -> Settings:
    """The settings given; the defaults of `Settings` for the others."""
    from .inference import Settings

    given = {k: getattr(arguments, k) for k in ("alpha", "temperature", "working_size")}
    return Settings(**{k: v for k, v in given.items() if v is not None})


def colorizer_from(arguments: argparse.Namespace) -> Colorizer:
    """The Colorizer asked for."""
    from .inference import Colorizer

    return Colorizer.from_pretrained(arguments.checkpoint, arguments.features_weights, arguments.device)

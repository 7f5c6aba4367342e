"""Coloring where PyTorch isn't installed: by ONNX Runtime, and a file that holds a network and all that follows it.

pip install onnxruntime numpy opencv-python-headless pillow tqdm
python -m colorizer album/ -o colored/ --checkpoint colors.onnx      # of `onnx_export.export_onnx_colorizer`
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..arrays import resize
from ..device import cores
from ..errors import UserError
from ..model.hints import Hint, HintTuple
from ..pictures.photo import Photo
from .settings import Settings
from .upsampling import colorize_photo, guide_of
from .working import cells_of, working_copy, working_size_for

SUFFIX = ".onnx"
ABOUT = "colorizer"  # of the file's metadata
STRIDE = 4  # of the network's output
# What the graph is told of the settings, in this order.
LOOK = ("alpha", "annealing", "consent", "people")
Hints = Sequence[Hint | HintTuple]


class OnnxColorizer:
    """Such a file. Colors any number of photos; safe to share between threads."""

    credit = ""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Load it.

        Raises:
            UserError: it isn't there, isn't such a file, or ONNX Runtime is missing.
        """
        if not Path(path).is_file():
            raise UserError(f"There is no checkpoint {path}.")
        try:
            import onnxruntime
        except ImportError as error:
            raise UserError(f"{path} needs another package: pip install onnxruntime.") from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = cores()
        options.log_severity_level = 4
        try:
            self._session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
            about = json.loads(self._session.get_modelmeta().custom_metadata_map[ABOUT])
            if about["output"] != "ab":
                raise ValueError("the network alone")
            self._objective, self._size = str(about["objective"]), int(about["size"])
        except Exception as error:  # ONNX Runtime has exceptions of its own, which are of no common class
            raise UserError(
                f"{path} is no file that photos can be colored with ({type(error).__name__}). "
                f"Give one of: python -m colorizer.commands.export CHECKPOINT -o FILE.onnx --whole."
            ) from error

    def check(self, hints: bool = False, alternatives: bool = False) -> None:
        """Whether it can do that.

        Raises:
            UserError: it can't: PyTorch is needed.
        """
        if hints or alternatives:
            what = "hints" if hints else "alternatives"
            raise UserError(f"An .onnx file knows no {what}. Give a .safetensors file, which needs PyTorch.")

    def prepare(self, photo: Photo) -> OnnxPhoto:
        """For a photo."""
        return OnnxPhoto(self, photo)

    def ab(self, guide: Any, settings: Settings) -> Any:
        """The colors of a photo's working copy.

        Args:
            guide: (H, W), L in [0, 100].
            settings: how to color.
        Returns:
            (h/4, w/4, 2) in Lab units, of an h x w copy.
        """
        inputs = {node.name: node.shape for node in self._session.get_inputs()}
        light = working_copy(guide, self.working_size(settings))
        height, width = light.shape
        given = {
            "lightness": _normalized(light),
            "cells": cells_of(height // STRIDE, width // STRIDE),
            "look": np.array([getattr(settings, name) for name in LOOK], np.float32),
        }
        if "whole" in inputs:
            side = inputs["whole"][-1]
            given["whole"] = _normalized(np.clip(resize(guide, side, side), 0, 100))
        (ab,) = self._session.run(["ab"], {name: value for name, value in given.items() if name in inputs})
        chroma = settings.chroma if self._objective == "regression" else 1.0
        return np.ascontiguousarray(np.moveaxis(ab[0], 0, -1)) * np.float32(chroma)

    def working_size(self, settings: Settings) -> int:
        """As of `Predictor.working_size`."""
        return settings.working_size or working_size_for(self._size)


def _normalized(light: Any) -> Any:
    """(1, 1, H, W) in [-1, 1], of (H, W) in [0, 100]; as `lab.normalize_l`, which needs PyTorch."""
    return light[None, None] / np.float32(50) - np.float32(1)


class OnnxPhoto:
    """A photo that is colored so; in the manner of `PreparedPhoto`."""

    def __init__(self, colorizer: OnnxColorizer, photo: Photo) -> None:
        self.colorizer, self.photo = colorizer, photo

    def colorize(self, settings: Settings | None = None, hints: Hints = (), in_place: bool = False) -> Photo:
        """Color it; the arguments are those of `PreparedPhoto.colorize`.

        Raises:
            UserError: there are hints.
        """
        self.colorizer.check(hints=bool(hints))
        settings = settings or Settings()
        guide = guide_of(self.photo)
        ab = self.colorizer.ab(guide, settings)
        return colorize_photo(self.photo, guide, ab, settings.saturation, settings.strength, in_place)

    def not_shown(self, hints: Hints) -> list[str]:
        """Nothing: there are no hints."""
        return []

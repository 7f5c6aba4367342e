"""A checkpoint on a device, ready to predict: the network, what it needs beside L, and what it can do."""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import Tensor

from ..arrays import Array, Plane, resize
from ..color.lab import normalize_l
from ..device import choose_device, gpu_is_lent_by_call, half_precision, keep_freed_memory, on_lent_gpu
from ..errors import UserError
from ..model.checkpoints import Checkpoint, find_checkpoint, load_checkpoint
from ..model.decoding import predicted_ab
from ..model.folding import folded
from ..model.hints import Hint, hint_planes_of
from ..model.pretrained import FeatureExtractor, load_extractor
from ..model.skip_fusion import context_extractor
from .settings import Settings
from .working import working_copy, working_size_for


class Predictor:
    """Predicts colors at the network's own resolution; safe to share between threads."""

    def __init__(self, checkpoint: Checkpoint, extractor: FeatureExtractor | None = None, device: str = "auto") -> None:
        """Make ready.

        Args:
            checkpoint: a loaded one.
            extractor: for networks that take an embedding: the one they were trained with.
            device: "auto", "cuda", "mps" or "cpu".
        """
        keep_freed_memory()
        self.checkpoint, self.device = checkpoint, choose_device(device)
        # Channels last are a fifth faster, and so are folded batch norms.
        self.network = folded(checkpoint.network.to(self.device).to(memory_format=torch.channels_last))
        extractor = context_extractor(self.network) or extractor
        self.extractor = extractor.to(self.device) if extractor is not None else None
        # Of others' networks, which are large: half the time on two cores (`benchmarks/peers.py`).
        self._half = half_precision(self.device) if checkpoint.config.spec.square else None
        self._lent_file: Path | None = None

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str] | None = None,
        features_weights: str | os.PathLike[str] | None = None,
        device: str = "auto",
    ) -> Predictor:
        """Load a checkpoint; the arguments and errors are those of `Colorizer.from_pretrained`."""
        file = find_checkpoint(path)
        checkpoint = load_checkpoint(file)
        extractor = None
        if checkpoint.config.spec.takes_embedding:
            weights = features_weights
            if weights is None and checkpoint.features_weights and Path(checkpoint.features_weights).is_file():
                weights = checkpoint.features_weights
            extractor = load_extractor(checkpoint.config.features, weights)
            if extractor.fingerprint() != checkpoint.features_fingerprint:
                raise UserError(
                    f"{path} was trained on other weights of {checkpoint.config.features} than these. "
                    f"Give the file it was trained with by --features-weights FILE."
                )
        predictor = cls(checkpoint, extractor, device)
        # Our own networks take a tenth of a second of a CPU: a GPU that must be lent first would be later.
        if checkpoint.config.spec.square and device == "auto" and gpu_is_lent_by_call():
            predictor._lent_file = file
        return predictor

    @property
    def credit(self) -> str:
        """Whose network it is, and under which license, where others have made it; else nothing."""
        return self.checkpoint.credit

    @property
    def takes_hints(self) -> bool:
        """Whether the network can be told of known colors."""
        return self.checkpoint.config.spec.takes_hints

    @property
    def knows_alternatives(self) -> bool:
        """Whether other plausible colorings can be asked for."""
        return self.takes_hints and self.checkpoint.config.objective == "classification"

    def check(self, hints: bool = False, alternatives: bool = False) -> None:
        """Whether this network can do that.

        Raises:
            UserError: it takes no hints, or knows no alternatives.
        """
        name = self.checkpoint.config.network
        if hints and not self.takes_hints:
            raise UserError(
                f"The network {name} can't be told of hints. Leave out their influence, or choose another network."
            )
        if alternatives and not self.knows_alternatives:
            raise UserError("Alternatives need a skip_fusion classification network: only that knows other guesses.")

    def working_size(self, settings: Settings) -> int:
        """Short side of the network's copy in pixels; or the side of the square, if the network was made for squares.

        By default 1.5 times the training crops' side: those showed 60 to 100% of a picture's short side, so things
        are then as large as they were in training (measured to be best for the bundled checkpoint, 192 for 128).
        """
        usual = self.checkpoint.config.spec.square or working_size_for(self.checkpoint.size)
        return settings.working_size or usual

    def embed(self, guide: Plane) -> Tensor | None:
        """What an extractor says of a picture's L (H, W) in [0, 100], (1, ...); None for a network that takes none."""
        if self.extractor is None:
            return None
        seen = torch.from_numpy(np.clip(resize(guide, self.extractor.size, self.extractor.size), 0, 100))
        return self.extractor(seen[None, None].to(self.device))

    @torch.inference_mode()
    def predict(
        self, guide: Plane, size: int, embedding: Tensor | None, hints: tuple[Hint, ...], photo_size: tuple[int, int]
    ) -> Tensor:
        """The network's output.

        Args:
            guide: (H, W), L in [0, 100].
            size: short side of the network's copy of it.
            embedding: of `embed`.
            hints: known colors, in the photo's pixels.
            photo_size: (height, width) of the photo.
        Returns:
            (1, 2 or 313, h, w).
        """
        self.check(hints=bool(hints))
        small = working_copy(guide, size, square=bool(self.checkpoint.config.spec.square))
        if self._lent_file:
            return torch.from_numpy(_predicted_on_lent_gpu(self._lent_file, guide, size, hints, photo_size))
        x = normalize_l(torch.from_numpy(small)[None, None].to(self.device))
        planes = hint_planes_of(hints, photo_size, small.shape).to(self.device) if hints else None
        if planes is not None:
            planes = planes.contiguous(memory_format=torch.channels_last)
        with torch.autocast(self.device.type, self._half or torch.bfloat16, enabled=self._half is not None):
            return cast(Tensor, self.network(x, embedding, planes)).float()

    @torch.inference_mode()
    def colors(self, output: Tensor, settings: Settings) -> Plane:
        """The output of `predict` as ab (h, w, 2) float32 in Lab units."""
        checkpoint = self.checkpoint
        objective = checkpoint.config.objective
        ab = predicted_ab(output, objective, checkpoint.prior, settings.alpha, settings.annealing)
        if objective == "regression":
            ab = ab * settings.chroma
        return cast(Plane, ab[0].permute(1, 2, 0).cpu().numpy())


@on_lent_gpu
def _predicted_on_lent_gpu(
    file: Path, guide: Plane, size: int, hints: tuple[Hint, ...], photo_size: tuple[int, int]
) -> Array:
    """`Predictor.predict` where there is a GPU, of a network that takes no embedding."""
    return _on_lent_gpu(file).predict(guide, size, None, hints, photo_size).cpu().numpy()


@functools.lru_cache(maxsize=1)
def _on_lent_gpu(file: Path) -> Predictor:
    return Predictor.load(file)

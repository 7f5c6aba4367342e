"""The training loop.

    config = TrainingConfig(data="photos/", output="runs/mine", epochs=10)
    train(config)                    # again with resume=True resumes where it stopped or was killed

Everything random is drawn from (seed, epoch, picture) or (seed, step), nothing from the state of a generator, so
a resumed run sees what an unbroken one would have seen and ends with the same weights.
"""

from __future__ import annotations

import itertools
import math
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.tracking import get_available_trackers
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader
from tqdm import tqdm

from ..arrays import Array
from ..color.bins import rebalancing_weights
from ..color.lab import lab_to_rgb_tensor, normalize_l, rgb_to_lab_tensor
from ..data.crops import BatchOrder, CropDataset, Sample, ab_prior
from ..data.embeddings import EmbeddingCache
from ..data.folder_weights import folder_weights
from ..data.scan import PictureInfo
from ..data.survey import Survey, survey
from ..device import choose_device
from ..errors import UserError
from ..evaluation.results import Comparison
from ..evaluation.testset import learned_from, run_folder
from ..files import cache_folder
from ..inference.settings import LOOKS, Settings
from ..model.checkpoints import BUNDLED, Checkpoint, load_checkpoint, save_checkpoint
from ..model.decoding import predicted_ab
from ..model.layers import ColorNetwork
from ..model.networks import NETWORKS, build_network
from ..model.pretrained import FeatureExtractor, load_backbone, load_extractor
from ..model.skip_fusion import SkipFusionNetwork, context_extractor
from ..pictures.photo import Photo
from ..pictures.sources import PictureSource
from ..pictures.writing import write_picture
from .config import TrainingConfig
from .discriminators import Discriminators, Seen
from .losses import FrozenClassifier, decoded_loss, loss_function, perceptual_loss
from .optim import AverageWeights, choose_precision, learning_rate_factor
from .runs import Run
from .signals import StopRequest, leave_stopping_to_the_parent
from .validation import validate

_MOST_WORKERS = 16  # that decode pictures for one GPU
_JUDGES_RATE, _JUDGES_START = 4e-4, 120  # learning rate of the discriminators, and steps that they take alone at first
_LEAST_COMPARED = 8  # validation pictures, to say which of two networks is better
ENCODER_LEARNING_RATE = 0.2  # of the rest's: pretrained layers are tuned, not learned
CHANNELS_LAST = torch.channels_last


class Trainer:
    """One run: what it needs in memory, and its loop."""

    def __init__(self, config: TrainingConfig, resume: bool, log: Callable[[str], None]) -> None:
        self.config, self.network_config, self.log = config, config.network_config, log
        device = choose_device(config.device)
        precision = choose_precision(config.precision, device)
        self.accelerator = Accelerator(
            cpu=device.type == "cpu", mixed_precision=precision, log_with=_tracker(config.log_with),
            project_dir=config.output,
        )  # fmt: skip
        self.lost = 0  # pictures that can't be read any more
        self.main, self.device = self.accelerator.is_main_process, self.accelerator.device
        self.run = Run(Path(config.output))
        if not resume:
            self.run.check_new()
        state = self.run.load_state() if resume else None
        torch.manual_seed(config.seed)
        found = self._survey()
        network = self._network(state)
        self._open_data(found, network, None if state is None else state["prior"])
        self._build(network, state)
        if self.main:  # not earlier: what can't start leaves no run behind
            self.run.register()
            self.run.begin(config, self.step, (p.name for p in self.held_out), self._learned_from())
            self.accelerator.init_trackers("trackers", asdict(config) if config.log_with else None)
            self._record(
                "start", self.step // self.steps_per_epoch, device=str(self.device), pictures=len(self.train_set),
                processes=self.accelerator.num_processes,
            )  # fmt: skip

    def _survey(self) -> Survey:
        config = self.config
        with self.accelerator.main_process_first():  # the others read what the first one found
            found = survey(
                config.data, config.limit, config.validation, config.validation_pictures,
                self._bar("Looking at the pictures"),
            )  # fmt: skip
        self.data_summary, self.held_out = found.scan.summary(), found.held_out
        self.log(f"{self.data_summary}: {len(found.train)} for training, {len(found.validation)} for validation.")
        if config.batch_size < self.accelerator.num_processes:
            raise UserError("The batch size must be at least the number of processes.")
        return found

    def _open_data(self, found: Survey, network: ColorNetwork, prior: Tensor | None) -> None:
        config = self.config
        source, train, validation = found.source, found.train, found.validation
        embeddings = self.fingerprint = None
        spec = NETWORKS[config.network]
        if spec.takes_embedding or self.network_config.context:
            with self.accelerator.main_process_first():
                extractor = extractor_of(config, network)
                if spec.takes_embedding:  # those of a context are in the checkpoint
                    self.fingerprint = extractor.fingerprint()
                embeddings = self._embeddings(extractor, source, train + validation)
                del extractor
        size = config.size
        self.train_set = CropDataset(
            source,
            train,
            size,
            config.seed,
            True,
            config.degrade,
            config.hinted if spec.takes_hints else None,
            embeddings,
        )
        self.validation_set = CropDataset(source, validation, size, augment=False, embeddings=embeddings)
        self.prior = ab_prior(self.train_set) if prior is None else prior
        self.bin_weights = rebalancing_weights(self.prior).to(self.device) if config.rebalance else None
        self.weights = folder_weights(config.folder_weights, [p.name for p in train])
        self.steps_per_epoch = BatchOrder(len(train), config.batch_size, 0, 0, weights=self.weights).batches
        self.steps = self.steps_per_epoch * config.epochs

    def _embeddings(
        self, extractor: FeatureExtractor, source: PictureSource, pictures: list[PictureInfo]
    ) -> EmbeddingCache:
        cache = EmbeddingCache(cache_folder(), extractor.fingerprint(), extractor.shape)
        cache.fill(extractor, source, pictures, self.device, progress=self._bar("Computing embeddings"))
        return cache

    def _learned_from(self) -> set[str]:
        """Hashes of the pictures, and of those that the run learned from which this one starts from."""
        run = run_folder(self.config.init) if self.config.init else None
        return {p.key for p in self.train_set.pictures} | (learned_from(run) if run else set())

    def _network(self, state: dict[str, Any] | None) -> ColorNetwork:
        """With the weights that it starts from."""
        config, kind = self.config, self.network_config
        network = build_network(kind).to(memory_format=CHANNELS_LAST)
        if state is not None:
            network.load_state_dict(state["network"])
            return network
        start = self._initial(config.init) if config.init is not None else None
        if kind.context and (start is None or not start.config.context):
            assert isinstance(network, SkipFusionNetwork)
            network.load_context(load_backbone(kind.context))
        if start is not None:
            network.load_state_dict(start.network.state_dict(), strict=start.config == kind)
        elif not kind.spec.takes_embedding:
            network.load_pretrained(load_backbone(config.features, config.features_weights))
        return network

    def _build(self, network: ColorNetwork, state: dict[str, Any] | None) -> None:
        config = self.config
        if config.freeze_early:
            network.freeze_early()
        tuned = [p for p in network.pretrained_parameters() if p.requires_grad]
        rest = [p for p in network.parameters() if p.requires_grad and not any(p is q for q in tuned)]
        rate = config.learning_rate
        parts = [(p, r) for p, r in ((rest, rate), (tuned, rate * ENCODER_LEARNING_RATE)) if p]
        self.base_rates = [r for _, r in parts]
        optimizer = torch.optim.AdamW([{"params": p, "lr": r} for p, r in parts], weight_decay=config.weight_decay)
        self.step, self.best = 0, math.inf
        if state is not None:
            optimizer.load_state_dict(state["optimizer"])
            self.step, self.best = state["step"], state["best"]
        self.average = AverageWeights(network, config.ema)
        self.average.module.requires_grad_(False)
        if state is not None:
            self.average.module.load_state_dict(state["average"])
        self.average.module.to(self.device).to(memory_format=CHANNELS_LAST)
        self.classifier: FrozenClassifier | None = None
        if config.perceptual or config.adversarial:
            classifier = load_backbone("tf_efficientnet_lite0").to(memory_format=CHANNELS_LAST)
            self.classifier = FrozenClassifier(classifier).to(self.device)
        self.judges: Discriminators | None = None
        if config.adversarial:
            assert self.classifier is not None
            with torch.no_grad():
                features = self.classifier(torch.zeros(1, 3, 64, 64, device=self.device))
            self.judges = Discriminators([f.shape[1] for f in features]).to(self.device)
            self.judges_optimizer = torch.optim.Adam(self.judges.parameters(), _JUDGES_RATE, betas=(0.0, 0.99))
            if state is not None:
                self.judges.load_state_dict(state["judges"])
                self.judges_optimizer.load_state_dict(state["judges_optimizer"])
        self.network, self.optimizer = self.accelerator.prepare(network, optimizer)
        if config.compile:
            self.network.compile()  # in place: the state keeps its names

    def _initial(self, init: str) -> Checkpoint:
        """The checkpoint to start from; it must be of the network that is to be trained."""
        checkpoint = load_checkpoint(init)
        if checkpoint.config not in (self.network_config, replace(self.network_config, context="")):
            have = " ".join(value for value in asdict(checkpoint.config).values() if value)
            raise UserError(
                f"{init} is a checkpoint of another network ({have}). Give --network, --objective, --features and "
                f"--context as it was trained with, or another --init."
            )
        return checkpoint

    def _bar(self, title: str) -> Callable[[int, int], None]:
        bar: tqdm[Any] | None = None

        def advance(done: int, total: int) -> None:
            nonlocal bar
            bar = bar or tqdm(total=total, desc=title, disable=None if self.main else True, leave=False)
            bar.update(done - bar.n)
            if done == total:
                bar.close()

        return advance

    # ------------------------------------------------------------------------------------------- loop

    def fit(self) -> bool:
        """Train to the last epoch; False if it was asked to stop before."""
        stop = StopRequest()
        with stop.listening():
            first = self.step // self.steps_per_epoch
            for epoch in range(first, self.config.epochs):
                if not self._epoch(epoch, stop):
                    return False
        return True

    def _epoch(self, epoch: int, stop: StopRequest) -> bool:
        config, accelerator = self.config, self.accelerator
        start = self.step - epoch * self.steps_per_epoch
        bar = tqdm(
            total=self.steps_per_epoch, initial=start, desc=f"Epoch {epoch + 1}/{config.epochs}",
            disable=None if self.main else True, mininterval=1,
        )  # fmt: skip
        losses: list[float] = []
        begun = waiting_since = time.perf_counter()
        waited = 0.0
        for batch in self._batches(epoch, start):
            waited += time.perf_counter() - waiting_since
            self._count_lost(batch)
            losses.append(self._step(batch))
            self.step += 1
            bar.update()
            if self.step % config.log_every == 0:
                bar.set_postfix(loss=f"{np.mean(losses):.4f}")
                elapsed = time.perf_counter() - begun
                self._record(
                    "step", epoch, loss=float(np.mean(losses)), learning_rate=self.optimizer.param_groups[0]["lr"],
                    pictures_per_second=len(losses) * config.batch_size / elapsed, data_share=waited / elapsed,
                )  # fmt: skip
                losses, begun, waited = [], time.perf_counter(), 0.0
            if self.step % config.save_every == 0:
                self._save()
            if self._anyone(stop.asked):
                self._save()
                bar.close()
                return False
            waiting_since = time.perf_counter()
        bar.close()
        if self.main:
            self._validate(epoch)
        self._save()
        accelerator.wait_for_everyone()
        return True

    def _batches(self, epoch: int, start: int = 0) -> DataLoader[Sample]:
        """This process's part of an epoch's batches, from `start` on."""
        order = BatchOrder(
            len(self.train_set), self.config.batch_size, self.config.seed, epoch, start,
            self.accelerator.process_index, self.accelerator.num_processes, self.weights,
        )  # fmt: skip
        workers = self.config.workers
        if workers is None:
            cores = (os.cpu_count() or 1) // self.accelerator.num_processes
            workers = min(cores, _MOST_WORKERS) if self.device.type == "cuda" else 1
        pinned = self.device.type == "cuda"
        return DataLoader(
            self.train_set, batch_sampler=order, num_workers=workers, pin_memory=pinned,
            worker_init_fn=leave_stopping_to_the_parent,
        )  # fmt: skip

    def batches(self) -> Iterator[Sample]:
        """This process's batches, one epoch's after the other's, without end."""
        return (batch for epoch in itertools.count() for batch in self._batches(epoch))

    def measure(self, steps: int) -> tuple[float, float, float]:
        """Train so many steps, after one that is not counted, and validate.

        Returns:
            seconds a step, the share of them that was spent on waiting for pictures, seconds of the validation.
        """
        waited = 0.0
        begun = since = time.perf_counter()
        for taken, batch in enumerate(self.batches()):
            waited += time.perf_counter() - since
            self._step(batch)
            since = time.perf_counter()
            if taken == 0:
                waited, begun = 0.0, since
            if taken == steps:
                break
        measured = time.perf_counter() - begun
        begun = time.perf_counter()
        self._validate(0)
        return measured / steps, waited / measured, time.perf_counter() - begun

    def _anyone(self, asked: bool) -> bool:
        """Whether any process was asked to stop: they must leave the loop at the same step."""
        if self.accelerator.num_processes == 1:
            return asked
        flag = torch.tensor([float(asked)], device=self.device)
        return bool(cast(Tensor, self.accelerator.reduce(flag, "sum")) > 0)

    def _step(self, batch: Sample) -> float:
        factor = learning_rate_factor(self.step, self.steps, self.config.warmup)
        for group, rate in zip(self.optimizer.param_groups, self.base_rates, strict=True):
            group["lr"] = rate * factor
        self.network.train()
        lab = self._lab(batch.rgb)
        with self.accelerator.autocast():
            output = self._forward(self.network, batch)
        ab = F.interpolate(lab[:, 1:], output.shape[-2:], mode="area")
        loss = loss_function(output, ab, self.config.objective, self.bin_weights)
        if self.config.decoded:
            loss = loss + self.config.decoded * decoded_loss(self._colors(output, LOOKS["cautious"]), ab)
        if self.classifier is not None:
            loss = loss + self._looks(self.classifier, output, lab, batch.rgb)
        value = float(loss.detach())
        self._check_finite(value)
        self.accelerator.backward(loss)
        norm = self.accelerator.clip_grad_norm_(self.network.parameters(), self.config.clip)
        if self.accelerator.scaler is None:  # which leaves steps out itself
            self._check_finite(float(cast(Tensor, norm)))
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.average.update(self.accelerator.unwrap_model(self.network), self.step)
        return value

    def _count_lost(self, batch: Sample) -> None:
        """Say that pictures are gone; stop when it is too many of them."""
        lost, before = int(batch.lost.sum()), self.lost
        self.lost += lost
        if 2 * int((batch.lost > 0).sum()) > len(batch.lost):
            self._save()
            raise UserError(
                f"Most of the pictures in {self.config.data} can't be read any more. Bring them back, then resume "
                f"the run."
            )
        if lost and not before:
            self.log(f"Some pictures in {self.config.data} can't be read any more; others stand in for them.")

    def _check_finite(self, value: float) -> None:
        """Stop before a loss or a gradient that is none reaches the weights."""
        if math.isfinite(value):
            return
        sound = self.run.folder / "last.pt"
        way = "Resume with a lower" if sound.exists() else "Start anew with a lower"
        raise UserError(f"The learning came apart at step {self.step}: the loss is {value}. {way} --learning-rate.")

    def _looks(self, classifier: FrozenClassifier, output: Tensor, lab: Tensor, rgb: Tensor) -> Tensor:
        """What a classifier, and discriminators, have against the colors; the classifier sees every other picture."""
        config, half = self.config, slice(0, None, 2)
        vivid = self._colors(output, LOOKS["vivid"]) if self.judges is not None else None
        # With discriminators each in turn, so that all looks gain.
        ab = vivid[half] if vivid is not None and self.step % 2 == 1 else self._colors(output[half], LOOKS["natural"])
        ab = F.interpolate(ab, lab.shape[-2:], mode="bilinear", align_corners=False)
        colored = lab_to_rgb_tensor(torch.cat([lab[half, :1], ab], dim=1))
        with self.accelerator.autocast():
            made = classifier(colored)
            with torch.no_grad():
                true = classifier(rgb[half].to(self.device) / 255)
        loss = config.perceptual * perceptual_loss(made, true)
        if self.judges is not None and vivid is not None:
            small = F.interpolate(lab, output.shape[-2:], mode="area")
            light, true_ab = small[:, :1], small[:, 1:]
            opinion = self._adversarial(self.judges, Seen(light, true_ab, true), Seen(light, vivid, made))
            loss = loss + config.adversarial * opinion
        return loss

    def _adversarial(self, judges: Discriminators, true: Seen, made: Seen) -> Tensor:
        """What discriminators have against the colors; they take a step themselves first."""
        with self.accelerator.autocast():
            own = judges.requires_grad_(True).loss(true, made)
        self.judges_optimizer.zero_grad()
        self.accelerator.backward(own)
        if self.accelerator.num_processes > 1:
            for parameter in judges.parameters():
                parameter.grad = cast(Tensor, self.accelerator.reduce(parameter.grad, "mean"))
        self.judges_optimizer.step()
        if self.step < _JUDGES_START:
            return own.new_zeros(())
        with self.accelerator.autocast():
            return judges.requires_grad_(False).objection(made)

    def _colors(self, output: Tensor, look: Settings) -> Tensor:
        return predicted_ab(output, self.config.objective, self.prior, look.alpha, look.annealing)

    def _lab(self, rgb: Tensor) -> Tensor:
        return rgb_to_lab_tensor(rgb.to(self.device, non_blocking=True).float() / 255)  # (N, 3, S, S)

    def _forward(self, network: nn.Module, batch: Sample) -> Tensor:
        def there(x: Tensor) -> Tensor | None:
            return x.to(self.device, non_blocking=True) if x.shape[1] else None

        lightness = normalize_l(cast(Tensor, there(batch.lightness))).contiguous(memory_format=CHANNELS_LAST)
        hints = there(batch.hints)
        if hints is not None:
            hints = hints.contiguous(memory_format=CHANNELS_LAST)
        return cast(Tensor, network(lightness, there(batch.embedding), hints))

    # -------------------------------------------------------------------------- validation and saving

    def _validate(self, epoch: int) -> None:
        """Errors on the validation pictures, beside those of gray; the best epoch's weights are kept."""
        errors, preview, by_picture = validate(self._predict, self._validation_batches(), self.device)
        self._check_finite(sum(errors.values()))
        write_picture(Photo(preview), self.run.folder / "previews" / f"epoch-{epoch + 1:04d}.png")
        self._record("epoch", epoch, lost=self.lost, **errors, **self._beside_bundled(by_picture))
        self.log(
            f"Epoch {epoch + 1}: MSE of ab on validation crops {errors['crop_mse_ab']:.1f} (gray "
            f"{errors['gray_crop_mse_ab']:.1f}), of RGB {errors['crop_mse_rgb']:.1f} "
            f"(gray {errors['gray_crop_mse_rgb']:.1f})"
        )
        if errors["crop_mse_ab"] < self.best:
            self.best = errors["crop_mse_ab"]
            save_checkpoint(self._checkpoint(epoch, errors), self.run.folder / "best.safetensors")

    def _validation_batches(self, pictures: CropDataset | None = None) -> DataLoader[Sample]:
        pictures = pictures or self.validation_set
        number = len(pictures)
        batches = [[(0, i) for i in range(k, min(k + 32, number))] for k in range(0, number, 32)]
        return DataLoader(pictures, batch_sampler=batches)

    def _beside_bundled(self, by_picture: Array) -> dict[str, float]:
        """How much larger the error is than the bundled network's, and a 95% interval of that over the pictures."""
        if len(by_picture) < _LEAST_COMPARED:
            return {}
        found = Comparison.of("", "", by_picture - self._errors_of_bundled, "")
        return {"less_bundled": found.difference, "less_bundled_low": found.low, "less_bundled_high": found.high}

    @cached_property
    def _errors_of_bundled(self) -> Array:
        bundled = load_checkpoint(BUNDLED)
        network = bundled.network.to(self.device).to(memory_format=CHANNELS_LAST)
        pictures = replace(self.validation_set, embeddings=None)
        extractor = context_extractor(network)
        if extractor is not None:
            found = self._embeddings(extractor, pictures.source, list(pictures.pictures))
            pictures = replace(pictures, embeddings=found)

        def predict(batch: Sample) -> Tensor:
            with self.accelerator.autocast():
                output = self._forward(network, batch)
            return predicted_ab(output, bundled.config.objective, bundled.prior)

        return validate(predict, self._validation_batches(pictures), self.device).by_picture

    def _predict(self, batch: Sample) -> Tensor:
        with self.accelerator.autocast():
            output = self._forward(self.average.module, batch)
        return predicted_ab(output, self.config.objective, self.prior)

    def _checkpoint(self, epoch: int, metrics: dict[str, float]) -> Checkpoint:
        config = self.config
        info = {
            "data": {"pictures": self.data_summary, "learned_from": len(self.train_set)},
            "training": {
                "epochs": epoch + 1, "of": config.epochs, "steps": self.step, "batch_size": config.batch_size,
                "learning_rate": config.learning_rate, "seed": config.seed, "rebalance": config.rebalance,
                "init": config.init, "freeze_early": config.freeze_early, "degrade": config.degrade,
                "perceptual": config.perceptual, "decoded": config.decoded,
                "adversarial": config.adversarial, "hinted": config.hinted,
            },
            "validation": metrics,
        }  # fmt: skip
        return Checkpoint(
            self.average.module, self.network_config, self.prior, config.size, info,
            self.fingerprint, config.features_weights,
        )  # fmt: skip

    def _record(self, event: str, epoch: int, **values: float | str) -> None:
        if self.main:
            self.run.record(event=event, epoch=epoch + 1, step=self.step, steps=self.steps, **values)
            self.accelerator.log({k: v for k, v in values.items() if not isinstance(v, str)}, step=self.step)

    def _judges_state(self) -> dict[str, Any]:
        if self.judges is None:
            return {}
        return {"judges": self.judges.state_dict(), "judges_optimizer": self.judges_optimizer.state_dict()}

    def _save(self) -> None:
        """The full state, from which the run resumes as if it had never stopped."""
        if self.main:
            self.run.save_state(
                {
                    "network": self.accelerator.unwrap_model(self.network).state_dict(),
                    "average": self.average.module.state_dict(),
                    "optimizer": self.optimizer.state_dict(),
                    "prior": self.prior,
                    "step": self.step,
                    "best": self.best,
                    **self._judges_state(),
                }
            )


def extractor_of(config: TrainingConfig, network: ColorNetwork) -> FeatureExtractor:
    """Whose embeddings a network takes: of its own context, or of the classifier that it is told of."""
    return context_extractor(network) or load_extractor(config.features, config.features_weights)


def _tracker(name: str | None) -> str | None:
    """One of Accelerate's trackers.

    Raises:
        UserError: there is none of that name, or its package is missing.
    """
    there = [str(tracker.value) for tracker in get_available_trackers()]
    if name is not None and name not in there:
        raise UserError(
            f"There is no tracker {name!r}, or its package is not installed. "
            + (f"Installed: {', '.join(there)}." if there else "None is installed; pip install tensorboard gives one.")
        )
    return name

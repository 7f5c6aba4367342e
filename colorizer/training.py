"""The training loop.

    config = TrainingConfig(data="photos/", output="runs/mine", epochs=10)
    train(config)                    # again with resume=True goes on where it was stopped or killed

Everything random is drawn from (seed, epoch, picture) or (seed, step), nothing from the state of a generator, so
a resumed run sees what an unbroken one would have seen and ends with the same weights.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from accelerate import Accelerator, PartialState
from accelerate.state import AcceleratorState
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader
from tqdm import tqdm

from . import checkpoints, runs
from .checkpoints import Checkpoint, predicted_ab
from .color import (
    fit_gamut,
    lab_to_rgb_tensor,
    normalize_l,
    rebalancing_weights,
    rgb_to_lab_tensor,
)
from .config import TrainingConfig
from .data import BatchOrder, CropDataset, PictureInfo, Sample, Scan, ab_prior, scan_pictures, split
from .embeddings import EmbeddingCache
from .errors import UserError
from .features import load_backbone, load_extractor
from .files import cache_folder
from .losses import PerceptualLoss, loss_function
from .networks import NetworkConfig, SkipFusionNetwork, build_network
from .pictures import Photo, write_picture
from .settings import Settings
from .sources import PictureSource, open_source

PREVIEWS = 6
_MOST_WORKERS = 16  # that decode pictures for one GPU
ENCODER_LEARNING_RATE = 0.2  # of the rest's: pretrained layers are tuned, not learned
CHANNELS_LAST = torch.channels_last


def learning_rate_factor(step: int, steps: int, warmup: float) -> float:
    """Linear warm-up over a share of the steps, then a cosine to zero; `step` counts from 0."""
    rising = max(warmup * steps, 1)
    if step < rising:
        return (step + 1) / (rising + 1)
    return 0.5 * (1 + math.cos(math.pi * (step - rising) / max(steps - rising, 1)))


def choose_precision(wanted: str, device: torch.device) -> str:
    """bf16 where the processor computes in it and it was measured to help, else float32 ("no").

    Wide convolutions gain on CPUs with bf16 instructions. skip_fusion keeps its light depthwise ones out of it.
    """
    if wanted != "auto":
        return {"fp32": "no"}.get(wanted, wanted)
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported() else "no"
    capable = torch.cpu.get_capabilities() if device.type == "cpu" else {}
    helps = capable.get("avx512_bf16") or capable.get("amx_bf16")
    return "bf16" if helps else "no"


class Survey(NamedTuple):
    """What a run would learn from."""

    source: PictureSource
    scan: Scan
    train: list[PictureInfo]
    validation: list[PictureInfo]


def survey(config: TrainingConfig, progress: Callable[[int, int], None] | None = None) -> Survey:
    """Look at a run's pictures.

    Args:
        config: of the run.
        progress: called with (done, total).
    """
    source = open_source(config.data)
    scan = scan_pictures(source, progress=progress)
    pictures = scan.pictures
    if config.limit:
        pictures = pictures[:: max(len(pictures) // config.limit, 1)][: config.limit]
    train, validation = split(pictures, config.validation)
    validation = validation[:: max(len(validation) // config.validation_pictures, 1)]
    return Survey(source, scan, train, validation[: config.validation_pictures])


class _StopRequest:
    """Ctrl-C or SIGTERM asks the loop to stop after its step; a second one stops at once."""

    def __init__(self) -> None:
        self.asked = False

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        try:
            before = {s: signal.signal(s, self._ask) for s in (signal.SIGINT, signal.SIGTERM)}
        except ValueError:  # not in the main thread: whoever runs us there stops us otherwise
            yield
            return
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


class Trainer:
    """One run: what it needs in memory, and its loop."""

    def __init__(self, config: TrainingConfig, resume: bool, log: Callable[[str], None]) -> None:
        self.config, self.log = config, log
        device = runs.choose_device(config.device)
        precision = choose_precision(config.precision, device)
        self.accelerator = Accelerator(cpu=device.type == "cpu", mixed_precision=precision)
        self.main, self.device = self.accelerator.is_main_process, self.accelerator.device
        self.run = runs.Run(Path(config.output))
        if not resume:
            self.run.check_new()
        state = self.run.load_state() if resume else None
        torch.manual_seed(config.seed)
        self._open_data(None if state is None else state["prior"])
        self._build(state)
        if self.main:  # not earlier: what can't start leaves no run behind
            self.run.begin(config, self.step)
            self._record(
                "start", self.step // self.steps_per_epoch, device=str(self.device), pictures=len(self.train_set)
            )

    def _open_data(self, prior: Tensor | None) -> None:
        config = self.config
        with self.accelerator.main_process_first():  # the others read what the first one found
            source, scan, train, validation = survey(config, self._bar("Looking at the pictures"))
        self.data_summary = scan.summary()
        self.log(f"{self.data_summary}: {len(train)} to learn from, {len(validation)} to check with.")
        if config.batch_size < self.accelerator.num_processes:
            raise UserError("The batch size must be at least the number of processes.")
        embeddings = self.fingerprint = None
        if config.network == "fusion":
            with self.accelerator.main_process_first():
                extractor = load_extractor(config.features, config.features_weights)
                self.fingerprint = extractor.fingerprint()
                embeddings = EmbeddingCache(cache_folder(), self.fingerprint)
                embeddings.fill(
                    extractor, source, train + validation, self.device, progress=self._bar("Computing embeddings")
                )
                del extractor
        size = cast(int, config.size)
        self.train_set = CropDataset(
            source,
            train,
            size,
            config.seed,
            True,
            cast(float, config.degrade),
            config.network == "skip_fusion",
            embeddings,
        )
        self.validation_set = CropDataset(source, validation, size, augment=False, embeddings=embeddings)
        self.prior = ab_prior(self.train_set) if prior is None else prior
        self.bin_weights = rebalancing_weights(self.prior).to(self.device) if config.rebalance else None
        self.steps_per_epoch = BatchOrder(len(train), config.batch_size, 0, 0).batches
        self.steps = self.steps_per_epoch * config.epochs

    def _build(self, state: dict[str, Any] | None) -> None:
        config = self.config
        self.network_config = NetworkConfig(config.network, config.objective, config.features)
        network = build_network(self.network_config)
        if isinstance(network, SkipFusionNetwork):
            if state is None and config.init is None:
                network.load_pretrained(load_backbone(config.features, config.features_weights))
            if config.freeze_early:
                network.freeze_early()
            tuned = [p for p in network.encoder.parameters() if p.requires_grad]
        else:
            tuned = []
        if state is None and config.init is not None:
            network.load_state_dict(self._initial(config.init).network.state_dict())
        rest = [p for p in network.parameters() if p.requires_grad and not any(p is q for q in tuned)]
        lr = cast(float, config.learning_rate)
        groups = [{"params": rest, "lr": lr}, {"params": tuned, "lr": lr * ENCODER_LEARNING_RATE}]
        groups = [g for g in groups if g["params"]]
        self.base_rates = [cast(float, g["lr"]) for g in groups]
        optimizer = torch.optim.AdamW(groups, weight_decay=config.weight_decay)
        self.step, self.best = 0, math.inf
        if state is not None:
            network.load_state_dict(state["network"])
            optimizer.load_state_dict(state["optimizer"])
            self.step, self.best = state["step"], state["best"]
        self.average = build_network(self.network_config).requires_grad_(False).eval()
        self.average.load_state_dict(network.state_dict() if state is None else state["average"])
        self.average.to(self.device).to(memory_format=CHANNELS_LAST)
        network.to(memory_format=CHANNELS_LAST)
        self.perceptual: PerceptualLoss | None = None
        if config.perceptual:
            judge = load_backbone("tf_efficientnet_lite0").to(memory_format=CHANNELS_LAST)
            self.perceptual = PerceptualLoss(judge).to(self.device)
        self.network, self.optimizer = self.accelerator.prepare(network, optimizer)
        if config.compile:
            self.network.compile()  # in place: the state keeps its names

    def _initial(self, init: str) -> Checkpoint:
        """The checkpoint to start from; it must be of the network that is to be trained."""
        checkpoint = checkpoints.load_checkpoint(None if init == "bundled" else init)
        if checkpoint.config != self.network_config:
            have = " ".join(asdict(checkpoint.config).values())
            raise UserError(
                f"{init} is a checkpoint of another network ({have}). Give --network, --objective and --features "
                f"as it was trained with, or another --init."
            )
        return checkpoint

    def _bar(self, title: str) -> Callable[[int, int], None]:
        bar: tqdm[Any] | None = None

        def advance(done: int, total: int) -> None:
            nonlocal bar
            bar = bar or tqdm(total=total, desc=title, disable=not self.main, leave=False)
            bar.update(done - bar.n)
            if done == total:
                bar.close()

        return advance

    # ------------------------------------------------------------------------------------------- loop

    def fit(self) -> bool:
        """Train to the last epoch; False if it was asked to stop before."""
        stop = _StopRequest()
        with stop.listening():
            first = self.step // self.steps_per_epoch
            for epoch in range(first, self.config.epochs):
                if not self._epoch(epoch, stop):
                    return False
        return True

    def _epoch(self, epoch: int, stop: _StopRequest) -> bool:
        config, accelerator = self.config, self.accelerator
        start = self.step - epoch * self.steps_per_epoch
        bar = tqdm(
            total=self.steps_per_epoch, initial=start, desc=f"Epoch {epoch + 1}/{config.epochs}",
            disable=not self.main, mininterval=1,
        )  # fmt: skip
        losses: list[float] = []
        begun = waiting_since = time.perf_counter()
        waited = 0.0
        for batch in self._batches(epoch, start):
            waited += time.perf_counter() - waiting_since
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
            self.accelerator.process_index, self.accelerator.num_processes,
        )  # fmt: skip
        workers = self.config.workers
        if workers is None:
            cores = (os.cpu_count() or 1) // self.accelerator.num_processes
            workers = min(cores, _MOST_WORKERS) if self.device.type == "cuda" else 1
        pinned = self.device.type == "cuda"
        return DataLoader(self.train_set, batch_sampler=order, num_workers=workers, pin_memory=pinned)

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
        if self.perceptual is not None:
            loss = loss + self.config.perceptual * self._perceptual(output, lab, batch.rgb)
        value = float(loss.detach())
        if not math.isfinite(value):
            raise UserError(
                f"The loss became {value} at step {self.step}. Resume with a lower --learning-rate; the last "
                f"saved state is sound."
            )
        self.accelerator.backward(loss)
        self.accelerator.clip_grad_norm_(self.network.parameters(), self.config.clip)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self._average()
        return value

    def _perceptual(self, output: Tensor, lab: Tensor, rgb: Tensor) -> Tensor:
        """Of every other picture, colored by default."""
        settings = Settings()
        half = slice(0, None, 2)
        ab = predicted_ab(output[half], self.config.objective, self.prior, settings.alpha, settings.temperature)
        ab = F.interpolate(ab, lab.shape[-2:], mode="bilinear", align_corners=False)
        painted = lab_to_rgb_tensor(torch.cat([lab[half, :1], ab], dim=1))
        assert self.perceptual is not None
        return cast(Tensor, self.perceptual(painted, rgb[half].to(self.device) / 255))

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

    def _average(self) -> None:
        """Exponential moving average; shorter at the start, so that the first weights are soon forgotten."""
        decay = min(self.config.ema, (1 + self.step) / (10 + self.step))
        pairs = zip(
            self.average.state_dict().values(),
            self.accelerator.unwrap_model(self.network).state_dict().values(),
            strict=True,
        )
        with torch.no_grad():
            for mean, value in pairs:
                if mean.is_floating_point():
                    mean.lerp_(value, 1 - decay)
                else:
                    mean.copy_(value)

    # -------------------------------------------------------------------------- validation and saving

    @torch.no_grad()
    def _validate(self, epoch: int) -> None:
        """Mean squared error of ab and RGB on the validation pictures, beside the gray baseline, and a preview."""
        loader = DataLoader(
            self.validation_set,
            batch_sampler=[
                [(0, i) for i in range(k, min(k + 32, len(self.validation_set)))]
                for k in range(0, len(self.validation_set), 32)
            ],
        )
        sums: dict[str, float] = {"mse_ab": 0, "mse_rgb": 0, "gray_mse_ab": 0, "gray_mse_rgb": 0}
        strips: list[Tensor] = []
        for batch in loader:
            lab = self._lab(batch.rgb)
            true = lab_to_rgb_tensor(lab)
            with self.accelerator.autocast():
                output = self._forward(self.average, batch)
            ab = predicted_ab(output, self.config.objective, self.prior)
            ab = F.interpolate(ab, lab.shape[-2:], mode="bilinear", align_corners=False)
            for prefix, colors in (("", ab), ("gray_", torch.zeros_like(ab))):
                painted = torch.stack([fit_gamut(x) for x in torch.cat([lab[:, :1], colors], dim=1)])
                rgb = lab_to_rgb_tensor(painted)
                sums[f"{prefix}mse_ab"] += float(((colors - lab[:, 1:]) ** 2).mean((1, 2, 3)).sum())
                sums[f"{prefix}mse_rgb"] += float(((rgb - true) ** 2).mean((1, 2, 3)).sum()) * 255**2
                if len(strips) < 3 and prefix == "":
                    gray = lab_to_rgb_tensor(F.pad(lab[:, :1], (0, 0, 0, 0, 0, 2)))
                    strips = [torch.cat(list(x[:PREVIEWS]), dim=-1) for x in (gray, rgb, true)]
        preview = (torch.cat(strips, dim=-2) * 255).round().byte().permute(1, 2, 0).cpu().numpy()
        write_picture(Photo(preview), self.run.folder / "previews" / f"epoch-{epoch + 1:04d}.png")
        metrics = {name: total / len(self.validation_set) for name, total in sums.items()}
        self._record("epoch", epoch, **metrics)
        self.log(
            f"Epoch {epoch + 1}: validation MSE of ab {metrics['mse_ab']:.1f} (gray {metrics['gray_mse_ab']:.1f}), "
            f"of RGB {metrics['mse_rgb']:.1f} (gray {metrics['gray_mse_rgb']:.1f})"
        )
        if metrics["mse_ab"] < self.best:
            self.best = metrics["mse_ab"]
            checkpoints.save_checkpoint(self._checkpoint(epoch, metrics), self.run.folder / "best.safetensors")

    def _checkpoint(self, epoch: int, metrics: dict[str, float]) -> Checkpoint:
        config = self.config
        info = {
            "data": {"pictures": self.data_summary, "learned_from": len(self.train_set)},
            "training": {
                "epochs": epoch + 1, "of": config.epochs, "steps": self.step, "batch_size": config.batch_size,
                "learning_rate": config.learning_rate, "seed": config.seed, "rebalance": config.rebalance,
                "init": config.init, "freeze_early": config.freeze_early, "degrade": config.degrade,
                "perceptual": config.perceptual,
            },
            "validation": metrics,
        }  # fmt: skip
        return Checkpoint(
            self.average, self.network_config, self.prior, cast(int, config.size), info,
            self.fingerprint, config.features_weights,
        )  # fmt: skip

    def _record(self, event: str, epoch: int, **values: float | str) -> None:
        if self.main:
            self.run.record(event=event, epoch=epoch + 1, step=self.step, steps=self.steps, **values)

    def _save(self) -> None:
        """The full state, from which the run goes on as if it had never stopped."""
        if self.main:
            self.run.save_state(
                {
                    "network": self.accelerator.unwrap_model(self.network).state_dict(),
                    "average": self.average.state_dict(),
                    "optimizer": self.optimizer.state_dict(),
                    "prior": self.prior,
                    "step": self.step,
                    "best": self.best,
                }
            )


def train(config: TrainingConfig, resume: bool = False, log: Callable[[str], None] = tqdm.write) -> bool:
    """Train a network; the run is left in the folder `config.output`.

    Args:
        config: what to train on what.
        resume: go on with the run in that folder.
        log: called with lines for people, by the main process only.
    Returns:
        True if it came to its last epoch, False if it was asked to stop (Ctrl-C or SIGTERM); it can be resumed.
    Raises:
        UserError: with what is wrong and what to do.
    """
    if not runs.is_first_process():
        log = _quiet
    run = runs.Run(Path(config.output))

    def waiting() -> None:
        log("Another run has the device; this one waits for its turn.")
        run.wait()

    with runs.turn(runs.choose_device(config.device), waiting), own_words():
        run.go()
        trainer = Trainer(config, resume, log)
        trainer.log(f"Training on {trainer.device} in {config.output}, from step {trainer.step} of {trainer.steps}.")
        return trainer.fit()


def _quiet(line: str) -> None:
    pass


@contextlib.contextmanager
def own_words() -> Iterator[None]:
    """Out of memory becomes a UserError; the state that accelerate keeps for a process is cleared in the end."""
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
        known = isinstance(error, torch.OutOfMemoryError | MemoryError) or "can't allocate memory" in str(error)
        if not known:
            raise
        raise UserError(
            "Memory ran out. Resume with a smaller --batch-size, or start with a smaller --size."
        ) from error
    finally:
        if PartialState().num_processes == 1:  # else a second run in this process could not choose its precision
            AcceleratorState._reset_state(reset_partial_state=True)

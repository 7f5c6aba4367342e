"""What the Train tab shows of a run; all of it is read from the run's folder."""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import Any

import gradio as gr
import pandas as pd

from ..errors import UserError
from ..evaluation.results import Comparison
from ..pictures.reading import read_picture
from ..training.runs import Run, find_runs
from .access import check_owner, is_owner
from .common import duration, plain, progress_bar, runs_folder

_STATES = {
    "waiting": "**Waiting** for another run to end", "running": "**Training**", "finished": "**Finished**",
    "stopped": "**Stopped**", "failed": "**Failed**", "killed": "**Killed**",
}  # fmt: skip


NAME = re.compile(r"\w[\w.-]*")  # of a run


def run_names() -> list[str]:
    """Of all runs, the one that last did something first; none for visitors."""
    return [] if not is_owner() else [run.folder.name for run in find_runs(runs_folder())]


def named_run(name: str | None) -> Run:
    """The run chosen on the page.

    Raises:
        UserError: there is none of that name, or it is a visitor who asks.
    """
    check_owner()
    if not name or not NAME.fullmatch(name) or not (runs_folder() / name).is_dir():
        raise UserError("Choose a run first.")
    return Run(runs_folder() / name)


def _summary(run: Run, metrics: list[dict[str, Any]]) -> tuple[gr.HTML, str]:
    """The progress bar, and the words under it."""
    state, reason = run.outcome()
    words = _STATES[state] + (", can be resumed" if run.resumable() else "")
    words += f". {plain(reason)}" if reason else ""
    words += _origin(run, metrics)
    if not metrics:
        bar = gr.HTML(visible=False)
        return bar, words + (": getting ready" if state == "running" else "")
    last = metrics[-1]
    left, speed = "", ""
    steps = [m for m in metrics if m["event"] == "step"]
    if state == "running" and steps:
        remaining = (last["steps"] - last["step"]) * run.config().batch_size
        left = f", about {duration(remaining / steps[-1]['pictures_per_second'])} left"
        speed = f", {steps[-1]['pictures_per_second']:.1f} pictures a second"
        if steps[-1]["data_share"] > 0.1:
            speed += f" ({100 * steps[-1]['data_share']:.0f}% of the time waiting for pictures)"
    bar = progress_bar(
        last["step"], last["steps"], f"Epoch {last['epoch']}, step {last['step']} of {last['steps']}{left}{speed}"
    )
    return bar, words + _verdict([m for m in metrics if m["event"] == "epoch"])


def _origin(run: Run, metrics: list[dict[str, Any]]) -> str:
    """What it learns from, and with what."""
    started = [m for m in metrics if m["event"] == "start"]
    if not started:
        return ""
    config = run.config()
    begin = Path(config.init).name if config.init else f"{config.features} as it is"
    return (
        f"  \nIt learns from {started[-1]['pictures']} pictures of {plain(Path(config.data).name)}, on "
        f"{started[-1]['device']}, and starts from {plain(begin)}: {config.network}, {config.objective}, "
        f"{config.batch_size} pictures a step, learning rate {config.learning_rate:g}."
    )


def _verdict(epochs: list[dict[str, Any]]) -> str:
    """Which epoch is the best, how good it is, and whether that is better than what comes along."""
    if not epochs:
        return ""
    best = min(epochs, key=lambda m: m["crop_mse_ab"])
    words = (
        f"  \nOn pictures that it does not learn from: MSE of ab **{best['crop_mse_ab']:.1f}** (gray "
        f"{best['gray_crop_mse_ab']:.1f}), of RGB **{best['crop_mse_rgb']:.1f}** (gray "
        f"{best['gray_crop_mse_rgb']:.1f}), after epoch {best['epoch']}, the best so far and the one that is kept."
    )
    if later := len(epochs) - 1 - epochs.index(best):
        words += " The epoch after it was worse." if later == 1 else f" The {later} epochs after it were worse."
    if "less_bundled" in best:
        difference, low, high = (best[f"less_bundled{end}"] for end in ("", "_low", "_high"))
        found = Comparison("this run", "the bundled network", difference, low, high, "MSE of ab").words()
        words += f"  \n**{found[0].upper()}{found[1:]}**"
    return words + "  \nThe pictures at the end: gray, colorized, true."


def follow(name: str | None) -> tuple[Any, ...]:
    """Everything the page shows of a run."""
    names = run_names()
    if not names:
        hint = "No runs yet. Choose pictures and press Train: the sample set is enough to try it."
        hidden = gr.LinePlot(visible=False), gr.LinePlot(visible=False), gr.Image(visible=False)
        off = (gr.Button(interactive=False),) * 6
        return gr.Dropdown(choices=[], value=None), gr.HTML(visible=False), hint, *hidden, "", *off
    if name not in names:
        name = names[0]
    run = named_run(name)
    metrics = run.metrics()
    steps = [m for m in metrics if m["event"] == "step"]
    epochs = [m for m in metrics if m["event"] == "epoch"]
    loss = pd.DataFrame({"step": [m["step"] for m in steps], "loss": [m["loss"] for m in steps]})
    error = pd.DataFrame(
        [
            (m["epoch"], m[key], of)
            for key, of in (("crop_mse_ab", "network"), ("gray_crop_mse_ab", "gray"))
            for m in epochs
        ],
        columns=["epoch", "MSE of ab", "of"],
    )
    previews = run.previews()
    state, usable = run.outcome().state, (run.folder / "best.safetensors").exists()
    going = state in ("running", "waiting")
    return (
        gr.Dropdown(choices=names, value=name),
        *_summary(run, metrics),
        gr.LinePlot(loss if len(loss) else None, visible=len(loss) > 1),
        gr.LinePlot(error if len(error) else None, visible=len(epochs) > 1),
        # As an array: Gradio hands out files of the working and the temporary folder alone.
        gr.Image(read_picture(previews[-1]).rgb if previews else None, visible=bool(previews)),
        f"<pre>{html.escape(run.log_tail())}</pre>",
        gr.Button(interactive=going),
        gr.Button(interactive=run.resumable()),
        gr.Button(interactive=usable),
        gr.Button(interactive=usable),
        gr.Button(interactive=usable),
        gr.Button(interactive=not going),
    )

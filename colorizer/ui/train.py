"""The Train tab: choose, start, watch, stop, resume. All it knows of a run it reads from the run's folder."""

from __future__ import annotations

import html
import re
from datetime import datetime
from typing import Any

import gradio as gr
import pandas as pd

from ..config import TrainingConfig
from ..errors import UserError
from ..features import EXTRACTORS
from ..networks import NETWORKS, OBJECTIVES
from ..runs import Run, find_runs, start
from .common import check_folder, friendly, on_space, runs_folder


def _names() -> list[str]:
    return [run.folder.name for run in find_runs(runs_folder())]


def _run(name: str | None) -> Run:
    if not name or not re.fullmatch(r"[\w.-]+", name) or not (runs_folder() / name).is_dir():
        raise UserError("Choose a run first.")
    return Run(runs_folder() / name)


def _launch(run: Run, arguments: list[str]) -> None:
    if on_space():
        raise UserError(
            "Training is switched off on this shared Space. Duplicate the Space to your own account, or run the "
            "program at home."
        )
    busy = next((r for r in find_runs(runs_folder()) if r.status() == "running"), None)
    if busy is not None:
        raise UserError(f"The run {busy.folder.name} is still going. Stop it, or wait until it is done.")
    start(run.folder, arguments)


@friendly
def start_training(
    data: str, epochs: float, network: str, objective: str, features: str, batch_size: float,
    learning_rate: float, size: float, features_weights: str, limit: float,
) -> str:  # fmt: skip
    """Start training a network on a folder of pictures; it goes on when the page is closed.

    Args:
        data: a folder on the server, at any depth, or a zip file there.
        epochs: how often every picture is seen.
        network: "skip_fusion" or "fusion".
        objective: "classification" or "regression".
        features: "tf_efficientnet_lite0" or "inception_resnet_v2".
        batch_size: pictures a step.
        learning_rate: 0 for the network's own.
        size: side of the crops in pixels, a multiple of 32; 0 for the network's own.
        features_weights: a file with the feature extractor's weights, or "" for the published ones.
        limit: use at most this many pictures; 0 for all.
    Returns:
        the name of the run.
    """
    name = datetime.now().strftime("%Y%m%d-%H%M%S")
    chosen: dict[str, Any] = {
        "data": check_folder(data), "output": str(runs_folder() / name), "network": network, "objective": objective,
        "features": features, "epochs": int(epochs or 0), "batch_size": int(batch_size or 0),
        "learning_rate": float(learning_rate or 0) or None, "size": int(size or 0) or None,
        "features_weights": (features_weights or "").strip() or None, "limit": int(limit or 0) or None,
    }  # fmt: skip
    TrainingConfig(**chosen)  # says at once what is wrong
    arguments = [f"--{k.replace('_', '-')}={v}" for k, v in chosen.items() if v is not None]
    _launch(Run(runs_folder() / name), [*arguments, "--log-every=5"])
    return name


@friendly
def stop_training(name: str) -> str:
    """Ask a run to save and stop after its current step; it can be resumed.

    Args:
        name: of the run.
    Returns:
        what happens now.
    """
    run = _run(name)
    if run.process() is None:
        return f"{name} is not running."
    run.stop()
    return f"{name} is stopping: it saves first."


@friendly
def resume_training(name: str) -> str:
    """Go on with a run that was stopped or died.

    Args:
        name: of the run.
    Returns:
        the name of the run.
    """
    run = _run(name)
    if run.status() == "finished":
        raise UserError(f"The run {name} has finished all its epochs.")
    _launch(run, ["--resume", str(run.folder)])
    return name


def training_status(name: str) -> dict[str, Any]:
    """Where a run stands.

    Args:
        name: of the run.
    Returns:
        its status ("running", "finished", "stopped" or "failed"), last metrics, and the end of its log.
    """
    run = friendly(_run)(name)
    metrics = run.metrics()
    return {"status": run.status(), "last": metrics[-1] if metrics else None, "log": run.log_tail()}


def _summary(run: Run, metrics: list[dict[str, Any]]) -> str:
    status = run.status()
    words = {
        "running": "**Training**", "finished": "**Finished**", "stopped": "**Stopped**, can be resumed",
        "failed": "**Ended without learning**; its log below says why",
    }  # fmt: skip
    if not metrics:
        return words[status] + (": getting ready" if status == "running" else "")
    last = metrics[-1]
    line = f"{words[status]}: epoch {last['epoch']}, step {last['step']} of {last['steps']}"
    speeds = [m["pictures_per_second"] for m in metrics if m["event"] == "step"]
    epochs = [m for m in metrics if m["event"] == "epoch"]
    if status == "running" and len(metrics) > 1 and last["step"] > metrics[0]["step"]:
        pace = (last["time"] - metrics[0]["time"]) / (last["step"] - metrics[0]["step"])
        minutes = (last["steps"] - last["step"]) * pace / 60
        line += f", about {minutes:.0f} min left" if minutes >= 1 else ", less than a minute left"
    if speeds and status == "running":
        line += f", {speeds[-1]:.1f} pictures a second"
    if epochs:
        e = epochs[-1]
        line += (
            f"  \nValidation MSE of ab **{e['mse_ab']:.1f}** (grey {e['grey_mse_ab']:.1f}), "
            f"of RGB **{e['mse_rgb']:.1f}** (grey {e['grey_mse_rgb']:.1f}). "
            f"The pictures at the end: grey, coloured, true."
        )
    return line


def follow(name: str | None) -> tuple[Any, ...]:
    """Everything the page shows of a run."""
    names = _names()
    if not names:
        hint = "No runs yet. Give a folder of colour photographs and press Train."
        hidden = gr.LinePlot(visible=False), gr.LinePlot(visible=False), gr.Image(visible=False)
        return gr.Dropdown(choices=[]), hint, *hidden, "", gr.Button(interactive=False), gr.Button(interactive=False)
    if name not in names:
        name = names[0]
    choice = gr.Dropdown(choices=names, value=name)
    run = _run(name)
    metrics = run.metrics()
    steps = [m for m in metrics if m["event"] == "step"]
    epochs = [m for m in metrics if m["event"] == "epoch"]
    loss = pd.DataFrame({"step": [m["step"] for m in steps], "loss": [m["loss"] for m in steps]})
    error = pd.DataFrame(
        [(m["epoch"], m[key], of) for key, of in (("mse_ab", "network"), ("grey_mse_ab", "grey")) for m in epochs],
        columns=["epoch", "MSE of ab", "of"],
    )
    previews = run.previews()
    status = run.status()
    return (
        choice,
        _summary(run, metrics),
        gr.LinePlot(loss if len(loss) else None, visible=len(loss) > 0),
        gr.LinePlot(error if len(error) else None, visible=len(epochs) > 1),
        gr.Image(str(previews[-1]) if previews else None, visible=bool(previews)),
        f"<pre>{html.escape(run.log_tail())}</pre>",
        gr.Button(interactive=status == "running"),
        gr.Button(interactive=status in ("stopped", "failed") and (run.folder / "last.pt").exists()),
    )


def build() -> None:
    """Lay out the tab."""
    defaults = TrainingConfig(data="", output="")
    with gr.Row():
        with gr.Column(scale=2, min_width=280):
            data = gr.Textbox(label="Pictures", info="A folder on this computer, at any depth, or a zip file")
            epochs = gr.Number(label="Epochs", value=defaults.epochs, precision=0)
            with gr.Accordion("More", open=False):
                network = gr.Radio(list(NETWORKS), value=defaults.network, label="Network")
                objective = gr.Radio(list(OBJECTIVES), value=defaults.objective, label="Objective")
                features = gr.Dropdown(list(EXTRACTORS), value=defaults.features, label="Feature extractor")
                weights = gr.Textbox(label="Its weights", info="A file; empty for the published ones")
                batch_size = gr.Number(label="Batch size", value=defaults.batch_size, precision=0)
                rate = gr.Number(label="Learning rate", value=0, info="0 for the network's own")
                size = gr.Number(label="Crop size", value=0, precision=0, info="Pixels, a multiple of 32; 0: its own")
                limit = gr.Number(label="At most this many pictures", value=0, precision=0, info="0 for all")
            go = gr.Button("Train", variant="primary")
        with gr.Column(scale=3, min_width=280):
            # A run that was just started is not among the choices that the page was built with.
            name = gr.Dropdown(label="Run", choices=_names(), value=next(iter(_names()), None), allow_custom_value=True)
            summary = gr.Markdown()
            with gr.Row():
                stop = gr.Button("Stop", interactive=False)
                resume = gr.Button("Resume", interactive=False)
            loss = gr.LinePlot(x="step", y="loss", title="Loss", height=220, visible=False)
            error = gr.LinePlot(
                x="epoch", y="MSE of ab", color="of", title="Validation", height=220, visible=False,
                color_map={"network": "#0f766e", "grey": "#a8a29e"},
            )  # fmt: skip
            preview = gr.Image(
                show_label=False, interactive=False, type="filepath", visible=False, buttons=["fullscreen"]
            )
            with gr.Accordion("Log", open=False):
                log = gr.HTML()
    outputs = [name, summary, loss, error, preview, log, stop, resume]
    settings = [data, epochs, network, objective, features, batch_size, rate, size, weights, limit]
    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    go.click(start_training, settings, name, api_name="train", trigger_mode="once").success(
        follow, name, outputs, **quiet
    )
    said = gr.Textbox(visible=False)
    stop.click(stop_training, name, said, api_name="stop_training").then(follow, name, outputs, **quiet)
    resume.click(resume_training, name, said, api_name="resume_training", trigger_mode="once").then(
        follow, name, outputs, **quiet
    )
    state = gr.JSON(visible=False)
    said.submit(training_status, name, state, api_name="training_status")
    name.input(follow, name, outputs, **quiet)
    gr.Timer(2).tick(follow, name, outputs, **quiet)

"""The Train tab: choose, start, watch, stop, resume, use. All it knows of a run it reads from the run's folder."""

from __future__ import annotations

import html
import json
import re
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import gradio as gr
import pandas as pd
from PIL import Image

from ..checkpoints import load_checkpoint
from ..config import TrainingConfig
from ..errors import UserError
from ..export import export
from ..features import EXTRACTORS
from ..hub import push
from ..networks import NETWORKS, OBJECTIVES
from ..pictures import thumbnail_rgb
from ..runs import TRAIN_PY, Run, find_runs, start
from ..sources import ZipSource
from ..training import Survey, survey
from .common import (
    BUNDLED,
    check_folder,
    checkpoint_names,
    duration,
    friendly,
    keep_upload,
    on_space,
    progress_bar,
    result_folder,
    runs_folder,
)

_ROWS, _COLUMNS, _SIDE = 3, 8, 96  # of the contact sheet
_FRESH = "the classifier"  # what a network starts from, if not from a checkpoint
_REFUSED = "Training is switched off on this shared Space. Duplicate the Space to your account, or run it at home."


def _names() -> list[str]:
    return [run.folder.name for run in find_runs(runs_folder())]


def _run(name: str | None) -> Run:
    if not name or not re.fullmatch(r"[\w][\w.-]*", name) or not (runs_folder() / name).is_dir():
        raise UserError("Choose a run first.")
    return Run(runs_folder() / name)


def _launch(run: Run, arguments: list[str]) -> None:
    if on_space():
        raise UserError(_REFUSED)
    start(run.folder, arguments)


def _init(chosen: str | None) -> str | None:
    """What `--init` is to be, of the choice on the page."""
    if not chosen or chosen == _FRESH:
        return None
    return chosen if chosen == BUNDLED else str(_run(chosen).folder)


def _config(
    output: str, data: str, epochs: float, network: str, objective: str, features: str, batch_size: float,
    learning_rate: float, size: float, features_weights: str, limit: float, init: str,
) -> tuple[TrainingConfig, list[str]]:  # fmt: skip
    """The settings on the page, and as arguments of train.py."""
    chosen: dict[str, Any] = {
        "data": check_folder(data), "output": output, "network": network, "objective": objective,
        "features": features, "epochs": int(epochs or 0), "batch_size": int(batch_size or 0),
        "learning_rate": float(learning_rate or 0) or None, "size": int(size or 0) or None,
        "features_weights": (features_weights or "").strip() or None, "limit": int(limit or 0) or None,
        "init": _init(init),
    }  # fmt: skip
    arguments = [f"--{k.replace('_', '-')}={v}" for k, v in chosen.items() if v is not None]
    return TrainingConfig(**chosen), arguments  # which says at once what is wrong


@friendly
def start_training(
    data: str, epochs: float, network: str, objective: str, features: str, batch_size: float,
    learning_rate: float, size: float, features_weights: str, limit: float, init: str,
) -> str:  # fmt: skip
    """Start training a network on a folder of pictures; it goes on when the page is closed.

    Args:
        data: a folder on the server, at any depth, a zip file there, tar shards, "sample", or "imagenette".
        epochs: how often every picture is seen.
        network: "skip_fusion" or "fusion".
        objective: "classification" or "regression".
        features: "tf_efficientnet_lite0" or "inception_resnet_v2".
        batch_size: pictures a step.
        learning_rate: 0 for the network's own.
        size: side of the crops in pixels, a multiple of 32; 0 for the network's own.
        features_weights: a file with the feature extractor's weights, or "" for the published ones.
        limit: use at most this many pictures; 0 for all.
        init: "the classifier", or what to go on from: "bundled" or the name of a run.
    Returns:
        the name of the run. If another one has the device, it waits for its turn.
    """
    name = datetime.now().strftime("%Y%m%d-%H%M%S")
    while (runs_folder() / name).exists():
        name += "x"
    output = str(runs_folder() / name)
    settings = (data, epochs, network, objective, features, batch_size, learning_rate, size, features_weights, limit)
    _, arguments = _config(output, *settings, init)
    _launch(Run(Path(output)), [*arguments, "--log-every=5"])
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
    if run.process() is not None:
        raise UserError(f"The run {name} is still going.")
    _launch(run, ["--resume", str(run.folder)])
    return name


@friendly
def delete_run(name: str) -> str:
    """Delete a run and all that it learned.

    Args:
        name: of the run.
    Returns:
        what was done.
    """
    if on_space():
        raise UserError(_REFUSED)
    _run(name).delete()
    return f"{name} is deleted."


def training_status(name: str) -> dict[str, Any]:
    """Where a run stands.

    Args:
        name: of the run.
    Returns:
        its status ("waiting", "running", "finished", "stopped" or "failed"), why it ended if it died, its last metrics,
        and the end of its log.
    """
    run = friendly(_run)(name)
    metrics = run.metrics()
    last = metrics[-1] if metrics else None
    return {"status": run.status(), "why": run.why(), "last": last, "log": run.log_tail()}


# ----------------------------------------------------------------------------------------- choosing


@friendly
def take_zip(file: str) -> str:
    """Keep an uploaded zip for as long as runs may want it; returns where."""
    if on_space():
        raise UserError("A shared Space takes no data sets. Duplicate the Space, or run the program at home.")
    if not ZipSource(Path(file)).names:
        raise UserError("There are no pictures in this zip file.")
    return keep_upload(file)


@friendly
def look(data: str, limit: float, progress: gr.Progress = gr.Progress()) -> tuple[str, gr.Image]:  # noqa: B008
    """How many pictures there are, how many are left out and why, the split, and a contact sheet."""
    config = TrainingConfig(data=check_folder(data), output="", limit=int(limit or 0) or None)
    found = survey(config, lambda done, total: progress((done, total), desc="Looking at the pictures", unit="pictures"))
    words = f"{found.scan.summary()}: {len(found.train)} to learn from, {len(found.validation)} to check with."
    return html.escape(words), gr.Image(_contact_sheet(found), visible=True)


def _contact_sheet(found: Survey) -> str:
    number = min(_ROWS * _COLUMNS, len(found.train))
    chosen = found.train[:: max(len(found.train) // number, 1)][:number]
    rows = -(-len(chosen) // _COLUMNS)
    sheet = Image.new("RGB", (_COLUMNS * _SIDE, rows * _SIDE), "white")
    for k, picture in enumerate(chosen):
        rgb = thumbnail_rgb(found.source.read(picture.name), _SIDE)
        side = min(rgb.shape[:2])
        top, left = (rgb.shape[0] - side) // 2, (rgb.shape[1] - side) // 2
        square = Image.fromarray(rgb[top : top + side, left : left + side]).resize((_SIDE, _SIDE))
        sheet.paste(square, (k % _COLUMNS * _SIDE, k // _COLUMNS * _SIDE))
    path = result_folder() / "pictures.jpg"
    sheet.save(path, quality=85)
    return str(path)


@friendly
def how_long(*settings: Any) -> str:
    """How long a run with the settings on the page would take, measured on a few batches by a process of its own."""
    if on_space():
        raise UserError(_REFUSED)
    _, arguments = _config("unused", *settings)
    command = [sys.executable, str(TRAIN_PY), *arguments, "--estimate"]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        said = [line for line in done.stderr.splitlines() if line.startswith("train.py: ")]
        raise UserError(said[-1].removeprefix("train.py: ") if said else "The time could not be measured.")
    found = json.loads(done.stdout.splitlines()[-1])
    words = f"About **{duration(found['seconds'])}**: {found['steps']} steps of {found['step']:.2f} s"
    if found["preparing"] >= 1:
        words += f", after {duration(found['preparing'])} for the embeddings"
    return words + f". {100 * found['data_share']:.0f}% of a step is waiting for pictures."


# ----------------------------------------------------------------------------------------- watching


def _summary(run: Run, metrics: list[dict[str, Any]]) -> tuple[gr.HTML, str]:
    """The progress bar, and the words under it."""
    status = run.status()
    words = {
        "waiting": "**Waiting** for another run to end", "running": "**Training**", "finished": "**Finished**",
        "stopped": "**Stopped**, can be resumed", "failed": "**Ended without learning**",
    }[status]  # fmt: skip
    if why := run.why():
        words = f"**Died**{', can be resumed' if status == 'stopped' else ''}. {html.escape(why)}"
    started = [m for m in metrics if m["event"] == "start"]
    if started:
        words += f", on {started[-1]['device']}, {started[-1]['pictures']} pictures"
    if not metrics:
        bar = gr.HTML(visible=False)
        return bar, words + (": getting ready" if status == "running" else "")
    last = metrics[-1]
    left, speed = "", ""
    steps = [m for m in metrics if m["event"] == "step"]
    if status == "running" and steps:
        remaining = (last["steps"] - last["step"]) * run.config().get("batch_size", 32)
        left = f", about {duration(remaining / steps[-1]['pictures_per_second'])} left"
        speed = f", {steps[-1]['pictures_per_second']:.1f} pictures a second"
        if steps[-1]["data_share"] > 0.1:
            speed += f" ({100 * steps[-1]['data_share']:.0f}% of the time waiting for pictures)"
    bar = progress_bar(
        last["step"], last["steps"], f"Epoch {last['epoch']}, step {last['step']} of {last['steps']}{left}{speed}"
    )
    epochs = [m for m in metrics if m["event"] == "epoch"]
    if epochs:
        e = epochs[-1]
        words += (
            f"  \nValidation MSE of ab **{e['mse_ab']:.1f}** (gray {e['gray_mse_ab']:.1f}), "
            f"of RGB **{e['mse_rgb']:.1f}** (gray {e['gray_mse_rgb']:.1f}). "
            f"The pictures at the end: gray, colored, true."
        )
    return bar, words


def follow(name: str | None) -> tuple[Any, ...]:
    """Everything the page shows of a run."""
    names = _names()
    if not names:
        hint = "No runs yet. Choose pictures and press Train: the sample set is enough to try it."
        hidden = gr.LinePlot(visible=False), gr.LinePlot(visible=False), gr.Image(visible=False)
        off = (gr.Button(interactive=False),) * 6
        return gr.Dropdown(choices=[], value=None), gr.HTML(visible=False), hint, *hidden, "", *off
    if name not in names:
        name = names[0]
    run = _run(name)
    metrics = run.metrics()
    steps = [m for m in metrics if m["event"] == "step"]
    epochs = [m for m in metrics if m["event"] == "epoch"]
    loss = pd.DataFrame({"step": [m["step"] for m in steps], "loss": [m["loss"] for m in steps]})
    error = pd.DataFrame(
        [(m["epoch"], m[key], of) for key, of in (("mse_ab", "network"), ("gray_mse_ab", "gray")) for m in epochs],
        columns=["epoch", "MSE of ab", "of"],
    )
    previews = run.previews()
    status, usable = run.status(), (run.folder / "best.safetensors").exists()
    going = status in ("running", "waiting")
    return (
        gr.Dropdown(choices=names, value=name),
        *_summary(run, metrics),
        gr.LinePlot(loss if len(loss) else None, visible=len(loss) > 1),
        gr.LinePlot(error if len(error) else None, visible=len(epochs) > 1),
        gr.Image(str(previews[-1]) if previews else None, visible=bool(previews)),
        f"<pre>{html.escape(run.log_tail())}</pre>",
        gr.Button(interactive=going),
        gr.Button(interactive=status in ("stopped", "failed") and (run.folder / "last.pt").exists()),
        gr.Button(interactive=usable),
        gr.Button(interactive=usable),
        gr.Button(interactive=usable),
        gr.Button(interactive=not going),
    )


# -------------------------------------------------------------------------------------------- using


@friendly
def exported(name: str) -> list[str]:
    """One small file of a run's best weights, and its model card."""
    return [str(path) for path in export(load_checkpoint(_run(name).folder), result_folder(), name)]


@friendly
def pushed(name: str, repository: str, token: str) -> str:
    """Upload a run's best weights to the Hugging Face Hub; the address."""
    if on_space():
        raise UserError("A shared Space uploads nothing. Duplicate it, or run the program at home.")
    address = push(load_checkpoint(_run(name).folder), (repository or "").strip(), token=(token or "").strip() or None)
    return f"Uploaded: [{repository}]({address})"


def _use(name: str) -> tuple[Any, ...]:
    return gr.Dropdown(choices=checkpoint_names(), value=name), gr.Tabs(selected="colorize")


def _evaluate(name: str) -> tuple[Any, ...]:
    return gr.Dropdown(choices=checkpoint_names(), value=[name]), gr.Tabs(selected="evaluate")


def _start_choices() -> list[str]:
    return [_FRESH, *checkpoint_names()]


def build(tabs: gr.Tabs, colorize_with: gr.Dropdown, evaluate_with: gr.Dropdown) -> None:
    """Lay out the tab.

    Args:
        tabs: of the page.
        colorize_with, evaluate_with: the choice of a network on the other tabs.
    """
    defaults = TrainingConfig(data="", output="")
    with gr.Row():
        with gr.Column(scale=2, min_width=280, elem_id="choose"):
            data = gr.Textbox(
                label="Pictures", submit_btn="Look", elem_id="pictures-from",
                info="A folder on this computer, at any depth, a zip file, or tar shards; or one of these:",
            )  # fmt: skip
            with gr.Row():
                sample = gr.Button("Sample set", size="sm", min_width=90)
                imagenette = gr.Button("Imagenette", size="sm", min_width=90)
                upload = gr.UploadButton("Upload a zip", file_types=[".zip"], size="sm", min_width=90)
            found = gr.Markdown()
            sheet = gr.Image(show_label=False, interactive=False, type="filepath", visible=False, buttons=[])
            epochs = gr.Number(label="Epochs", value=defaults.epochs, precision=0)
            with gr.Accordion("More", open=False):
                init = gr.Dropdown(
                    _start_choices(),
                    value=_FRESH,
                    label="Start from",
                    allow_custom_value=True,
                    info="A run, to fork it; or the bundled one",
                )
                network = gr.Radio(list(NETWORKS), value=defaults.network, label="Network")
                objective = gr.Radio(list(OBJECTIVES), value=defaults.objective, label="Objective")
                features = gr.Dropdown(list(EXTRACTORS), value=defaults.features, label="Feature extractor")
                weights = gr.Textbox(label="Its weights", info="A file; empty for the published ones")
                batch_size = gr.Number(label="Batch size", value=defaults.batch_size, precision=0)
                rate = gr.Number(label="Learning rate", value=0, info="0 for the network's own")
                size = gr.Number(label="Crop size", value=0, precision=0, info="Pixels, a multiple of 32; 0: its own")
                limit = gr.Number(label="At most this many pictures", value=0, precision=0, info="0 for all")
            with gr.Row():
                ask = gr.Button("How long?", min_width=90)
                go = gr.Button("Train", variant="primary", min_width=90)
            estimated = gr.Markdown()
        with gr.Column(scale=3, min_width=280):
            # A run that was just started is not among the choices that the page was built with.
            name = gr.Dropdown(label="Run", choices=_names(), value=next(iter(_names()), None), allow_custom_value=True)
            bar = gr.HTML(elem_id="run-progress", visible=False)
            summary = gr.Markdown()
            with gr.Row(elem_id="run-buttons"):
                stop = gr.Button("Stop", interactive=False, size="sm", min_width=80)
                resume = gr.Button("Resume", interactive=False, size="sm", min_width=80)
                use = gr.Button("Use in Colorize", interactive=False, size="sm", min_width=110)
                judge = gr.Button("Measure it", interactive=False, size="sm", min_width=90)
                share = gr.Button("Export", interactive=False, size="sm", min_width=80)
                delete = gr.Button("Delete", interactive=False, size="sm", min_width=80, variant="stop")
            file = gr.Files(label="The network and its model card", visible=False, interactive=False)
            with gr.Row():
                loss = gr.LinePlot(x="step", y="loss", title="Loss", height=220, visible=False, min_width=240)
                error = gr.LinePlot(
                    x="epoch", y="MSE of ab", color="of", title="Validation", height=220, visible=False, min_width=240,
                    color_map={"network": "#0f766e", "gray": "#a8a29e"},
                )  # fmt: skip
            preview = gr.Image(
                show_label=False, interactive=False, type="filepath", visible=False, buttons=["fullscreen"]
            )
            with gr.Accordion("Log", open=False):
                log = gr.HTML()
            with gr.Accordion("Share on the Hugging Face Hub", open=False):
                repository = gr.Textbox(label="Repository", placeholder="owner/name")
                token = gr.Textbox(label="Token", type="password", info="With the right to write; empty if logged in")
                send = gr.Button("Upload", size="sm")
                sent = gr.Markdown()
    outputs = [name, bar, summary, loss, error, preview, log, stop, resume, use, judge, share, delete]
    settings = [data, epochs, network, objective, features, batch_size, rate, size, weights, limit, init]
    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    private: dict[str, Any] = {"api_visibility": "private"}
    data.submit(look, [data, limit], [found, sheet], **private)
    for button, word in ((sample, "sample"), (imagenette, "imagenette")):
        button.click(lambda word=word: word, None, data, **private).then(look, [data, limit], [found, sheet], **private)
    upload.upload(take_zip, upload, data, **private).success(look, [data, limit], [found, sheet], **private)
    ask.click(how_long, settings, estimated, trigger_mode="once", concurrency_limit=1, **private)
    init.focus(lambda: gr.Dropdown(choices=_start_choices()), None, init, **private)
    go.click(start_training, settings, name, api_name="train", trigger_mode="once").success(
        follow, name, outputs, **quiet
    )
    said = gr.Textbox(visible=False)
    stop.click(stop_training, name, said, api_name="stop_training").then(follow, name, outputs, **quiet)
    resume.click(resume_training, name, said, api_name="resume_training", trigger_mode="once").then(
        follow, name, outputs, **quiet
    )
    delete.click(
        None, name, said, js="(name) => { if (!confirm(`Delete ${name} and all it learned?`)) throw 0; return name; }",
        **private,
    ).success(delete_run, name, said, api_name="delete_run").then(follow, name, outputs, **quiet)  # fmt: skip
    use.click(_use, name, [colorize_with, tabs], **private)
    judge.click(_evaluate, name, [evaluate_with, tabs], **private)
    share.click(exported, name, file, **private).success(lambda: gr.Files(visible=True), None, file, **private)
    send.click(pushed, [name, repository, token], sent, trigger_mode="once", **private)
    state = gr.JSON(visible=False)
    said.submit(training_status, name, state, api_name="training_status")
    name.input(lambda: gr.Files(visible=False), None, file, **quiet).then(follow, name, outputs, **quiet)
    gr.Timer(2).tick(follow, name, outputs, **quiet)

"""The Train tab: choose, start, watch, stop, resume, use. All it knows of a run it reads from the run's folder."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

import gradio as gr
from PIL import Image

from ..data.survey import Survey, survey
from ..errors import UserError
from ..limits import limits
from ..model.backbones import BACKBONES
from ..model.checkpoints import BUNDLED, load_checkpoint
from ..model.export import export, push
from ..model.networks import OBJECTIVES, TRAINABLE
from ..pictures.reading import thumbnail_rgb
from ..pictures.sources import ZipSource
from ..processes import run_module
from ..training.config import TrainingConfig, TrainingOptions
from ..training.runs import find_runs, start
from .access import check_folder, is_owner, keep_upload, on_space, owner_only, sign_in, signs_in_on_the_hub
from .common import checkpoint_names, duration, friendly, plain, result_folder, runs_folder
from .run_view import NAME, follow, named_run

_ROWS, _COLUMNS, _SIDE = 3, 8, 96  # of the contact sheet
_FRESH = "the classifier"  # what a network starts from, if not from a checkpoint
_BUNDLED_IS = ("skip_fusion", "classification", "tf_efficientnet_lite0")
_SURE = """(name) => {
    if (!confirm(window.colorizerText(`Delete ${name} and all it learned?`))) throw 0;
    return name;
}"""
_TICK = 0.5  # seconds between two signs of life


def _init(chosen: str | None) -> str | None:
    """What `--init` is to be, of the choice on the page."""
    if not chosen or chosen == _FRESH:
        return None
    return chosen if chosen == BUNDLED else str(named_run(chosen).folder)


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
    return TrainingOptions(**chosen).resolve(), arguments  # which says at once what is wrong


@friendly
@owner_only
def start_training(
    data: str, epochs: float, network: str, objective: str, features: str, batch_size: float,
    learning_rate: float, size: float, features_weights: str, limit: float, init: str, title: str = "",
) -> str:  # fmt: skip
    """Start training a network on a folder of pictures; it continues when the page is closed.

    Args:
        data: a folder on the server, at any depth, a zip file there, tar shards, "sample", or "imagenette".
        epochs: how often every picture is seen.
        network: "skip_fusion" or "fusion".
        objective: "classification" or "regression".
        features: "tf_efficientnet_lite0", "inception_resnet_v2", or another model of timm.
        batch_size: pictures a step.
        learning_rate: 0 for the network's own.
        size: side of the crops in pixels, a multiple of 32; 0 for the network's own.
        features_weights: a file with the feature extractor's weights, or "" for the published ones.
        limit: use at most this many pictures; 0 for all.
        init: "the classifier", or the checkpoint to start from: "bundled" or the name of a run.
        title: what the run is to be called; "" for the date and time.
    Returns:
        the name of the run. If another one has the device, it waits for its turn.
    """
    going = [run for run in find_runs(runs_folder()) if run.process() is not None]
    if len(going) >= (most := limits().runs):
        raise UserError(f"{len(going)} runs are training or wait for it; more than {most} would take too much memory.")
    name = _new_name(title)
    output = str(runs_folder() / name)
    settings = (data, epochs, network, objective, features, batch_size, learning_rate, size, features_weights, limit)
    _, arguments = _config(output, *settings, init)
    start(Path(output), [*arguments, "--log-every=5"])
    return name


def _new_name(title: str | None) -> str:
    """Of a run: as asked for, or the time, with a number if it is taken."""
    wanted = (title or "").strip().replace(" ", "-")
    if wanted and not NAME.fullmatch(wanted):
        raise UserError("A run's name is made of letters, digits, '-', '_' and '.', and begins with a letter or digit.")
    if wanted and (runs_folder() / wanted).exists():
        raise UserError(f"There is a run {wanted} already. Choose another name, or delete it first.")
    name = wanted or datetime.now().strftime("%Y%m%d-%H%M%S")
    taken = itertools.chain([name], (f"{name}-{n}" for n in itertools.count(2)))
    return next(free for free in taken if not (runs_folder() / free).exists())


@friendly
@owner_only
def stop_training(name: str) -> str:
    """Ask a run to save and stop after its current step; it can be resumed.

    Args:
        name: of the run.
    Returns:
        what happens now.
    """
    run = named_run(name)
    if run.process() is None:
        return f"{name} is not running."
    run.stop()
    return f"{name} is stopping: it saves first."


@friendly
@owner_only
def resume_training(name: str) -> str:
    """Go on with a run that was stopped or died.

    Args:
        name: of the run.
    Returns:
        the name of the run.
    """
    run = named_run(name)
    if run.outcome().state == "finished":
        raise UserError(f"The run {name} has finished all its epochs.")
    if run.process() is not None:
        raise UserError(f"The run {name} is still going.")
    start(run.folder, ["--resume", str(run.folder)])
    return name


@friendly
@owner_only
def delete_run(name: str) -> str:
    """Delete a run and all that it learned.

    Args:
        name: of the run.
    Returns:
        what was done.
    """
    named_run(name).delete()
    return f"{name} is deleted."


def training_status(name: str) -> dict[str, Any]:
    """Where a run stands.

    Args:
        name: of the run.
    Returns:
        its status ("waiting", "running", "finished", "stopped", "failed" or "killed"), the reason if it failed or was
        killed, its last metrics, and the end of its log.
    """
    run = friendly(named_run)(name)
    metrics = run.metrics()
    last = metrics[-1] if metrics else None
    state, reason = run.outcome()
    return {"status": state, "reason": reason, "last": last, "log": run.log_tail()}


# ----------------------------------------------------------------------------------------- choosing


@friendly
def take_zip(file: str) -> str:
    """Keep an uploaded zip for as long as runs may want it; returns where."""
    if not ZipSource(Path(file)).names:
        raise UserError("There are no pictures in this zip file.")
    return keep_upload(file)


@friendly
@owner_only
def look(data: str, limit: float, progress: gr.Progress = gr.Progress()) -> tuple[str, gr.Image]:  # noqa: B008
    """How many pictures there are, how many are left out and why, the split, and a contact sheet."""
    pictures = survey(
        check_folder(data), int(limit or 0) or None,
        progress=lambda done, total: progress((done, total), desc="Looking at the pictures", unit="pictures"),
    )  # fmt: skip
    number = len(pictures.held_out)
    words = f"{pictures.scan.summary()}: {len(pictures.train)} for training, {number} for validation."
    return plain(words), gr.Image(_contact_sheet(pictures), visible=True)


def _contact_sheet(pictures: Survey) -> str:
    number = min(_ROWS * _COLUMNS, len(pictures.train))
    chosen = pictures.train[:: max(len(pictures.train) // number, 1)][:number]
    rows = -(-len(chosen) // _COLUMNS)
    sheet = Image.new("RGB", (_COLUMNS * _SIDE, rows * _SIDE), "white")
    for k, picture in enumerate(chosen):
        rgb = thumbnail_rgb(pictures.source.read(picture.name), _SIDE)
        side = min(rgb.shape[:2])
        top, left = (rgb.shape[0] - side) // 2, (rgb.shape[1] - side) // 2
        square = Image.fromarray(rgb[top : top + side, left : left + side]).resize((_SIDE, _SIDE))
        sheet.paste(square, (k % _COLUMNS * _SIDE, k // _COLUMNS * _SIDE))
    path = result_folder() / "pictures.jpg"
    sheet.save(path, quality=85)
    return str(path)


@friendly
@owner_only
def how_long(*settings: Any) -> Iterator[str]:
    """How long a run with the settings on the page would take, measured on a few batches by a process of its own."""
    _, arguments = _config("unused", *settings)
    begun = time.monotonic()
    with ThreadPoolExecutor(1) as pool:
        measuring = pool.submit(run_module, "colorizer.commands.train", [*arguments, "--estimate"])
        while not measuring.done():
            yield f"Measuring a few steps: {time.monotonic() - begun:.0f} s…"
            time.sleep(_TICK)
    done = measuring.result()
    if done.returncode != 0:
        said = [line for line in done.stderr.splitlines() if line.startswith("train.py: ")]
        raise UserError(said[-1].removeprefix("train.py: ") if said else "The time could not be measured.")
    measured = json.loads(done.stdout.splitlines()[-1])
    words = f"About **{duration(measured['seconds'])}**: {measured['steps']} steps of {measured['step']:.2f} s"
    if measured["preparing"] >= 1:
        words += f", after {duration(measured['preparing'])} for the embeddings"
    yield words + f". {100 * measured['data_share']:.0f}% of a step is waiting for pictures."


# -------------------------------------------------------------------------------------------- using


@friendly
@owner_only
def exported(name: str) -> list[str]:
    """One small file of a run's best weights, and its model card."""
    return [str(path) for path in export(load_checkpoint(named_run(name).folder), result_folder(), name)]


@friendly
@owner_only
def pushed(name: str, repository: str, token: str) -> str:
    """Upload a run's best weights to the Hugging Face Hub; the address."""
    address = push(
        load_checkpoint(named_run(name).folder), (repository or "").strip(), token=(token or "").strip() or None
    )
    return f"Uploaded: [{repository}]({address})"


def _use(name: str) -> tuple[Any, ...]:
    return gr.Dropdown(choices=checkpoint_names(), value=name), gr.Tabs(selected="colorize")


def _evaluate(name: str) -> tuple[Any, ...]:
    return gr.Dropdown(choices=checkpoint_names(), value=[name]), gr.Tabs(selected="evaluate")


def _start_choices() -> list[str]:
    return [BUNDLED, _FRESH, *(name for name in checkpoint_names() if name != BUNDLED)]


def _start_of(init: str, *network: str) -> str:
    """Another network than the bundled one can't start from it."""
    return _FRESH if init == BUNDLED and network != _BUNDLED_IS else init


def greet() -> tuple[gr.Column, gr.Row, gr.Timer]:
    """Show the tab to whoever runs the page, and to others where to sign in."""
    owner = is_owner()
    return gr.Column(visible=not owner), gr.Row(visible=owner), gr.Timer(active=owner)


@friendly
def enter(password: str) -> tuple[Any, ...]:
    """Sign in on a page that is opened from another computer; training and everything else is allowed then.

    Args:
        password: as in COLORIZER_OWNER_PASSWORD of the server.
    """
    sign_in(password)
    return greet()


def _gate() -> tuple[gr.Column, gr.Textbox, gr.Button]:
    """What visitors see instead of the tab."""
    with gr.Column(visible=False, elem_id="gate") as gate:
        gr.Markdown(
            "Training is for whoever runs this page. "
            + ("Duplicate the Space to your account, or run" if on_space() else "To train a network of your own, run")
            + " the program at home."
        )
        with gr.Row(equal_height=True):
            password = gr.Textbox(label="Password", type="password", info="For whoever runs this page", scale=3)
            button = gr.Button("Sign in", scale=1, min_width=90)
    if signs_in_on_the_hub():
        gr.LoginButton(logout_value="Sign out ({})", size="md", elem_id="hub")
    return gate, password, button


def build(tabs: gr.Tabs, colorize_with: gr.Dropdown, evaluate_with: gr.Dropdown) -> list[Any]:
    """Lay out the tab.

    Args:
        tabs: of the page.
        colorize_with, evaluate_with: the choice of a network on the other tabs.
    Returns:
        what `greet` shows or hides.
    """
    defaults = TrainingOptions(data="", output="")
    gate, password, button = _gate()
    with gr.Row(visible=False) as inside:
        with gr.Column(scale=2, min_width=280, elem_id="choose"):
            data = gr.Textbox(
                label="Pictures", submit_btn="Look", elem_id="pictures-from",
                info="A folder on this computer, at any depth, a zip file, or tar shards; or one of these:",
            )  # fmt: skip
            with gr.Row():
                sample = gr.Button("Sample set", size="sm", min_width=90)
                imagenette = gr.Button("Imagenette", size="sm", min_width=90)
                upload = gr.UploadButton("Upload a zip", file_types=[".zip"], size="sm", min_width=90)
            counts = gr.Markdown()
            sheet = gr.Image(show_label=False, interactive=False, type="filepath", visible=False, buttons=[])
            init = gr.Dropdown(
                [BUNDLED, _FRESH], value=BUNDLED, label="Start from", allow_custom_value=True,
                info="What colors already: the bundled network, or a run. Or the classifier, to learn it all anew",
            )  # fmt: skip
            with gr.Row():
                epochs = gr.Number(
                    label="Epochs", value=defaults.epochs, precision=0, info="How often each is seen", min_width=110
                )
                title = gr.Textbox("", label="Name", info="Of the run; empty: the date", min_width=110, max_length=80)
            with gr.Accordion("More", open=False):
                network = gr.Radio(list(TRAINABLE), value=defaults.network, label="Network")
                objective = gr.Radio(list(OBJECTIVES), value=defaults.objective, label="Objective")
                features = gr.Dropdown(
                    list(BACKBONES),
                    value=defaults.features,
                    label="Feature extractor",
                    allow_custom_value=True,
                    info="Or another model of timm",
                )
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
            name = gr.Dropdown(label="Run", choices=[], value=None, allow_custom_value=True)
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
                    x="epoch", y="MSE of ab", color="of", title="Validation crops", height=220, visible=False,
                    min_width=240,
                    color_map={"network": "#0f766e", "gray": "#a8a29e"},
                )  # fmt: skip
            preview = gr.Image(show_label=False, interactive=False, format="png", visible=False, buttons=["fullscreen"])
            with gr.Accordion("Log", open=False):
                log = gr.HTML()
            with gr.Accordion("Share on the Hugging Face Hub", open=False):
                repository = gr.Textbox(label="Repository", placeholder="owner/name")
                token = gr.Textbox(label="Token", type="password", info="With the right to write; empty if logged in")
                send = gr.Button("Upload", size="sm")
                sent = gr.Markdown()
    outputs = [name, bar, summary, loss, error, preview, log, stop, resume, use, judge, share, delete]
    settings = [data, epochs, network, objective, features, batch_size, rate, size, weights, limit, init]
    different: list[Any] = [network, objective, features]
    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    private: dict[str, Any] = {"api_visibility": "private"}
    data.submit(look, [data, limit], [counts, sheet], **private)
    for button, word in ((sample, "sample"), (imagenette, "imagenette")):
        button.click(lambda word=word: word, None, data, **private).then(
            look, [data, limit], [counts, sheet], **private
        )
    upload.upload(take_zip, upload, data, **private).success(look, [data, limit], [counts, sheet], **private)
    ask.click(how_long, settings, estimated, trigger_mode="once", concurrency_limit=1, **private)
    init.focus(lambda: gr.Dropdown(choices=_start_choices()), None, init, **private)
    for changed in different:
        changed.input(_start_of, [init, *different], init, **quiet)
    go.click(start_training, [*settings, title], name, api_name="train", trigger_mode="once").success(
        follow, name, outputs, **quiet
    )
    said = gr.Textbox(visible=False)
    stop.click(stop_training, name, said, api_name="stop_training").then(follow, name, outputs, **quiet)
    resume.click(resume_training, name, said, api_name="resume_training", trigger_mode="once").then(
        follow, name, outputs, **quiet
    )
    delete.click(
        None, name, said, js=_SURE,
        **private,
    ).success(delete_run, name, said, api_name="delete_run").then(follow, name, outputs, **quiet)  # fmt: skip
    use.click(_use, name, [colorize_with, tabs], **private)
    judge.click(_evaluate, name, [evaluate_with, tabs], **private)
    share.click(lambda: gr.Files(visible=True), None, file, **quiet).then(exported, name, file, **private)
    send.click(pushed, [name, repository, token], sent, trigger_mode="once", **private)
    state = gr.JSON(visible=False)
    said.submit(training_status, name, state, api_name="training_status")
    name.input(lambda: gr.Files(visible=False), None, file, **quiet).then(follow, name, outputs, **quiet)
    timer = gr.Timer(2, active=False)
    timer.tick(follow, name, outputs, **quiet)
    parts: list[Any] = [gate, inside, timer]
    gr.on([password.submit, button.click], enter, password, parts, api_name="sign_in").success(
        follow, name, outputs, **quiet
    )
    return parts

"""The Evaluate tab: the test set's MSE, networks compared, and the pictures side by side."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import pandas as pd
from PIL import Image

from ..arrays import Array
from ..errors import UserError
from ..evaluation.classifiers import available_classifiers
from ..evaluation.evaluation import Evaluation
from ..evaluation.metrics import FID, METRICS
from ..evaluation.report import error_map
from ..evaluation.results import AB_STEP, ERROR_STEP, GRAY
from ..evaluation.store import find_evaluations
from ..evaluation.testset import HELD_OUT, held_out_data, run_folder
from ..files import cache_folder
from ..inference.settings import Settings
from ..limits import limits
from ..model.checkpoints import BUNDLED, load_checkpoint
from ..pictures.sources import EXAMPLES
from .access import check_folder, is_owner, keep_upload, owner_only, session
from .common import (
    HEAVY,
    checkpoint_names,
    checkpoint_path,
    duration,
    friendly,
    network_names,
    plain,
    progress_bar,
    result_folder,
    runs_folder,
)
from .train import take_zip

_SHOWN = 24  # pictures in the gallery
_KEPT = 3  # evaluations in memory: those last looked at
_stops: dict[str, threading.Event] = {}
_evaluations: OrderedDict[str, Evaluation] = OrderedDict()
_own: set[tuple[str, str]] = set()  # sessions, and what they have measured
_opening = threading.Lock()
_SAY = "() => window.colorizerSay(window.colorizerText('The figures are there.'))"
_titles = {metric.title: name for name, metric in METRICS.items()}


def headline(evaluation: Evaluation) -> str:
    """The MSE in large figures, what it means, and which network is better, if that can be told."""
    summary = evaluation.summary
    columns = summary["metrics"]
    lines = []
    for name in (n for n in columns if n != GRAY):
        m, g = columns[name], columns[GRAY]
        lines.append(
            f"{plain(name)}: MSE of RGB **{m['mse_rgb']['mean']:.1f}** (gray {g['mse_rgb']['mean']:.1f})   "
            f"MSE of ab **{m['mse_ab']['mean']:.1f}** (gray {g['mse_ab']['mean']:.1f})"
        )
    return (
        "  \n".join(lines) + f"  \nover {summary['pictures']} pictures: the mean squared error of all pixels. Lower is "
        "better; gray is the picture left without color."
        + "".join(f"  \n{plain(words)}" for words in evaluation.remarks)
    )


def _table(evaluation: Evaluation) -> pd.DataFrame:
    return pd.DataFrame(evaluation.table(), columns=["Metric", *evaluation.summary["metrics"]])


@friendly
def measure(checkpoints: list[str], data: str, limit: float, fresh: bool) -> Iterator[tuple[Any, ...]]:
    """Measure checkpoints on a folder of color photographs; an interrupted evaluation resumes where it stopped.

    Args:
        checkpoints: one or more of "bundled", the names of runs, and paths of checkpoints.
        data: a folder on the server, at any depth, a zip file there, or "held-out" for what the first run did not
            learn from.
        limit: measure at most this many pictures, evenly spaced; 0 for all.
        fresh: measure anew what was measured before.
    Returns:
        the MSE in words, the table of all metrics, the files (JSON, CSV, HTML report), the figures as JSON, how far it
        is, and where it is kept.
    """
    names = [checkpoints] if isinstance(checkpoints, str) else list(checkpoints or [])
    if not names:
        raise UserError("Choose a checkpoint first.")
    paths = {name: checkpoint_path(name) for name in names}
    if data != HELD_OUT:
        data = check_folder(data)
    elif run := run_folder(paths[names[0]]):
        check_folder(held_out_data(run))
    yield "", gr.skip(), gr.skip(), gr.skip(), progress_bar(0, 1, "Looking at the pictures…"), ""
    evaluation = Evaluation.open(paths, data, Settings(), int(limit or 0) or None, fresh=bool(fresh))
    stop, token = threading.Event(), str(evaluation.store.folder)
    _own.add((session(), token))
    _stops[token] = stop
    begun, total = time.monotonic(), len(evaluation.test_set.names)
    shown = begun
    yield "", gr.skip(), gr.skip(), gr.skip(), progress_bar(0, total, f"0 of {total}"), token
    try:
        for at in evaluation.run():
            now = time.monotonic()
            if now - shown > 1 and at.done < total:
                left = duration((now - begun) / at.done * (total - at.done))
                bar = progress_bar(at.done, total, f"{at.done} of {total}, about {left} left")
                yield gr.skip(), gr.skip(), gr.skip(), gr.skip(), bar, token
                shown = now
            if stop.is_set() or now - begun > limits().seconds:
                words = f"Stopped after {at.done} of {total}. Evaluate resumes there."
                yield "", gr.skip(), gr.skip(), gr.skip(), progress_bar(at.done, total, words), token
                return
    finally:
        _stops.pop(token, None)
    evaluation.write_reports()
    _keep(token, evaluation)
    done = progress_bar(total, total, f"{total} pictures in {duration(time.monotonic() - begun)}")
    figures = {"about": evaluation.about, **evaluation.summary}
    yield headline(evaluation), _table(evaluation), _copies(evaluation), figures, done, token


def _copies(evaluation: Evaluation) -> list[str]:
    """The files to keep; what the page offers are copies, because it may not reach into the runs' folder."""
    target = result_folder()
    return [shutil.copy(str(path), str(target / path.name)) for path in evaluation.reports()]


def stop(token: str) -> None:
    """Measure no further picture; what is done is kept."""
    if token in _stops:
        _stops[token].set()


# ------------------------------------------------------------------------------------------- looking


def _keep(token: str, evaluation: Evaluation) -> None:
    with _opening:
        _evaluations[token] = evaluation
        _evaluations.move_to_end(token)
        while len(_evaluations) > _KEPT:
            _evaluations.popitem(last=False)


def _evaluation(token: str) -> Evaluation:
    """One that was measured, out of memory or from disk."""
    if not is_owner() and (session(), token) not in _own:
        raise UserError("Evaluate something first.")
    if token in _evaluations:
        return _evaluations[token]
    if Path(token or "") not in find_evaluations(cache_folder(), runs_folder(), *runs_folder().glob("*")):
        raise UserError("Evaluate something first.")
    evaluation = Evaluation.reopen(Path(token))
    _keep(token, evaluation)
    return evaluation


@friendly
def gallery(token: str, title: str, order: str) -> tuple[gr.Gallery, list[str], str, gr.Column]:
    """The worst or best pictures by a metric of the first network: gray, colorized by each, true."""
    evaluation, metric = _evaluation(token), _titles[title]
    names, folder = list(evaluation.checkpoints), result_folder()
    chosen = evaluation.ordered(metric, names[0], order == "Worst first", _SHOWN)
    shown = []
    for k, result in enumerate(chosen):
        path = shutil.copy(evaluation.strip(result.name), folder / f"{k:02d}.jpg")
        figures = ", ".join(f"{result.metrics[n].get(metric, float('nan')):.2f}" for n in (*names, GRAY))
        shown.append((str(path), f"{Path(result.name).name}: {title} {figures}"))
    words = f"From left to right: gray, {', '.join(names)}, true. The figures: {', '.join(names)}, gray."
    # The picture that is open below is another one's neighbor now: it is closed, and none is marked.
    return gr.Gallery(shown, selected_index=None), [r.name for r in chosen], words, gr.Column(visible=False)


@friendly
def open_picture(token: str, shown: list[str], chosen: gr.SelectData) -> tuple[Any, ...]:
    """One picture: the slider between colorized and true, its error maps, its figures."""
    evaluation, name = _evaluation(token), shown[chosen.index]
    result = evaluation.results[evaluation.results.names.index(name)]
    true, _, colorized, _ = evaluation.picture(name)
    folder = result_folder()

    def saved(rgb: Array, stem: str) -> str:
        path = folder / f"{stem}.png"
        Image.fromarray(rgb).save(path)
        return str(path)

    maps = [error_map(rgb, true) for rgb in colorized]
    table = [[METRICS[m].title, *(f"{result.metrics[c][m]:.3f}" for c in result.metrics)] for m in result.metrics[GRAY]]
    return (
        (saved(colorized[0], "colorized"), saved(true, "true")),
        saved(np.concatenate(maps, axis=1), "error"),
        pd.DataFrame(table, columns=["Metric", *result.metrics]),
        f"**{plain(name)}**: {plain(next(iter(evaluation.checkpoints)))} and the truth. The map shows "
        f"where ab is wrong: black not at all, light yellow by 60 and more.",
        gr.Column(visible=True),
    )


@friendly
def histograms(token: str) -> tuple[Any, ...]:
    """How errors and colors are distributed over all pixels."""
    frames = {}
    for kind, low, step, title in (
        ("error", 0, ERROR_STEP, "ab error"), ("a", -110, AB_STEP, "a, green to red"),
        ("b", -110, AB_STEP, "b, blue to yellow"),
    ):  # fmt: skip
        lines = []
        for key, counts in _evaluation(token).figures.histograms.items():
            if key.startswith(f"{kind} "):
                share = np.array(counts) / max(sum(counts), 1) * 100
                lines += [(low + step * (k + 0.5), s, key.removeprefix(f"{kind} ")) for k, s in enumerate(share)]
        frames[kind] = pd.DataFrame(lines, columns=[title, "% of pixels", "of"])
    return frames["error"], frames["a"], frames["b"]


def stored_names() -> list[tuple[str, str]]:
    """The evaluations on disk, the latest first: what they are of, and where; none for visitors."""
    names: list[tuple[str, str]] = []
    if not is_owner():
        return names
    for folder in find_evaluations(cache_folder(), *runs_folder().glob("*"))[:50]:
        try:
            about = json.loads((folder / "about.json").read_text())
        except (OSError, ValueError):
            continue
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime((folder / "results.jsonl").stat().st_mtime))
        names.append((f"{', '.join(about['networks'])} on {about['data']}, {when}", str(folder)))
    return names


@friendly
def recall(token: str) -> tuple[Any, ...]:
    """Show an evaluation of before."""
    evaluation = _evaluation(token)
    return headline(evaluation), _table(evaluation), _copies(evaluation), token, evaluation.command


def command_of(token: str) -> str:
    """The command line that measures the same."""
    return _evaluation(token).command


@friendly
@owner_only
def take_checkpoint(file: str, chosen: list[str]) -> gr.Dropdown:
    """Keep an uploaded checkpoint, and choose it."""
    load_checkpoint(file)  # says at once what is wrong
    kept = keep_upload(file)
    return gr.Dropdown(choices=[*checkpoint_names(), kept], value=[*(chosen or []), kept])


def _examples() -> str:
    """Where they are, as short as possible."""
    whole = EXAMPLES / "color"
    return str(whole.relative_to(Path.cwd()) if Path.cwd() in whole.parents else whole)


def build() -> gr.Dropdown:
    """Lay out the tab; returns the choice of the networks."""
    there = available_classifiers()
    shown_metrics = [m for name, m in METRICS.items() if m.of is not None or name in there]
    with gr.Row(equal_height=False):
        with gr.Column(scale=3, min_width=280):
            checkpoints = gr.Dropdown(
                label="Checkpoints", choices=[BUNDLED], value=[BUNDLED], allow_custom_value=True,
                multiselect=True,
                info="The bundled one, runs, published ones, paths; two or more are compared on the same pictures",
            )  # fmt: skip
            upload = gr.UploadButton("Upload a checkpoint", file_types=[".safetensors", ".pth", ".bin"], size="sm")
        with gr.Column(scale=3, min_width=280):
            data = gr.Textbox(
                label="Test pictures", value=_examples(), info="A folder of color photographs, a zip, or:"
            )
            with gr.Row():
                examples = gr.Button("The examples", size="sm", min_width=90)
                held_out = gr.Button("Held out of the run", size="sm", min_width=90)
                zipped = gr.UploadButton("Upload a zip", file_types=[".zip"], size="sm", min_width=90)
        with gr.Column(scale=1, min_width=140):
            limit = gr.Number(label="At most this many", value=0, precision=0, info="0 for all")
            fresh = gr.Checkbox(label="Measure anew")
    with gr.Row():
        go = gr.Button("Evaluate", variant="primary", elem_id="evaluate-go")
        cancel = gr.Button("Cancel", visible=False)
    bar = gr.HTML(elem_id="evaluation-progress", visible=False)
    words = gr.Markdown(elem_id="headline")
    token, shown = gr.State(""), gr.State([])
    with gr.Column(visible=False) as results:
        table = gr.Dataframe(interactive=False, wrap=True, elem_id="figures", buttons=[])
        with gr.Accordion("What they mean", open=False):
            defined = [*shown_metrics, *([FID] if "inception" in there else [])]
            units = [f" ({m.unit})" if m.unit else "" for m in defined]
            gr.Markdown("\n".join(f"- **{m.title}**{u}: {m.describe()}" for m, u in zip(defined, units, strict=True)))
            gr.Markdown("In brackets: a 95% interval of the mean, by bootstrap over the pictures.")
        with gr.Row():
            metric = gr.Dropdown(
                [m.title for m in shown_metrics], value="MSE of RGB", label="Sort by", scale=1, min_width=160
            )
            order = gr.Radio(["Worst first", "Best first"], value="Worst first", show_label=False, scale=2)
        legend = gr.Markdown()
        pictures = gr.Gallery(
            columns=2, object_fit="contain", format="jpeg", elem_id="pictures", show_label=False,
            allow_preview=False, buttons=[], interactive=False,
        )  # fmt: skip
        with gr.Column(visible=False, elem_id="one") as one:
            about_one = gr.Markdown()
            with gr.Row():
                slider = gr.ImageSlider(type="filepath", interactive=False, show_label=False, buttons=["fullscreen"])
                wrong = gr.Image(interactive=False, show_label=False, format="png", buttons=["fullscreen"])
            numbers = gr.Dataframe(interactive=False, elem_id="numbers", buttons=[])
        with gr.Accordion("How errors and colors are distributed", open=False) as spread, gr.Row():
            curves = [
                gr.LinePlot(x=x, y="% of pixels", color="of", height=220, min_width=260)
                for x in ("ab error", "a, green to red", "b, blue to yellow")
            ]
        files = gr.Files(label="Keep it", interactive=False)
        again = gr.Code(label="The same by command line", interactive=False, language="shell", buttons=["copy"])
        figures = gr.JSON(visible=False)
    before = gr.Dropdown(label="Evaluations of before", choices=[], value=None)
    private: dict[str, Any] = {"api_visibility": "private"}
    seen: dict[str, Any] = {"show_progress_on": pictures, **private}
    look = ([token, metric, order], [pictures, shown, legend, one])

    go.click(lambda: (gr.Button(visible=False), gr.Button(visible=True)), None, [go, cancel], **private)
    measured = go.click(
        measure, [checkpoints, data, limit, fresh], [words, table, files, figures, bar, token],
        api_name="evaluate", concurrency_id=HEAVY, trigger_mode="once", show_progress="hidden",
    )  # fmt: skip
    measured.then(lambda: (gr.Button(visible=True), gr.Button(visible=False)), None, [go, cancel], **private)
    measured.success(None, js=_SAY, **private)
    measured.success(
        lambda words: (gr.Column(visible=bool(words)), gr.Column(visible=False)), words, [results, one], **private
    ).then(command_of, token, again, **private).then(gallery, *look, **seen).then(
        histograms, token, curves, **private
    ).then(lambda: gr.Dropdown(choices=stored_names()), None, before, **private)
    cancel.click(stop, token, None, **private)
    gr.on([metric.input, order.input], gallery, *look, trigger_mode="always_last", **seen)
    pictures.select(open_picture, [token, shown], [slider, wrong, numbers, about_one, one], **private)
    spread.expand(histograms, token, curves, **private)
    before.input(recall, before, [words, table, files, token, again], **private).success(
        lambda: (gr.Column(visible=True), gr.Column(visible=False)), None, [results, one], **private
    ).then(gallery, *look, **seen).then(histograms, token, curves, **private)
    before.focus(lambda: gr.Dropdown(choices=stored_names()), None, before, **private)
    upload.upload(take_checkpoint, [upload, checkpoints], checkpoints, **private)
    examples.click(_examples, None, data, **private)
    zipped.upload(take_zip, zipped, data, **private)
    held_out.click(lambda: HELD_OUT, None, data, **private)
    checkpoints.focus(lambda: gr.Dropdown(choices=network_names()), None, checkpoints, **private)
    return checkpoints

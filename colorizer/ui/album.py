"""Many photographs at once: files or a zip in, a gallery that fills, a zip out."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import gradio as gr

from ..errors import UserError
from ..inference.batch import Job, Result, plan, run
from ..inference.settings import Settings
from ..limits import limits
from ..model.checkpoints import BUNDLED
from ..model.hints import parse_hints
from ..pictures.writing import FORMATS, Output
from .albums import Album, colored_name, keep, kept, opened
from .common import HEAVY, colorizer_for, computing, duration, friendly, plain, progress_bar, result_folder
from .looks import looks, settings_of
from .networks import network_choice
from .photos import opened_photos

_SAY = "() => { window.colorizerSay(window.colorizerText('The album is in color.')); return []; }"
_stops: dict[str, threading.Event] = {}


def _plan(files: list[str] | None, folder: Path, output: Output) -> list[Job]:
    if not files:
        raise UserError("Give photographs first.")
    return plan(map(Path, files), folder / "colorized", output.format)


def _counted(files: list[str]) -> str:
    """How many photographs there are, those in zip files and pages included."""
    try:
        number = len(plan(map(Path, files), Path("colorized")))
    except UserError as error:
        return plain(str(error))
    return f"{number} photograph{'s' * (number != 1)}"


def _name(job: Job) -> str:
    return f"{job.source} in {job.archive.path.name}" if job.archive else job.source.name


def _progress(results: list[Result], total: int, begun: float, stopped: bool) -> gr.HTML:
    done, failed = len(results), sum(r.problem is not None for r in results)
    left = (time.monotonic() - begun) / max(done, 1) * (total - done)
    if done == total:
        words = f"{total - failed} colorized in {duration(time.monotonic() - begun)}."
    elif stopped:
        words = f"Stopped after {done} of {total}."
    else:
        words = f"{done} of {total}" + (f", about {duration(left)} left" if done else "")
    words += f" {failed} could not be: see below." if failed else ""
    return progress_bar(done, total, words)


def _problems(results: list[Result]) -> str:
    lines = [f"- **{plain(_name(r.job))}** was not colorized: {plain(r.problem)}" for r in results if r.problem]
    lines += [f"- {plain(note)}" for r in results for note in r.notes]
    return "\n".join(lines)


@friendly
def colorize_all(
    files: list[str] | None, vividness: float, saturation: float, strength: float, format: str, quality: float,
    note: bool, checkpoint: str,
) -> Iterator[tuple[Any, ...]]:  # fmt: skip
    """Color what was dropped: progress, gallery, problems, the zip, the token to stop it by."""
    settings = settings_of(vividness, saturation, strength, 0)
    colorizer, folder = colorizer_for(checkpoint), result_folder()
    # Its credit stays, for copies that are corrected later.
    output = Output(None if format == "same" else format, int(quality), note, colorizer.predictor.credit)
    jobs, album = _plan(files, folder, output), Album(folder, settings, output, checkpoint)
    stop, token = threading.Event(), keep(album)
    _stops[token] = stop
    begun = time.monotonic()
    yield _progress([], len(jobs), begun, False), [], "", gr.DownloadButton(visible=False), token
    try:
        for result in run(colorizer, jobs, settings, output=output, stop=stop):
            album.add(result)
            shown = _progress(album.results, len(jobs), begun, stop.is_set())
            yield shown, album.last(), _problems(album.results), gr.skip(), token
            if time.monotonic() - begun > limits().seconds:
                stop.set()
    finally:
        stop.set()
        _stops.pop(token, None)
    stopped = len(album.results) < len(jobs)
    button = gr.DownloadButton(value=album.zip(), visible=True) if album.shown else gr.DownloadButton(visible=False)
    yield _progress(album.results, len(jobs), begun, stopped), album.last(), _problems(album.results), button, token


@friendly
def open_one(token: str, chosen: gr.SelectData) -> tuple[Any, ...]:
    """A photograph of the album, to be corrected like any other, with the settings that the album was colored by."""
    album = kept(token)
    path, settings = str(opened(album.job(chosen.index))), album.settings
    working_size = colorizer_for(album.checkpoint).predictor.working_size(settings)
    percent = (round(100 * x) for x in (settings.vividness, settings.saturation, settings.strength))
    return path, album.checkpoint, *percent, working_size, {"token": token, "at": chosen.index, "path": path}


def offer_back(picture: str | None, opened: dict[str, Any]) -> gr.Button:
    """The button that goes back to the album, beside a photograph that is of one."""
    return gr.Button(visible=bool(opened) and opened["path"] == picture)


@friendly
@computing
def put_back(
    opened: dict[str, Any], picture: str, strokes: list[Any], checkpoint: str, *knobs: float
) -> tuple[Any, ...]:
    """The album again, the photograph in it as it was left."""
    album, at = kept(opened["token"]), opened["at"]
    settings = settings_of(*knobs)
    if settings.working_size == colorizer_for(checkpoint).predictor.working_size(Settings()):
        settings = replace(settings, working_size=None)
    if strokes or checkpoint != album.checkpoint or settings != album.settings:
        prepared = opened_photos.get(picture).prepared(checkpoint)
        album.corrected(at, prepared.colorize(settings, parse_hints(strokes or [])))
    button = gr.DownloadButton(value=album.zip(), visible=True)
    return album.last(), button, None, gr.Column(visible=False), gr.Column(visible=True), {}


def stop(token: str) -> None:
    """Begin no further picture; what is done can be downloaded."""
    if token in _stops:
        _stops[token].set()


@friendly
def colorize_batch(
    files: list[str], vividness: float, saturation: float, strength: float, format: str, quality: float, note: bool,
    checkpoint: str,
) -> tuple[str, dict[str, Any]]:  # fmt: skip
    """Color many photographs.

    Args:
        files: pictures, and zip files of them.
        vividness: percent; 0 cautious, 100 natural, up to 300.
        saturation: percent; chroma is multiplied by it.
        strength: percent; 0 is gray.
        format: "png", "jpg", "webp", "tif", or "same" as each picture's own.
        quality: of JPEG and WebP, 1 to 100.
        note: whether the files' metadata are to say that the colors are simulated.
        checkpoint: "bundled", the name of a run or of a published network, or the path of a checkpoint.
    Returns:
        a zip file of the colored pictures, and what became of each: {"colorized": [name, ...], "failed": {name: why}}.
    """
    settings = settings_of(vividness, saturation, strength, 0)
    output, folder = Output(None if format == "same" else format, int(quality), note), result_folder()
    jobs = _plan(files, folder, output)
    album = Album(folder, settings, output, checkpoint)
    album.results = list(run(colorizer_for(checkpoint), jobs, settings, output=output))
    failed = {_name(r.job): r.problem for r in album.results if r.problem}
    written = [p.relative_to(album.colorized) for r in album.results for p in r.written]
    if not written:
        raise UserError(f"None of these could be colorized. {next(iter(failed.values()))}")
    return album.zip(), {"colorized": sorted(colored_name(p).as_posix() for p in written), "failed": failed}


@dataclass
class AlbumParts:
    """What the tab must know of the album.

    Attributes:
        work: all that is shown of it.
        token: of the album that was colored last.
        gallery, save: its pictures, and the button for all of them.
        checkpoint: the choice of the network.
    """

    work: gr.Column
    token: gr.State
    gallery: gr.Gallery
    save: gr.DownloadButton
    checkpoint: gr.Dropdown


def build(files: gr.File, photo: gr.Image, begin: gr.Column, one: gr.Column) -> AlbumParts:
    """Lay out what is shown once several photographs were dropped.

    Args:
        files: where they are dropped.
        photo: where a single one is; emptied then.
        begin, one: the page's beginning and the tools for a single photo; hidden then.
    """
    token = gr.State("")
    with gr.Column(visible=False) as work, gr.Row():
        with gr.Column(scale=4, min_width=280):
            gallery = gr.Gallery(
                columns=3, object_fit="contain", show_label=False, elem_id="batch", interactive=False,
                allow_preview=False, buttons=[],
            )  # fmt: skip
        with gr.Column(scale=1, min_width=250, elem_id="album-side"):
            words = gr.Markdown()
            progress = gr.HTML(elem_id="progress", visible=False)
            save = gr.DownloadButton("Download all (zip)", variant="primary", visible=False)
            vividness, _ = looks()
            saturation = gr.Slider(0, 200, 100, step=5, label="Saturation %", buttons=[])
            strength = gr.Slider(0, 100, 100, step=5, label="Color strength %", buttons=[])
            choices = [("Same", "same"), ("PNG", "png"), ("JPEG", "jpg")]
            format = gr.Radio(choices, value="same", show_label=False, container=False, elem_classes="formats")
            with gr.Accordion("More", open=False):
                checkpoint, _ = network_choice()
                quality = gr.Slider(50, 100, 95, step=1, label="JPEG quality", buttons=[])
                note = gr.Checkbox(label="Write into the files that their colors are simulated")
            go = gr.Button("Color them again", visible=False)
            cancel = gr.Button("Cancel", visible=False)
            again = gr.Button("Other photographs")
            problems = gr.Markdown()
    quiet: dict[str, Any] = {"api_visibility": "private"}

    def arrived(dropped: list[str]) -> tuple[Any, ...]:
        return (
            gr.Column(visible="hidden"), gr.Column(visible=False), gr.Column(visible=True), None,
            _counted(dropped), gr.HTML(visible=False), [], "", gr.DownloadButton(visible=False),
        )  # fmt: skip

    chosen = [files, vividness, saturation, strength, format, quality, note, checkpoint]
    came = files.upload(arrived, files, [begin, one, work, photo, words, progress, gallery, problems, save], **quiet)
    for begun in (came.success, go.click):
        begun(lambda: (gr.Button(visible=False), gr.Button(visible=True)), None, [go, cancel], **quiet).then(
            colorize_all, chosen, [progress, gallery, problems, save, token], concurrency_id=HEAVY,
            show_progress="hidden", **quiet,
        ).then(
            lambda: (gr.Button(visible=True), gr.Button(visible=False)), None, [go, cancel], js=_SAY, **quiet
        )  # fmt: skip
    cancel.click(stop, token, None, **quiet)
    again.click(stop, token, None, **quiet).then(
        lambda: (None, gr.Column(visible=True), gr.Column(visible=False)), None, [files, begin, work], **quiet
    )
    uploads, zipped, report = gr.Files(visible=False), gr.File(visible=False), gr.JSON(visible=False)
    options = [
        gr.Number(100, visible=False), gr.Number(100, visible=False), gr.Number(100, visible=False),
        gr.Dropdown(["same", *FORMATS], value="same", visible=False), gr.Number(95, visible=False, precision=0),
        gr.Checkbox(visible=False), gr.Textbox(BUNDLED, visible=False),
    ]  # fmt: skip
    uploads.upload(
        colorize_batch, [uploads, *options], [zipped, report], api_name="colorize_batch", concurrency_id=HEAVY
    )  # fmt: skip
    return AlbumParts(work, token, gallery, save, checkpoint)

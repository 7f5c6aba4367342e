"""The Film tab: drop a film, see where it is cut, try three seconds of it, correct stills, and color all of it."""

from __future__ import annotations

import contextvars
import hashlib
import os
import queue
import shutil
import threading
import time
import uuid
from collections.abc import Callable, Generator, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import gradio as gr
from gradio.utils import get_upload_folder

from ..arrays import eight_bit, resize
from ..errors import UserError
from ..film import EXTENSIONS
from ..film.reading import interlacing, open_film
from ..film.writing import FilmOutput
from ..inference.corrections import Correction, parse_corrections
from ..inference.film import FilmResult, colorize_film, preview_film, still
from ..inference.film_plan import Progress, Shot, Stopped, find_shots
from ..inference.settings import Settings
from ..limits import limits
from ..model.checkpoints import BUNDLED
from ..model.hints import parse_hints
from ..pictures.photo import Photo
from ..pictures.writing import Output, write_picture
from .colorize import ColorizeParts
from .common import colorizer_for, computing, duration, friendly, plain, progress_bar, result_folder
from .looks import looks, settings_of
from .photos import opened_photos

_FILM = "film"  # concurrency_id: one at a time, beside photographs
_SHOWN = 200  # shots in the gallery, at most
_THUMBNAIL = 360  # pixels of the longer side
_WORDS = 0.5  # seconds between two signs of life
_SAY = "() => { window.colorizerSay(window.colorizerText('The film is in color.')); return []; }"
_stops: dict[str, threading.Event] = {}
T = TypeVar("T")


@dataclass
class FilmWork:
    """The film on the page.

    Attributes:
        path: its file.
        shots: of it.
        pictures: of the shots that are shown: a thumbnail in color, and a caption.
        corrections: by the number of the shot.
        chosen: the number of the shot that was clicked.
        opened: the file of its still, while that is on the Colorize tab.
    """

    path: str
    shots: list[Shot]
    pictures: list[tuple[str, str]] = field(default_factory=list)
    corrections: dict[int, Correction] = field(default_factory=dict)
    chosen: int | None = None
    opened: str = ""

    def middle(self, shot: int) -> float:
        """The moment that its thumbnail shows."""
        return (self.shots[shot].begins + self.shots[shot].ends) / 2


def _followed(
    work: Callable[[Progress, threading.Event], T], token: str = ""
) -> Generator[tuple[str, int, int], None, T]:
    """Do what lasts beside this generator, which yields how far it is.

    Args:
        work: called with what it is to tell of its progress, and with the event that stops it.
        token: by which `stop` finds it.
    """
    told: queue.SimpleQueue[tuple[str, int, int] | None] = queue.SimpleQueue()
    stopping, done, last = threading.Event(), [], 0.0
    failed: list[BaseException] = []
    if token:
        _stops[token] = stopping

    def run() -> None:
        try:
            done.append(work(tell, stopping))
        except BaseException as error:
            failed.append(error)
        told.put(None)

    def tell(phase: str, at: int, total: int) -> None:
        nonlocal last
        if time.monotonic() - last > _WORDS:
            last = time.monotonic()
            told.put((phase, at, total))

    context = contextvars.copy_context()  # it says who asks
    threading.Thread(target=context.run, args=(run,), daemon=True).start()
    try:
        while (said := told.get()) is not None:
            yield said
    finally:
        stopping.set()  # also if the page has gone
        _stops.pop(token, None)
    if failed:
        raise failed[0]
    return done[0]


def _settings(vividness: float, saturation: float, strength: float) -> Settings:
    return settings_of(vividness, saturation, strength, 0)


def _clock(seconds: float) -> str:
    return f"{int(seconds // 60)}:{seconds % 60:04.1f}"


def _left(at: int, total: int, begun: float, since: int) -> str:
    spent, made = time.monotonic() - begun, at - since
    return f", about {duration(spent / made * (total - at))} left" if made > 0 and spent > 1 else ""


@friendly
def look(file: str | None, checkpoint: str, *knobs: float) -> Iterator[tuple[Any, ...]]:
    """Find the shots of a film that was dropped, and show each by a still in color."""
    if not file:
        yield (gr.skip(),) * 7
        return
    with open_film(file) as film:
        info = film.info
    begun = time.monotonic()
    shots = yield from _looked(file, begun)
    work = FilmWork(file, shots)
    height, width = info.shown_size
    rate = f", {float(info.rate):.4g} frames a second" if info.rate else ""
    sound = ", with sound" if info.audio else ""
    words = [f"{plain(Path(file).name)}: {width} × {height}{rate}, {_clock(shots[-1].ends)}{sound}"]
    words += [plain(text) for text in [interlacing(file)] if text]
    settings = _settings(*knobs)
    for number in range(min(len(shots), _SHOWN)):
        photo = still(file, work.middle(number))
        work.pictures.append(_thumbnail(photo, checkpoint, settings, number, work))
        if number % 8 == 7 or number + 1 == min(len(shots), _SHOWN):
            ready = gr.Button(interactive=True)
            yield work, gr.Column(visible=True), "  \n".join(words), gr.HTML(visible=False), work.pictures, ready, ready


def _too_long() -> str:
    return f"The film takes longer than {limits().seconds // 60} minutes, the most that is taken on here."


def _looked(file: str, begun: float) -> Generator[tuple[Any, ...], None, list[Shot]]:
    following = _followed(lambda tell, stopping: find_shots(file, progress=tell, stop=stopping))
    while True:
        try:
            _, at, total = next(following)
        except StopIteration as end:
            return list(end.value)
        if time.monotonic() - begun > limits().seconds:
            following.close()
            raise UserError(_too_long())
        bar = progress_bar(at, total, f"Finding the cuts{_left(at, total, begun, 0)}")
        yield gr.skip(), gr.Column(visible=True), "", bar, [], gr.skip(), gr.skip()


def _thumbnail(
    photo: Photo, checkpoint: str, settings: Settings, number: int, work: FilmWork, strokes: list[Any] | None = None
) -> tuple[str, str]:
    """A still in color, small, and what stands under it."""
    colored = colorizer_for(checkpoint).colorize(photo, settings, parse_hints(strokes or []))
    scale = min(1.0, _THUMBNAIL / max(colored.rgb.shape[:2]))
    size = (max(round(side * scale), 1) for side in colored.rgb.shape[1::-1])
    path = result_folder() / f"shot{number + 1}.jpg"
    write_picture(Photo(eight_bit(resize(colored.rgb, *size))), path, Output(quality=85))
    shot = work.shots[number]
    mark = " ✓" if number in work.corrections else ""
    return str(path), f"{number + 1}: {_clock(shot.begins)} – {_clock(shot.ends)}{mark}"


def choose(work: FilmWork, chosen: gr.SelectData) -> tuple[Any, ...]:
    """The shot that was clicked."""
    shot = work.shots[chosen.index]
    words = f"Shot {chosen.index + 1}, {_clock(shot.begins)} to {_clock(shot.ends)}"
    return replace(work, chosen=chosen.index), words, gr.Button(visible=True)


@friendly
def preview(work: FilmWork, checkpoint: str, *knobs: float) -> Any:
    """Three seconds of the chosen shot in color, or of the beginning."""
    begins = work.shots[work.chosen].begins if work.chosen is not None else 0.0
    target = result_folder() / "preview.mp4"
    predictor = colorizer_for(checkpoint).predictor
    return gr.Video(
        value=str(preview_film(predictor, work.path, target, begins, settings=_settings(*knobs))), visible=True
    )


@friendly
@computing
def open_still(work: FilmWork, checkpoint: str, *knobs: float) -> tuple[Any, ...]:
    """The still of the chosen shot, to be corrected like a photograph."""
    number = work.chosen or 0
    at = work.middle(number)
    path = Path(get_upload_folder()) / uuid.uuid4().hex / f"{Path(work.path).stem}-{at:.2f}s.png"
    write_picture(still(work.path, at), path)
    working_size = colorizer_for(checkpoint).predictor.working_size(Settings())
    work = replace(work, chosen=number, opened=str(path))
    return work, str(path), *knobs, working_size, gr.Tabs(selected="colorize")


def offer_back(picture: str | None, work: FilmWork | None) -> gr.Button:
    """The button that goes back to the film, beside a still of it."""
    return gr.Button(visible=bool(work and work.opened and work.opened == picture))


@friendly
@computing
def put_back(
    work: FilmWork, picture: str, strokes: list[Any], checkpoint: str, vividness: float, saturation: float,
    strength: float, working_size: float,
) -> tuple[Any, ...]:  # fmt: skip
    """What was said of a still holds for its shot."""
    number = work.chosen or 0
    settings = _settings(vividness, saturation, strength)
    corrections = {**work.corrections}
    corrections[number] = Correction(work.middle(number), tuple(parse_hints(strokes or [])), settings=settings)
    work = replace(work, corrections=corrections, opened="", pictures=list(work.pictures))
    work.pictures[number] = _thumbnail(opened_photos.get(picture).photo, checkpoint, settings, number, work, strokes)
    return work, work.pictures, gr.Tabs(selected="film"), gr.Button(visible=False)


def _folder(path: str) -> Path:
    """Of what is made of a film on a page: always the same, so that what was stopped goes on."""
    folder = result_folder().parent / f"film-{hashlib.sha256(path.encode()).hexdigest()[:16]}"
    folder.mkdir(exist_ok=True)
    return folder


def _kept(film: Path, folder: Path) -> Path:
    """The film itself beside what is made of it: uploads are removed after an hour, and it may take longer."""
    kept = folder / film.name
    if not kept.exists():
        try:
            os.link(film, kept)
        except OSError:  # another file system
            shutil.copy2(film, kept)
    return kept


@friendly
def color_all(
    work: FilmWork, checkpoint: str, vividness: float, saturation: float, strength: float, quality: float,
    lossless: bool, deinterlace: bool,
) -> Iterator[tuple[Any, ...]]:  # fmt: skip
    """Color the film: progress, the film, the button to save it, notes, and the token to stop it by."""
    settings, token = _settings(vividness, saturation, strength), uuid.uuid4().hex
    folder, begun, since = _folder(work.path), time.monotonic(), -1
    nothing = gr.Video(visible=False), gr.DownloadButton(visible=False), ""
    output = FilmOutput(int(quality), lossless)
    following = _followed(
        lambda tell, stopping: _colored(work, checkpoint, settings, output, deinterlace, folder, tell, stopping), token
    )
    at, total = 0, 1
    yield progress_bar(0, 1, "Finding the cuts"), *nothing, token
    while True:
        try:
            phase, at, total = next(following)
        except StopIteration as end:
            result: FilmResult = end.value
            break
        except Stopped:
            words = f"Stopped after {at} of {total} frames. What is done is kept: coloring it again goes on from there."
            yield progress_bar(at, total, words), *nothing, token
            return
        if phase == "shots":
            yield progress_bar(at, total, f"Finding the cuts{_left(at, total, begun, 0)}"), *nothing, token
            continue
        if since < 0:
            begun, since = time.monotonic(), at
        os.utime(folder)  # it is in use
        yield progress_bar(at, total, f"{at} of {total} frames{_left(at, total, begun, since)}"), *nothing, token
        if time.monotonic() - begun > limits().seconds:
            _stops[token].set()
    words = f"{result.frames} frames in {len(result.shots)} shots colored."
    playable = result.target.suffix in (".mp4", ".m4v")
    yield (
        progress_bar(1, 1, words),
        gr.Video(value=str(result.target), visible=True) if playable else gr.Video(visible=False),
        gr.DownloadButton(value=str(result.target), visible=True),
        "\n".join(f"- {plain(note)}" for note in result.notes),
        token,
    )


def _colored(
    work: FilmWork, checkpoint: str, settings: Settings, output: FilmOutput, deinterlace: bool, folder: Path,
    tell: Progress, stopping: threading.Event,
) -> FilmResult:  # fmt: skip
    path = _kept(Path(work.path), folder)
    corrections = [work.corrections[number] for number in sorted(work.corrections)]
    return colorize_film(
        colorizer_for(checkpoint).predictor, path, folder / f"{path.stem}-color{path.suffix}", settings, corrections,
        output, deinterlace, progress=tell, stop=stopping,
    )  # fmt: skip


def stop(token: str) -> None:
    """Stop coloring; what is done is kept."""
    if token in _stops:
        _stops[token].set()


@friendly
def colorize_film_file(
    film: str, corrections: list[Any], vividness: float, saturation: float, strength: float, quality: float,
    lossless: bool, deinterlace: bool, checkpoint: str,
) -> tuple[str, dict[str, Any]]:  # fmt: skip
    """Color a film, with steady colors.

    Args:
        film: its file.
        corrections: [{"at": SECONDS, "hints": [[x, y, radius, "#rrggbb"], ...], "settings": {"vividness": 1}}, ...]
        vividness: percent; 0 cautious, 100 natural, up to 300.
        saturation: percent; chroma is multiplied by it.
        strength: percent; 0 is gray.
        quality: of H.264, 0 best .. 51.
        lossless: FFV1 instead.
        deinterlace: whether its frames are woven of two half pictures each, and are to be made whole.
        checkpoint: "bundled", the name of a run or of a published network, or the path of a checkpoint.
    Returns:
        the colored film, and {"shots": [{"first", "frames", "begins", "ends"}, ...], "notes": [...]}.
    """
    if not film:
        raise UserError("Give a film first.")
    given = dict(enumerate(parse_corrections(corrections or [], "corrections")))
    work, stopping, begun = FilmWork(film, [], corrections=given), threading.Event(), time.monotonic()

    def tell(phase: str, at: int, total: int) -> None:
        if time.monotonic() - begun > limits().seconds:
            stopping.set()

    settings = _settings(vividness, saturation, strength)
    output = FilmOutput(int(quality), lossless)
    try:
        result = _colored(work, checkpoint, settings, output, deinterlace, _folder(film), tell, stopping)
    except Stopped as error:
        raise UserError(_too_long()) from error
    return str(result.target), {"shots": [asdict(shot) for shot in result.shots], "notes": list(result.notes)}


def _nothing_yet() -> tuple[Any, ...]:
    """As before any film: another one has come, or none is left."""
    hidden = gr.Column(visible=False), gr.Video(visible=False), gr.DownloadButton(visible=False), gr.HTML(visible=False)
    return None, *hidden, "", "", gr.Button(visible=False), gr.Button(interactive=False), gr.Button(interactive=False)


def build(tabs: gr.Tabs, coloring: ColorizeParts) -> None:
    """Lay out the tab.

    Args:
        tabs: of the page, to go to the Colorize tab for corrections.
        coloring: of that tab.
    """
    work, token = gr.State(None), gr.State("")
    with gr.Row():
        with gr.Column(scale=4, min_width=280):
            file = gr.File(label="A film", file_types=["video", *EXTENSIONS], elem_id="film-file")
            with gr.Column(visible=False) as shots:
                words = gr.Markdown()
                looked = gr.HTML(visible=False, elem_classes="progress")
                shown = gr.Video(visible=False, interactive=False, show_label=False, elem_id="film", buttons=[])
                gallery = gr.Gallery(
                    columns=4, object_fit="contain", show_label=False, elem_id="shots", interactive=False,
                    allow_preview=False, buttons=[],
                )  # fmt: skip
        with gr.Column(scale=1, min_width=250, elem_id="film-side"):
            gr.Markdown("Colors follow the things in it, and do not flicker. Sound and subtitles are kept.")
            vividness, _ = looks()
            saturation = gr.Slider(0, 200, 100, step=5, label="Saturation %", buttons=[])
            strength = gr.Slider(0, 100, 100, step=5, label="Color strength %", buttons=[])
            chosen = gr.Markdown()
            correct = gr.Button("Correct a still of this shot", visible=False)
            tried = gr.Button("Preview three seconds", interactive=False)
            go = gr.Button("Color the film", variant="primary", interactive=False)
            cancel = gr.Button("Cancel", visible=False)
            progress = gr.HTML(visible=False, elem_classes="progress")
            save = gr.DownloadButton("Download", variant="primary", visible=False)
            problems = gr.Markdown()
            with gr.Accordion("More", open=False):
                deinterlace = gr.Checkbox(label="Deinterlace")
                quality = gr.Slider(
                    0, 40, 18, step=1, label="Quality (CRF)", info="Less is better, and larger", buttons=[]
                )
                lossless = gr.Checkbox(label="Without any loss (FFV1, .mkv)")
    knobs = [vividness, saturation, strength]
    quiet: dict[str, Any] = {"api_visibility": "private"}
    heavy: dict[str, Any] = {"concurrency_id": _FILM, "concurrency_limit": 1, "show_progress": "hidden", **quiet}
    made = [progress, shown, save, problems, token]
    came = file.change(
        _nothing_yet, None, [work, shots, shown, save, progress, problems, chosen, correct, tried, go], **quiet
    )
    came.then(
        look, [file, coloring.checkpoint, *knobs], [work, shots, words, looked, gallery, tried, go], **heavy
    )  # fmt: skip
    gallery.select(choose, work, [work, chosen, correct], show_progress="hidden", **quiet)
    tried.click(
        preview, [work, coloring.checkpoint, *knobs], shown, concurrency_id=_FILM, trigger_mode="once",
        show_progress_on=shown, **quiet,
    )  # fmt: skip
    begun = go.click(
        lambda: (gr.Button(visible=False), gr.Button(visible=True)), None, [go, cancel], trigger_mode="once", **quiet
    )
    colored = begun.then(
        color_all, [work, coloring.checkpoint, *knobs, quality, lossless, deinterlace], made, **heavy
    )  # fmt: skip
    colored.success(None, None, None, js=_SAY, **quiet)
    colored.then(lambda: (gr.Button(visible=True), gr.Button(visible=False)), None, [go, cancel], **quiet)
    cancel.click(stop, token, None, **quiet)
    opened = [work, coloring.photo, *coloring.sliders, tabs]
    correct.click(open_still, [work, coloring.checkpoint, *knobs], opened, show_progress="hidden", **quiet)
    coloring.shown.success(offer_back, [coloring.photo, work], coloring.to_film, show_progress="hidden", **quiet)
    coloring.to_film.click(
        put_back, [work, coloring.photo, coloring.canvas, coloring.checkpoint, *coloring.sliders],
        [work, gallery, tabs, coloring.to_film], show_progress_on=coloring.to_film, **quiet,
    )  # fmt: skip
    _endpoint()


def _endpoint() -> None:
    """The same for programs."""
    film, colored, report = gr.File(visible=False), gr.File(visible=False), gr.JSON(visible=False)
    options = [
        gr.JSON([], visible=False), gr.Number(100, visible=False), gr.Number(100, visible=False),
        gr.Number(100, visible=False), gr.Number(18, visible=False, precision=0), gr.Checkbox(visible=False),
        gr.Checkbox(visible=False), gr.Textbox(BUNDLED, visible=False),
    ]  # fmt: skip
    film.upload(colorize_film_file, [film, *options], [colored, report], api_name="colorize_film", concurrency_id=_FILM)

"""The Colorize tab: drop a photo, see it in color, correct it, take it home; or drop an album."""

from __future__ import annotations

import base64
import html
import io
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import gradio as gr
import numpy as np
from PIL import Image

from ..arrays import Plane, resize_linear
from ..errors import UserError
from ..film import is_film
from ..inference.alternatives import LEAST_DIFFERENCE, alternative_photos, object_pictures
from ..inference.predictor import Predictor
from ..inference.settings import Settings
from ..inference.working import working_size_for
from ..model.checkpoints import BUNDLED, crop_size_of, find_checkpoint
from ..model.hints import Hint, as_strokes, parse_hint, parse_hints, strokes_of_file
from ..pictures.photo import Photo
from ..pictures.reading import read_picture
from ..pictures.sources import EXAMPLES
from ..pictures.writing import FORMATS, Output, write_picture
from . import album
from .common import HEAVY, colorizer_for, computing, friendly, plain, result_folder
from .kept import REMEMBER, kept_work, offered, restored, strokes_of
from .looks import looks, settings_of
from .networks import is_there, name_it, named_row, network_choice
from .painter import painter
from .photos import Opened, opened_photos
from .welcome import welcome

_CANVAS_SIDE = 1280  # pixels of the longer side, at most, of the picture that is painted on
_MASK_SIDE = 480  # the same of a mask
_ALTERNATIVES = _SUGGESTIONS = 6
_ASK = "Other plausible colorings of this photograph; your strokes stay."
# The browser takes the file that was made at its click.
_SAVE = """(file) => { const link = document.createElement("a"); link.href = file.url;
link.download = file.orig_name; document.body.append(link); link.click(); link.remove(); }"""

# A sign of life for what may take longer than a second; `page.js` shows it then.
_COLORING, _MAKING = (
    f'(...given) => {{ window.colorizerBusy("{words}"); return given; }}' for words in ("Coloring…", "Making the file…")
)
_DONE = "() => { window.colorizerBusy(''); }"

# Who can't see that the photo has changed is told, and is where the result is.
_SHOWN = """(photo) => {
    if (!photo) return;
    window.colorizerSay(window.colorizerText(`${photo.orig_name || ""} is in color.`));
    const at = document.activeElement;
    if (at === document.body || at.closest("#begin")) document.querySelector("#slider [role=slider]")?.focus();
}"""

# A tab that was never opened takes no updates from Gradio: the style sheet hides it.
_OFFER = """(able) => { document.documentElement.toggleAttribute("data-no-alternatives", !able);
if (!able && document.querySelector("[data-tab-id=alternatives][aria-selected=true]"))
document.querySelector("[data-tab-id=compare]").click(); }"""


@friendly
@computing
def colorize(
    picture: str, vividness: float, saturation: float, strength: float, working_size: float, format: str,
    quality: float, note: bool, checkpoint: str,
) -> str:  # fmt: skip
    """Color a photograph at its own size.

    Args:
        picture: a JPEG, PNG, WebP, TIFF, HEIC, AVIF or JPEG XL file.
        vividness: percent; 0 cautious, 100 natural, up to 300.
        saturation: percent; chroma is multiplied by it.
        strength: percent; 0 is gray.
        working_size: short side in pixels of the copy that the network sees; 0 for the usual.
        format: "png", "jpg", "webp" or "tif".
        quality: of JPEG and WebP, 1 to 100.
        note: whether the file's metadata are to say that the colors are simulated.
        checkpoint: "bundled", the name of a run or of a published network, or the path of a checkpoint.
    Returns:
        the colored picture, a file of the same size.
    """
    settings = settings_of(vividness, saturation, strength, working_size)
    return _colored_file(checkpoint, picture, [], settings, Output(format, int(quality), note))


@friendly
@computing
def colorize_with_hints(
    picture: str, hints: list[Any], vividness: float, saturation: float, strength: float, working_size: float,
    format: str, quality: float, note: bool, checkpoint: str,
) -> str:  # fmt: skip
    """Color a photograph, some of whose colors are known.

    Args:
        picture: a JPEG, PNG, WebP, TIFF, HEIC, AVIF or JPEG XL file.
        hints: [[x, y, radius, "#rrggbb"], ...] in the picture's pixels, or strokes,
            [{"points": [[x, y], ...], "radius": r, "color": "#rrggbb"}, ...].
        vividness: percent; 0 cautious, 100 natural, up to 300.
        saturation: percent; chroma is multiplied by it.
        strength: percent; 0 is gray.
        working_size: short side in pixels of the copy that the network sees; 0 for the usual.
        format: "png", "jpg", "webp" or "tif".
        quality: of JPEG and WebP, 1 to 100.
        note: whether the file's metadata are to say that the colors are simulated.
        checkpoint: "bundled", the name of a run or of a published network, or the path of a checkpoint.
    Returns:
        the colored picture, a file of the same size.
    """
    settings = settings_of(vividness, saturation, strength, working_size)
    return _colored_file(checkpoint, picture, parse_hints(hints), settings, Output(format, int(quality), note))


@friendly
@computing
def alternatives(
    picture: str, number: float, hints: list[Any], vividness: float, saturation: float, strength: float,
    working_size: float, format: str, quality: float, note: bool, checkpoint: str,
) -> tuple[list[str], list[Any]]:  # fmt: skip
    """Color a photograph in other plausible ways.

    Args:
        picture: a JPEG, PNG, WebP, TIFF, HEIC, AVIF or JPEG XL file.
        number: of colorings, at most; there are fewer if the network sees no other way.
        hints: colors that are known, as for /colorize_with_hints.
        vividness: percent; 0 cautious, 100 natural, up to 300.
        saturation: percent; chroma is multiplied by it.
        strength: percent; 0 is gray.
        working_size: short side in pixels of the copy that the network sees; 0 for the usual.
        format: "png", "jpg", "webp" or "tif".
        quality: of JPEG and WebP, 1 to 100.
        note: whether the files' metadata are to say that the colors are simulated.
        checkpoint: "bundled", the name of a run or of a published network, or the path of a checkpoint.
    Returns:
        the colored pictures, the most plausible first, and for each the hints that lead to it.
    """
    photo, settings = _read(picture), settings_of(vividness, saturation, strength, working_size)
    prepared = colorizer_for(checkpoint).prepare(photo)
    output, folder = Output(format, int(quality), note, prepared.predictor.credit), result_folder()
    colorings = alternative_photos(prepared, int(number), settings, parse_hints(hints))
    files = []
    for k, (colorized, _) in enumerate(colorings, 1):
        target = folder / f"{Path(picture).stem}-alternative{k}"
        files.append(str(_written(colorized, target, output)))
    return files, [_with_new(hints, chosen) for _, chosen in colorings]


def _with_new(strokes: list[Any], chosen: list[Hint]) -> list[Any]:
    """The user's strokes as they are, and those that were chosen for an alternative behind them."""
    return [*strokes, *as_strokes(chosen[len(strokes) :])]


def _read(picture: str | None) -> Photo:
    if not picture:
        raise UserError("Give a photograph first.")
    return read_picture(picture)


def _written(photo: Photo, target: Path, output: Output) -> Path:
    path = target.with_name(target.name + output.suffix(photo, ".png"))
    write_picture(photo, path, output)
    return path


def _colored_file(checkpoint: str, picture: str, hints: list[Hint], settings: Settings, output: Output) -> str:
    prepared = colorizer_for(checkpoint).prepare(_read(picture))
    target = result_folder() / f"{Path(picture).stem}-color"
    output = replace(output, credit=prepared.predictor.credit)
    return str(_written(prepared.colorize(settings, hints, in_place=True), target, output))


# ------------------------------------------------------------------------------------------ the page


def _as_url(photo: Photo) -> str:
    """A small copy, for the canvas, as a data URL."""
    image = photo.rgb
    scale = min(1.0, _CANVAS_SIDE / max(image.shape[:2]))
    if scale < 1:
        size = max(round(image.shape[1] * scale), 1), max(round(image.shape[0] * scale), 1)
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=88)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


def _compared(opened: Opened, checkpoint: str, settings: Settings, strokes: list[Any]) -> tuple[tuple[str, str], Photo]:
    """The files of the slider, before and after, and the colored view."""
    colorized = opened.prepared(checkpoint).colorize(settings, parse_hints(strokes), onto=opened.view)
    folder = result_folder()
    for name, photo in (("before.jpg", opened.view), ("after.jpg", colorized)):
        write_picture(replace(photo, alpha=None), folder / name, Output(quality=92))
    return (str(folder / "before.jpg"), str(folder / "after.jpg")), colorized


def _canvas(picture: str, opened: Opened, colorized: Photo, note: str, checkpoint: str, **more: Any) -> gr.HTML:
    """All its properties each time: as long as its tab was not opened, the last update replaces those before it."""
    height, width = opened.photo.rgb.shape[:2]
    lacks = _lacks(colorizer_for(checkpoint).predictor)
    return gr.HTML(
        src=_as_url(colorized), width=width, height=height, name=Path(picture).name, note=note, lacks=lacks, **more
    )


def _mask_url(mask: Plane) -> str:
    """As the opacity of a small PNG."""
    height, width = mask.shape
    scale = min(1.0, _MASK_SIDE / max(height, width))
    small = resize_linear(mask, max(round(width * scale), 1), max(round(height * scale), 1))
    alpha = Image.fromarray((small.clip(0, 1) * 255).astype(np.uint8))
    buffer = io.BytesIO()
    Image.merge("LA", (Image.new("L", alpha.size, 255), alpha)).save(buffer, "PNG", compress_level=1)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


@friendly
@computing
def show(picture: str | None, kept: Any, of_album: dict[str, Any], checkpoint: str, *knobs: float) -> tuple[Any, ...]:
    """Color what was dropped, and show the tools for it; a photo that was here before still has its strokes, and an
    album that it is of stays."""
    if not picture:
        return (gr.skip(),) * 12
    try:
        opened = opened_photos.get(picture)
    except UserError as error:
        name = Path(picture).name
        return _refused(UserError(f"{name} is a film. Drop it on the Film tab.") if is_film(picture) else error)
    strokes = strokes_of(kept, picture)
    try:
        compared, colorized = _compared(opened, checkpoint, settings_of(*knobs), strokes)
    except UserError:  # the browser kept what this network, or this version of the program, does not know
        strokes, checkpoint = [], BUNDLED
        compared, colorized = _compared(opened, checkpoint, settings_of(*knobs), strokes)
    photo = opened.photo
    height, width = photo.rgb.shape[:2]
    sixteen_bit = photo.rgb.dtype.itemsize == 2
    words = f"{plain(Path(picture).name)}: {width} × {height}" + (", 16 bit" if sixteen_bit else "")
    formats = [("PNG", "png"), ("JPEG", "jpg"), *([("TIFF", "tif")] if sixteen_bit else [])]
    return (
        gr.Column(visible="hidden"),  # still there, for what is pasted or dropped elsewhere
        gr.Column(visible=True),
        gr.Column(visible=False),
        gr.skip() if of_album and of_album["path"] == picture else None,
        compared,
        _canvas(picture, opened, colorized, "", checkpoint, value=strokes),
        [],
        "  \n".join([words, *map(plain, photo.metadata.notes)]),
        gr.Radio(choices=formats, value="png"),
        gr.Tabs(selected="compare"),
        gr.skip(),
        "",
    )


def _refused(error: UserError) -> tuple[Any, ...]:
    """The page's beginning again, and a sentence that stays."""
    return (
        gr.Column(visible=True), gr.Column(visible=False), gr.Column(visible=False), None, None, gr.skip(), [], "",
        gr.skip(), gr.skip(), None, f'<p class="refused" role="alert">{html.escape(str(error), quote=False)}</p>',
    )  # fmt: skip


@friendly
@computing
def recolor(picture: str | None, strokes: list[Any], checkpoint: str, *knobs: float) -> tuple[Any, ...]:
    """Color the photo on the page anew."""
    if not picture:
        return gr.skip(), gr.skip()
    opened = opened_photos.get(picture)
    compared, colorized = _compared(opened, checkpoint, settings_of(*knobs), strokes or [])
    note = " ".join(opened.prepared(checkpoint).not_shown(parse_hints(strokes or [])))
    return compared, _canvas(picture, opened, colorized, note, checkpoint)


@friendly
@computing
def show_mask(picture: str, checkpoint: str, event: gr.EventData) -> gr.HTML:
    """The mask of a stroke that is being painted, or was selected; what is not a stroke yet has none."""
    try:
        mask = opened_photos.get(picture).prepared(checkpoint).mask(parse_hint(event.stroke))
    except UserError:
        return gr.HTML(mask={"n": event.n})
    return gr.HTML(mask={"n": event.n, "url": _mask_url(mask)})


@friendly
@computing
def suggest(
    picture: str, strokes: list[Any], checkpoint: str, vividness: float, saturation: float, strength: float,
    working_size: float, event: gr.EventData,
) -> gr.HTML:  # fmt: skip
    """Colors for the thing that was clicked, as small pictures of it."""
    opened, settings = opened_photos.get(picture), settings_of(vividness, saturation, strength, working_size)
    place = parse_hint({**event.stroke, "protect": True})
    found = object_pictures(
        opened.prepared(checkpoint), place, _SUGGESTIONS, settings, parse_hints(strokes or []), opened.view
    )
    offers = [{"stroke": as_strokes([hint])[0], "url": _as_url(small)} for hint, small in found]
    return gr.HTML(suggestions={"n": event.n, "offers": offers})


@friendly
def load_strokes(picture: str, event: gr.EventData) -> gr.HTML:
    """The strokes of a file, as they are painted."""
    photo = opened_photos.get(picture).photo
    return gr.HTML(value=strokes_of_file(event.text, event.name, Path(picture).name, photo.rgb.shape[:2]))


@friendly
@computing
def show_alternatives(picture: str, strokes: list[Any], checkpoint: str, *knobs: float) -> tuple[Any, ...]:
    """A gallery of other plausible colorings of the photo on the page."""
    opened = opened_photos.get(picture)
    strokes = strokes or []
    colorings = alternative_photos(
        opened.prepared(checkpoint), _ALTERNATIVES, settings_of(*knobs), parse_hints(strokes), onto=opened.view
    )
    folder = result_folder()
    pictures = []
    for k, (colorized, _) in enumerate(colorings, 1):
        path = folder / f"alternative{k}.jpg"
        write_picture(replace(colorized, alpha=None), path, Output(quality=90))
        pictures.append((str(path), f"Alternative {k}"))
    few = f"The network sees no way to color it that differs visibly (by a mean CIEDE2000 of {LEAST_DIFFERENCE:g})."
    words = "Click the one you like." if colorings else few
    return pictures, [_with_new(strokes, chosen) for _, chosen in colorings], words


@friendly
@computing
def switch(
    picture: str | None, strokes: list[Any], checkpoint: str, vividness: float, saturation: float, strength: float,
    working_size: float,
) -> tuple[Any, ...]:  # fmt: skip
    """Color by another network: at its own working size, and without what it can't do. One that is not on this computer
    yet changes nothing."""
    if not is_there(checkpoint):
        return (gr.skip(),) * 4
    predictor = colorizer_for(checkpoint).predictor
    usual, able = predictor.working_size(Settings()), predictor.knows_alternatives
    if not picture:
        return able, usual, gr.skip(), gr.HTML(lacks=_lacks(predictor))
    if not predictor.takes_hints:
        strokes = [{k: v for k, v in stroke.items() if k != "influence"} for stroke in strokes or []]
    opened, settings = opened_photos.get(picture), settings_of(vividness, saturation, strength, usual)
    compared, colorized = _compared(opened, checkpoint, settings, strokes or [])
    return able, usual, compared, _canvas(picture, opened, colorized, "", checkpoint, value=strokes or [])


def _lacks(predictor: Predictor) -> list[str]:
    """The tools of the canvas that are of no use with a network."""
    lacks = [] if predictor.takes_hints else ["influence"]
    return lacks if predictor.checkpoint.config.objective == "classification" else [*lacks, "suggest"]


@friendly
def usual_knobs(checkpoint: str) -> tuple[float, float, float, int]:
    """What the sliders are at to begin with."""
    predictor = colorizer_for(checkpoint if is_there(checkpoint) else None).predictor
    return 100, 100, 100, predictor.working_size(Settings())


def take(alternatives: list[list[Any]], chosen: gr.SelectData) -> tuple[Any, ...]:
    """The strokes that lead to the coloring that was clicked."""
    return gr.HTML(value=alternatives[chosen.index]), gr.Tabs(selected="compare"), gr.Gallery(selected_index=None)


@friendly
@computing
def download(
    picture: str, strokes: list[Any], checkpoint: str, vividness: float, saturation: float, strength: float,
    working_size: float, format: str, quality: float, note: bool,
) -> str:  # fmt: skip
    """The file of the photo on the page, at its own size, exact."""
    settings = settings_of(vividness, saturation, strength, working_size)
    prepared = opened_photos.get(picture).prepared(checkpoint)
    colorized = prepared.colorize(settings, parse_hints(strokes or []))
    output = Output(format, int(quality), note, prepared.predictor.credit)
    return str(_written(colorized, result_folder() / f"{Path(picture).stem}-color", output))


@dataclass
class _Side:
    """What stands beside the picture."""

    checkpoint: gr.Dropdown
    fetched: gr.events.Dependency
    look_chosen: gr.events.Dependency
    vividness: gr.Slider
    saturation: gr.Slider
    strength: gr.Slider
    size: gr.Slider
    format: gr.Radio
    quality: gr.Slider
    note: gr.Checkbox
    save: gr.Button
    again: gr.Button
    back: gr.Button
    to_album: gr.Button
    to_film: gr.Button
    reset: gr.Button

    @property
    def sliders(self) -> list[gr.Slider]:
        return [self.vividness, self.saturation, self.strength, self.size]

    @property
    def knobs(self) -> list[Any]:
        return [self.checkpoint, *self.sliders]

    @property
    def output(self) -> list[Any]:
        return [self.format, self.quality, self.note]


def _side() -> _Side:
    usual = working_size_for(crop_size_of(find_checkpoint(None)))  # without loading it: the page opens before
    vividness, look_chosen = looks()
    saturation = gr.Slider(0, 200, 100, step=5, label="Saturation %", info="Paler, stronger", buttons=[])
    strength = gr.Slider(0, 100, 100, step=5, label="Color strength %", info="0 is gray", buttons=[])
    output = gr.Radio(
        [("PNG", "png"), ("JPEG", "jpg")], value="png", show_label=False, container=False, elem_classes="formats"
    )
    to_album = gr.Button("Back to the album", visible=False, variant="primary")
    to_film = gr.Button("Back to the film", visible=False, variant="primary")
    save = gr.Button("Download", variant="primary")
    again = gr.Button("Another photograph", elem_id="again")
    back = gr.Button("Back to the photograph before", visible=False, size="sm")
    with gr.Accordion("More", open=False):
        reset = gr.Button("Reset all sliders", size="sm")
        checkpoint, fetched = network_choice()
        size = gr.Slider(
            96, 512, usual, step=32, label="Working size", info="Pixels that the network sees; more is more local",
            buttons=[],
        )  # fmt: skip
        quality = gr.Slider(50, 100, 95, step=1, label="JPEG quality", buttons=[])
        note = gr.Checkbox(label="Write into the file that its colors are simulated")
    return _Side(
        checkpoint, fetched, look_chosen, vividness, saturation, strength, size, output, quality, note, save, again,
        back, to_album, to_film, reset,
    )  # fmt: skip


@dataclass
class ColorizeParts:
    """What other tabs must know of this one.

    Attributes:
        checkpoint: the choice of the network.
        photo, canvas: the photograph, and the strokes on it.
        sliders: vividness, saturation, strength and working size.
        shown: the event of a photograph that has come.
        to_film: the button beside a still of a film.
    """

    checkpoint: gr.Dropdown
    photo: gr.Image
    canvas: gr.HTML
    sliders: list[gr.Slider]
    shown: gr.events.Dependency
    to_film: gr.Button


def build(page: gr.Blocks) -> ColorizeParts:
    """Lay out the tab on a page."""
    which, which_words, usual = named_row()
    with gr.Column(elem_id="begin") as begin:
        refused = gr.HTML("", elem_id="refused")
        resume = gr.Button("Back to the photograph before", visible=False, size="sm")
        with gr.Row():
            with gr.Column(scale=3, min_width=280):
                photo = gr.Image(
                    label="Your photograph", type="filepath", image_mode=None, elem_id="drop", show_label=False,
                    sources=["upload", "clipboard", "webcam"],
                    placeholder="Drop a photograph here, paste one, or click",
                )  # fmt: skip
            with gr.Column(scale=1, min_width=240):
                shown_first = gr.HTML(elem_id="welcome-room")
                files = gr.File(
                    label="Many photographs, or a zip file of them", file_count="multiple", elem_id="many",
                    file_types=["image", ".zip", ".tif", ".tiff", ".heic", ".heif", ".jxl", ".pdf", ".json"],
                )  # fmt: skip
        pictures = sorted(str(p) for p in (EXAMPLES / "black-and-white").glob("*.jpg"))
        gr.Examples(pictures, photo, label="Or try one of these", api_visibility="private")
    colorings = gr.State([])
    with gr.Column(visible=False) as work, gr.Row():
        with gr.Column(scale=4, min_width=280), gr.Tabs(selected="compare") as views:
            with gr.Tab("Compare", id="compare"):
                slider = gr.ImageSlider(
                    type="filepath", interactive=False, elem_id="slider", buttons=["fullscreen"], show_label=False,
                )  # fmt: skip
            with gr.Tab("Correct", id="correct"):
                canvas = painter(elem_id="canvas")
            with gr.Tab("Alternatives", id="alternatives"):
                with gr.Row(elem_id="ask"):
                    ask = gr.Button("Show alternatives", size="sm", min_width=160, scale=0)
                    said = gr.Markdown(_ASK)
                gallery = gr.Gallery(
                    columns=3, object_fit="contain", show_label=False, allow_preview=False, elem_id="alternatives",
                    buttons=[], interactive=False,
                )  # fmt: skip
        with gr.Column(scale=1, min_width=250, elem_id="side"):
            words = gr.Markdown()
            side = _side()
    many = album.build(files, photo, begin, work)
    of_album = gr.State({})  # which photograph of it is open
    kept = kept_work()
    saved, able = gr.File(visible=False), gr.Checkbox(True, visible=False)
    quiet: dict[str, Any] = {"api_visibility": "private", "concurrency_id": HEAVY}
    shown = photo.change(
        show,
        [photo, kept, of_album, *side.knobs],
        [begin, work, many.work, files, slider, canvas, colorings, words, side.format, views, photo, refused],
        show_progress_on=[photo, slider],
        **quiet,
    )
    shown.success(None, photo, None, js=_SHOWN, api_visibility="private")
    shown.then(lambda: ([], _ASK), None, [gallery, said], api_visibility="private")
    coloring: dict[str, Any] = {"js": _COLORING, "show_progress": "hidden", **quiet}

    def recolored(event: Any, **more: Any) -> None:
        event(recolor, [photo, canvas, *side.knobs], [slider, canvas], **coloring, **more).then(
            None, js=_DONE, api_visibility="private"
        )

    recolored(partial(gr.on, [canvas.input, *(knob.input for knob in side.sliders)]), trigger_mode="always_last")
    recolored(side.look_chosen.then, trigger_mode="always_last")
    for asked_by, answer in ((canvas.edit, show_mask), (canvas.select, suggest)):
        given = [photo, side.checkpoint] if answer is show_mask else [photo, canvas, *side.knobs]
        asked_by(answer, given, canvas, trigger_mode="always_last", **coloring).then(
            None, js=_DONE, api_visibility="private"
        )
    loaded = canvas.upload(load_strokes, photo, canvas, show_progress="hidden", **quiet)
    recolored(loaded.success)
    for chosen in (side.checkpoint.change, side.fetched.success):
        chosen(switch, [photo, canvas, *side.knobs], [able, side.size, slider, canvas], **quiet).success(
            None, able, None, js=_OFFER, api_visibility="private"
        )
    ask.click(show_alternatives, [photo, canvas, *side.knobs], [gallery, colorings, said], trigger_mode="once", **quiet)
    taken = gallery.select(take, colorings, [canvas, views, gallery], api_visibility="private")
    recolored(taken.then)
    made = side.save.click(
        download,
        [photo, canvas, *side.knobs, *side.output],
        saved,
        trigger_mode="once",
        js=_MAKING,
        show_progress="hidden",
        **quiet,
    )
    made.success(None, saved, None, js=_SAVE, api_visibility="private")
    made.then(None, js=_DONE, api_visibility="private")  # also when there is no file
    side.again.click(
        lambda kept: (None, gr.Column(visible=True), gr.Column(visible=False), offered(kept)), kept,
        [photo, begin, work, resume], api_visibility="private",
    )  # fmt: skip
    changed: tuple[Any, ...] = (
        shown.success, loaded.success, taken.success, canvas.input, side.look_chosen.then, side.checkpoint.change,
        *(knob.input for knob in side.sliders),
    )  # fmt: skip
    for event in changed:
        event(None, [kept, photo, canvas, *side.knobs], kept, js=REMEMBER, api_visibility="private")
    returning: dict[str, Any] = {"outputs": [photo, *side.knobs], "api_visibility": "private"}
    page.load(restored, kept, **returning)
    page.load(welcome, None, shown_first, api_visibility="private", show_progress="hidden")
    recolored(side.reset.click(usual_knobs, side.checkpoint, side.sliders, api_visibility="private").then)
    resume.click(restored, kept, **returning)
    side.back.click(restored, [kept, photo], **returning)
    shown.success(offered, [kept, photo], side.back, api_visibility="private", show_progress="hidden")
    many.gallery.select(
        album.open_one, many.token, [photo, side.checkpoint, *side.sliders, of_album], show_progress="hidden", **quiet
    )
    shown.success(album.offer_back, [photo, of_album], side.to_album, api_visibility="private", show_progress="hidden")
    side.to_album.click(
        album.put_back, [of_album, photo, canvas, *side.knobs],
        [many.gallery, many.save, photo, work, many.work, of_album], show_progress_on=side.to_album, **quiet,
    )  # fmt: skip
    side.checkpoint.change(name_it, side.checkpoint, [which, which_words], show_progress="hidden", **quiet)
    usual.click(lambda: BUNDLED, None, side.checkpoint, api_visibility="private")
    side.checkpoint.change(lambda name: name, side.checkpoint, many.checkpoint, api_visibility="private")
    _endpoints()
    return ColorizeParts(side.checkpoint, photo, canvas, side.sliders, shown, side.to_film)


def _endpoints() -> None:
    """The same for programs: components that nobody sees give the parameters' types and defaults."""
    picture, colored = gr.File(visible=False), gr.File(visible=False)
    hints, number = gr.JSON([], visible=False), gr.Number(3, visible=False, precision=0)
    files, strokes = gr.Files(visible=False), gr.JSON(visible=False)
    chosen = [
        gr.Number(100, visible=False), gr.Number(100, visible=False), gr.Number(100, visible=False),
        gr.Number(0, visible=False, precision=0), gr.Dropdown(list(FORMATS), value="png", visible=False),
        gr.Number(95, visible=False, precision=0), gr.Checkbox(visible=False), gr.Textbox(BUNDLED, visible=False),
    ]  # fmt: skip
    quiet: dict[str, Any] = {"concurrency_id": HEAVY}
    picture.upload(colorize, [picture, *chosen], colored, api_name="colorize", **quiet)
    picture.upload(colorize_with_hints, [picture, hints, *chosen], colored, api_name="colorize_with_hints", **quiet)
    picture.upload(
        alternatives, [picture, number, hints, *chosen], [files, strokes], api_name="alternatives", **quiet
    )  # fmt: skip

"""The demo in Chromium, as a person uses it; the files that come out are checked pixel by pixel."""

from __future__ import annotations

import contextlib
import json
import re
import shlex
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from colorizer import LOOKS
from colorizer.arrays import Array
from colorizer.color.lab import lightness, rgb_to_lab
from colorizer.evaluation.metrics import colorfulness
from colorizer.model.checkpoints import Checkpoint, save_checkpoint
from colorizer.model.networks import NetworkConfig, build_network
from colorizer.pictures.photo import Photo
from colorizer.pictures.reading import read_picture
from colorizer.pictures.writing import write_picture

from ..conftest import EXAMPLES, ROOT, SHARED, draw_photo

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
OPTIONS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
ONE_STEP = 100 / 255
WAIT = 60_000  # ms

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.skipif(CHROMIUM is None, reason="left out: needs Chromium, which is not installed"),
]


def _photos() -> list[Path]:
    """Real photographs: the old ones, where they are, and the examples."""
    old = SHARED / "old-photos"
    names = ("migrant_mother", "1890CliffHouseSF", "paperboy")
    return [old / f"{n}.jpg" for n in names if old.is_dir()] + [
        EXAMPLES / "black-and-white" / f"{n}.jpg" for n in ("astronaut", "chelsea")
    ]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as p:
        browser = p.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, app: tuple[str, Path]) -> Iterator[Page]:
    """A laptop's window with the demo; nothing may be fetched from elsewhere, and no script may fail."""
    context = browser.new_context(viewport={"width": 1366, "height": 700})
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = context.new_page()
    foreign: list[str] = []
    failures: list[str] = []
    page.on("request", lambda r: foreign.append(r.url) if re.match(r"https?://(?!127\.0\.0\.1)", r.url) else None)
    page.on("pageerror", lambda error: failures.append(str(error)))
    page.goto(app[0])
    yield page
    context.close()
    assert foreign == []
    assert failures == []


@contextlib.contextmanager
def watched_page(browser: Browser, address: str) -> Iterator[Page]:
    """A window with the demo, in which no script may fail."""
    page = browser.new_page(viewport={"width": 1366, "height": 900})
    failures: list[str] = []
    page.on("pageerror", lambda error: failures.append(str(error)))
    page.goto(address)
    yield page
    page.close()
    assert failures == []


# Pictures given anywhere on the page: ["paste" or "drop", [name, ...]].
_GIVE = """async ([kind, names]) => {
    const canvas = Object.assign(document.createElement("canvas"), { width: 90, height: 60 });
    canvas.getContext("2d").fillRect(20, 10, 30, 30);
    const blob = await new Promise((done) => canvas.toBlob(done));
    const data = new DataTransfer();
    names.forEach((name) => data.items.add(new File([blob], name, { type: "image/png" })));
    document.body.dispatchEvent(
        kind === "paste"
            ? new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true })
            : new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }),
    );
}"""


def _drop(page: Page, photo: Path) -> None:
    page.locator("#drop input[type=file]").set_input_files(photo)
    expect(page.locator("#slider img").last).to_be_visible(timeout=WAIT)


def _download(page: Page, folder: Path, button: str = "Download") -> Path:
    with page.expect_download(timeout=WAIT) as download:
        page.get_by_role("button", name=button).click()
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    return path


def _checked(before: Path | Array, after: Path, tolerance: float = ONE_STEP) -> Array:
    """The colored picture, HWC, of the size and L of the first."""
    gray = before if isinstance(before, np.ndarray) else read_picture(before).rgb
    colorized = read_picture(after).rgb
    assert colorized.shape == gray.shape
    assert np.abs(lightness(colorized) - lightness(gray)).max() < tolerance
    return colorized


def _image_of(page: Page) -> str:
    return page.locator("#slider img").last.get_attribute("src") or ""


def _canvas_place(page: Page, size: tuple[int, int], x: float, y: float) -> tuple[float, float]:
    """Where a place of the photo, in shares of its width and height, is on the screen."""
    box = page.locator("#canvas canvas").bounding_box()
    assert box is not None
    scale = min(box["width"] / size[0], box["height"] / size[1])
    return (
        box["x"] + box["width"] / 2 + (x - 0.5) * size[0] * scale,
        box["y"] + box["height"] / 2 + (y - 0.5) * size[1] * scale,
    )


def test_a_dropped_photo_is_colored_at_once_and_downloaded(page: Page, tmp_path: Path) -> None:
    for photo in _photos():
        _drop(page, photo)
        with Image.open(photo) as image:
            size = image.size
        expect(page.get_by_text(f"{photo.name}: {size[0]} × {size[1]}")).to_be_visible(timeout=WAIT)
        shown = page.locator("#slider img")
        natural = "e => [e.naturalWidth, e.naturalHeight]"
        assert [tuple(shown.nth(k).evaluate(natural)) for k in range(2)] == [size, size], "at full size"
        after = _download(page, tmp_path)
        assert after.name == f"{photo.stem}-color.png"
        assert colorfulness(_checked(photo, after)) > 3
        page.get_by_role("button", name="Another photograph").click()
        expect(page.locator("#drop")).to_be_visible(timeout=WAIT)


def test_an_example_a_paste_and_the_formats(page: Page, tmp_path: Path) -> None:
    page.locator("#begin .gallery-item, #begin button.gallery-item").first.click()
    expect(page.locator("#slider img").last).to_be_visible(timeout=WAIT)
    page.get_by_label("JPEG", exact=True).check()
    after = _download(page, tmp_path)
    assert after.name == "astronaut-color.jpg"
    _checked(EXAMPLES / "black-and-white" / "astronaut.jpg", after, 20)  # JPEG rounds, too
    page.evaluate(_GIVE, ["paste", ["pasted.png"]])
    expect(page.get_by_text("pasted.png: 90 × 60")).to_be_visible(timeout=WAIT)
    page.evaluate(_GIVE, ["drop", ["dropped.png"]])
    expect(page.get_by_text("dropped.png: 90 × 60")).to_be_visible(timeout=WAIT)
    page.evaluate(_GIVE, ["drop", ["one.png", "two.png"]])
    expect(page.get_by_text("2 photographs")).to_be_visible(timeout=WAIT)
    expect(page.locator("#slider")).to_have_count(0)
    page.evaluate(_GIVE, ["drop", ["dropped.png"]])
    expect(page.get_by_text("dropped.png: 90 × 60")).to_be_visible(timeout=WAIT)
    expect(page.get_by_role("button", name="Color them")).to_have_count(0)


def test_a_16_bit_scan_stays_16_bit(page: Page, tmp_path: Path) -> None:
    gray = np.linspace(300, 65000, 160 * 120).astype(np.uint16).reshape(120, 160)
    scan = Photo(np.repeat(gray[..., None], 3, 2))
    write_picture(scan, tmp_path / "scan.tif")
    _drop(page, tmp_path / "scan.tif")
    expect(page.get_by_text("16 bit")).to_be_visible(timeout=WAIT)
    for name in ("TIFF", "PNG"):
        page.get_by_label(name, exact=True).check()
        after = _download(page, tmp_path)
        assert after.name == f"scan-color.{'tif' if name == 'TIFF' else 'png'}"
        colorized = _checked(scan.rgb, after, ONE_STEP / 4)
        assert colorized.dtype == np.uint16
        assert len(np.unique(colorized)) > 10_000


def _paint(page: Page, start: tuple[float, float], end: tuple[float, float]) -> None:
    before = _image_of(page)
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move(*end, steps=5)
    page.mouse.up()
    expect(page.locator("#slider img").last).not_to_have_attribute("src", before, timeout=WAIT)


def test_strokes_color_what_they_lie_on_and_do_not_show(page: Page, tmp_path: Path) -> None:
    photo = _photos()[0]
    with Image.open(photo) as image:
        size = image.size
    _drop(page, photo)
    plain = _checked(photo, _download(page, tmp_path))
    page.get_by_role("tab", name="Correct").click()
    page.get_by_role("button", name="Denim").click()
    undo = page.get_by_role("button", name="Undo")
    expect(undo).to_be_disabled()
    _paint(page, _canvas_place(page, size, 0.45, 0.8), _canvas_place(page, size, 0.6, 0.8))
    colorized = _checked(photo, _download(page, tmp_path))  # L is kept to a step: no stroke is in it
    rows, columns = slice(int(0.79 * size[1]), int(0.81 * size[1])), slice(int(0.46 * size[0]), int(0.59 * size[0]))
    b = [rgb_to_lab(rgb)[rows, columns, 2].mean() for rgb in (plain, colorized)]
    assert b[1] < b[0] - 5, "bluer along the stroke"
    page.get_by_role("button", name="Violet").click()
    _paint(page, _canvas_place(page, size, 0.3, 0.3), _canvas_place(page, size, 0.32, 0.3))
    for _ in range(2):
        before = _image_of(page)
        undo.click()
        expect(page.locator("#slider img").last).not_to_have_attribute("src", before, timeout=WAIT)
    expect(undo).to_be_disabled()
    assert np.array_equal(_checked(photo, _download(page, tmp_path)), plain)
    _paint(page, _canvas_place(page, size, 0.3, 0.3), _canvas_place(page, size, 0.32, 0.3))
    before = _image_of(page)
    page.get_by_role("button", name="Clear").click()
    expect(page.locator("#slider img").last).not_to_have_attribute("src", before, timeout=WAIT)
    assert np.array_equal(_checked(photo, _download(page, tmp_path)), plain)


_STROKES = "() => JSON.parse(document.querySelector('#canvas canvas').dataset.strokes)"  # in the photo's pixels


def _changed(page: Page, before: str) -> None:
    expect(page.locator("#slider img").last).not_to_have_attribute("src", before, timeout=WAIT)


def test_the_tools_of_a_painter(page: Page, tmp_path: Path) -> None:
    photo = EXAMPLES / "black-and-white" / "astronaut.jpg"
    _drop(page, photo)
    plain = _checked(photo, _download(page, tmp_path))
    page.get_by_role("tab", name="Correct").click()
    canvas, size = page.locator("#canvas canvas"), (512, 512)
    page.get_by_label("Swatches").select_option("Uniforms")
    page.get_by_role("button", name="Navy").click()
    _paint(page, _canvas_place(page, size, 0.5, 0.7), _canvas_place(page, size, 0.58, 0.78))
    navy = _checked(photo, _download(page, tmp_path))
    suit = (slice(360, 395), slice(262, 292))
    assert rgb_to_lab(navy)[suit][..., 2].mean() < rgb_to_lab(plain)[suit][..., 2].mean() - 5
    # Select it, and give it another color; then remove it.
    page.get_by_role("button", name="Select", exact=True).click()
    page.mouse.click(*_canvas_place(page, size, 0.54, 0.74))
    before = _image_of(page)
    page.get_by_label("Swatches").select_option("Cloth")
    page.get_by_role("button", name="Wine").click()
    _changed(page, before)
    wine = _checked(photo, _download(page, tmp_path))
    assert rgb_to_lab(wine)[suit][..., 1].mean() > rgb_to_lab(navy)[suit][..., 1].mean() + 10
    page.mouse.click(*_canvas_place(page, size, 0.54, 0.74))
    before = _image_of(page)
    page.get_by_role("button", name="Remove").click()
    _changed(page, before)
    assert np.array_equal(_checked(photo, _download(page, tmp_path)), plain)
    # Undo and redo by keys.
    canvas.focus()
    before = _image_of(page)
    page.keyboard.press("Control+z")
    _changed(page, before)
    assert np.array_equal(_checked(photo, _download(page, tmp_path)), wine)
    canvas.focus()  # which the download took
    before = _image_of(page)
    page.keyboard.press("Control+Shift+z")
    _changed(page, before)
    assert np.array_equal(_checked(photo, _download(page, tmp_path)), plain)
    # Pick a color from the picture; the tool then paints.
    page.get_by_role("button", name="Pick color").click()
    page.mouse.click(*_canvas_place(page, size, 0.45, 0.25))
    picked = page.get_by_label("Color", exact=True).input_value()
    assert re.fullmatch("#[0-9a-f]{6}", picked)
    assert picked != "#6b2237"
    expect(page.get_by_role("button", name="Paint", exact=True)).to_have_attribute("aria-pressed", "true")
    # Protect changes nothing by itself.
    page.get_by_role("button", name="Protect").click()
    page.mouse.click(*_canvas_place(page, size, 0.45, 0.25))
    expect(page.get_by_role("button", name="Undo")).to_be_enabled()
    page.wait_for_timeout(1500)
    assert np.array_equal(_checked(photo, _download(page, tmp_path)), plain)


def test_painting_by_keyboard_alone(page: Page, tmp_path: Path) -> None:
    photo = EXAMPLES / "black-and-white" / "astronaut.jpg"
    _drop(page, photo)
    page.get_by_role("tab", name="Correct").focus()
    page.keyboard.press("Enter")
    page.locator("#canvas canvas").focus()
    before = _image_of(page)
    for key in ("Shift+ArrowDown",) * 4 + ("Enter", "Shift+ArrowDown", "Shift+ArrowDown", "Enter"):
        page.keyboard.press(key)
    _changed(page, before)
    colorized = rgb_to_lab(_checked(photo, _download(page, tmp_path)))
    assert colorized[365:410, 250:262, 1].mean() > 20, "red down from the middle"
    size = page.get_by_label("Brush", exact=True).input_value()
    page.locator("#canvas canvas").focus()  # which the download took
    page.keyboard.press("]")
    assert float(page.get_by_label("Brush", exact=True).input_value()) > float(size)


def test_zoom_and_pan_keep_strokes_in_place(page: Page) -> None:
    photo = EXAMPLES / "black-and-white" / "astronaut.jpg"
    _drop(page, photo)
    page.get_by_role("tab", name="Correct").click()
    x, y = _canvas_place(page, (512, 512), 0.25, 0.25)
    page.mouse.move(x, y)
    page.mouse.wheel(0, -600)  # what is under the pointer stays there
    page.mouse.click(x, y)
    stroke = page.evaluate(_STROKES)[-1]
    assert stroke["points"][0] == pytest.approx([128, 128], abs=2)
    page.keyboard.down(" ")
    page.mouse.down()
    page.mouse.move(x + 60, y + 40, steps=4)
    page.mouse.up()
    page.keyboard.up(" ")
    assert len(page.evaluate(_STROKES)) == 1, "panning paints nothing"
    page.mouse.click(x + 60, y + 40)
    assert page.evaluate(_STROKES)[-1]["points"][0] == pytest.approx([128, 128], abs=2)
    page.locator("#canvas canvas").focus()
    page.keyboard.press("0")
    page.mouse.click(x, y)
    assert page.evaluate(_STROKES)[-1]["points"][0] == pytest.approx([128, 128], abs=2)


def test_a_finger_paints_on_a_phone(browser: Browser, app: tuple[str, Path]) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page = context.new_page()
    page.goto(app[0])
    _drop(page, EXAMPLES / "black-and-white" / "coffee.jpg")
    page.get_by_role("tab", name="Correct").tap()
    before = _image_of(page)
    box = page.locator("#canvas canvas").bounding_box()
    assert box is not None
    page.touchscreen.tap(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(page.get_by_role("button", name="Undo")).to_be_enabled()
    expect(page.locator("#slider img").last).not_to_have_attribute("src", before, timeout=WAIT)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390, "nothing hangs over the side"
    context.close()


def _painter(page: Page, photo: Path) -> tuple[int, int]:
    """Opens a photo to be painted on; its size."""
    with Image.open(photo) as image:
        size = image.size
    _drop(page, photo)
    page.get_by_role("tab", name="Correct").click()
    return size


def test_a_thing_is_shown_in_six_colors_and_one_is_taken(page: Page, tmp_path: Path) -> None:
    photo = EXAMPLES / "black-and-white" / "astronaut.jpg"
    size = _painter(page, photo)
    plain = _checked(photo, _download(page, tmp_path))
    page.get_by_role("button", name="Suggest").click()
    page.mouse.click(*_canvas_place(page, size, 0.25, 0.78))
    offers = page.get_by_role("group", name="Colors for this thing").get_by_role("button")
    expect(offers).to_have_count(6, timeout=WAIT)
    shown = offers.locator("img").evaluate_all("images => images.map((i) => i.src)")
    assert len(set(shown)) == 6
    assert page.evaluate(_STROKES) == [], "nothing is changed by looking"
    before = _image_of(page)
    offers.nth(2).click()
    _changed(page, before)
    expect(offers).to_have_count(0)
    (stroke,) = page.evaluate(_STROKES)
    assert stroke["points"][0] == pytest.approx([128, 400], abs=3)
    suit = rgb_to_lab(_checked(photo, _download(page, tmp_path)))[380:420, 115:140, 1:]
    assert suit.mean((0, 1)) == pytest.approx(stroke["ab"], abs=6)
    before = _image_of(page)
    page.get_by_role("button", name="Undo").click()
    _changed(page, before)
    assert np.array_equal(_checked(photo, _download(page, tmp_path)), plain), "taken back by one Undo"


def test_the_mask_is_shown_while_one_paints_and_of_a_selected_stroke(page: Page) -> None:
    size = _painter(page, EXAMPLES / "black-and-white" / "astronaut.jpg")
    canvas = page.locator("#canvas canvas")
    page.mouse.move(*_canvas_place(page, size, 0.25, 0.75))
    page.mouse.down()
    page.mouse.move(*_canvas_place(page, size, 0.27, 0.8), steps=4)
    expect(canvas).to_have_attribute("data-mask", re.compile(r"\d+"), timeout=WAIT)  # before the brush is lifted
    first = canvas.get_attribute("data-mask") or ""
    before = _image_of(page)
    page.mouse.up()
    _changed(page, before)
    page.get_by_role("button", name="Select", exact=True).click()
    page.mouse.click(*_canvas_place(page, size, 0.26, 0.775))
    expect(canvas).not_to_have_attribute("data-mask", first, timeout=WAIT)


def test_strokes_are_saved_and_loaded(page: Page, tmp_path: Path) -> None:
    photo = EXAMPLES / "black-and-white" / "astronaut.jpg"
    size = _painter(page, photo)
    page.get_by_role("button", name="Denim").click()
    _paint(page, _canvas_place(page, size, 0.25, 0.75), _canvas_place(page, size, 0.27, 0.8))
    painted, strokes = _checked(photo, _download(page, tmp_path)), page.evaluate(_STROKES)
    saved = _download(page, tmp_path, "Save")
    assert saved.name == "astronaut.hints.json"
    assert json.loads(saved.read_text()) == strokes
    before = _image_of(page)
    page.get_by_role("button", name="Clear").click()
    _changed(page, before)
    before = _image_of(page)
    page.locator("#canvas input[name=strokes]").set_input_files(saved)
    _changed(page, before)
    loaded = page.evaluate(_STROKES)
    assert [(s["points"], s["color"]) for s in loaded] == [(s["points"], s["color"]) for s in strokes]
    assert np.array_equal(_checked(photo, _download(page, tmp_path)), painted)
    before = _image_of(page)
    page.get_by_role("button", name="Undo").click()  # the file is taken back as one
    _changed(page, before)
    assert page.evaluate(_STROKES) == []
    (tmp_path / "far.hints.json").write_text('[[9999, 3, 4, "red"]]')
    page.locator("#canvas input[name=strokes]").set_input_files(tmp_path / "far.hints.json")
    expect(page.get_by_text("not on the photo, which is 512 x 512 pixels")).to_be_visible(timeout=WAIT)
    assert page.evaluate(_STROKES) == []


def test_a_color_is_taken_from_another_picture(page: Page, tmp_path: Path) -> None:
    _painter(page, EXAMPLES / "black-and-white" / "astronaut.jpg")
    halves = np.zeros((60, 80, 3), np.uint8)
    halves[:, :40], halves[:, 40:] = (12, 140, 60), (180, 40, 90)
    Image.fromarray(halves).save(tmp_path / "postcard.png")
    (tmp_path / "text.png").write_text("no picture")
    given = page.locator("#canvas input[name=reference]")
    given.set_input_files(tmp_path / "text.png")
    expect(page.get_by_text("text.png is not a picture")).to_be_visible()
    given.set_input_files(tmp_path / "postcard.png")
    other, color = page.locator("#canvas .reference img"), page.get_by_label("Color", exact=True)
    box = other.bounding_box()
    assert box is not None
    other.click(position={"x": box["width"] * 0.25, "y": box["height"] / 2})
    expect(color).to_have_value("#0c8c3c")
    for _ in range(6):
        page.keyboard.press("Shift+ArrowRight")
    expect(color).to_have_value("#b4285a")
    page.get_by_role("button", name="Close").click()
    expect(other).to_be_hidden()


def test_a_color_that_cannot_be_shown_is_said(page: Page, tmp_path: Path) -> None:
    white = np.full((120, 160, 3), 250, np.uint8)
    white[:, 80:] = 120
    Image.fromarray(white).save(tmp_path / "bright.png")
    size = _painter(page, tmp_path / "bright.png")
    note = page.locator("#canvas .note:visible")
    before = _image_of(page)
    page.mouse.click(*_canvas_place(page, size, 0.75, 0.5))
    _changed(page, before)
    expect(note).to_have_count(0)
    page.mouse.click(*_canvas_place(page, size, 0.25, 0.5))
    expect(note).to_contain_text("Stroke 2: the photo is too light there", timeout=WAIT)


def test_two_fingers_zoom_and_paint_nothing(browser: Browser, app: tuple[str, Path]) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page = context.new_page()
    page.goto(app[0])
    size = _painter(page, EXAMPLES / "black-and-white" / "astronaut.jpg")
    page.locator("#canvas canvas").scroll_into_view_if_needed()
    x, y = _canvas_place(page, size, 0.5, 0.5)
    fingers = context.new_cdp_session(page)
    for kind, apart in (("touchStart", 30), ("touchMove", 45), ("touchMove", 60), ("touchEnd", 0)):
        points = [{"x": x - apart, "y": y}, {"x": x + apart, "y": y}] if apart else []
        fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    page.wait_for_timeout(300)
    assert page.evaluate(_STROKES) == []
    right = _canvas_place(page, size, 0.75, 0.5)  # at twice the size, that is half as far from the middle
    page.touchscreen.tap(*right)
    expect(page.get_by_role("button", name="Undo")).to_be_enabled()
    assert page.evaluate(_STROKES)[-1]["points"][0] == pytest.approx([320, 256], abs=6)
    context.close()


def _set(slider: Locator, value: int) -> None:
    slider.fill(str(value))
    slider.press("Tab")


def test_adjusting_acts_at_once_and_on_the_download(page: Page, tmp_path: Path) -> None:
    photo = _photos()[-1]
    _drop(page, photo)
    colorful = [colorfulness(_checked(photo, _download(page, tmp_path)))]
    for label, value in (("Vividness %", 300), ("Saturation %", 180), ("Color strength %", 0)):
        before = _image_of(page)
        _set(page.get_by_label(f"number input for {label}").locator("visible=true"), value)
        expect(page.locator("#slider img").last).not_to_have_attribute("src", before, timeout=WAIT)
        colorful.append(colorfulness(_checked(photo, _download(page, tmp_path))))
    usual, vivid, saturated, none = colorful
    assert usual < vivid < saturated
    assert none < 0.5


def test_a_look_sets_the_vividness_and_shows_at_once(page: Page) -> None:
    _drop(page, EXAMPLES / "black-and-white" / "coffee.jpg")
    vividness = page.get_by_role("spinbutton", name=re.compile("Vividness %")).first
    vivid = round(100 * LOOKS["vivid"].vividness)
    for look, percent in (("Vivid", vivid), ("Cautious", 0), ("Natural", 100)):
        before = _image_of(page)
        page.get_by_role("radio", name=look).first.check()
        expect(page.locator("#slider img").last).not_to_have_attribute("src", before, timeout=WAIT)
        expect(vividness).to_have_value(str(percent))
    _set(vividness, vivid)
    expect(page.get_by_role("radio", name="Vivid").first).to_be_checked()
    _set(vividness, 150)
    for look in ("Cautious", "Natural", "Vivid"):
        expect(page.get_by_role("radio", name=look).first).not_to_be_checked()


def _take_first_alternative(page: Page) -> None:
    page.get_by_role("tab", name="Alternatives").click()
    page.get_by_role("button", name="Show alternatives").click()
    expect(page.locator("#alternatives img").first).to_be_visible(timeout=WAIT)
    before = _image_of(page)
    page.locator("#alternatives .thumbnail-item").first.click()
    expect(page.locator("#slider img").last).not_to_have_attribute("src", before, timeout=WAIT)


def test_another_coloring_is_taken_by_a_click(page: Page, tmp_path: Path) -> None:
    photo = EXAMPLES / "black-and-white" / "coffee.jpg"
    _drop(page, photo)
    plain = _checked(photo, _download(page, tmp_path))
    _take_first_alternative(page)
    expect(page.get_by_role("tab", name="Compare")).to_have_attribute("aria-selected", "true", timeout=WAIT)
    taken = _checked(photo, _download(page, tmp_path))
    assert np.abs(taken.astype(int) - plain).mean() > 2
    page.get_by_role("tab", name="Correct").click()
    expect(page.get_by_role("button", name="Undo")).to_be_enabled()


def test_a_stroke_survives_an_alternative_and_is_undone_as_one(page: Page, tmp_path: Path) -> None:
    photo = EXAMPLES / "black-and-white" / "coffee.jpg"
    with Image.open(photo) as image:
        size = image.size
    _drop(page, photo)
    page.get_by_role("tab", name="Correct").click()
    page.get_by_role("button", name="Denim").click()
    _paint(page, _canvas_place(page, size, 0.3, 0.8), _canvas_place(page, size, 0.7, 0.8))
    stroked = _checked(photo, _download(page, tmp_path))
    _take_first_alternative(page)
    page.get_by_role("tab", name="Correct").click()
    undo = page.get_by_role("button", name="Undo")
    before = _image_of(page)
    undo.click()
    _changed(page, before)
    assert np.array_equal(_checked(photo, _download(page, tmp_path)), stroked), "the alternative is taken back as one"
    undo.click()
    expect(undo).to_be_disabled(timeout=WAIT)  # the whole stroke at once


def test_an_album(page: Page, tmp_path: Path) -> None:
    photos = _photos()
    (tmp_path / "broken & bent.jpg").write_text("no picture")
    with zipfile.ZipFile(tmp_path / "old.zip", "w") as archive:
        archive.write(photos[0], f"deep/{photos[0].name}")
    page.locator("#many input[type=file]").set_input_files(
        [tmp_path / "broken & bent.jpg", tmp_path / "old.zip", *photos[1:]]
    )
    expect(page.get_by_text(f"{len(photos) + 1} photographs")).to_be_visible(timeout=WAIT)
    expect(page.get_by_text(f"{len(photos)} colorized in")).to_be_visible(timeout=WAIT)  # without another click
    page.locator("label", has_text="PNG").locator("visible=true").click()
    page.get_by_role("button", name="Color them again").click()
    expect(page.locator("#progress")).to_contain_text(re.compile(rf"of {len(photos) + 1}|0 of"), timeout=WAIT)
    expect(page.get_by_text(f"{len(photos)} colorized in")).to_be_visible(timeout=WAIT)
    expect(page.get_by_text("broken & bent.jpg was not colorized")).to_be_visible()
    expect(page.locator("#batch img")).to_have_count(len(photos))
    result = _download(page, tmp_path, "Download all (zip)")
    with zipfile.ZipFile(result) as archive:
        assert len(archive.namelist()) == len(photos)
        archive.extractall(tmp_path / "out")
    assert colorfulness(_checked(photos[0], tmp_path / "out" / "deep" / f"{photos[0].stem}-color.png")) > 3
    for photo in photos[1:]:
        _checked(photo, tmp_path / "out" / f"{photo.stem}-color.png")


def test_a_picture_of_an_album_is_corrected_and_goes_back(page: Page, tmp_path: Path) -> None:
    photos = sorted((EXAMPLES / "black-and-white").glob("*.jpg"))[:3]
    with zipfile.ZipFile(tmp_path / "old.zip", "w") as archive:
        for photo in photos:
            archive.write(photo, photo.name)
    page.locator("#many input[type=file]").set_input_files(tmp_path / "old.zip")
    expect(page.get_by_text("3 colorized in")).to_be_visible(timeout=WAIT)

    def zipped() -> dict[str, bytes]:
        with zipfile.ZipFile(_download(page, tmp_path, "Download all (zip)")) as archive:
            return {name: archive.read(name) for name in archive.namelist()}

    before = zipped()
    shown = page.locator("#batch img").nth(1)
    thumbnail = shown.get_attribute("src")
    shown.click()
    expect(page.get_by_text(f"{photos[1].name}: ")).to_be_visible(timeout=WAIT)
    expect(page.locator("#slider img").last).to_be_visible(timeout=WAIT)
    page.get_by_role("tab", name="Correct").click()
    _stroke(page)
    page.wait_for_timeout(1500)
    page.get_by_role("button", name="Back to the album").click()
    expect(page.locator("#batch img").nth(1)).not_to_have_attribute("src", thumbnail or "", timeout=WAIT)
    after = zipped()
    assert before.keys() == after.keys()
    changed = [name for name in before if before[name] != after[name]]
    assert changed == [f"{photos[1].stem}-color.jpg"]
    page.locator("#batch img").nth(0).click()
    expect(page.get_by_text(f"{photos[0].name}: ")).to_be_visible(timeout=WAIT)
    page.get_by_role("button", name="Back to the album").click()
    expect(page.locator("#batch img").first).to_be_visible(timeout=WAIT)
    assert zipped() == after, "looking changes nothing"


def test_an_album_is_canceled(page: Page, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "many.zip", "w") as archive:
        for k in range(60):
            archive.write(EXAMPLES / "black-and-white" / "astronaut.jpg", f"{k:02d}.jpg")
    page.locator("#many input[type=file]").set_input_files(tmp_path / "many.zip")
    expect(page.get_by_text(re.compile(r"\d+ of 60, about .* left"))).to_be_visible(timeout=WAIT)
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text(re.compile(r"Stopped after \d+ of 60"))).to_be_visible(timeout=WAIT)
    with zipfile.ZipFile(_download(page, tmp_path, "Download all (zip)")) as archive:
        assert 1 <= len(archive.namelist()) < 60


def test_a_refused_file_is_a_sentence_and_the_page_goes_on(page: Page, tmp_path: Path) -> None:
    whole = (EXAMPLES / "black-and-white" / "coffee.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(whole[:900])
    (tmp_path / "text.jpg").write_text("no picture")
    (tmp_path / "empty.png").touch()
    (tmp_path / "letter.pdf").write_bytes(b"%PDF-1.4 letter")
    words = page.locator(".refused")
    for name, said in (
        ("cut.jpg", "cut.jpg is broken"),
        ("text.jpg", "text.jpg is not a picture that can be read"),
        ("empty.png", "empty.png is not a picture that can be read"),
        ("letter.pdf", "Give letter.pdf as an album"),
    ):
        page.locator("#drop input[type=file]").set_input_files(tmp_path / name)
        expect(words.filter(has_text=said)).to_be_visible(timeout=WAIT)
        expect(page.get_by_text("Error", exact=True)).to_have_count(0)
        expect(page.locator("#drop")).to_be_visible()
    (tmp_path / "half.jpg").write_bytes(whole[: len(whole) // 2])
    _drop(page, tmp_path / "half.jpg")
    expect(page.get_by_text("half.jpg is damaged: its end is missing. What could be read is colored.")).to_be_visible()
    page.get_by_role("button", name="Another photograph").click()
    expect(page.locator("#drop")).to_be_visible(timeout=WAIT)
    expect(words).to_have_count(0)


def test_one_screen_on_a_laptop(page: Page) -> None:
    def height() -> int:
        return int(page.evaluate("document.documentElement.scrollHeight"))

    expect(page.locator("#drop")).to_be_visible()
    assert height() <= 720
    _drop(page, EXAMPLES / "black-and-white" / "astronaut.jpg")
    for tab in ("Compare", "Correct", "Alternatives"):
        page.get_by_role("tab", name=tab).click()
        assert height() <= 720, tab
        box = page.get_by_role("button", name="Another photograph").bounding_box()
        assert box is not None
        assert box["y"] + box["height"] <= 700, "all that can be pressed is on the screen"


def _step(page: Page) -> int:
    found = re.search(r"step (\d+) of", page.locator("#run-progress").inner_text())
    assert found is not None
    return int(found[1])


def test_training_stopped_resumed_used_and_measured(page: Page, photo_folder: Path, tmp_path: Path) -> None:
    page.get_by_role("tab", name="Train").click()
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        for path in sorted(photo_folder.rglob("*.png")):
            archive.write(path, path.relative_to(photo_folder))
        archive.writestr("broken.png", "no picture")
    page.locator("#choose input[type=file]").set_input_files(tmp_path / "photos.zip")
    expect(page.get_by_text("24 pictures (1 broken left out): ")).to_be_visible(timeout=WAIT)
    page.get_by_role("button", name="Sample set").click()
    expect(page.get_by_text("60 pictures: ")).to_be_visible(timeout=WAIT)
    expect(page.locator("#choose img").first).to_be_visible(timeout=WAIT)
    page.get_by_role("textbox", name="Pictures").fill(str(photo_folder))
    page.get_by_label("Epochs").fill("300")
    page.get_by_role("textbox", name="Name Of the run").fill("my photographs")
    page.get_by_role("button", name="How long?").click()
    expect(page.get_by_text(re.compile(r"Measuring a few steps: \d+ s"))).to_be_visible(timeout=WAIT)
    expect(page.get_by_text("300 steps of")).to_be_visible(timeout=180_000)
    page.get_by_role("button", name="Train", exact=True).click()
    expect(page.get_by_text("On pictures that it does not learn from: MSE of ab")).to_be_visible(timeout=180_000)
    expect(page.get_by_text("starts from bundled: skip_fusion")).to_be_visible()
    expect(page.get_by_label("Run", exact=True)).to_have_value("my-photographs")
    before = _step(page)
    expect(page.locator("#run-progress")).not_to_contain_text(f"step {before} of", timeout=WAIT)
    expect(page.get_by_text("Loss", exact=True).first).to_be_visible(timeout=WAIT)
    page.reload()
    page.get_by_role("tab", name="Train").click()
    expect(page.get_by_text("On pictures that it does not learn from: MSE of ab")).to_be_visible(timeout=WAIT)
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text("can be resumed")).to_be_visible(timeout=WAIT)
    stopped = _step(page)
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_text("Training", exact=True)).to_be_visible(timeout=WAIT)
    expect(page.locator("#run-progress")).not_to_contain_text(f"step {stopped} of", timeout=WAIT)
    assert _step(page) > stopped
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text("can be resumed")).to_be_visible(timeout=WAIT)
    page.get_by_role("button", name="Export").click()
    expect(page.get_by_role("row", name="model.safetensors")).to_be_visible(timeout=WAIT)
    page.get_by_role("button", name="Use in Colorize").click()
    expect(page.get_by_text("The network my-photographs colors.")).to_be_visible(timeout=WAIT)
    photo = EXAMPLES / "black-and-white" / "coffee.jpg"
    _drop(page, photo)
    own = _checked(photo, _download(page, tmp_path))
    assert colorfulness(own) > 1
    page.reload()
    shown = page.locator("#slider img").last
    expect(shown).to_be_visible(timeout=WAIT)
    assert np.array_equal(own, _checked(photo, _download(page, tmp_path))), "still the same network"
    picture = shown.get_attribute("src")
    expect(page.get_by_text("The network my-photographs colors.")).to_be_visible()
    page.get_by_role("button", name="Use the bundled network").click()
    expect(page.get_by_text("The network my-photographs colors.")).to_be_hidden(timeout=WAIT)
    expect(shown).not_to_have_attribute("src", picture or "", timeout=WAIT)
    assert not np.array_equal(own, _checked(photo, _download(page, tmp_path))), "another network, other colors"
    page.get_by_role("tab", name="Train").click()
    page.get_by_role("button", name="Measure it").click()
    expect(page.get_by_role("tab", name="Evaluate")).to_have_attribute("aria-selected", "true", timeout=WAIT)
    page.get_by_role("button", name="Held out of the run").click()
    page.get_by_role("button", name="Evaluate", exact=True).click()
    expect(page.get_by_text("over 1 pictures")).to_be_visible(timeout=120_000)


def test_two_checkpoints_compared(page: Page, browser: Browser, tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = NetworkConfig("skip_fusion", "regression")
    blank = Checkpoint(build_network(config).eval(), config, torch.full((313,), 1 / 313), 128)
    save_checkpoint(blank, tmp_path / "blank.safetensors")
    (tmp_path / "photos").mkdir()
    for path in (EXAMPLES / "color").glob("*.jpg"):
        shutil.copy(path, tmp_path / "photos")
    page.get_by_role("tab", name="Evaluate").click()
    page.locator("input[type=file][accept*=safetensors]").set_input_files(tmp_path / "blank.safetensors")
    expect(page.get_by_text("blank.safetensors").first).to_be_visible(timeout=WAIT)
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        for path in (EXAMPLES / "color").glob("*.jpg"):
            archive.write(path, path.name)
    page.locator("input[type=file][accept='.zip']").last.set_input_files(tmp_path / "photos.zip")
    expect(page.get_by_label("Test pictures")).to_have_value(re.compile("photos.zip"), timeout=WAIT)
    page.get_by_label("Test pictures").fill(str(tmp_path / "photos"))
    page.get_by_role("button", name="Evaluate", exact=True).click()
    expect(page.get_by_text("over 5 pictures")).to_be_visible(timeout=120_000)
    first = page.locator("#pictures .thumbnail-item").first
    expect(first).to_contain_text("MSE of RGB", timeout=WAIT)
    page.get_by_label("Sort by").click()
    page.get_by_role("option", name="SSIM").click()
    expect(first).to_contain_text("SSIM", timeout=WAIT)
    worst = first.inner_text()
    page.get_by_label("Best first").check()
    expect(first).not_to_contain_text(worst, timeout=WAIT)
    first.click()
    expect(page.locator("#one img").first).to_be_visible(timeout=WAIT)
    expect(page.locator("#numbers")).to_contain_text("CIEDE2000", timeout=WAIT)
    for title in ("MSE of ab", "PSNR"):  # one right after the other: the last one counts
        page.get_by_label("Sort by").click()
        page.get_by_role("option", name=title).click()
    expect(first).to_contain_text("PSNR", timeout=WAIT)
    expect(page.locator("#one")).to_be_hidden()
    expect(page.locator("#pictures .thumbnail-item.selected")).to_have_count(0)
    with page.expect_download(timeout=WAIT) as download:
        page.get_by_role("row", name="evaluation.html").get_by_role("link").click()
    download.value.save_as(tmp_path / "report.html")
    line = page.locator("code, .cm-content").filter(has_text="evaluate.py").first.inner_text()
    words = shlex.split(line)
    assert words[:2] == ["python", "evaluate.py"]
    done = subprocess.run(
        [sys.executable, *words[1:], "--json", str(tmp_path / "out.json")],
        cwd=ROOT, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    figures = json.loads((tmp_path / "out.json").read_text())
    report = browser.new_page()
    report.goto((tmp_path / "report.html").as_uri())
    assert report.locator("figure img").count() == 5
    table = report.locator("table").inner_text()
    assert len(figures["metrics"]) == 3
    for column in figures["metrics"].values():
        for metric, found in column.items():
            digits = 4 if metric == "ssim" else 2
            assert f"{found['mean']:.{digits}f} [{found['low']:.{digits}f}, {found['high']:.{digits}f}]" in table
    report.close()
    page.reload()
    page.get_by_role("tab", name="Evaluate").click()
    page.get_by_label("Evaluations of before").click()
    page.get_by_role("option", name=re.compile("blank")).first.click()
    expect(page.get_by_text("over 5 pictures")).to_be_visible(timeout=WAIT)


def test_an_evaluation_is_canceled_and_goes_on(page: Page, tmp_path: Path) -> None:
    for k in range(150):  # which last long enough to be seen, and stopped
        draw_photo(k, (300, 200)).save(tmp_path / f"{k:02d}.png")
    page.get_by_role("tab", name="Evaluate").click()
    page.get_by_label("Test pictures").fill(str(tmp_path))
    page.get_by_role("button", name="Evaluate", exact=True).click()
    expect(page.get_by_text(re.compile(r"\d+ of 150, about .* left"))).to_be_visible(timeout=WAIT)
    page.get_by_role("button", name="Cancel").locator("visible=true").click()
    expect(page.get_by_text(re.compile(r"Stopped after \d+ of 150"))).to_be_visible(timeout=WAIT)
    page.get_by_role("button", name="Evaluate", exact=True).click()
    expect(page.get_by_text("over 150 pictures")).to_be_visible(timeout=120_000)


def test_work_survives_a_reload_and_another_photograph(page: Page, tmp_path: Path) -> None:
    first, second = (EXAMPLES / "black-and-white" / f"{name}.jpg" for name in ("astronaut", "chelsea"))
    _drop(page, first)
    page.get_by_role("tab", name="Correct").click()
    _stroke(page)
    expect(page.locator("[data-act=undo]")).to_be_enabled()
    page.get_by_label("number input for Saturation").fill("150")
    page.keyboard.press("Enter")
    page.wait_for_timeout(1500)
    colored = _download(page, tmp_path).read_bytes()
    page.reload()
    expect(page.locator("#slider img").last).to_be_visible(timeout=WAIT)
    expect(page.get_by_label("number input for Saturation")).to_have_value("150")
    page.get_by_role("tab", name="Correct").click()
    expect(page.locator("[data-act=clear]")).to_be_enabled(timeout=WAIT)
    assert _download(page, tmp_path).read_bytes() == colored, "the same strokes and settings"
    page.get_by_role("button", name="Another photograph").click()
    expect(page.get_by_role("button", name="Back to astronaut.jpg")).to_be_visible(timeout=WAIT)
    _drop(page, second)
    page.get_by_role("button", name="Back to astronaut.jpg").locator("visible=true").click()
    expect(page.get_by_text("astronaut.jpg: ")).to_be_visible(timeout=WAIT)
    page.wait_for_timeout(1500)
    assert _download(page, tmp_path).read_bytes() == colored


def _stroke(page: Page) -> None:
    box = page.locator("#canvas canvas").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2 + 25, box["y"] + box["height"] / 2 + 8, steps=4)
    page.mouse.up()


def test_the_page_says_what_it_does_and_where_photographs_go(page: Page) -> None:
    page.set_viewport_size({"width": 1366, "height": 768})
    welcome = page.locator("#welcome")
    expect(welcome).to_contain_text("Your photographs stay on this computer", timeout=WAIT)
    expect(welcome).to_contain_text("100 megapixels and 200 MB")
    width = welcome.locator("img").evaluate("(image) => image.naturalWidth")
    assert width > 300, "a picture before and after"
    _drop(page, EXAMPLES / "black-and-white" / "astronaut.jpg")
    labels = page.evaluate(
        "['::before', '::after'].map((p) => getComputedStyle(document.querySelector('#slider'), p).content)"
    )
    assert labels == ['"Before"', '"After"']
    page.get_by_role("button", name="More").first.click()
    box = page.get_by_role("button", name="Download", exact=True).bounding_box()
    assert box is not None
    assert box["y"] + box["height"] <= 768, "above the fold"
    strength = page.get_by_label("number input for Color strength")
    strength.fill("0")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Reset all sliders").click()
    expect(strength).to_have_value("100", timeout=WAIT)


def test_a_lost_connection_loses_nothing(page: Page, tmp_path: Path) -> None:
    photo = EXAMPLES / "black-and-white" / "astronaut.jpg"
    _drop(page, photo)
    page.get_by_role("tab", name="Correct").click()
    _stroke(page)
    page.wait_for_timeout(1500)
    before = _download(page, tmp_path).read_bytes()
    page.context.set_offline(True)
    page.wait_for_timeout(3000)
    page.context.set_offline(False)
    page.wait_for_timeout(1000)
    expect(page.locator("[data-act=clear]")).to_be_enabled()
    assert _download(page, tmp_path).read_bytes() == before, "the same strokes"
    page.get_by_label("number input for Saturation").fill("150")
    page.keyboard.press("Enter")
    page.wait_for_timeout(1500)
    assert _download(page, tmp_path).read_bytes() != before, "the page goes on"


def test_what_lasts_shows_a_sign_of_life(page: Page, tmp_path: Path) -> None:
    with Image.open(EXAMPLES / "black-and-white" / "astronaut.jpg") as image:
        image.convert("L").resize((6000, 4000)).save(tmp_path / "large.jpg")
    given = page.locator("#drop input[type=file]")
    given.wait_for(state="attached", timeout=WAIT)
    slow = {"offline": False, "latency": 3000, "downloadThroughput": -1, "uploadThroughput": -1}  # milliseconds
    page.context.new_cdp_session(page).send("Network.emulateNetworkConditions", slow)
    given.set_input_files(tmp_path / "large.jpg")
    expect(page.locator("#drop .progress-text, #drop .meta-text").first).to_be_visible(timeout=WAIT)
    expect(page.locator("#slider img").last).to_be_visible(timeout=WAIT)
    status = page.locator("#status")
    page.get_by_label("number input for Saturation").fill("150")
    page.keyboard.press("Enter")
    expect(status).to_have_text("Coloring…", timeout=WAIT)
    expect(status).to_be_hidden(timeout=WAIT)
    with page.expect_download(timeout=WAIT):
        page.get_by_role("button", name="Download", exact=True).click()
        expect(status).to_have_text("Making the file…", timeout=WAIT)
    expect(status).to_be_hidden(timeout=WAIT)

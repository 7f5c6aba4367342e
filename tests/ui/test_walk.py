"""The walk of a new user through the page: by mouse on a laptop, by finger on a phone, by keyboard alone."""

from __future__ import annotations

import re
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from colorizer.pictures.reading import read_picture

from ..conftest import EXAMPLES, draw_photo
from .test_browser import WAIT, browser, pytestmark

__all__ = ["browser", "pytestmark"]  # pytest finds them here

_LAPTOP: dict[str, Any] = {"viewport": {"width": 1366, "height": 768}}
_PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


@dataclass
class _Hand:
    """How one presses, and gives files."""

    page: Page
    kind: str

    def press(self, what: Locator) -> None:
        if self.kind == "finger":
            what.tap(timeout=WAIT)
        elif self.kind == "mouse":
            what.click(timeout=WAIT)
        else:
            expect(what).to_be_visible(timeout=WAIT)
            assert what.evaluate("(element) => element.tabIndex") >= 0, "can be reached by the Tab key"
            what.focus()
            box = what.evaluate("(element) => element.type === 'radio' || element.type === 'checkbox'")
            self.page.keyboard.press("Space" if box else "Enter")

    def button(self, name: str) -> None:
        self.press(self.page.get_by_role("button", name=name, exact=True).locator("visible=true").first)

    def tab(self, name: str) -> None:
        self.press(self.page.get_by_role("tab", name=name, exact=True))

    def give(self, where: str, *files: Path) -> None:
        with self.page.expect_file_chooser(timeout=WAIT) as chooser:
            self.press(self.page.locator(f"{where} button").first)
        chooser.value.set_files(files)

    def download(self, name: str, folder: Path) -> Path:
        with self.page.expect_download(timeout=WAIT) as download:
            self.button(name)
        path = folder / download.value.suggested_filename
        download.value.save_as(path)
        return path

    def stroke(self) -> None:
        canvas = self.page.locator("#canvas canvas")
        if self.kind == "keyboard":
            canvas.focus()
            for key in ("ArrowRight", "Enter", "ArrowRight", "ArrowRight", "Enter"):
                self.page.keyboard.press(key)
        elif self.kind == "finger":
            canvas.tap()
        else:
            canvas.click()

    def fits(self) -> None:
        """Nothing lies beside the window."""
        wide = self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"{wide} pixels too wide"


@pytest.mark.parametrize(
    ("kind", "window"), [("mouse", _LAPTOP), ("finger", _PHONE), ("keyboard", _LAPTOP)], ids=lambda x: str(x)[:8]
)
def test_the_walk_of_a_new_user(
    browser: Browser, app: tuple[str, Path], tmp_path: Path, kind: str, window: dict[str, Any]
) -> None:
    context = browser.new_context(**window)
    page = context.new_page()
    failures: list[str] = []
    page.on("pageerror", lambda error: failures.append(str(error)))
    hand = _Hand(page, kind)
    page.goto(app[0])
    expect(page.locator("#welcome img")).to_be_visible(timeout=WAIT)
    hand.fits()

    # A broken file, then a photograph.
    (tmp_path / "broken.jpg").write_bytes((EXAMPLES / "black-and-white" / "coffee.jpg").read_bytes()[:900])
    hand.give("#drop", tmp_path / "broken.jpg")
    expect(page.locator("#refused .refused")).to_contain_text("broken.jpg is broken", timeout=WAIT)
    photo = EXAMPLES / "black-and-white" / "astronaut.jpg"
    hand.give("#drop", photo)
    expect(page.get_by_text("astronaut.jpg: 512 × 512")).to_be_visible(timeout=WAIT)
    expect(page.locator("#slider img").last).to_be_visible(timeout=WAIT)
    hand.fits()

    # Correct it; reload; go on; take it home.
    plain = read_picture(hand.download("Download", tmp_path)).rgb
    hand.tab("Correct")
    hand.stroke()
    expect(page.locator("[data-act=undo]")).to_be_enabled(timeout=WAIT)
    page.wait_for_timeout(1500)
    hand.fits()
    page.reload()
    expect(page.locator("#slider img").last).to_be_visible(timeout=WAIT)
    hand.tab("Correct")
    expect(page.locator("[data-act=clear]")).to_be_enabled(timeout=WAIT)
    corrected = read_picture(hand.download("Download", tmp_path)).rgb
    assert (plain != corrected).any(), "the stroke is still there"

    # An album of thirty with three bad files.
    hand.button("Another photograph")
    expect(page.locator("#drop")).to_be_visible(timeout=WAIT)
    album = []
    for k in range(30):
        album.append(tmp_path / f"{k:02d}.jpg")
        draw_photo(k, (120, 90)).convert("L").save(album[-1])
    for k, content in enumerate((b"", b"no picture", album[0].read_bytes()[:200])):
        album.append(tmp_path / f"bad{k}.jpg")
        album[-1].write_bytes(content)
    hand.give("#many", *album)
    expect(page.get_by_text(re.compile(r"30 colorized in .*\. 3 could not be: see below\."))).to_be_visible(
        timeout=WAIT
    )
    expect(page.get_by_text("bad1.jpg was not colorized")).to_be_visible()
    with zipfile.ZipFile(hand.download("Download all (zip)", tmp_path)) as archive:
        assert len(archive.namelist()) == 30
    hand.fits()

    # Two epochs from the bundled network.
    photos = tmp_path / "photos"
    photos.mkdir()
    for k in range(24):
        draw_photo(k).save(photos / f"{k}.png")
    hand.tab("Train")
    page.get_by_role("textbox", name="Pictures").fill(str(photos))
    page.get_by_label("Epochs").fill("2")
    name = f"walk-{kind}"
    page.get_by_role("textbox", name="Name Of the run").fill(name)
    hand.button("Train")
    expect(page.get_by_text("Finished", exact=True)).to_be_visible(timeout=180_000)
    expect(page.get_by_text("starts from bundled")).to_be_visible()
    hand.fits()

    # Evaluate both; sort; open; report.
    hand.button("Measure it")
    expect(page.get_by_role("tab", name="Evaluate")).to_have_attribute("aria-selected", "true", timeout=WAIT)
    page.get_by_label("Checkpoints").focus()
    page.get_by_label("Checkpoints").fill("bundled")
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    hand.button("Evaluate")
    expect(page.get_by_text("over 5 pictures")).to_be_visible(timeout=120_000)
    expect(page.locator("#headline")).to_contain_text(re.compile(rf"({name} and bundled: no diff|has a smaller MSE)"))
    hand.press(page.get_by_label("Best first"))
    picture = page.locator("#pictures .thumbnail-item").first
    expect(picture).to_be_visible(timeout=WAIT)
    page.wait_for_timeout(1500)
    hand.press(picture)
    expect(page.locator("#numbers")).to_contain_text("CIEDE2000", timeout=WAIT)
    hand.fits()
    with page.expect_download(timeout=WAIT) as download:
        hand.press(page.get_by_role("row", name="evaluation.html").get_by_role("link"))
    assert "<h1" in Path(download.value.path()).read_text()
    assert failures == []
    context.close()

"""The Film tab: in Chromium as a person uses it, and its endpoint."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from gradio_client import Client, handle_file
from playwright.sync_api import Browser, Page, expect

from colorizer.arrays import Array
from colorizer.color.lab import rgb_to_lab
from colorizer.film.reading import open_film

from ..conftest import EXAMPLES
from ..film.made import about, pan, write_film
from .test_browser import CHROMIUM, WAIT, browser, watched_page

__all__ = ["browser"]  # a fixture

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="left out: needs Chromium, which is not installed")


@pytest.fixture(scope="module")
def reel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two shots of 60 frames."""
    shots = pan(1, 60), [np.ascontiguousarray(rgb[::-1]) for rgb in pan(2, 60)]
    gray = [np.repeat(np.round(f.mean(2, keepdims=True)).astype(np.uint8), 3, 2) for shot in shots for f in shot]
    folder = tmp_path_factory.mktemp("reel")
    return write_film(folder / "grandma & co.mp4", gray, sound="aac", options={"crf": "8", "g": "12"})


def _frames(path: Path) -> list[Array]:
    with open_film(path) as film:
        return [film.photo(frame).rgb for frame in film.frames()]


def _redness(rgb: Array) -> float:
    return float(rgb_to_lab(rgb)[..., 1].mean())


@pytest.fixture
def page(browser: Browser, app: tuple[str, Path]) -> Iterator[Page]:
    with watched_page(browser, app[0]) as page:
        page.get_by_role("tab", name="Film").click()
        yield page


def _give(page: Page, film: Path) -> None:
    page.locator("#film-file input[type=file]").set_input_files(film)
    expect(page.get_by_role("button", name="Color the film")).to_be_enabled(timeout=WAIT)


def _save(page: Page, folder: Path) -> Path:
    with page.expect_download(timeout=WAIT) as download:
        page.locator("#film-side").get_by_role("button", name="Download").click()
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    return path


@needs_chromium
def test_dropped_tried_corrected_colored_and_taken_home(page: Page, reel: Path, tmp_path: Path) -> None:
    expect(page.get_by_role("button", name="Color the film")).to_be_disabled()
    _give(page, reel)
    expect(page.get_by_text("grandma & co.mp4: 128 × 96, 25 frames a second, 0:04.8, with sound")).to_be_visible()
    expect(page.locator("#shots img")).to_have_count(2, timeout=WAIT)
    page.locator("#shots img").nth(1).click()
    expect(page.get_by_text("Shot 2, 0:02.4 to 0:04.8")).to_be_visible(timeout=WAIT)
    page.get_by_role("button", name="Preview three seconds").click()
    expect(page.locator("#film video")).to_be_visible(timeout=WAIT)
    page.get_by_role("button", name="Correct a still of this shot").click()
    expect(page.locator("#slider img").last).to_be_visible(timeout=WAIT)
    page.get_by_role("tab", name="Correct").click()
    canvas = page.locator("#canvas canvas").first
    box = canvas.bounding_box()
    assert box is not None
    place = box["x"] + box["width"] / 2, box["y"] + box["height"] / 4
    page.mouse.move(*place)
    page.mouse.down()
    page.mouse.move(place[0] + 40, place[1])
    page.mouse.up()
    page.wait_for_timeout(2000)
    thumbnail = page.locator("#shots img").nth(1).get_attribute("src")
    page.get_by_role("button", name="Back to the film").click()
    expect(page.get_by_role("tab", name="Film")).to_have_attribute("aria-selected", "true", timeout=WAIT)
    expect(page.get_by_text(re.compile("2: .* ✓"))).to_be_visible(timeout=WAIT)
    expect(page.locator("#shots img").nth(1)).not_to_have_attribute("src", thumbnail or "")
    page.get_by_role("button", name="Color the film").click()
    expect(page.get_by_text("120 frames in 2 shots colored.")).to_be_visible(timeout=WAIT)
    expect(page.locator("#film video")).to_be_visible(timeout=WAIT)
    result = _save(page, tmp_path)
    assert result.name == "grandma & co-color.mp4"
    told = about(result)
    assert len(told["times"]) == 120
    assert told["sound"] == about(reel)["sound"]
    frames = _frames(result)
    for number in (60, 80, 119):  # the stroke was red
        assert _redness(frames[number]) > 5


@needs_chromium
def test_canceled_and_gone_on_with(page: Page, tmp_path: Path) -> None:
    shots = [pan(1, 60), [np.ascontiguousarray(rgb[::-1]) for rgb in pan(2, 60)]] * 10  # long enough to be canceled
    _give(page, write_film(tmp_path / "long.mp4", [rgb for shot in shots for rgb in shot]))
    page.get_by_role("button", name="Color the film").click()
    expect(page.get_by_text(re.compile(r"\d\d+ of 1200 frames"))).to_be_visible(timeout=WAIT)
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text(re.compile(r"Stopped after \d+ of 1200 frames"))).to_be_visible(timeout=WAIT)
    page.get_by_role("button", name="Color the film").click()
    # A minute's work for one core, which the tests beside this one may be busy with, too.
    expect(page.get_by_text("1200 frames in 20 shots colored.")).to_be_visible(timeout=5 * WAIT)


@needs_chromium
def test_what_is_no_film_is_a_sentence(page: Page, reel: Path, tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("no film")
    _give(page, reel)
    page.locator("#film-file").get_by_label("Clear").first.click()
    expect(page.get_by_role("button", name="Color the film")).to_be_disabled(timeout=WAIT)
    page.locator("#film-file input[type=file]").set_input_files(tmp_path / "text.mp4")
    expect(page.get_by_text("text.mp4 is not a film, or it is broken")).to_be_visible(timeout=WAIT)
    expect(page.get_by_role("button", name="Color the film")).to_be_disabled()
    page.locator("#film-file").get_by_label("Clear").first.click()
    _give(page, reel)


@needs_chromium
def test_a_film_among_photographs_goes_to_its_tab(page: Page, reel: Path) -> None:
    page.get_by_role("tab", name="Colorize").click()
    page.locator("#drop input[type=file]").set_input_files(reel)
    expect(page.get_by_role("tab", name="Film")).to_have_attribute("aria-selected", "true", timeout=WAIT)
    expect(page.get_by_text("grandma & co.mp4: 128 × 96")).to_be_visible(timeout=WAIT)


def test_the_endpoint(app: tuple[str, Path], reel: Path, tmp_path: Path) -> None:
    client = Client(app[0], verbose=False, download_files=str(tmp_path))
    corrections = [{"at": 0.5, "settings": {"strength": 0}}]
    colored, report = client.predict(handle_file(reel), corrections, lossless=True, api_name="/colorize_film")
    assert [shot["frames"] for shot in report["shots"]] == [60, 60]
    frames = _frames(Path(colored))
    assert np.abs(rgb_to_lab(frames[30])[..., 1:]).mean() < 1
    assert np.abs(rgb_to_lab(frames[90])[..., 1:]).mean() > 1
    for given, words in (
        ([{"at": 99}], "ends at"),
        ([{"at": 1, "reference": str(EXAMPLES / "color" / "coffee.jpg")}], "beside a file"),
        ([{"at": 1, "hints": [{"mask": "/etc/passwd", "color": "red"}]}], "mask"),
    ):
        with pytest.raises(Exception, match=words):
            client.predict(handle_file(reel), given, api_name="/colorize_film")
    with pytest.raises(Exception, match="not a film"):
        client.predict(handle_file(EXAMPLES / "color" / "coffee.jpg"), api_name="/colorize_film")

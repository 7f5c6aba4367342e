"""Whom the page serves: WCAG 2.2 AA as far as axe-core can tell, by keyboard, in the browser's language."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from ..conftest import EXAMPLES
from ..film.made import pan, write_film
from .test_browser import WAIT, browser, pytestmark

__all__ = ["browser", "pytestmark"]  # pytest finds them here

_RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}
_SHOWN = """() => {
    const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), found = [];
    while (walk.nextNode()) {
        const box = walk.currentNode.parentElement;
        if (!box.closest("script, style, code, pre, svg, .cm-editor")) found.push(walk.currentNode.data);
    }
    document.querySelectorAll("[aria-label], [placeholder], [title], [alt]").forEach((element) =>
        ["aria-label", "placeholder", "title", "alt"].forEach((name) => found.push(element.getAttribute(name) || "")));
    return found.map((text) => text.replace(/\\s+/g, " ").trim()).filter((text) => /\\p{L}{2}/u.test(text));
}"""
# Names, file names, sizes, and figures.
_SAME = re.compile(
    r"Colorizer|PNG|JPEG|Imagenette|skip_fusion|fusion|classification|regression|bundled.*|PSNR.*|SSIM|CIEDE2000|AuC.*|"
    r"Top-1.*|Ctrl-.*|Logo|Alternative \d|Name|Token|Violet|Rose|Alternatives?|Saturation %|Natural|Linen|Reset|"
    r".*\.(jpg|json|csv|html|safetensors|mp4)\b.*|[a-z_]+|\S+ [KM]?B|about ddcolor.*|.*\d [×x] \d.*|Radio"
)


def _states(page: Page) -> Iterator[str]:
    """Every tab in every state, without a word of the language; their names."""
    photos = EXAMPLES / "black-and-white"
    page.locator("#welcome img").wait_for(timeout=WAIT)
    yield "empty"
    page.locator("#drop input[type=file]").set_input_files(photos / "astronaut.jpg")
    page.locator("#slider img").last.wait_for(timeout=WAIT)
    yield "compare"
    page.locator("#side button.label-wrap").click()
    yield "more"
    page.locator("[data-tab-id=correct]").click()
    yield "correct"
    page.locator("[data-tab-id=alternatives]").click()
    page.locator("#ask button").click()
    page.locator("#alternatives .thumbnail-item").first.wait_for(timeout=WAIT)
    yield "alternatives"
    page.locator("#again").click()
    page.locator("#drop").wait_for(timeout=WAIT)
    page.locator("#many input[type=file]").set_input_files([photos / "astronaut.jpg", photos / "coffee.jpg"])
    page.locator("#batch .thumbnail-item").nth(1).wait_for(timeout=WAIT)
    page.wait_for_timeout(1500)
    yield "album"
    page.locator("[data-tab-id=film]").click()
    page.locator("#film-file").wait_for(timeout=WAIT)
    yield "film"
    with tempfile.TemporaryDirectory() as folder:
        film = write_film(Path(folder) / "reel.mp4", pan(1, 30))
        page.locator("#film-file input[type=file]").set_input_files(film)
        page.locator("#shots .thumbnail-item").first.wait_for(timeout=WAIT)
    page.locator("#shots .thumbnail-item").first.click()
    page.wait_for_timeout(1000)
    yield "a film's shots"
    page.locator("[data-tab-id=train]").click()
    page.locator("#choose button").nth(1).click()
    page.locator("#choose img").first.wait_for(timeout=WAIT)
    yield "train"
    page.locator("#choose button.label-wrap").click()
    yield "train, more"
    page.locator("[data-tab-id=evaluate]").click()
    yield "evaluate"
    page.locator("#evaluate-go").click()
    page.locator("#pictures .thumbnail-item").first.wait_for(timeout=120_000)
    page.wait_for_timeout(1000)
    page.locator("#pictures .thumbnail-item").first.click()
    page.locator("#one img").first.wait_for(timeout=WAIT)
    yield "evaluated"


def test_axe_finds_nothing_and_every_text_is_translated(browser: Browser, app: tuple[str, Path]) -> None:
    english: set[str] = set()
    found: list[str] = []
    schemes: list[tuple[str, Literal["light", "dark"]]] = [("en-US", "light"), ("de-DE", "dark")]
    for locale, scheme in schemes:
        context = browser.new_context(viewport={"width": 1366, "height": 768}, locale=locale, color_scheme=scheme)
        page = context.new_page()
        page.goto(app[0])
        for state in _states(page):
            page.wait_for_timeout(500)
            for violation in Axe().run(page, options=_RULES).response["violations"]:
                nodes = [node["html"][:200] for node in violation["nodes"][:3]]
                found.append(f"{state}, {scheme}: {violation['id']}: {nodes}")
            if scheme == "light":
                english |= set(page.evaluate(_SHOWN))
        assert page.evaluate("document.documentElement.lang") == locale[:2]
        if scheme == "dark":
            unknown = set(page.evaluate("[...window.colorizerUnknown]"))
        context.close()
    assert found == []
    assert sorted(text for text in unknown & english if not _SAME.fullmatch(text)) == []


@pytest.mark.parametrize(
    ("locale", "words"),
    [("fr-CA", "Coloriser"), ("es-MX", "Colorear"), ("pt-BR", "Colorir"), ("ja-JP", "Colorize")],
)
def test_the_page_speaks_the_browsers_language(
    browser: Browser, app: tuple[str, Path], locale: str, words: str
) -> None:
    context = browser.new_context(locale=locale)
    page = context.new_page()
    page.goto(app[0])
    expect(page.locator("[data-tab-id=colorize]")).to_have_text(words, timeout=WAIT)
    page.evaluate("document.documentElement.lang = 'xx'")  # as Gradio sets its own, when its texts have come
    expect(page.locator("html")).to_have_attribute("lang", "en" if locale == "ja-JP" else locale[:2])
    context.close()


def test_the_slider_and_the_tabs_by_arrow_keys(browser: Browser, app: tuple[str, Path]) -> None:
    context = browser.new_context(viewport={"width": 1366, "height": 768})
    page = context.new_page()
    page.goto(app[0])
    page.locator("#drop input[type=file]").set_input_files(EXAMPLES / "black-and-white" / "astronaut.jpg")
    handle = page.get_by_role("slider", name="Before and after")
    expect(handle).to_be_focused(timeout=WAIT)
    expect(page.locator("#said")).to_have_text("astronaut.jpg is in color.")
    expect(page.locator("#slider img").last).to_be_visible(timeout=WAIT)
    expect(handle).to_have_attribute("aria-valuenow", "50", timeout=WAIT)  # when it has its place
    page.keyboard.press("PageUp")
    expect(handle).to_have_attribute("aria-valuenow", "60")
    page.keyboard.press("ArrowLeft")
    expect(handle).to_have_attribute("aria-valuenow", "58")
    clip = page.locator("#slider img").last.get_attribute("style") or ""
    shown = re.search(r"inset\(0px 0px 0px ([\d.]+)%\)", clip)
    assert shown is not None
    assert 57 < float(shown[1]) < 59
    page.get_by_role("tab", name="Compare").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="Correct")).to_be_focused()
    expect(page.locator("#canvas canvas")).to_be_visible(timeout=WAIT)
    seen = set()
    for _ in range(60):  # no trap: the focus comes round to where it began
        page.keyboard.press("Tab")
        seen.add(page.evaluate("document.activeElement.tagName + (document.activeElement.ariaLabel || '')"))
    assert len(seen) > 10
    context.close()

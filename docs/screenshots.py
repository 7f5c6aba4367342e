"""Renew the pictures of the demo in this folder. Needs Chromium, and the demo running.

python app.py &
python docs/screenshots.py http://127.0.0.1:7860
"""

from __future__ import annotations

import io
import shutil
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "benchmarks"))

from film_speed import make  # noqa: E402 - of the benchmarks

PHOTOS = sorted((HERE.parent / "examples" / "black-and-white").glob("*.jpg"))
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def opened(browser: Browser, address: str, width: int, height: int, dark: bool = False) -> Page:
    """A window with the demo."""
    phone = width < 600
    page = browser.new_page(viewport={"width": width, "height": height}, is_mobile=phone, has_touch=phone)
    page.goto(address + ("?__theme=dark" if dark else "?__theme=light"))
    page.locator("#drop").wait_for()
    page.wait_for_timeout(1000)
    return page


def shot(page: Page) -> Image.Image:
    """The window, when it has come to rest."""
    page.mouse.move(1, 1)
    page.wait_for_timeout(1500)
    return Image.open(io.BytesIO(page.screenshot())).convert("RGB")


def save(image: Image.Image, name: str) -> None:
    """In its own colors."""
    image.save(HERE / f"{name}.jpg", quality=90, subsampling=0, optimize=True)


def drop(page: Page, photo: Path) -> None:
    """One photo, until it is colored."""
    page.locator("#drop input[type=file]").set_input_files(photo)
    page.locator("#slider img").last.wait_for()
    page.wait_for_timeout(1000)


def paint(page: Page, color: str, *places: tuple[float, float]) -> None:
    """A stroke through places given in shares of the canvas."""
    page.get_by_role("tab", name="Correct").click()
    page.wait_for_timeout(500)
    page.get_by_role("button", name=color).click()
    box = page.locator("#canvas canvas").bounding_box()
    assert box is not None
    points = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in places]
    page.mouse.move(*points[0])
    page.mouse.down()
    for point in points[1:]:
        page.mouse.move(*point, steps=5)
    page.mouse.up()
    page.wait_for_timeout(2000)


def main() -> None:
    """All states of the Colorize tab, a run, and an evaluation."""
    address = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:7860"
    by_name = {photo.stem: photo for photo in PHOTOS}
    with sync_playwright() as p:
        browser = p.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = opened(browser, address, 1366, 700)
        save(shot(page), "begin")
        drop(page, by_name["grace_hopper"])
        save(shot(page), "colorize")
        drop(page, by_name["astronaut"])
        paint(page, "Denim", (0.5, 0.62), (0.46, 0.75), (0.45, 0.9))
        save(shot(page), "correct")
        drop(page, by_name["coffee"])
        page.get_by_role("tab", name="Alternatives").click()
        page.get_by_role("button", name="Show alternatives").click()
        page.locator("#alternatives img").first.wait_for()
        save(shot(page), "alternatives")
        page = opened(browser, address, 1366, 700)
        page.locator("#many input[type=file]").set_input_files(PHOTOS)
        page.get_by_role("button", name="Download all (zip)").wait_for()
        save(shot(page), "album")
        page = opened(browser, address, 1366, 900)
        page.get_by_role("tab", name="Film").click()
        with tempfile.TemporaryDirectory() as folder:
            make(Path(folder, "examples.mp4"), 1000)
            page.locator("#film-file input[type=file]").set_input_files(Path(folder, "examples.mp4"))
            page.locator("#shots img").nth(3).wait_for(timeout=120_000)
            page.locator("#shots img").first.click()
            page.get_by_role("button", name="Preview three seconds").click()
            page.locator("#film video").wait_for(timeout=60_000)
        save(shot(page), "film")
        small = []
        for dark, photo in ((False, "astronaut"), (True, "chelsea")):
            page = opened(browser, address, 390, 844, dark)
            small.append(shot(page))
            drop(page, by_name[photo])
            small.append(shot(page))
            paint(page, "Ochre", (0.4, 0.65), (0.45, 0.72))
            small.append(shot(page))
        row = Image.new("RGB", (len(small) * 400 - 10, 844), "#888")
        for k, image in enumerate(small):
            row.paste(image, (400 * k, 0))
        save(row, "phone")
        page = opened(browser, address, 1366, 960)
        page.get_by_role("tab", name="Train").click()
        page.get_by_role("button", name="Sample set").click()
        page.get_by_label("Epochs").fill("30")
        page.get_by_role("button", name="Train", exact=True).click()
        page.get_by_text("Epoch 12,").first.wait_for(timeout=300_000)
        save(shot(page), "train")
        page.get_by_role("button", name="Stop").click()
        page.get_by_text("can be resumed").wait_for(timeout=60_000)
        page = opened(browser, address, 1366, 1500)
        page.get_by_role("tab", name="Evaluate").click()
        page.get_by_role("button", name="Evaluate", exact=True).click()
        page.locator("#pictures img").first.wait_for(timeout=120_000)
        save(shot(page), "evaluate")
        browser.close()


if __name__ == "__main__":
    main()

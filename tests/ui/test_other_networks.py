"""Somebody else's network the whole way: page, album, command line, evaluation, and without a connection.

DDColor-tiny with random weights in its published form lies on a stand-in for the Hub.
"""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from gradio_client import Client, handle_file
from PIL import ExifTags, Image
from playwright.sync_api import Browser, Page, expect

from colorizer.color.lab import rgb_to_lab

from ..conftest import EXAMPLES, ROOT, hub_environment
from ..hub import standing_in
from ..model import published_layout as layout
from .test_browser import CHROMIUM, WAIT, browser, watched_page

__all__ = ["browser"]  # a fixture

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.skipif(CHROMIUM is None, reason="left out: needs Chromium, which is not installed"),
]
PHOTO = EXAMPLES / "black-and-white" / "astronaut.jpg"


@pytest.fixture(scope="module", autouse=True)
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of processes that are to load from the stand-in; the app is started in it, too."""
    weights = io.BytesIO()
    torch.save(layout.random_tensors(layout.ddcolor_shapes("tiny")), weights)
    repositories = {"piddnad/ddcolor_paper_tiny": {"pytorch_model.bin": weights.getvalue()}}
    with standing_in(repositories) as address, pytest.MonkeyPatch.context() as patch:
        environment = hub_environment(address, tmp_path_factory.mktemp("hf"))
        for key, value in environment.items():
            if key.startswith("HF_"):
                patch.setenv(key, value)
        yield environment


@pytest.fixture
def page(browser: Browser, app: tuple[str, Path]) -> Iterator[Page]:
    with watched_page(browser, app[0]) as page:
        yield page


def _choose(page: Page, name: str) -> None:
    field = page.get_by_label("Network").first
    field.click()
    page.get_by_role("option", name=name, exact=True).click()


def test_named_told_downloaded_and_used(page: Page, app: tuple[str, Path], tmp_path: Path) -> None:
    """In the order of a person's way; each step needs the one before it."""
    page.locator("#drop input[type=file]").set_input_files(PHOTO)
    expect(page.locator("#slider img").last).to_be_visible(timeout=WAIT)
    first = page.locator("#slider img").last.get_attribute("src")
    page.get_by_role("button", name="More").first.click()
    _choose(page, "siggraph17")
    expect(page.locator(".about-network").first).to_contain_text("BSD-2-Clause", timeout=WAIT)
    fetch = page.get_by_role("button", name="Download siggraph17")
    expect(fetch).to_be_visible()
    _choose(page, "ddcolor-tiny")
    card = page.locator(".about-network").first
    for words in ("Apache-2.0", "55 million parameters", "220 MB", "not on this computer yet"):
        expect(card).to_contain_text(words, timeout=WAIT)
    expect(page.get_by_role("tab", name="Alternatives")).to_be_visible()
    page.get_by_role("button", name="Download ddcolor-tiny").click()
    expect(card).to_contain_text("It is on this computer", timeout=WAIT)
    expect(page.get_by_role("tab", name="Alternatives")).to_be_hidden(timeout=WAIT)
    expect(page.get_by_label("number input for Working size")).to_have_value("512")
    expect(page.locator("#slider img").last).not_to_have_attribute("src", first or "", timeout=WAIT)
    page.get_by_role("tab", name="Correct").click()
    for hidden in ("[data-tool=suggest]", "[name=influence]"):
        expect(page.locator(f"#canvas {hidden}")).to_be_hidden()
    canvas = page.locator("#canvas canvas")
    box = canvas.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2 + 30, box["y"] + box["height"] / 2 + 10, steps=4)
    page.mouse.up()
    expect(page.locator("[data-act=undo]")).to_be_enabled()
    page.get_by_label("Write into the file that its colors are simulated").first.check()
    page.get_by_text("JPEG", exact=True).first.click()
    with page.expect_download(timeout=WAIT) as download:
        page.get_by_role("button", name="Download", exact=True).click()
    download.value.save_as(tmp_path / "one.jpg")
    with Image.open(tmp_path / "one.jpg") as image:
        note = image.getexif().get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment]
        assert b"https://github.com/piddnad/DDColor, Apache-2.0" in note
    _choose(page, "bundled")
    expect(page.get_by_role("tab", name="Alternatives")).to_be_visible(timeout=WAIT)
    expect(page.locator("#canvas [data-tool=suggest]")).to_be_visible(timeout=WAIT)
    _album(app[0])
    _evaluation(app[0])


def _album(address: str) -> None:
    client = Client(address, verbose=False)
    zipped, report = client.predict(
        [handle_file(PHOTO), handle_file(EXAMPLES / "black-and-white" / "chelsea.jpg")], checkpoint="ddcolor-tiny",
        api_name="/colorize_batch",
    )  # fmt: skip
    assert report["failed"] == {}
    with zipfile.ZipFile(zipped) as archive:
        assert len(archive.namelist()) == 2


def _evaluation(address: str) -> None:
    client = Client(address, verbose=False)
    _, table, _, figures, *_ = client.predict(
        ["bundled", "ddcolor-tiny"], str(EXAMPLES / "color"), limit=2, api_name="/evaluate"
    )
    assert list(figures["metrics"]) == ["gray", "bundled", "ddcolor-tiny"]
    last = table["data"][-1]
    assert last[0] == "Time a picture (s)"
    assert last[1] == ""
    assert float(last[3]) > float(last[2]) > 0
    with pytest.raises(Exception, match="not on this computer yet"):
        client.predict(["eccv16"], str(EXAMPLES / "color"), limit=1, api_name="/evaluate")


def _run(environment: dict[str, str], *command: object) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, *map(str, command)]
    return subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)


def test_by_command_and_without_a_connection(hub: dict[str, str], tmp_path: Path) -> None:
    environment = hub | {"HF_HOME": str(tmp_path / "hf"), "OMP_NUM_THREADS": "1"}
    listed = _run(environment, "-m", "colorizer.commands.networks")
    assert "ddcolor-tiny (not downloaded)" in listed.stdout
    assert "228 million parameters" in listed.stdout
    out = tmp_path / "out"
    colored = _run(environment, "-m", "colorizer", PHOTO, "-o", out, "--format", "png", "--checkpoint", "ddcolor-tiny")
    assert colored.returncode == 0, colored.stderr
    offline = environment | {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HUB_OFFLINE": "1"}
    assert "ddcolor-tiny (on this computer)" in _run(offline, "-m", "colorizer.commands.networks").stdout
    for name in ("piddnad/ddcolor_paper_tiny", "ddcolor-tiny"):
        again = _run(
            offline, "-m", "colorizer", PHOTO, "-o", tmp_path / name[:4], "--format", "png", "--checkpoint", name
        )
        assert again.returncode == 0, again.stderr
        assert (tmp_path / name[:4] / "astronaut.png").read_bytes() == (out / "astronaut.png").read_bytes()
    vivid = _run(
        offline, "-m", "colorizer", PHOTO, "-o", tmp_path / "vivid", "--format", "png", "--checkpoint", "ddcolor-tiny",
        "--look", "vivid",
    )  # fmt: skip
    assert vivid.returncode == 0, vivid.stderr

    def chroma(folder: Path) -> float:
        lab = rgb_to_lab(np.asarray(Image.open(folder / "astronaut.png").convert("RGB")))
        return float(np.hypot(lab[..., 1], lab[..., 2]).mean())

    assert chroma(tmp_path / "vivid") > 1.1 * chroma(out)
    measured = _run(
        offline, "evaluate.py", "--data", EXAMPLES / "color", "--limit", "2", "--checkpoint", "bundled", "--checkpoint",
        "ddcolor-tiny",
    )  # fmt: skip
    assert measured.returncode == 0, measured.stderr
    assert "Time a picture (s)" in measured.stdout
    for command in (("--alternatives", "2"), ("--hints", _influencing(tmp_path))):
        refused = _run(
            offline, "-m", "colorizer", PHOTO, "-o", tmp_path / "no", "--checkpoint", "ddcolor-tiny", *command
        )
        assert refused.returncode == 2, refused.stderr
        assert "Traceback" not in refused.stderr
    gone = _run(offline | {"HF_HOME": str(tmp_path / "none")}, "-m", "colorizer.commands.networks", "ddcolor")
    assert gone.returncode == 2
    assert "Connect this computer to the internet and try again, or download the file elsewhere" in gone.stderr
    assert "Traceback" not in gone.stderr
    assert not (tmp_path / "no" / "astronaut.jpg").exists()


def _influencing(folder: Path) -> Path:
    path = folder / "hints.json"
    path.write_text('[{"points": [[100, 100]], "radius": 9, "color": "#aa2222", "influence": true}]')
    return path

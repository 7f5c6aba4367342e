"""The demo, started as its user starts it, and driven through its API and in a browser."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from gradio_client import Client, handle_file
from PIL import Image

from colorizer.color import lightness
from colorizer.evaluation import colorfulness
from colorizer.runs import Run, find_runs

from .conftest import EXAMPLES, ROOT, SHARED, needs_shared

pytestmark = pytest.mark.filterwarnings("ignore")  # gradio_client's own

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
OPTIONS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """(address, runs folder) of a running app.py."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder = tmp_path_factory.mktemp("app")
    environment = {
        **os.environ, "GRADIO_SERVER_NAME": "127.0.0.1", "GRADIO_SERVER_PORT": str(port),
        "COLORIZER_RUNS": str(folder / "runs"), "GRADIO_TEMP_DIR": str(folder / "gradio"), "OMP_NUM_THREADS": "1",
    }  # fmt: skip
    environment.pop("SPACE_ID", None)
    with (folder / "log.txt").open("wb") as log:
        process = subprocess.Popen([sys.executable, "app.py"], cwd=ROOT, env=environment, stdout=log, stderr=log)
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_until_served(address, process)
        yield address, folder / "runs"
        process.terminate()
        process.wait(30)
    finally:
        process.kill()
        process.wait()
        for run in find_runs(folder / "runs"):  # they outlive the app, and would a failed test
            if (pid := run.process()) is not None:
                os.kill(pid, signal.SIGKILL)
    assert "Traceback" not in (folder / "log.txt").read_text()


def _wait_until_served(address: str, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 180
    while time.monotonic() < until and process.poll() is None:
        try:
            urllib.request.urlopen(address, timeout=5).close()
            return
        except OSError:
            time.sleep(0.3)
    raise AssertionError("app.py does not answer")


@pytest.fixture(scope="module")
def client(app: tuple[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Client:
    return Client(app[0], verbose=False, download_files=str(tmp_path_factory.mktemp("downloads")))


def _check_coloured(before: Path, after: str) -> None:
    with Image.open(before) as grey, Image.open(after) as painted:
        assert painted.size == grey.size
        assert painted.format == "PNG"
        rgb = np.asarray(painted.convert("RGB"))
        assert np.abs(lightness(rgb) - lightness(np.asarray(grey.convert("RGB")))).max() < 0.5
    assert colorfulness(rgb) > 4


def test_the_endpoint_colours_a_file(client: Client) -> None:
    photo = EXAMPLES / "black-and-white" / "coffee.jpg"
    result = client.predict(handle_file(photo), api_name="/colorize")
    assert Path(result).name == "coffee-color.png"
    _check_coloured(photo, result)


@needs_shared
@pytest.mark.slow
def test_every_old_photograph_comes_back_in_colour(client: Client) -> None:
    photos = sorted((SHARED / "old-photos").glob("*.jpg"))
    assert len(photos) == 18
    for photo in photos:
        _check_coloured(photo, client.predict(handle_file(photo), api_name="/colorize"))


def test_the_endpoints_are_named_and_described(client: Client) -> None:
    endpoints = client.view_api(return_format="dict", print_info=False)["named_endpoints"]
    assert set(endpoints) == {
        "/colorize",
        "/train",
        "/stop_training",
        "/resume_training",
        "/training_status",
        "/evaluate",
    }
    assert "its own size" in endpoints["/colorize"]["description"]
    assert all(e["description"] for e in endpoints.values())


def test_a_broken_upload_is_one_sentence(client: Client, tmp_path: Path) -> None:
    bad = tmp_path / "<img src=x>.jpg"
    bad.write_text("no picture")
    with pytest.raises(Exception, match="is not a picture") as caught:
        client.predict(handle_file(bad), api_name="/colorize")
    assert "<img" not in str(caught.value)


def test_evaluate_through_the_api(client: Client) -> None:
    words, table, gallery, files, figures = client.predict("bundled", str(EXAMPLES / "color"), 3, api_name="/evaluate")
    assert figures["pictures"] == 3
    assert f"{figures['metrics']['mse_rgb']:.1f}" in words
    assert table["data"][0][0].startswith("MSE of ab")
    assert len(gallery) == 3
    assert [Path(f).suffix for f in files] == [".json", ".csv", ".html"]
    with pytest.raises(Exception, match="no folder or zip"):
        client.predict("bundled", "/nowhere", 0, api_name="/evaluate")


def _wait_for(client: Client, name: str, wanted: str, seconds: float = 180) -> dict[str, object]:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        state = client.predict(name, api_name="/training_status")
        if state["status"] == wanted:
            return dict(state)
        time.sleep(0.5)
    raise AssertionError(state)


def test_train_stop_resume_and_use_through_the_api(client: Client, app: tuple[str, Path], photo_folder: Path) -> None:
    settings = ["skip_fusion", "classification", "tf_efficientnet_lite0", 4, 0, 32, "", 0]
    with pytest.raises(Exception, match="epochs must be at least 1"):
        client.predict(str(photo_folder), 0, *settings, api_name="/train")
    name = client.predict(str(photo_folder), 200, *settings, api_name="/train")
    run = Run(app[1] / name)
    until = time.monotonic() + 120
    while time.monotonic() < until and not any(m["event"] == "epoch" for m in run.metrics()):
        time.sleep(0.2)
    with pytest.raises(Exception, match="still going"):
        client.predict(str(photo_folder), 1, *settings, api_name="/train")
    assert "stopping" in client.predict(name, api_name="/stop_training")
    _wait_for(client, name, "stopped")
    step = run.load_state()["step"]
    assert client.predict(name, api_name="/resume_training") == name
    until = time.monotonic() + 120
    while time.monotonic() < until and run.metrics()[-1]["step"] <= step:
        time.sleep(0.2)
    assert run.metrics()[-1]["step"] > step
    client.predict(name, api_name="/stop_training")
    _wait_for(client, name, "stopped")
    figures = client.predict(name, str(EXAMPLES / "color"), 2, api_name="/evaluate")[-1]
    assert figures["pictures"] == 2


def test_training_is_refused_on_a_shared_space(monkeypatch: pytest.MonkeyPatch, photo_folder: Path) -> None:
    import gradio as gr

    from colorizer.ui.common import check_folder
    from colorizer.ui.train import start_training

    monkeypatch.setenv("SPACE_ID", "someone/colorizer")
    settings = ("skip_fusion", "classification", "tf_efficientnet_lite0", 4, 0, 32, "", 0)
    with pytest.raises(gr.Error, match="Duplicate the Space"):
        start_training(str(EXAMPLES / "color"), 1, *settings)
    with pytest.raises(Exception, match="only the examples"):
        check_folder(str(photo_folder))


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="left out: needs Chromium, which is not installed")
def test_in_a_browser(app: tuple[str, Path], photo_folder: Path, tmp_path: Path) -> None:
    from playwright.sync_api import expect, sync_playwright

    photo = EXAMPLES / "black-and-white" / "grace_hopper.jpg"
    foreign: list[str] = []
    with sync_playwright() as p:
        browser = p.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
        page = browser.new_page(viewport={"width": 1366, "height": 768})
        page.on("request", lambda r: foreign.append(r.url) if re.match(r"https?://(?!127\.0\.0\.1)", r.url) else None)
        page.goto(app[0])
        # Colorize: drop, look, download.
        page.locator("input[type=file]").first.set_input_files(str(photo))
        button = page.get_by_role("button", name="Download PNG")
        expect(button).to_be_enabled(timeout=60_000)
        with page.expect_download(timeout=60_000) as download:
            button.click()
        download.value.save_as(tmp_path / download.value.suggested_filename)
        assert download.value.suggested_filename == "grace_hopper-color.png"
        _check_coloured(photo, str(tmp_path / "grace_hopper-color.png"))
        # Train: start, see it move, stop.
        page.get_by_role("tab", name="Train").click()
        page.get_by_label("Pictures").first.fill(str(photo_folder))
        page.get_by_label("Epochs").fill("300")
        page.get_by_role("button", name="Train", exact=True).click()
        expect(page.get_by_text("Validation MSE of ab")).to_be_visible(timeout=180_000)
        page.reload()
        page.get_by_role("tab", name="Train").click()
        expect(page.get_by_text("Validation MSE of ab")).to_be_visible(timeout=60_000)
        page.get_by_role("button", name="Stop").click()
        expect(page.get_by_text("can be resumed")).to_be_visible(timeout=60_000)
        # Evaluate the examples.
        page.get_by_role("tab", name="Evaluate").click()
        page.get_by_role("button", name="Evaluate", exact=True).click()
        expect(page.get_by_text("over 5 pictures")).to_be_visible(timeout=120_000)
        expect(page.get_by_role("row", name="evaluation.html")).to_be_visible(timeout=60_000)
        browser.close()
    assert foreign == []

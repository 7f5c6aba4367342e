"""The demo, started as its user starts it, and driven through its API and in a browser."""

from __future__ import annotations

import base64
import io
import os
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from gradio_client import Client, handle_file
from PIL import ExifTags, Image

from colorizer.arrays import Array
from colorizer.color.lab import lightness, rgb_to_lab
from colorizer.errors import UserError
from colorizer.evaluation.metrics import colorfulness
from colorizer.pictures.reading import read_picture
from colorizer.pictures.writing import SIMULATED
from colorizer.training.runs import Run

from ..conftest import EXAMPLES, SHARED, needs_shared

pytestmark = pytest.mark.filterwarnings("ignore")  # gradio_client's own


@pytest.fixture(scope="module")
def client(app: tuple[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Client:
    return Client(app[0], verbose=False, download_files=str(tmp_path_factory.mktemp("downloads")))


def _check_colored(before: Path, after: str) -> None:
    with Image.open(before) as gray, Image.open(after) as colorized:
        assert colorized.size == gray.size
        assert colorized.format == "PNG"
        rgb = np.asarray(colorized.convert("RGB"))
        assert np.abs(lightness(rgb) - lightness(np.asarray(gray.convert("RGB")))).max() < 0.5
    assert colorfulness(rgb) > 4


def test_the_endpoint_colors_a_file(client: Client) -> None:
    photo = EXAMPLES / "black-and-white" / "coffee.jpg"
    result = client.predict(handle_file(photo), api_name="/colorize")
    assert Path(result).name == "coffee-color.png"
    _check_colored(photo, result)


@needs_shared
@pytest.mark.slow
def test_every_old_photograph_comes_back_in_color(client: Client) -> None:
    photos = sorted((SHARED / "old-photos").glob("*.jpg"))
    assert len(photos) == 18
    for photo in photos:
        _check_colored(photo, client.predict(handle_file(photo), api_name="/colorize"))


def test_the_endpoint_takes_every_adjustment(client: Client) -> None:
    photo = EXAMPLES / "black-and-white" / "coffee.jpg"
    plain, vivid, gray = (
        np.asarray(read_picture(client.predict(handle_file(photo), api_name="/colorize", **options)).rgb)
        for options in ({}, {"vividness": 300, "saturation": 150}, {"strength": 0})
    )
    assert colorfulness(vivid) > 1.3 * colorfulness(plain)
    assert colorfulness(gray) < 1
    jpeg = client.predict(handle_file(photo), format="jpg", quality=80, note=True, api_name="/colorize")
    with Image.open(jpeg) as image:
        assert image.format == "JPEG"
        assert SIMULATED.encode() in image.getexif().get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment]
    with pytest.raises(Exception, match="saturation must lie between"):
        client.predict(handle_file(photo), saturation=900, api_name="/colorize")


def _png(pixels: Array) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def test_hints_and_alternatives_through_the_api(client: Client) -> None:
    photo = EXAMPLES / "black-and-white" / "coffee.jpg"
    hints = [[300, 250, 25, "#2040c0"], {"points": [[100, 60], [160, 60]], "radius": 10, "color": "#208020"}]
    colorized = client.predict(handle_file(photo), hints, api_name="/colorize_with_hints")
    _check_colored(photo, colorized)
    lab = rgb_to_lab(read_picture(colorized).rgb)
    assert lab[240:260, 290:310, 2].mean() < -15, "blue where the hint says so"
    assert lab[55:65, 105:155, 1].mean() < -5, "green along the stroke"
    files, found = client.predict(handle_file(photo), 2, hints, api_name="/alternatives")
    assert 1 <= len(files) == len(found) <= 2
    again = client.predict(handle_file(photo), found[0], api_name="/colorize_with_hints")
    assert np.abs(read_picture(again).rgb.astype(int) - read_picture(files[0]).rgb).mean() < 0.5
    half = np.zeros((40, 60), np.uint8)
    half[20:] = 255
    area = {"mask": "data:image/png;base64," + base64.b64encode(_png(half)).decode(), "color": "#2040c0"}
    colorized = client.predict(handle_file(photo), [area], api_name="/colorize_with_hints")
    assert rgb_to_lab(read_picture(colorized).rgb)[250:, :, 2].mean() < -10
    with pytest.raises(Exception, match="by name only in a hints file"):
        client.predict(handle_file(photo), [{"mask": "/etc/passwd", "color": "red"}], api_name="/colorize_with_hints")
    with pytest.raises(Exception, match="has no 'radius'"):
        client.predict(handle_file(photo), [{"x": 1, "y": 2, "color": "red"}], api_name="/colorize_with_hints")
    with pytest.raises(Exception, match="is not on the photo"):
        client.predict(handle_file(photo), [[9999, 2, 3, "red"]], api_name="/colorize_with_hints")


def _album(folder: Path) -> tuple[list[Path], Path]:
    """(two photos and a broken file, a zip with two more and something else)."""
    photos = sorted((EXAMPLES / "black-and-white").glob("*.jpg"))
    broken = folder / "broken & bent.jpg"
    broken.write_text("no picture")
    zipped = folder / "album.zip"
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.write(photos[2], "deep/a.jpg")
        archive.writestr("/escape.jpg", photos[3].read_bytes())
        archive.writestr("notes.txt", "nothing")
    return [*photos[:2], broken], zipped


def test_an_album_through_the_api(client: Client, tmp_path: Path) -> None:
    files, zipped = _album(tmp_path)
    given = [handle_file(f) for f in [*files, zipped]]
    result, report = client.predict(given, vividness=50, api_name="/colorize_batch")
    with zipfile.ZipFile(result) as archive:
        assert sorted(archive.namelist()) == [
            "astronaut-color.jpg", "chelsea-color.jpg", "deep/a-color.jpg", "escape-color.jpg",
        ]  # fmt: skip
        assert report["colorized"] == sorted(archive.namelist())
        archive.extract("astronaut-color.jpg", tmp_path)
    assert list(report["failed"]) == ["broken & bent.jpg"]
    with Image.open(tmp_path / "astronaut-color.jpg") as colorized:
        assert colorfulness(np.asarray(colorized)) > 4
    with pytest.raises(Exception, match="None of these"):
        client.predict([handle_file(files[2])], api_name="/colorize_batch")


def test_the_endpoints_are_named_and_described(client: Client) -> None:
    endpoints = client.view_api(return_format="dict", print_info=False)["named_endpoints"]
    assert set(endpoints) == {
        "/colorize",
        "/colorize_with_hints",
        "/alternatives",
        "/colorize_batch",
        "/colorize_film",
        "/train",
        "/sign_in",
        "/stop_training",
        "/resume_training",
        "/delete_run",
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
    words, table, files, figures, *_ = client.predict(["bundled"], str(EXAMPLES / "color"), 3, api_name="/evaluate")
    assert figures["pictures"] == 3
    assert f"{figures['metrics']['bundled']['mse_rgb']['mean']:.1f}" in words
    assert table["data"][0][0].startswith("MSE of ab")
    again = client.predict(["bundled"], str(EXAMPLES / "color"), 3, True, api_name="/evaluate")[3]
    assert again == figures, "the same numbers to the last digit"
    assert [Path(f).suffix for f in files] == [".json", ".csv", ".html"]
    with pytest.raises(Exception, match="no folder or zip"):
        client.predict(["bundled"], "/nowhere", 0, api_name="/evaluate")


def _wait_for(client: Client, name: str, wanted: str, seconds: float = 180) -> dict[str, object]:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        state = client.predict(name, api_name="/training_status")
        if state["status"] == wanted:
            return dict(state)
        time.sleep(0.5)
    raise AssertionError(state)


def test_train_stop_resume_and_use_through_the_api(client: Client, app: tuple[str, Path], photo_folder: Path) -> None:
    settings = ["skip_fusion", "classification", "tf_efficientnet_lite0", 4, 0, 32, "", 0, "the classifier"]
    with pytest.raises(Exception, match="epochs must be at least 1"):
        client.predict(str(photo_folder), 0, *settings, api_name="/train")
    name = client.predict(str(photo_folder), 200, *settings, api_name="/train")
    run = Run(app[1] / name)
    until = time.monotonic() + 120
    while time.monotonic() < until and not any(m["event"] == "epoch" for m in run.metrics()):
        time.sleep(0.2)
    waiting = client.predict(str(photo_folder), 1, *settings[:-1], name, api_name="/train")  # a fork of the first
    _wait_for(client, waiting, "waiting")
    with pytest.raises(Exception, match="still going"):
        client.predict(name, api_name="/resume_training")
    with pytest.raises(Exception, match="still going"):
        client.predict(name, api_name="/delete_run")
    assert "stopping" in client.predict(name, api_name="/stop_training")
    _wait_for(client, name, "stopped")
    _wait_for(client, waiting, "finished")
    assert Run(app[1] / waiting).config().init == str(run.folder)
    assert client.predict(waiting, api_name="/delete_run") == f"{waiting} is deleted."
    assert not (app[1] / waiting).exists()
    step = run.load_state()["step"]
    assert client.predict(name, api_name="/resume_training") == name
    until = time.monotonic() + 120
    while time.monotonic() < until and run.metrics()[-1]["step"] <= step:
        time.sleep(0.2)
    assert run.metrics()[-1]["step"] > step
    client.predict(name, api_name="/stop_training")
    _wait_for(client, name, "stopped")
    figures = client.predict([name, "bundled"], str(EXAMPLES / "color"), 2, api_name="/evaluate")[3]
    assert figures["pictures"] == 2
    assert list(figures["metrics"]) == ["gray", name, "bundled"]
    assert (run.folder / "evaluations").is_dir(), "kept beside the run"
    held_out = client.predict([name], "held-out", 0, api_name="/evaluate")[3]
    assert held_out["pictures"] == 1
    photo = EXAMPLES / "black-and-white" / "coffee.jpg"
    colorized = client.predict(handle_file(photo), checkpoint=name, api_name="/colorize")
    assert not np.array_equal(read_picture(colorized).rgb, read_picture(photo).rgb)
    with pytest.raises(Exception, match="no checkpoint"):
        client.predict(handle_file(photo), checkpoint="nothing", api_name="/colorize")


def test_folders_outside_of_the_allowed_roots_are_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, photo_folder: Path
) -> None:
    from colorizer.ui.access import check_folder

    monkeypatch.delenv("GRADIO_SERVER_NAME", raising=False)
    assert check_folder(str(photo_folder)) == str(photo_folder), "at home everything may be read"
    monkeypatch.setenv("GRADIO_SERVER_NAME", "0.0.0.0")
    for outside in (str(photo_folder), f"{EXAMPLES}/../../../../etc", f"imagenet:{photo_folder}", "~"):
        with pytest.raises(UserError, match="COLORIZER_DATA_ROOTS"):
            check_folder(outside)
    link = tmp_path / "link"
    link.symlink_to("/etc")
    monkeypatch.setenv("COLORIZER_DATA_ROOTS", os.pathsep.join([str(photo_folder), str(tmp_path)]))
    assert check_folder(str(photo_folder / "class1"))
    with pytest.raises(UserError, match="lies outside"):
        check_folder(str(link))
    for own in ("sample", str(EXAMPLES / "color")):
        assert check_folder(own) == own
    with pytest.raises(UserError, match="Only whoever runs"):
        check_folder("imagenette")


def test_training_is_refused_on_a_shared_space(monkeypatch: pytest.MonkeyPatch, photo_folder: Path) -> None:
    import gradio as gr

    from colorizer.ui.access import check_folder
    from colorizer.ui.train import start_training

    monkeypatch.setenv("SPACE_ID", "someone/colorizer")
    settings = ("skip_fusion", "classification", "tf_efficientnet_lite0", 4, 0, 32, "", 0, "the classifier")
    from colorizer.ui.train import delete_run, how_long, pushed

    for refused in (
        lambda: start_training("sample", 1, *settings),
        lambda: list(how_long("sample", 1, *settings)),
        lambda: delete_run("mine"),
        lambda: pushed("mine", "someone/network", ""),
    ):
        with pytest.raises(gr.Error, match=r"Only whoever runs this page.*Duplicate the Space"):
            refused()
    with pytest.raises(UserError, match="lies outside"):
        check_folder(str(photo_folder))

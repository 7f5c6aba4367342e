"""The page attacked from elsewhere: what visitors may not do, and files that they may not read."""

from __future__ import annotations

import html
import json
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import httpx
import pytest
from gradio_client import Client, handle_file

from colorizer.errors import UserError
from colorizer.ui import access, common

from ..conftest import EXAMPLES, PASSWORD

pytestmark = pytest.mark.filterwarnings("ignore")  # gradio_client's own
PHOTO = EXAMPLES / "black-and-white" / "coffee.jpg"
FILES = ("image", "file", "uploadbutton", "imageslider", "gallery")
FORWARDED = {"X-Forwarded-For": "203.0.113.9"}


@pytest.fixture
def server(app: tuple[str, Path]) -> str:
    return app[0]


def _client(server: str, tmp_path: Path, **headers: str) -> Client:
    return Client(server, verbose=False, download_files=str(tmp_path), headers=headers)


def _call(server: str, number: int, data: list[Any], headers: dict[str, str]) -> tuple[bool, str]:
    """Call a handler as a page does, named or not: whether it went well, and what it answered."""
    session = uuid.uuid4().hex
    with httpx.Client(base_url=f"{server}/gradio_api/queue", headers=headers, timeout=60) as http:
        body = {"data": data, "fn_index": number, "session_hash": session, "event_data": None, "trigger_id": None}
        http.post("/join", json=body).raise_for_status()
        with http.stream("GET", "/data", params={"session_hash": session}) as answers:
            for line in answers.iter_lines():
                said = json.loads(line.removeprefix("data: ")) if line.startswith("data: ") else {}
                if said.get("msg") == "process_completed":
                    return said["success"], json.dumps(said["output"])
    raise AssertionError("no answer")


def _handlers_of_files(server: str) -> Iterator[tuple[int, list[dict[str, Any]], list[int]]]:
    """Of every function of the page that takes a file: its number, its inputs, and which of them are files."""
    config = httpx.get(f"{server}/config").json()
    components = {c["id"]: c for c in config["components"]}
    for handler in config["dependencies"]:
        inputs = [components[k] for k in handler["inputs"]]
        files = [
            k for k, c in enumerate(inputs) if c["type"] in ("image", "file", "uploadbutton", "imageslider", "gallery")
        ]
        if handler["backend_fn"] and files:
            yield handler["id"], inputs, files


@pytest.fixture
def secrets(tmp_path: Path, app: tuple[str, Path]) -> list[str]:
    """Paths that no client may name."""
    photo = tmp_path / "private.jpg"
    photo.write_bytes(PHOTO.read_bytes())
    os.mkfifo(tmp_path / "pipe.jpg")
    uploads = app[1].parent / "gradio"
    uploads.mkdir(exist_ok=True)
    link = uploads / f"{uuid.uuid4().hex}.jpg"
    link.symlink_to(photo)
    return [
        str(photo), str(uploads / ".." / ".." / tmp_path.relative_to(uploads.parent.parent) / "private.jpg"),
        str(link), str(tmp_path / "pipe.jpg"), "/dev/ptmx", str(uploads), "\0", f"file://{photo}",
    ]  # fmt: skip


def test_no_handler_takes_a_file_that_was_not_uploaded(server: str, secrets: list[str]) -> None:
    handlers = list(_handlers_of_files(server))
    assert len(handlers) > 15, "named and unnamed ones"
    for number, inputs, files in handlers:
        for path in secrets:
            for meta in ({}, {"meta": {"_type": "gradio.FileData"}}):
                data = [component["props"].get("value") for component in inputs]
                for k in files:
                    data[k] = [{"path": path, **meta}] if inputs[k]["props"].get("file_count") == "multiple" else {
                        "path": path, **meta
                    }  # fmt: skip
                went_well, answer = _call(server, number, data, {})
                assert not went_well, (number, path)
                assert "not uploaded" in answer, answer


def test_what_was_uploaded_is_taken(server: str, tmp_path: Path) -> None:
    assert Path(_client(server, tmp_path, **FORWARDED).predict(handle_file(PHOTO), api_name="/colorize")).stat().st_size


CALLS: dict[str, tuple[Any, ...]] = {
    "/train": (
        "sample", 1, "skip_fusion", "classification", "tf_efficientnet_lite0", 4, 0, 32, "", 0, "the classifier",
    ),
    "/stop_training": ("mine",),
    "/resume_training": ("mine",),
    "/delete_run": ("mine",),
    "/training_status": ("mine",),
}  # fmt: skip


@pytest.mark.parametrize("headers", [FORWARDED, {"Host": "evil.example"}, {"Forwarded": "for=203.0.113.9"}])
def test_visitors_can_only_color_and_measure(server: str, tmp_path: Path, headers: dict[str, str]) -> None:
    client = _client(server, tmp_path, **headers)
    for name, arguments in CALLS.items():
        with pytest.raises(Exception, match="Only whoever runs this page"):
            client.predict(*arguments, api_name=name)
    for checkpoint in ("runs/mine", "someone/network", "/etc/x.safetensors"):
        with pytest.raises(Exception, match="Only whoever runs this page"):
            client.predict(handle_file(PHOTO), checkpoint=checkpoint, api_name="/colorize")
        with pytest.raises(Exception, match="Only whoever runs this page"):
            client.predict([checkpoint], str(EXAMPLES / "color"), api_name="/evaluate")
    for data in (str(tmp_path), "/etc", "imagenet:/etc", "held-out"):
        with pytest.raises(Exception, match=r"lies outside|those of a run"):
            client.predict(["bundled"], data, api_name="/evaluate")
    with pytest.raises(Exception, match="Only whoever runs this page"):
        client.predict(["bundled"], "imagenette", api_name="/evaluate")


def test_who_gives_the_password_is_the_owner(server: str, tmp_path: Path) -> None:
    client, other = (_client(server, tmp_path, **FORWARDED) for _ in range(2))
    with pytest.raises(Exception, match="not the password"):
        client.predict("friend", api_name="/sign_in")
    with pytest.raises(Exception, match="Only whoever runs this page"):
        client.predict("mine", api_name="/training_status")
    client.predict(PASSWORD, api_name="/sign_in")
    with pytest.raises(Exception, match="Choose a run first"):
        client.predict("mine", api_name="/training_status")
    with pytest.raises(Exception, match="Only whoever runs this page"):
        other.predict("mine", api_name="/training_status")


def test_runs_of_the_owner_are_not_in_the_page_of_visitors(server: str, app: tuple[str, Path]) -> None:
    (app[1] / "secret-run").mkdir(parents=True)
    (app[1] / "secret-run" / "best.safetensors").touch()
    config = httpx.get(f"{server}/config", headers=FORWARDED)
    assert "secret-run" not in config.text
    for handler in config.json()["dependencies"]:
        if handler["backend_fn"] and not handler["inputs"]:
            assert "secret-run" not in _call(server, handler["id"], [], FORWARDED)[1]


@pytest.mark.parametrize(
    ("name", "share", "space", "private"),
    [("", "", "", True), ("localhost", "False", "", True), ("::1", "", "", True), ("0.0.0.0", "", "", False),
     ("127.0.0.1", "True", "", False), ("127.0.0.1", "", "someone/colorizer", False), ("example.org", "", "", False)],
)  # fmt: skip
def test_a_page_is_private_if_it_is_bound_to_this_computer(
    monkeypatch: pytest.MonkeyPatch, name: str, share: str, space: str, private: bool
) -> None:
    for variable, value in (("GRADIO_SERVER_NAME", name), ("GRADIO_SHARE", share), ("SPACE_ID", space)):
        monkeypatch.setenv(variable, value) if value else monkeypatch.delenv(variable, raising=False)
    assert access.is_owner() == private


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("localhost", True), ("127.0.0.1", True), ("127.9.9.9", True), ("[::1]", True), ("localhost.evil.example", False),
     ("127.0.0.1.evil.example", False), ("10.0.0.1", False), ("", False)],
)  # fmt: skip
def test_loopback(host: str, loopback: bool) -> None:
    assert access._is_loopback(host) == loopback


def test_names_are_no_markup() -> None:
    name = "![x](http://elsewhere/p.png) **b** <img src=x onerror=alert(1)> [l](javascript:alert(2)) _e_ `c` é.jpg"
    shown = common.plain(name)
    assert html.unescape(shown) == name
    assert not set(shown) & set("![]()*<>_`\"'\\")


def test_without_a_password_nobody_signs_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLORIZER_OWNER_PASSWORD", raising=False)
    for password in ("", "x"):
        with pytest.raises(UserError, match="no password"):
            access.sign_in(password)


def test_files_are_looked_for_in_whatever_is_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    (tmp_path / "a.jpg").touch()
    inside = {"path": str(tmp_path / "a.jpg")}
    access.check_paths([1, {"x": [inside, (inside, None)]}, "text", {"path": 3}])
    for outside in ({"path": "/etc/passwd"}, [{"value": {"image": {"path": "/etc/passwd"}}}], [({"path": "a.jpg"},)]):
        with pytest.raises(gr.Error, match="not uploaded"):
            access.check_paths(outside)

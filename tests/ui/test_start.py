"""How the demo is started: options, and what is said when it can't be."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest

from ..conftest import ROOT


def _app(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GRADIO_SERVER")} | variables
    command = [sys.executable, "app.py", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)


def test_help_says_what_each_option_opens() -> None:
    done = _app("--help")
    assert done.returncode == 0
    for words in ("--host", "--port", "--share", "this computer alone", "Gradio's servers", "Others are visitors"):
        assert words in done.stdout


def test_a_taken_port_is_said() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        for done in (_app("--port", port), _app(GRADIO_SERVER_PORT=port)):
            assert done.returncode == 2
            assert f"can't be served at 127.0.0.1:{port}: another program, perhaps this one, uses it" in done.stderr
            assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("arguments", "words"), [
    (("--port", "99999"), "from 0 to 65535"),
    (("--host", "203.0.113.7", "--port", "7999"), "can't be served at 203.0.113.7:7999"),
    (("--host", "no such host", "--port", "7999"), "can't be served at no such host:7999"),
])  # fmt: skip
def test_where_nothing_can_be_served_is_said(arguments: tuple[str, ...], words: str) -> None:
    done = _app(*arguments)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr

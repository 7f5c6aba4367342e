"""What is sent to a server, and how it is described."""

from __future__ import annotations

import http.server
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from colorizer import Colorizer

from .conftest import EXAMPLES, ROOT
from .model import published_layout as layout


def test_a_space_gets_what_it_needs_and_nothing_else() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "hosting" / "space.py")], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    *lines, last = done.stdout.splitlines()
    sent = {line.split(maxsplit=1)[1]: int(line.split()[0].replace(",", "")) for line in lines}
    assert {"README.md", "app.py", "requirements.txt", "colorizer/ui/app.py", "colorizer/ui/texts.txt"} <= sent.keys()
    assert all(name.startswith("colorizer/") or "/" not in name for name in sent)
    assert not [name for name in sent if re.search(r"__pycache__|\.git|runs/|tests/", name)]
    assert sum(sent.values()) == int(last.split()[0].replace(",", "")) < 40e6
    weights = ROOT / "colorizer" / "weights" / "colorizer.safetensors"
    assert sent["colorizer/weights/colorizer.safetensors"] == weights.stat().st_size


@pytest.mark.slow
def test_what_is_sent_runs_by_itself(tmp_path: Path) -> None:
    sys.path.insert(0, str(ROOT / "hosting"))
    from space import files

    sys.path.pop(0)
    for path in files(ROOT):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, tmp_path / path)
    photo = "colorizer/examples/black-and-white/coffee.jpg"
    done = subprocess.run(
        [sys.executable, "-m", "colorizer", photo, "-o", "out"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "coffee.jpg").is_file()


def test_the_descriptions_name_what_there_is() -> None:
    compose = yaml.safe_load((ROOT / "hosting" / "compose.yaml").read_text())
    page = compose["services"]["colorizer"]
    assert page["read_only"] is True
    assert (ROOT / "hosting" / page["build"]["context"] / page["build"]["dockerfile"]).is_file()
    dockerfile = (ROOT / "hosting" / "Dockerfile").read_text()
    assert "USER colorizer" in dockerfile
    assert "HEALTHCHECK" in dockerfile
    for copied in re.findall(r"^COPY (.+) \S+$", dockerfile, re.MULTILINE):
        assert all((ROOT / name).exists() for name in copied.split())
    service = (ROOT / "hosting" / "colorizer.service").read_text()
    assert "ProtectSystem=strict" in service
    assert "--host 127.0.0.1" in service


def test_the_lowest_versions_are_those_that_are_admitted() -> None:
    admitted, lowest = (
        {
            re.sub("[-_]+", "-", name): tuple(map(int, version.split(".")))
            for name, version in re.findall(r"^([\w-]+)[>=]=([\d.]+)$", (ROOT / file).read_text(), re.MULTILINE)
        }
        for file in ("requirements.txt", "tests/lowest.txt")
    )
    assert admitted.keys() == lowest.keys()
    for name, version in lowest.items():
        assert version[: len(admitted[name])] == admitted[name], name


_LENT = """
import sys
import numpy as np
from colorizer import Colorizer
from colorizer.ui.app import build
import spaces.zero.torch as torch_of_the_worker

torch_of_the_worker.init = torch_of_the_worker.move = lambda *_, **__: None  # there is no GPU here
build().launch(prevent_thread_lock=True, quiet=True)
photo, *networks = sys.argv[1:]
for network in networks:
    np.save(network + ".npy", np.asarray(Colorizer.from_pretrained(None if network == "bundled" else network)(photo)))
"""


@pytest.mark.slow
def test_zero_gpu(tmp_path: Path) -> None:
    """The package `spaces` itself, before a stand-in for what lends the GPUs: large networks run in a process with one,
    with the colors that they have elsewhere; the bundled one does not ask."""
    asked: list[str] = []

    class Lender(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(self.path.partition("?")[0])
            answer: dict[str, Any] = {"idle": True, "nvidiaIndex": 0, "nvidiaUUID": "GPU-0", "allowToken": "token"}
            body = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    network, photo = tmp_path / "ddcolor-tiny.pt", EXAMPLES / "black-and-white" / "coffee.jpg"
    torch.save(layout.random_tensors(layout.ddcolor_shapes("tiny")), network)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Lender)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    told = {"SPACES_ZERO_GPU": "true", "SPACES_ZERO_DEVICE_API_URL": f"http://127.0.0.1:{server.server_port}"}
    done = subprocess.run(
        [sys.executable, "-c", _LENT, str(photo), "bundled", str(network), str(network)],
        cwd=tmp_path,
        env=os.environ | told | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    server.shutdown()
    server.server_close()
    assert done.returncode == 0, done.stdout + done.stderr
    once = ["/schedule", "/allow", "/release"]
    assert asked == ["/startup-report", *once, "/schedule", "/release"]  # the second time, its process is still there
    for name, path in (("bundled", None), (network.name, network)):
        usual = np.asarray(Colorizer.from_pretrained(path)(photo), np.int16)
        assert np.abs(np.load(tmp_path / f"{name}.npy") - usual).max() <= 1

"""Archives on Ray, as users run them: on this machine, over S3, and after things ended."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from PIL import Image

from colorizer.archive.manifest import FOLDER, read_manifest
from colorizer.archive.places import Place

from ..conftest import ROOT, draw_photo, wait_until

pytestmark = pytest.mark.slow
FAST = ("--working-size", 96, "--agreement", 0, "--people", 0)


def _start(*arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "colorizer", "archive", *map(str, arguments)]
    return subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        # Shells start what runs in the background deaf to Ctrl-C, and children inherit it.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip


def _run(*arguments: object) -> tuple[int, str, str]:
    process = _start(*arguments)
    said, errors = process.communicate(timeout=300)
    return process.returncode, said.strip(), errors.strip()


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    """150 pictures: three batches."""
    folder = tmp_path / "scans"
    folder.mkdir()
    for k in range(150):
        draw_photo(k, (64, 48)).save(folder / f"{k:03d}.png")
    return folder


def _workers(parent: subprocess.Popen[str]) -> list[psutil.Process]:
    found = []
    for process in psutil.Process(parent.pid).children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if "MapWorker" in " ".join(process.cmdline()):
                found.append(process)
    return found


def _parts(target: Path) -> list[Path]:
    return list((target / FOLDER).glob("*.parquet"))


def _arrived(target: Path) -> list[str]:
    names = []
    for path in target.glob("*.png"):
        with Image.open(path) as picture:
            picture.load()
        names.append(path.name)
    return sorted(names)


def test_killed_and_gone_on_with(scans: Path, tmp_path: Path) -> None:
    """First a worker, whose batch another one does; then the command, which is started again."""
    target = tmp_path / "out"
    names = sorted(path.name for path in scans.iterdir())
    (scans / "broken.png").write_bytes(b"no picture")
    first = _start(scans, target, "--workers", 1)
    wait_until(lambda: any((target / FOLDER / "in-work").glob("*.json")))
    _workers(first)[0].kill()
    wait_until(lambda: bool(_parts(target)))
    os.kill(first.pid, signal.SIGKILL)
    first.communicate()
    assert 0 < len(read_manifest(Place(str(target)))) < 150

    code, said, errors = _run(scans, target)
    assert (code, "were done already" in said) == (1, True), errors
    assert errors.splitlines()[-1].startswith("Not colorized: broken.png: broken.png is not a picture")
    assert "Traceback" not in errors
    assert _arrived(target) == names
    manifest = read_manifest(Place(str(target)))
    assert sorted(manifest["name"]) == sorted([*names, "broken.png"])
    assert len(_parts(target)) == 1

    code, said, errors = _run("--status", target)
    assert (code, said[:23]) == (1, "150 done, 1 failed, the")
    assert errors.startswith("Not colorized: broken.png")


def test_over_s3(scans: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        for name, value in {
            "AWS_ENDPOINT_URL": f"http://{host}:{port}", "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_DEFAULT_REGION": "us-east-1",
        }.items():  # fmt: skip
            monkeypatch.setenv(name, value)
        code, _, errors = _run("s3://scans", "s3://colored")
        assert (code, errors) == (2, "colorizer archive: There is no folder s3://scans.")
        in_child = "import fsspec, sys; fs = fsspec.filesystem('s3'); fs.mkdir('scans'); fs.mkdir('colored');"
        subprocess.run([sys.executable, "-c", f"{in_child} fs.put({str(scans)!r} + '/', 'scans/', recursive=True)"],
                       check=True)  # fmt: skip
        code, said, errors = _run("s3://scans", *FAST, "s3://colored/1920s")
        assert (code, said) == (0, "150 colorized in s3://colored/1920s."), errors
        assert _run("s3://scans", "s3://colored/1920s", *FAST)[1].endswith("150 were done already.")
        subprocess.run([sys.executable, "-c", "import fsspec; fsspec.filesystem('s3').get('colored/1920s/', "
                        f"{str(tmp_path / 'out')!r}, recursive=True)"], check=True)  # fmt: skip
        assert _arrived(tmp_path / "out") == sorted(path.name for path in scans.iterdir())
    finally:
        server.stop()


def test_what_needs_fixing_is_said(scans: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    for arguments, words in (
        ((tmp_path / "nowhere", tmp_path / "out"), "There is no folder"),
        ((tmp_path / "empty", tmp_path / "out"), "There are no pictures in"),
        ((scans, tmp_path / "file" / "out"), "can't be"),
        ((scans, tmp_path / "out", "--address", "127.0.0.1:9"), "There is no Ray cluster at 127.0.0.1:9"),
        ((tmp_path / "out",), "Say where the pictures are"),
        ((scans, tmp_path / "out", "--workers", "0"), "at least 1"),
        (("--status", tmp_path / "empty"), "There is no manifest"),
    ):
        code, said, errors = _run(*arguments)
        assert (code, said) == (2, ""), errors
        assert words in errors
        assert "Traceback" not in errors
        assert len(errors.splitlines()) == 1, errors


def test_stopped_by_ctrl_c(scans: Path, tmp_path: Path) -> None:
    process = _start(scans, tmp_path / "out", "--workers", 1)
    wait_until(lambda: bool(_parts(tmp_path / "out")))
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 130, errors
    assert errors.strip().endswith("Stopped. The same command goes on where it was.")
    assert "Traceback" not in errors
    time.sleep(1)
    assert not list(tmp_path.rglob("*.tmp"))

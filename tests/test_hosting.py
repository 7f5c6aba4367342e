"""What is sent to a server, and how it is described."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from .conftest import ROOT


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

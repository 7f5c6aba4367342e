"""A minute of fuzzing each, where atheris is installed."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from ..conftest import ROOT


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="left out: needs atheris (pip install atheris)")
@pytest.mark.parametrize("target", ["pictures", "checkpoints", "hints", "zips", "tars"])
def test_whatever_is_sent_is_read_or_refused_in_a_sentence(target: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "tests" / "fuzzing" / "fuzz.py"), target, "-max_total_time=60", "-timeout=25"],
        cwd=tmp_path, capture_output=True, text=True, errors="replace", timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert not list(tmp_path.iterdir()), "nothing was found"

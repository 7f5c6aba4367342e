"""The rooms of the package and the direction of its imports, and what importing it costs."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import colorizer

from .conftest import ROOT

PACKAGE = Path(colorizer.__file__).parent
# A room may import from rooms of lower floors only; those of one floor know nothing of each other.
FLOORS = [
    {"errors", "arrays", "files", "device", "limits", "processes"}, {"color"}, {"model", "pictures"}, {"film"},
    {"inference", "data"}, {"evaluation", "archive"}, {"training"}, {"commands", "ui"},
]  # fmt: skip
FLOOR = {room: k for k, rooms in enumerate(FLOORS) for room in rooms}


def _modules() -> dict[str, Path]:
    """Dotted names below the package, without it."""
    paths = (p for p in PACKAGE.rglob("*.py") if "examples" not in p.parts)
    return {".".join(p.relative_to(PACKAGE).with_suffix("").parts): p for p in paths}


def _imports(module: str, path: Path) -> Iterator[str]:
    """The modules of the package that a module imports, also within functions and for types."""
    package = module.split(".")[:-1]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - node.level + 1]
            target = [*base, *(node.module.split(".") if node.module else [])]
            yield from (".".join([*target, a.name]) for a in node.names) if not node.module else [".".join(target)]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("colorizer"):
            raise AssertionError(f"{module} imports {node.module} by its absolute name")


def test_every_module_is_in_a_room() -> None:
    rooms = {name.split(".")[0] for name in _modules()} - {"__init__", "__main__"}
    assert rooms == set(FLOOR)


def test_rooms_import_downwards_only() -> None:
    upwards = []
    for module, path in _modules().items():
        room = module.split(".")[0]
        for target in _imports(module, path):
            other = target.split(".")[0]
            if room not in FLOOR or other not in FLOOR or other == room:
                continue
            if FLOOR[other] > FLOOR[room] or FLOOR[other] == FLOOR[room] > 0:
                upwards.append(f"{module} imports {target}")
    assert not upwards


def test_no_circles_within_rooms() -> None:
    modules = _modules()
    edges = {m: {t for t in _imports(m, p) if t in modules and t != m} for m, p in modules.items()}
    done: set[str] = set()

    def visit(module: str, trail: tuple[str, ...]) -> None:
        assert module not in trail, " -> ".join((*trail, module))
        if module not in done:
            for target in edges[module]:
                visit(target, (*trail, module))
            done.add(module)

    for module in modules:
        visit(module, ())


def test_the_package_does_not_reach_outside_itself() -> None:
    """A wheel has nothing beside it: the parent of the package is named where child processes find it, only."""
    for module, path in _modules().items():
        floors_up = len(path.relative_to(PACKAGE).parts)
        allowed = floors_up if module == "processes" else floors_up - 1
        for line in path.read_text().splitlines():
            if "__file__" in line:
                assert line.count(".parent") <= allowed + 1, f"{module}: {line.strip()}"


@pytest.mark.parametrize(
    "command",
    [("-m", "colorizer", "--help"), ("-c", "import colorizer"), ("train.py", "--help"), ("evaluate.py", "--help"),
     ("-m", "colorizer.commands.export", "--help")],
)  # fmt: skip
def test_help_and_import_do_not_pay_for_torch(command: tuple[str, ...]) -> None:
    done = subprocess.run([sys.executable, "-X", "importtime", *command], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    imported = {line.split("|")[-1].strip() for line in done.stderr.splitlines() if "import time:" in line}
    assert not imported & {"torch", "timm", "torchvision", "numpy", "gradio", "PIL"}


def test_public_names_are_there() -> None:
    assert {"LOOKS", "Colorizer", "Correction", "FilmOutput", "Settings", "UserError"} == set(colorizer.__all__)
    assert colorizer.Colorizer.__module__ == "colorizer.inference.colorizer"
    with pytest.raises(AttributeError, match="nothing"):
        colorizer.nothing  # noqa: B018


def test_the_page_opens_before_what_colors_is_imported() -> None:
    """timm and torchvision take two seconds of the start."""
    code = "import sys, colorizer.ui.app; print(sorted({'timm', 'torchvision', 'accelerate'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "[]", done.stderr

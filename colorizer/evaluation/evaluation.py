"""One evaluation, from its opening to its report; the command line and the page both use it.

    evaluation = Evaluation.open({"bundled": "bundled"}, "photos/test")
    for at in evaluation.run():          # an interrupted one resumes where it stopped
        print(at.done, at.total)
    evaluation.write_reports()

Beside each figure of a network stands that of the gray picture (ab = 0), because error metrics reward dullness. What is
measured is kept on disk, a line a picture. In memory a picture is its name and its figures, some hundred bytes: 50,000
of them take about 20 MB.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch

from ..arrays import Array
from ..files import cache_folder, code_version, write_text
from ..inference.colorizer import Colorizer
from ..inference.settings import Settings
from ..model.objects import objects_version
from ..pictures.photo import Photo
from . import report
from .classifiers import Classifiers, open_classifiers
from .metrics import gray_picture
from .results import Figures, PictureResult, Results
from .store import Store
from .testset import TestSet, run_folder

_KEPT = 4  # pictures whose colorings stay in memory
_KNOWN = "{} has learned from {} of these {} pictures: its figures flatter. What it has not seen measures it fairly."
_STRIPS = 1000  # pictures, at most, whose strips are made while they are measured, so that nobody waits for them


class Progress(NamedTuple):
    """How far an evaluation is; `result` is the picture just measured."""

    done: int
    total: int
    result: PictureResult


class Colored(NamedTuple):
    """A picture of the test set, HWC uint8 each: true, left gray, and colorized by each network in so many seconds."""

    true: Array
    gray: Array
    colorized: list[Array]
    seconds: list[float]


@dataclass
class Evaluation:
    """Networks measured on a test set.

    Attributes:
        checkpoints: by the names that tables call them by: what `Colorizer.from_pretrained` takes.
        test_set: the pictures.
        settings: how they are colored.
        figures: of the pictures measured so far.
        store: where they are kept.
        limit: that the test set was opened with.
    """

    checkpoints: Mapping[str, str]
    test_set: TestSet
    settings: Settings
    figures: Figures
    store: Store
    limit: int | None
    _networks: Mapping[str, Colorizer] | None = None

    def __post_init__(self) -> None:
        self._colored: OrderedDict[str, Colored] = OrderedDict()
        self._coloring = threading.Lock()

    @classmethod
    def open(
        cls, checkpoints: Mapping[str, str], data: str, settings: Settings | None = None, limit: int | None = None,
        features_weights: str | None = None, device: str = "auto", fresh: bool = False,
        classifiers: Classifiers | None = None,
    ) -> Evaluation:  # fmt: skip
        """Make ready.

        Args:
            checkpoints: by name.
            data: as of `TestSet.open`; "held-out" is what the first checkpoint's run did not learn from.
            settings: how to color.
            limit: measure only this many pictures, evenly spaced.
            features_weights, device: as of `Colorizer.from_pretrained`.
            fresh: measure anew what was measured before.
            classifiers: that look at the pictures; by default all that are there.
        Raises:
            UserError: something is missing or doesn't fit.
        """
        settings = settings or Settings()
        classifiers = open_classifiers() if classifiers is None else classifiers
        networks = {n: Colorizer.from_pretrained(p, features_weights, device) for n, p in checkpoints.items()}
        run = run_folder(next(iter(checkpoints.values())))
        test_set = TestSet.open(data, limit, run)
        about = describe(networks, checkpoints, test_set, settings, classifiers, limit)
        store = Store.of(about, run or cache_folder(), fresh)
        return cls(checkpoints, test_set, settings, Figures(list(checkpoints), classifiers), store, limit, networks)

    @classmethod
    def reopen(cls, folder: Path) -> Evaluation:
        """One on disk, with the figures of all that was measured; networks are loaded when pictures are asked for."""
        about = json.loads((folder / "about.json").read_text())
        store, names = Store(folder, about), list(about["networks"])
        checkpoints = about.get("checkpoints", {name: name for name in names})
        run = run_folder(checkpoints[names[0]])
        test_set = TestSet.open(about["data"], about.get("limit") or about["pictures"], run)
        figures = Figures(names).add(store.load())
        return cls(checkpoints, test_set, Settings(**about["settings"]), figures, store, about.get("limit"))

    @property
    def about(self) -> dict[str, Any]:
        """What is measured and how."""
        return self.store.about

    @property
    def results(self) -> Results:
        """Of the pictures measured so far."""
        return self.figures.results

    @property
    def networks(self) -> Mapping[str, Colorizer]:
        """By name."""
        if self._networks is None:
            self._networks = {n: Colorizer.from_pretrained(p) for n, p in self.checkpoints.items()}
        return self._networks

    def run(self) -> Iterator[Progress]:
        """Color and measure each picture by each network, in order; those in the store are not measured again."""
        kept = self.store.load()  # the first ones, in the same order
        for done, name in enumerate(self.test_set.names, 1):
            result = next(kept, None)
            if result is not None:
                self.figures.add([result])
            else:
                colored = self._color(name)
                result = self.figures.update(name, colored.colorized, colored.true, colored.gray, colored.seconds)
                if done <= _STRIPS:
                    self._write_strip(name, colored)
                self.store.append(result)
            yield Progress(done, len(self.test_set.names), result)

    @cached_property
    def summary(self) -> dict[str, Any]:
        """Of `Figures.compute`, once all is measured."""
        return self.figures.compute()

    def _color(self, name: str) -> Colored:
        true = self.test_set.read(name)
        colorized, seconds = [], []
        for colorizer in self.networks.values():
            begun = time.perf_counter()
            colorized.append(colorizer.colorize(Photo(true), self.settings).rgb)
            seconds.append(time.perf_counter() - begun)
        return Colored(true, gray_picture(true), colorized, seconds)

    def picture(self, name: str) -> Colored:
        """A picture and its colorings; the last ones asked for are kept."""
        with self._coloring:
            if name not in self._colored:
                self._colored[name] = self._color(name)
                while len(self._colored) > _KEPT:
                    self._colored.popitem(last=False)
            self._colored.move_to_end(name)
            return self._colored[name]

    def strip(self, name: str) -> Path:
        """A JPEG of the picture left gray, colorized by each network, and true, side by side; it is made once."""
        path = self._strip_path(name)
        return path if path.exists() else self._write_strip(name, self.picture(name))

    def _strip_path(self, name: str) -> Path:
        return self.store.folder / "pictures" / f"{hashlib.sha256(os.fsencode(name)).hexdigest()[:16]}.jpg"

    def _write_strip(self, name: str, colored: Colored) -> Path:
        path = self._strip_path(name)
        report.write_jpeg(path, report.side_by_side([colored.gray, *colored.colorized, colored.true]))
        return path

    def ordered(self, metric: str, network: str, worst: bool, number: int) -> list[PictureResult]:
        """The worst or the best pictures of a network by a metric, worst or best first."""
        return report.ordered(self.results, metric, network, worst, number)

    @property
    def command(self) -> str:
        """The command line that measures the same."""
        return report.command(list(self.checkpoints.values()), self.test_set.data, self.limit, self.settings)

    def table(self) -> list[list[str]]:
        """Of `report.rows`."""
        return report.rows(self.summary, self.figures.seconds)

    @cached_property
    def remarks(self) -> list[str]:
        """Sentences, once all is measured: which networks knew the pictures, and how each two compare."""
        known = [_KNOWN.format(name, n, self.about["pictures"]) for name, n in self.about.get("known", {}).items()]
        return known + [comparison.words() for comparison in self.figures.comparisons()]

    def as_json(self) -> str:
        """Every figure of every picture."""
        return report.as_json(self.summary, self.about, self.results, self.figures.seconds)

    def as_html(self) -> str:
        """A report that needs no other file; see `report.as_html`."""
        return report.as_html(
            self.summary, self.about, self.command, self.results, self.strip, self.figures.seconds, self.remarks
        )

    def write_reports(self) -> list[Path]:
        """JSON, CSV and HTML, beside what was measured."""
        folder = self.store.folder
        write_text(folder / "evaluation.json", self.as_json())
        write_text(folder / "evaluation.csv", report.as_csv(self.results))
        write_text(folder / "evaluation.html", self.as_html())
        return self.reports()

    def reports(self) -> list[Path]:
        """Those that were written."""
        paths = (self.store.folder / f"evaluation.{suffix}" for suffix in ("json", "csv", "html"))
        return [path for path in paths if path.exists()]


def describe(
    networks: Mapping[str, Colorizer], checkpoints: Mapping[str, str], test_set: TestSet, settings: Settings,
    classifiers: Classifiers, limit: int | None = None,
) -> dict[str, Any]:  # fmt: skip
    """What is measured and how, for the record; the same for the same measuring.

    Args:
        networks, checkpoints: by name.
        test_set, settings, classifiers, limit: of the measuring.
    """
    described = {}
    for name, colorizer in networks.items():
        predictor = colorizer.predictor
        state = hashlib.sha256()
        for tensor in predictor.checkpoint.network.state_dict().values():
            state.update(tensor.cpu().numpy().tobytes())
        described[name] = {
            **asdict(predictor.checkpoint.config), "working_size": predictor.working_size(settings),
            "weights": state.hexdigest()[:12],
        }  # fmt: skip
    seen = {n: test_set.seen_by(run) for n, path in checkpoints.items() if (run := run_folder(path))}
    names = hashlib.sha256(os.fsencode("\n".join(test_set.names))).hexdigest()[:12]
    return {
        "data": test_set.data, "location": test_set.source.location, "pictures": len(test_set.names), "names": names,
        "limit": limit, "left_out": {reason: len(names) for reason, names in test_set.left_out.items()},
        "known": {n: number for n, number in seen.items() if number},
        "networks": described, "checkpoints": dict(checkpoints), "settings": asdict(settings),
        "classifiers": classifiers.names(), "code": _code(), "objects": objects_version(), "torch": torch.__version__,
        "opencv": cv2.__version__, "numpy": np.__version__,
    }  # fmt: skip


def _code() -> str:
    """Changes with any line that figures depend on: what is stored must not outlive the code that measured it."""
    rooms: Sequence[str] = (
        "arrays.py", "color", "pictures", "model", "inference", "evaluation/classifiers.py", "evaluation/frechet.py",
        "evaluation/metrics.py", "evaluation/results.py",
    )  # fmt: skip
    return code_version(rooms)

"""The measuring of networks on a test set.

Beside each figure of a network stands that of the gray picture (ab = 0), because error metrics reward dullness. What is
measured is kept, a line a picture, so that a measuring that was stopped goes on where it was. In memory a picture is
its name and its figures, some hundred bytes: 50,000 of them take about 20 MB.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, overload

import numpy as np
import numpy.typing as npt
import torch

from .checkpoints import find_checkpoint
from .color import Array, rgb_to_lab
from .config import TrainingConfig
from .data import scan_pictures
from .errors import UserError
from .files import cache_folder, write_text
from .inference import Colorizer
from .metrics import METRICS, ab_error, colorfulness, gray_picture, interval, measure
from .perception import Judges, Moments, frechet_of_moments, true_label
from .pictures import Photo, eight_bit, read_picture
from .runs import Run
from .settings import Settings
from .sources import PictureSource, open_source

GRAY = "gray"
ERROR_STEP, AB_STEP = 5, 10  # of the histograms: of ab errors from 0 to 150, and of a and b from -110 to 110
FID_DIM = 2048  # features
HELD_OUT = "held-out"  # the data set that stands for the pictures a run did not learn from


@dataclass
class PictureResult:
    """One measured picture.

    Attributes:
        name: in its data set.
        metrics: by column, "gray" and each network's name: of `metrics.measure`, and top1 (0 or 100) where known.
        true_colorfulness: of the true picture.
        histograms: counts in thousandths of the picture: "error NETWORK", "a NETWORK", "b NETWORK", "a true", "b true".
        features: of FID, if its network is there: (columns + 1, 2048), the true picture's last.
    """

    name: str
    metrics: dict[str, dict[str, float]]
    true_colorfulness: float
    histograms: dict[str, list[int]] = field(default_factory=dict)
    features: npt.NDArray[np.float32] | None = field(default=None, compare=False, repr=False)


class Results(Sequence[PictureResult]):
    """Measured pictures without their histograms and features: in memory a name and a row of numbers each."""

    def __init__(self, columns: Sequence[str]) -> None:
        """With gray and these networks' figures."""
        self.columns, self.names, self._rows = (GRAY, *columns), list[str](), array("d")

    def append(self, result: PictureResult) -> None:
        """One more; figures that it lacks are kept as not-a-numbers."""
        self.names.append(result.name)
        self._rows.append(result.true_colorfulness)
        self._rows.extend(result.metrics[c].get(m, math.nan) for c in self.columns for m in METRICS)

    def table(self) -> tuple[Array, Array]:
        """The true pictures' colorfulness (n,), and the metrics (n, columns, all of METRICS)."""
        rows = np.array(self._rows).reshape(len(self), 1 + len(self.columns) * len(METRICS))
        return rows[:, 0], rows[:, 1:].reshape(len(self), len(self.columns), len(METRICS))

    def known(self) -> list[str]:
        """The metrics that at least one picture has."""
        _, values = self.table()
        return [m for k, m in enumerate(METRICS) if not np.isnan(values[..., k]).all()]

    def __len__(self) -> int:
        return len(self.names)

    @overload
    def __getitem__(self, at: int) -> PictureResult: ...
    @overload
    def __getitem__(self, at: slice) -> list[PictureResult]: ...
    def __getitem__(self, at: int | slice) -> PictureResult | list[PictureResult]:
        """A picture, or a list of them."""
        if isinstance(at, slice):
            return [self[k] for k in range(len(self))[at]]
        k = range(len(self))[at]
        width = 1 + len(self.columns) * len(METRICS)
        true, *values = self._rows[k * width : (k + 1) * width]
        each = iter(values)
        metrics = {c: {m: v for m in METRICS if not math.isnan(v := next(each))} for c in self.columns}
        return PictureResult(self.names[k], metrics, true)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Results) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]


@dataclass
class Evaluation:
    """Figures over a set: `update` with each picture, `compute` at any time. The mean is over pictures.

    Attributes:
        networks: their names.
        judges: for what needs a network to look at the pictures.
        results: of the pictures so far, without their histograms and features, which are summed.
        histograms: of `PictureResult`, summed.
    """

    networks: Sequence[str] = ("network",)
    judges: Judges = field(default_factory=Judges)
    results: Results = field(init=False)
    histograms: dict[str, npt.NDArray[np.int64]] = field(default_factory=dict)
    _moments: list[Moments] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.results = Results(self.networks)

    def add(self, results: Iterable[PictureResult]) -> Evaluation:
        """Take pictures that were measured before; gives itself."""
        for result in results:
            for kind, counts in result.histograms.items():
                self.histograms[kind] = self.histograms.get(kind, np.int64(0)) + np.array(counts)
            if result.features is not None:
                self._moments = self._moments or [Moments() for _ in result.features]
                for moments, features in zip(self._moments, result.features, strict=True):
                    moments.add(features)
            self.results.append(result)
        return self

    def update(self, name: str, painted: Sequence[Array], true: Array, gray: Array | None = None) -> PictureResult:
        """Measure one picture.

        Args:
            name: in its data set; may tell its ImageNet class.
            painted: by each of the networks, HWC uint8.
            true: of the same size.
            gray: `gray_picture(true)`, if it is there already.
        """
        colored = dict(zip(self.networks, painted, strict=True))
        columns = {GRAY: gray_picture(true) if gray is None else gray, **colored}
        found = {column: measure(rgb, true) for column, rgb in columns.items()}
        judges, label = self.judges, true_label(name)
        for column, rgb in columns.items():
            if judges.top1 is not None and label is not None:
                found[column]["top1"] = 100.0 * (judges.top1(rgb)[0] == label)
            if judges.lpips is not None:
                found[column]["lpips"] = judges.lpips(rgb, true)
        features = None
        if judges.inception is not None:
            features = np.stack([judges.inception(rgb) for rgb in (*columns.values(), true)]).astype(np.float32)
        result = PictureResult(name, found, colorfulness(true), _histograms(colored, true), features)
        self.add([result])
        return result

    def compute(self) -> dict[str, Any]:
        """The summary.

        Returns:
            {"pictures", "labeled", "true_colorfulness", "metrics": {column: {metric: {"mean", "low", "high"}}},
            "colorfulness_share": {network: share of the true one}, "fid": {column: FID, if it is known}, "histograms"};
            "low" and "high" are a bootstrap 95% interval over the pictures.
        """
        if not self.results:
            raise UserError("No picture could be measured.")
        shown, (colorfulnesses, all_values) = self.results.known(), self.results.table()
        all_values = all_values[..., [list(METRICS).index(m) for m in shown]]
        table: dict[str, dict[str, dict[str, float]]] = {}
        for at, column in enumerate(self.results.columns):
            values = all_values[:, at]
            low, high = interval(values)
            table[column] = {
                m: {"mean": float(np.nanmean(values[:, k])), "low": float(low[k]), "high": float(high[k])}
                for k, m in enumerate(shown)
            }
        true = float(np.mean(colorfulnesses))
        return {
            "pictures": len(self.results),
            "labeled": int((~np.isnan(all_values[:, 0, shown.index("top1")])).sum()) if "top1" in shown else 0,
            "true_colorfulness": true,
            "metrics": table,
            "colorfulness_share": {n: table[n]["colorfulness"]["mean"] / true if true else 1.0 for n in self.networks},
            "fid": self._fid(),
            "histograms": {kind: counts.tolist() for kind, counts in self.histograms.items()},
        }

    def _fid(self) -> dict[str, float]:
        """Not for a single picture, and not where an earlier part was measured without."""
        if len(self.results) < 2 or any(m.number != len(self.results) for m in self._moments):
            return {}
        columns = zip((GRAY, *self.networks), self._moments[:-1], strict=False)
        return {column: frechet_of_moments(moments, self._moments[-1]) for column, moments in columns}


def _histograms(painted: Mapping[str, Array], true: Array) -> dict[str, list[int]]:
    def shares(values: Array, step: int, low: int, high: int) -> list[int]:
        counts, _ = np.histogram(values.clip(low, high), bins=np.arange(low, high + step, step))
        return [int(c) for c in np.round(1000 * counts / values.size)]

    found = {}
    labs = {name: rgb_to_lab(rgb) for name, rgb in {"true": true, **painted}.items()}
    for name, lab in labs.items():
        for k, axis in enumerate("ab"):
            found[f"{axis} {name}"] = shares(lab[..., k + 1], AB_STEP, -110, 110)
        if name != "true":
            found[f"error {name}"] = shares(ab_error(lab, labs["true"]), ERROR_STEP, 0, 150)
    return found


@dataclass
class TestSet:
    """The pictures to measure on: all that can be read, gray ones too."""

    source: PictureSource
    names: list[str]
    left_out: dict[str, list[str]]

    __test__ = False  # not a test class

    @classmethod
    def open(cls, data: str, limit: int | None = None, run: Path | None = None) -> TestSet:
        """Open a data set.

        Args:
            data: as of `sources.open_source`, or "held-out": what `run` did not learn from.
            limit: take that many, evenly spaced.
            run: the folder of a run.
        """
        left_out: dict[str, list[str]] = {}
        if data == HELD_OUT:
            if run is None or not run.is_dir():
                raise UserError("Held-out pictures are those of a run: choose one as the first checkpoint.")
            from .training import survey  # which needs a second to import

            config = TrainingConfig(**{**Run(run).config(), "validation_pictures": 10**9})
            source, _, _, held_out = survey(config)
            names = [p.name for p in held_out]
        else:
            source = open_source(data, training=False)
            scan = scan_pictures(source, keep_gray=True)
            names, left_out = [p.name for p in scan.pictures], scan.left_out
        if limit and limit < len(names):
            names = [names[i] for i in np.linspace(0, len(names) - 1, limit).round().astype(int)]
        if not names:
            raise UserError(f"No picture in {data} can be read.")
        return cls(source, names, left_out)

    def read(self, name: str) -> Array:
        """A picture, HWC uint8."""
        return eight_bit(read_picture(self.source.read(name), name).rgb)


class Store:
    """An evaluation on disk: `about.json`, and `results.jsonl` with a line for each picture that was measured."""

    def __init__(self, folder: Path, about: dict[str, Any], fresh: bool = False) -> None:
        """Open it; what was measured before is gone on from.

        Args:
            folder: of this evaluation.
            about: of `describe`.
            fresh: forget what was measured before.
        """
        self.folder, self.about = folder, about
        self._rows: int | None = None  # of features, once counted
        write_text(folder / "about.json", json.dumps(about, indent=1))
        for name in ("results.jsonl", "features.f32") if fresh else ():
            (folder / name).unlink(missing_ok=True)

    def load(self, features: bool = True) -> Iterator[PictureResult]:
        """What was measured so far, in its order, with or without `features`; a last line that was cut by a kill is
        dropped."""
        path = self.folder / "results.jsonl"
        if not path.exists():
            return
        with path.open("rb") as file:
            for k, line in enumerate(iter(file.readline, b"")):
                if not line.endswith(b"\n"):
                    os.truncate(path, file.tell() - len(line))
                    return
                yield PictureResult(**json.loads(line), features=self._features(k) if features else None)

    def append(self, result: PictureResult) -> None:
        """One more picture."""
        path = self.folder / "results.jsonl"
        if result.features is not None:
            rows = path.read_bytes().count(b"\n") if path.exists() and self._rows is None else self._rows or 0
            with (self.folder / "features.f32").open("r+b" if rows else "wb") as file:
                file.seek(rows * result.features.nbytes)  # over what a kill left behind
                file.write(result.features.tobytes())
            self._rows = rows + 1
        line = {k: v for k, v in vars(result).items() if k != "features"}
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def _features(self, row: int) -> npt.NDArray[np.float32] | None:
        path, columns = self.folder / "features.f32", len(self.about.get("networks", ())) + 2
        if not path.exists():
            return None
        size = columns * FID_DIM
        found = np.fromfile(path, np.float32, size, offset=4 * row * size)
        return found.reshape(columns, FID_DIM) if len(found) == size else None


def store_for(about: dict[str, Any], run: Path | None, fresh: bool = False) -> Store:
    """The place of an evaluation: beside the run that is measured, else in the cache; the same for the same."""
    root = (run or cache_folder()) / "evaluations"
    key = hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:12]
    return Store(root / key, about, fresh)


def find_evaluations(*roots: Path) -> list[Path]:
    """The folders of all evaluations below cache and runs, the latest first."""
    folders = {path.parent for root in roots for path in root.glob("evaluations/*/results.jsonl")}
    return sorted(folders, key=lambda f: (f / "results.jsonl").stat().st_mtime, reverse=True)


@dataclass
class Progress:
    """How far an evaluation is; `result` is the picture just measured."""

    done: int
    total: int
    result: PictureResult


def evaluate(
    networks: Mapping[str, Colorizer],
    test_set: TestSet,
    evaluation: Evaluation,
    settings: Settings | None = None,
    store: Store | None = None,
) -> Iterator[Progress]:
    """Color and measure each picture of a set by each network, in order; `evaluation` collects the figures.

    Args:
        networks: by name.
        test_set: the pictures.
        evaluation: updated before each picture is yielded.
        settings: how to color.
        store: where results are kept and taken from; those in it are not measured again.
    """
    kept = store.load() if store else iter(())  # the first ones, in the same order
    for done, name in enumerate(test_set.names, 1):
        result = next(kept, None)
        if result is not None:
            evaluation.add([result])
        else:
            true, gray, painted = colored(networks, test_set, name, settings)
            result = evaluation.update(name, painted, true, gray)
            if store:
                store.append(result)
        yield Progress(done, len(test_set.names), result)


def colored(
    networks: Mapping[str, Colorizer], test_set: TestSet, name: str, settings: Settings | None = None
) -> tuple[Array, Array, list[Array]]:
    """A picture, true, gray, and colored by each network: HWC uint8 each."""
    true = test_set.read(name)
    return true, gray_picture(true), [c.colorize(Photo(true), settings).rgb for c in networks.values()]


def describe(
    networks: Mapping[str, Colorizer], test_set: TestSet, data: str, settings: Settings, judges: Judges
) -> dict[str, Any]:
    """What is measured and how, for the record; the same for the same measuring.

    Args:
        networks: by the name or path of their checkpoint.
        test_set, settings: of the measuring.
        data: what the user called the test set.
        judges: that look at the pictures.
    """
    described = {}
    for name, colorizer in networks.items():
        state = hashlib.sha256()
        for tensor in colorizer.network.state_dict().values():
            state.update(tensor.cpu().numpy().tobytes())
        described[name] = {
            **asdict(colorizer.checkpoint.config), "working_size": colorizer.working_size(settings),
            "weights": state.hexdigest()[:12],
        }  # fmt: skip
    names = hashlib.sha256("\n".join(test_set.names).encode()).hexdigest()[:12]
    return {
        "data": data, "location": test_set.source.location, "pictures": len(test_set.names), "names": names,
        "left_out": {reason: len(found) for reason, found in test_set.left_out.items()},
        "networks": described, "settings": asdict(settings), "judges": judges.names(), "torch": torch.__version__,
    }  # fmt: skip


def run_folder(checkpoint: str) -> Path | None:
    """The folder of the run that a checkpoint is of, if it is one."""
    folder = find_checkpoint(checkpoint).parent
    return folder if (folder / "config.json").is_file() else None

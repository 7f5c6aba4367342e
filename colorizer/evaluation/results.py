"""The figures of an evaluation: of each picture, and of all."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any, NamedTuple, overload

import numpy as np
import numpy.typing as npt

from ..arrays import Array
from ..color.lab import rgb_to_lab
from ..errors import UserError
from .classifiers import Classifiers, true_label
from .frechet import Moments, frechet_of_moments
from .metrics import METRICS, ab_error, colorfulness, gray_picture, interval, measure

GRAY = "gray"
ERROR_STEP, AB_STEP = 5, 10  # of the histograms: of ab errors from 0 to 150, and of a and b from -110 to 110
FID_DIM = 2048  # features


@dataclass
class PictureResult:
    """One measured picture.

    Attributes:
        name: in its data set.
        metrics: by column, "gray" and each network's name: of `metrics.measure`, and top1 (0 or 100) where known.
        true_colorfulness: of the true picture.
        histograms: counts in thousandths of the picture: "error NETWORK", "a NETWORK", "b NETWORK", "a true", "b true".
        features: of FID, if its network is there: (columns + 1, 2048), the true picture's last.
        seconds: that each network took to color it.
    """

    name: str
    metrics: dict[str, dict[str, float]]
    true_colorfulness: float
    histograms: dict[str, list[int]] = field(default_factory=dict)
    features: npt.NDArray[np.float32] | None = field(default=None, compare=False, repr=False)
    seconds: dict[str, float] = field(default_factory=dict, compare=False)


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


class Comparison(NamedTuple):
    """Of two networks on the same pictures: the mean of a metric's differences, first less second, and a bootstrap 95%
    interval of it over the pictures."""

    first: str
    second: str
    difference: float
    low: float
    high: float
    metric: str = "MSE of RGB"

    @classmethod
    def of(cls, first: str, second: str, differences: Array, metric: str) -> Comparison:
        """From the difference (n,) on each picture, first less second."""
        low, high = (float(end[0]) for end in interval(differences[:, None]))
        return cls(first, second, float(differences.mean()), low, high, metric)

    def words(self) -> str:
        """Which has the smaller error, if that can be told."""
        span = f"{self.difference:+.1f} [{self.low:+.1f}, {self.high:+.1f}]"
        if self.low <= 0 <= self.high:
            return f"{self.first} and {self.second}: no difference in {self.metric} that can be told ({span})."
        better, other = (self.first, self.second) if self.difference < 0 else (self.second, self.first)
        return f"{better} has a smaller {self.metric} than {other} ({self.first} less {self.second}: {span})."


@dataclass
class Figures:
    """Figures over a set: `update` with each picture, `compute` at any time. The mean is over pictures.

    Attributes:
        networks: their names.
        classifiers: for what needs a network to look at the pictures.
        results: of the pictures so far, without their histograms and features, which are summed.
        histograms: of `PictureResult`, summed.
    """

    networks: Sequence[str] = ("network",)
    classifiers: Classifiers = field(default_factory=Classifiers)
    results: Results = field(init=False)
    histograms: dict[str, npt.NDArray[np.int64]] = field(default_factory=dict)
    _moments: list[Moments] = field(default_factory=list)
    _seconds: dict[str, array[float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.results = Results(self.networks)

    @property
    def seconds(self) -> dict[str, float]:
        """The median time of each network for a picture, where it is known. No part of what `compute` gives, because
        it is never the same twice."""
        return {name: float(np.median(times)) for name, times in self._seconds.items()}

    def add(self, results: Iterable[PictureResult]) -> Figures:
        """Take pictures that were measured before; gives itself."""
        for result in results:
            for kind, counts in result.histograms.items():
                self.histograms[kind] = self.histograms.get(kind, np.int64(0)) + np.array(counts)
            for network, seconds in result.seconds.items():
                self._seconds.setdefault(network, array("d")).append(seconds)
            if result.features is not None:
                self._moments = self._moments or [Moments() for _ in result.features]
                for moments, features in zip(self._moments, result.features, strict=True):
                    moments.add(features)
            self.results.append(result)
        return self

    def update(
        self, name: str, colorized: Sequence[Array], true: Array, gray: Array | None = None,
        seconds: Sequence[float] = (),
    ) -> PictureResult:  # fmt: skip
        """Measure one picture.

        Args:
            name: in its data set; may tell its ImageNet class.
            colorized: by each of the networks, HWC uint8.
            true: of the same size.
            gray: `gray_picture(true)`, if it is there already.
            seconds: that each of the networks took, if it was measured.
        """
        colored = dict(zip(self.networks, colorized, strict=True))
        columns = {GRAY: gray_picture(true) if gray is None else gray, **colored}
        metrics = {column: measure(rgb, true) for column, rgb in columns.items()}
        classifiers, label = self.classifiers, true_label(name)
        for column, rgb in columns.items():
            if classifiers.top1 is not None and label is not None:
                metrics[column]["top1"] = 100.0 * (classifiers.top1(rgb)[0] == label)
            if classifiers.lpips is not None:
                metrics[column]["lpips"] = classifiers.lpips(rgb, true)
        features = None
        if classifiers.inception is not None:
            features = np.stack([classifiers.inception(rgb) for rgb in (*columns.values(), true)]).astype(np.float32)
        times = dict(zip(self.networks, seconds, strict=False))
        result = PictureResult(name, metrics, colorfulness(true), _histograms(colored, true), features, times)
        self.add([result])
        return result

    def comparisons(self, metric: str = "mse_rgb") -> list[Comparison]:
        """Each two networks on the same pictures: the first one's mean less the other's, with its interval."""
        _, values = self.results.table()
        at, columns = list(METRICS).index(metric), self.results.columns
        found = []
        for j, k in combinations(range(1, len(columns)), 2):
            differences = values[:, j, at] - values[:, k, at]
            found.append(Comparison.of(columns[j], columns[k], differences, METRICS[metric].title))
        return found

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


def _histograms(colorized: Mapping[str, Array], true: Array) -> dict[str, list[int]]:
    def shares(values: Array, step: int, low: int, high: int) -> list[int]:
        counts, _ = np.histogram(values.clip(low, high), bins=np.arange(low, high + step, step))
        return [int(c) for c in np.round(1000 * counts / values.size)]

    histograms = {}
    labs = {name: rgb_to_lab(rgb) for name, rgb in {"true": true, **colorized}.items()}
    for name, lab in labs.items():
        for k, axis in enumerate("ab"):
            histograms[f"{axis} {name}"] = shares(lab[..., k + 1], AB_STEP, -110, 110)
        if name != "true":
            histograms[f"error {name}"] = shares(ab_error(lab, labs["true"]), ERROR_STEP, 0, 150)
    return histograms

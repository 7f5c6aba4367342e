"""What an evaluation leaves behind: a table for the terminal, JSON, CSV, and an HTML report."""

from __future__ import annotations

import base64
import csv
import heapq
import io
import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path
from typing import Any

import cv2
import jinja2
import numpy as np
from PIL import Image

from ..arrays import Array, resize
from ..color.lab import rgb_to_lab
from ..files import whole_file
from ..inference.settings import Settings
from .metrics import FID, METRICS, ab_error
from .results import GRAY, PictureResult, Results

THUMBNAIL_SIDE = 256
IN_REPORT = 60  # pictures
_ERROR_SHOWN = 60.0  # ab error that is white in an error map
_TIME = "Time a picture (s)"


def rows(summary: dict[str, Any], seconds: Mapping[str, float] | None = None) -> list[list[str]]:
    """The table of a summary: metric with its unit, then gray and each network with its interval; MSE first.

    Args:
        summary: of `Figures.compute`.
        seconds: that each network took for a picture, if it was measured: the last row.
    """
    table = []
    columns = summary["metrics"]
    for name, metric in METRICS.items():
        if name not in columns[GRAY]:
            continue
        digits = metric.digits
        cells = []
        for column, metrics in columns.items():
            f = metrics[name]
            cell = f"{f['mean']:.{digits}f} [{f['low']:.{digits}f}, {f['high']:.{digits}f}]"
            if name == "colorfulness" and column != GRAY:
                cell += f" ({summary['colorfulness_share'][column]:.0%} of the true {summary['true_colorfulness']:.2f})"
            cells.append(cell)
        table.append([f"{metric.title} ({metric.unit})" if metric.unit else metric.title, *cells])
    if summary["fid"]:
        table.append([FID.title, *(f"{summary['fid'][column]:.2f}" for column in columns)])
    if seconds:
        table.append([_TIME, *(f"{seconds[c]:.2f}" if c in seconds else "" for c in columns)])
    return table


def meanings(summary: dict[str, Any], seconds: Mapping[str, float] | None = None) -> list[str]:
    """Of the rows of the table."""
    known = [m.describe() for name, m in METRICS.items() if name in summary["metrics"][GRAY]]
    known += [FID.describe()] if summary["fid"] else []
    return known + (["The median, on the machine that measured."] if seconds else [])


def text_table(summary: dict[str, Any], seconds: Mapping[str, float] | None = None) -> str:
    """The table for a terminal."""
    lines = [[f"{summary['pictures']} pictures", *summary["metrics"]], *rows(summary, seconds)]
    widths = [max(len(line[k]) for line in lines) for k in range(len(lines[0]))]
    return "\n".join("  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)) for line in lines)


def as_json(
    summary: dict[str, Any], about: dict[str, Any], results: Results, seconds: Mapping[str, float] | None = None
) -> str:
    """Everything: the means, what was measured, and every picture."""
    pictures = [{"name": r.name, "true_colorfulness": r.true_colorfulness, "metrics": r.metrics} for r in results]
    return json.dumps({"about": about, **summary, "seconds": dict(seconds or {}), "per_picture": pictures}, indent=1)


def as_csv(results: Results) -> str:
    """A line a picture; a column for each metric of gray and of each network, "METRIC COLUMN"."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    columns = [(c, m) for c in results.columns for m in results.known()]
    writer.writerow(["name", "true_colorfulness", *(f"{m} {c}" for c, m in columns)])
    for r in results:
        writer.writerow([r.name, r.true_colorfulness, *(r.metrics[c].get(m, "") for c, m in columns)])
    return text.getvalue()


def ordered(
    results: Sequence[PictureResult], metric: str, network: str, worst: bool, number: int
) -> list[PictureResult]:
    """The worst or the best pictures of a network by a metric, worst or best first."""
    measured = (r for r in results if metric in r.metrics[network])
    better = METRICS[metric].better

    def badness(r: PictureResult) -> float:
        value = r.metrics[network][metric]
        if better == "true":
            return abs(value - r.true_colorfulness)
        return -value if better == "higher" else value

    return (heapq.nlargest if worst else heapq.nsmallest)(number, measured, key=badness)


def side_by_side(pictures: Sequence[Array], side: int = THUMBNAIL_SIDE) -> Array:
    """Pictures of one size (HWC uint8) beside each other, each at most `side` high and wide."""
    height, width = pictures[0].shape[:2]
    scale = min(1.0, side / max(height, width))
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    return np.concatenate([resize(x, *size) for x in pictures], axis=1)


def error_map(colorized: Array, true: Array) -> Array:
    """Where the colors are wrong: the ab error at each pixel, black for none to light yellow for 60 and more."""
    scaled = (ab_error(rgb_to_lab(colorized), rgb_to_lab(true)) * (255 / _ERROR_SHOWN)).clip(0, 255).astype(np.uint8)
    return cv2.cvtColor(cv2.applyColorMap(scaled, cv2.COLORMAP_INFERNO), cv2.COLOR_BGR2RGB)


def command(checkpoints: Sequence[str], data: str, limit: int | None = None, settings: Settings | None = None) -> str:
    """The command line that measures the same."""
    words = ["python", "evaluate.py", "--data", data]
    for checkpoint in checkpoints:
        words += ["--checkpoint", checkpoint]
    words += ["--limit", str(limit)] if limit else []
    for name, default in asdict(Settings()).items():
        value = getattr(settings, name, default)
        words += [f"--{name.replace('_', '-')}", str(value)] if value != default else []
    return shlex.join(words)


def write_jpeg(path: Path, rgb: Array) -> None:
    """A picture of a report, HWC uint8."""
    with whole_file(path) as temporary:
        Image.fromarray(rgb).save(temporary, "JPEG", quality=85)


def as_html(
    summary: dict[str, Any], about: dict[str, Any], again: str, results: Results, strip: Callable[[str], Path],
    seconds: Mapping[str, float] | None = None, remarks: Sequence[str] = (),
) -> str:  # fmt: skip
    """A page that needs no other file: the table, and the worst pictures side by side.

    Args:
        summary: of `Figures.compute`.
        about: of `evaluation.describe`.
        again: of `command`.
        results: of the pictures.
        strip: the JPEG file of a picture, by its name.
        seconds: of `rows`.
        remarks: sentences to stand under the figures.
    """
    columns = list(summary["metrics"])
    figures = [
        {
            "name": r.name,
            "jpeg": base64.b64encode(strip(r.name).read_bytes()).decode(),
            "errors": ", ".join(f"{c} {r.metrics[c]['mse_rgb']:.1f}" for c in columns),
        }
        for r in ordered(results, "mse_rgb", columns[1], True, IN_REPORT)
    ]
    left_out = ", ".join(f"{number} {reason}" for reason, number in about["left_out"].items())
    described = f"{about['pictures']} pictures of {about['data']}" + (f" ({left_out} left out)" if left_out else "")
    for name, config in about["networks"].items():
        described += f"; {name}: " + ", ".join(str(v) for v in config.values())
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    template = environment.from_string(files(__package__).joinpath("report.html").read_text(encoding="utf-8"))
    return template.render(
        command=again, about=described, pictures=summary["pictures"], columns=columns, first=columns[1],
        table=list(zip(meanings(summary, seconds), rows(summary, seconds), strict=True)), figures=figures,
        remarks=remarks,
    )  # fmt: skip

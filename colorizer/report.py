"""What an evaluation leaves behind: a table for the terminal, JSON, CSV, and an HTML report."""

from __future__ import annotations

import base64
import csv
import heapq
import html
import io
import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import cv2
import numpy as np
from PIL import Image

from .color import Array, rgb_to_lab
from .data import resize
from .evaluation import GRAY, Evaluation, PictureResult, TestSet, colored
from .inference import Colorizer
from .metrics import FID, METRICS, ab_error
from .settings import Settings

THUMBNAIL_SIDE = 256
IN_REPORT = 60  # pictures
_ERROR_SHOWN = 60.0  # ab error that is white in an error map


def rows(summary: dict[str, Any]) -> list[list[str]]:
    """The table of a summary: metric with its unit, then gray and each network with its interval; MSE first."""
    table = []
    columns = summary["metrics"]
    for name, (title, unit, _) in METRICS.items():
        if name not in columns[GRAY]:
            continue
        digits = 4 if name == "ssim" else 2
        cells = []
        for column, found in columns.items():
            f = found[name]
            cell = f"{f['mean']:.{digits}f} [{f['low']:.{digits}f}, {f['high']:.{digits}f}]"
            if name == "colorfulness" and column != GRAY:
                cell += f" ({summary['colorfulness_share'][column]:.0%} of the true {summary['true_colorfulness']:.2f})"
            cells.append(cell)
        table.append([f"{title} ({unit})" if unit else title, *cells])
    if summary["fid"]:
        table.append([FID[0], *(f"{summary['fid'][column]:.2f}" for column in columns)])
    return table


def meanings(summary: dict[str, Any]) -> list[str]:
    """Of the rows of the table."""
    return [METRICS[m][2] for m in METRICS if m in summary["metrics"][GRAY]] + ([FID[2]] if summary["fid"] else [])


def text_table(summary: dict[str, Any]) -> str:
    """The table for a terminal."""
    lines = [[f"{summary['pictures']} pictures", *summary["metrics"]], *rows(summary)]
    widths = [max(len(line[k]) for line in lines) for k in range(len(lines[0]))]
    return "\n".join("  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)) for line in lines)


def as_json(summary: dict[str, Any], about: dict[str, Any], evaluation: Evaluation) -> str:
    """Everything: the means, what was measured, and every picture."""
    pictures = [
        {"name": r.name, "true_colorfulness": r.true_colorfulness, "metrics": r.metrics} for r in evaluation.results
    ]
    return json.dumps({"about": about, **summary, "per_picture": pictures}, indent=1)


def as_csv(evaluation: Evaluation) -> str:
    """A line a picture; a column for each metric of gray and of each network, "METRIC COLUMN"."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    columns = [(c, m) for c in (GRAY, *evaluation.networks) for m in evaluation.results.known()]
    writer.writerow(["name", "true_colorfulness", *(f"{m} {c}" for c, m in columns)])
    for r in evaluation.results:
        writer.writerow([r.name, r.true_colorfulness, *(r.metrics[c].get(m, "") for c, m in columns)])
    return text.getvalue()


def ordered(
    results: Sequence[PictureResult], metric: str, network: str, worst: bool, number: int
) -> list[PictureResult]:
    """The worst or the best pictures of a network by a metric, worst or best first."""
    known = (r for r in results if metric in r.metrics[network])
    high_is_good = metric in ("psnr", "ssim", "auc", "top1")

    def badness(r: PictureResult) -> float:
        value = r.metrics[network][metric]
        if metric == "colorfulness":
            return abs(value - r.true_colorfulness)
        return -value if high_is_good else value

    return (heapq.nlargest if worst else heapq.nsmallest)(number, known, key=badness)


def side_by_side(pictures: Sequence[Array], side: int = THUMBNAIL_SIDE) -> Array:
    """Pictures of one size (HWC uint8) beside each other, each at most `side` high and wide."""
    height, width = pictures[0].shape[:2]
    scale = min(1.0, side / max(height, width))
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    return np.concatenate([resize(x, *size) for x in pictures], axis=1)


def error_map(painted: Array, true: Array) -> Array:
    """Where the colors are wrong: the ab error at each pixel, black for none to light yellow for 60 and more."""
    scaled = (ab_error(rgb_to_lab(painted), rgb_to_lab(true)) * (255 / _ERROR_SHOWN)).clip(0, 255).astype(np.uint8)
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


_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Evaluation</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }}
div {{ overflow-x: auto; }} table {{ border-collapse: collapse; }}
td, th {{ padding: .3rem 1rem .3rem 0; text-align: left; vertical-align: top; }}
tr + tr {{ border-top: 1px solid #8884; }} small {{ color: #777; }}
figure {{ margin: 1.5rem 0; }} img {{ max-width: 100%; }} figcaption {{ font-size: .85rem; overflow-wrap: anywhere; }}
code {{ overflow-wrap: anywhere; }} :root {{ color-scheme: light dark; }}
</style>
<h1>Evaluation</h1>
<p><code>{command}</code></p>
<p>{about}</p>
<div><table><tr><th>{pictures} pictures{columns}</tr>{table}</table></div>
<p>In brackets: a 95% interval of the mean, by bootstrap over the pictures. Gray is the picture left without color.</p>
<h2>Pictures, worst first</h2>
<p>{order}. {shown} of {pictures} pictures, in the order of {first}'s MSE of RGB.</p>
{figures}
</html>
"""


def as_html(
    summary: dict[str, Any], about: dict[str, Any], again: str, evaluation: Evaluation,
    networks: Mapping[str, Colorizer], test_set: TestSet, settings: Settings | None = None,
) -> str:  # fmt: skip
    """A page that needs no other file: the table, and the worst pictures side by side, which are colored anew for it.

    Args:
        summary: of `Evaluation.compute`.
        about: of `evaluation.describe`.
        again: of `command`.
        evaluation, networks, test_set, settings: of the measuring.
    """
    table = "".join(
        f"<tr><td>{html.escape(row[0])}<br><small>{html.escape(meaning)}</small>"
        + "".join(f"<td>{html.escape(cell)}" for cell in row[1:])
        for meaning, row in zip(meanings(summary), rows(summary), strict=True)
    )
    first = evaluation.networks[0]
    figures = []
    for r in ordered(evaluation.results, "mse_rgb", first, True, IN_REPORT):
        true, gray, painted = colored(networks, test_set, r.name, settings)
        encoded = io.BytesIO()
        Image.fromarray(side_by_side([gray, *painted, true])).save(encoded, "JPEG", quality=85)
        errors = ", ".join(f"{c} {r.metrics[c]['mse_rgb']:.1f}" for c in (GRAY, *evaluation.networks))
        figures.append(
            f'<figure><img loading="lazy" alt="gray, colored, true" '
            f'src="data:image/jpeg;base64,{base64.b64encode(encoded.getvalue()).decode()}">'
            f"<figcaption>{html.escape(r.name)}: MSE of RGB: {html.escape(errors)}</figcaption></figure>"
        )
    left_out = ", ".join(f"{number} {reason}" for reason, number in about["left_out"].items())
    described = f"{about['pictures']} pictures of {about['data']}" + (f" ({left_out} left out)" if left_out else "")
    for name, config in about["networks"].items():
        described += f"; {name}: " + ", ".join(str(v) for v in config.values())
    return _PAGE.format(
        command=html.escape(again), about=html.escape(described), pictures=summary["pictures"],
        columns="".join(f"<th>{html.escape(c)}" for c in summary["metrics"]), table=table,
        order=html.escape(", ".join([GRAY, *evaluation.networks, "true"]).capitalize()), shown=len(figures),
        first=html.escape(first), figures="\n".join(figures),
    )  # fmt: skip

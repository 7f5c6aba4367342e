"""What an evaluation leaves behind: a table for the terminal, JSON, CSV, and an HTML report."""

from __future__ import annotations

import base64
import csv
import heapq
import html
import io
import itertools
import json
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image

from .color import Array
from .data import resize
from .evaluation import METRICS, Evaluation, Measured, PictureResult

THUMBNAIL_SIDE = 256


def rows(summary: dict[str, Any]) -> list[tuple[str, str, str]]:
    """The table of a summary: (metric with its unit, coloured, grey); MSE first."""
    table = []
    for name, (title, unit, _) in METRICS.items():
        digits = 4 if name == "ssim" else 2
        coloured, grey = (f"{summary[part][name]:.{digits}f}" for part in ("metrics", "grey"))
        if name == "colorfulness":
            coloured += f" ({summary['colorfulness_share']:.0%} of the true {summary['true_colorfulness']:.2f})"
        table.append((f"{title} ({unit})" if unit else title, coloured, grey))
    return table


def text_table(summary: dict[str, Any]) -> str:
    """The table for a terminal."""
    lines = [(f"{summary['pictures']} pictures", "coloured", "grey"), *rows(summary)]
    widths = [max(len(line[k]) for line in lines) for k in range(3)]
    return "\n".join("  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)) for line in lines)


def as_json(summary: dict[str, Any], about: dict[str, Any], evaluation: Evaluation) -> str:
    """Everything: the means, what was measured, and every picture."""
    pictures = [
        {"name": r.name, **r.metrics, "true_colorfulness": r.true_colorfulness, "grey": r.grey}
        for r in evaluation.results
    ]
    return json.dumps({"about": about, **summary, "per_picture": pictures}, indent=1)


def as_csv(evaluation: Evaluation) -> str:
    """A line a picture; the grey baseline's columns begin with grey_."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["name", *METRICS, "true_colorfulness", *(f"grey_{m}" for m in METRICS)])
    for r in evaluation.results:
        writer.writerow([r.name, *r.metrics.values(), r.true_colorfulness, *r.grey.values()])
    return text.getvalue()


def side_by_side(measured: Measured, side: int = THUMBNAIL_SIDE) -> Array:
    """Grey, coloured and true beside each other, HWC uint8, each at most `side` high and wide."""
    height, width = measured.true.shape[:2]
    scale = min(1.0, side / max(height, width))
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    return np.concatenate([resize(x, *size) for x in (measured.grey, measured.painted, measured.true)], axis=1)


@dataclass
class WorstPictures:
    """Keeps the pictures with the largest MSE of RGB, as JPEG thumbnails, in constant memory."""

    keep: int = 100
    _heap: list[tuple[float, int, bytes, PictureResult]] = field(default_factory=list)
    _order: itertools.count[int] = field(default_factory=itertools.count)

    def update(self, measured: Measured) -> None:
        """Consider one more picture."""
        encoded = io.BytesIO()
        Image.fromarray(side_by_side(measured)).save(encoded, "JPEG", quality=85)
        entry = (measured.result.metrics["mse_rgb"], -next(self._order), encoded.getvalue(), measured.result)
        push = heapq.heappush if len(self._heap) < self.keep else heapq.heappushpop
        push(self._heap, entry)

    def compute(self) -> list[tuple[bytes, PictureResult]]:
        """(JPEG of grey, coloured, true; its figures), worst first."""
        return [(jpeg, result) for _, _, jpeg, result in sorted(self._heap, key=lambda e: e[:2], reverse=True)]


_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Evaluation</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }}
table {{ border-collapse: collapse; }} td, th {{ padding: .3rem 1rem .3rem 0; text-align: left; }}
tr + tr {{ border-top: 1px solid #8884; }} small {{ color: #777; }}
figure {{ margin: 1.5rem 0; }} img {{ max-width: 100%; }} figcaption {{ font-size: .85rem; overflow-wrap: anywhere; }}
:root {{ color-scheme: light dark; }}
</style>
<h1>Evaluation</h1>
<p>{about}</p>
<table><tr><th>{pictures} pictures<th>coloured<th>grey</tr>{table}</table>
<h2>Pictures, worst first</h2>
<p>Grey, coloured, true. {shown} of {pictures} pictures, in the order of their MSE of RGB.</p>
{figures}
</html>
"""


def as_html(summary: dict[str, Any], about: dict[str, Any], worst: WorstPictures) -> str:
    """A page that needs no other file: the table, and the pictures side by side, worst first."""
    table = "".join(
        f"<tr><td>{html.escape(title)}<br><small>{html.escape(meaning)}</small><td>{coloured}<td>{grey}</tr>"
        for (title, coloured, grey), (_, _, meaning) in zip(rows(summary), METRICS.values(), strict=True)
    )
    figures = [
        f'<figure><img loading="lazy" alt="grey, coloured, true" '
        f'src="data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}">'
        f"<figcaption>{html.escape(r.name)}: MSE of RGB {r.metrics['mse_rgb']:.1f} "
        f"(grey {r.grey['mse_rgb']:.1f}), of ab {r.metrics['mse_ab']:.1f}</figcaption></figure>"
        for jpeg, r in worst.compute()
    ]
    return _PAGE.format(
        about=html.escape(", ".join(f"{k.replace('_', ' ')}: {v}" for k, v in about.items())),
        pictures=summary["pictures"], table=table, shown=len(figures), figures="\n".join(figures),
    )  # fmt: skip

"""The Evaluate tab: the test set's MSE, and the pictures side by side."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import gradio as gr
import pandas as pd
from PIL import Image

from .. import report
from ..evaluation import METRICS, Evaluation, TestSet, describe, evaluate
from ..files import write_text
from ..settings import Settings
from .common import BUNDLED, EXAMPLES, HEAVY, check_folder, checkpoint_names, colorizer_for, friendly, result_folder

_GALLERY = 60


def headline(summary: dict[str, Any]) -> str:
    """The MSE in large figures."""
    m, g = summary["metrics"], summary["grey"]
    return (
        f"MSE of RGB **{m['mse_rgb']:.1f}** (grey {g['mse_rgb']:.1f})   "
        f"MSE of ab **{m['mse_ab']:.1f}** (grey {g['mse_ab']:.1f})  \n"
        f"over {summary['pictures']} pictures. Lower is better; grey is the picture left without colour."
    )


@friendly
def measure(checkpoint: str, data: str, limit: float, progress: gr.Progress = gr.Progress()) -> Iterator[Any]:  # noqa: B008
    """Measure a checkpoint on a folder of colour photographs.

    Args:
        checkpoint: "bundled", the name of a run, or the path of a checkpoint.
        data: a folder on the server, at any depth, or a zip file there.
        limit: measure at most this many pictures, evenly spaced; 0 for all.
    Returns:
        the MSE in words, the table of all metrics beside grey, the pictures side by side (grey, coloured, true;
        worst first), the files (JSON, CSV, HTML report), and the figures as JSON.
    """
    colorizer, settings = colorizer_for(checkpoint), Settings()
    test_set = TestSet.open(check_folder(data), int(limit or 0) or None)
    evaluation, worst = Evaluation(), report.WorstPictures()
    shown: list[tuple[float, Image.Image, str]] = []
    for measured in evaluate(colorizer, test_set, evaluation, settings):
        progress((measured.done, measured.total), unit="pictures")
        worst.update(measured)
        error, grey = measured.result.metrics["mse_rgb"], measured.result.grey["mse_rgb"]
        caption = f"{measured.result.name}: MSE {error:.0f}, grey {grey:.0f}"
        shown.append((error, Image.fromarray(report.side_by_side(measured)), caption))
        shown = sorted(shown, key=lambda entry: -entry[0])[:_GALLERY]
        if measured.done % 10 == 0 and measured.done < measured.total:
            yield headline(evaluation.compute()), gr.skip(), gr.skip(), gr.skip(), gr.skip()
    summary = evaluation.compute()
    about = {"checkpoint": checkpoint or BUNDLED, "data": data, **describe(colorizer, settings)}
    folder = result_folder()
    write_text(folder / "evaluation.json", report.as_json(summary, about, evaluation))
    write_text(folder / "evaluation.csv", report.as_csv(evaluation))
    write_text(folder / "evaluation.html", report.as_html(summary, about, worst))
    meanings = [meaning for _, _, meaning in METRICS.values()]
    table = pd.DataFrame(report.rows(summary), columns=["Metric", "Coloured", "Grey"]).assign(Meaning=meanings)
    yield (
        headline(summary),
        table,
        [(picture, caption) for _, picture, caption in shown],
        [str(folder / f"evaluation.{suffix}") for suffix in ("json", "csv", "html")],
        json.loads(json.dumps(summary)),
    )


def build() -> gr.Dropdown:
    """Lay out the tab; returns the choice of the network."""
    with gr.Row():
        checkpoint = gr.Dropdown(
            label="Checkpoint", choices=checkpoint_names(), value=BUNDLED, allow_custom_value=True,
            info="The bundled one, a run, or the path of a .safetensors file",
        )  # fmt: skip
        data = gr.Textbox(
            label="Test pictures", value=str(EXAMPLES / "color"), info="A folder of colour photographs, or a zip file"
        )
        limit = gr.Number(label="At most this many", value=0, precision=0, info="0 for all")
    go = gr.Button("Evaluate", variant="primary")
    words = gr.Markdown(elem_id="headline")
    with gr.Column(visible=False) as results:
        table = gr.Dataframe(
            headers=["Metric", "Coloured", "Grey", "Meaning"], interactive=False, wrap=True, elem_id="figures",
            column_widths=["24%", "22%", "12%", "42%"], buttons=[],
        )  # fmt: skip
        gallery = gr.Gallery(
            label="Grey, coloured, true: worst first", columns=2, object_fit="contain", format="jpeg",
            elem_id="pictures",
        )  # fmt: skip
        files = gr.Files(label="Keep it", interactive=False)
        figures = gr.JSON(visible=False)
    go.click(
        measure, [checkpoint, data, limit], [words, table, gallery, files, figures],
        api_name="evaluate", concurrency_id=HEAVY, trigger_mode="once", show_progress_on=words,
    ).success(lambda: gr.Column(visible=True), None, results, api_visibility="private")  # fmt: skip
    checkpoint.focus(lambda: gr.Dropdown(choices=checkpoint_names()), None, checkpoint, api_visibility="private")
    return checkpoint

"""The demo.

python app.py                            # then open the address it prints
GRADIO_SERVER_NAME=0.0.0.0 python app.py # for other computers too; GRADIO_SERVER_PORT chooses the port
"""

from __future__ import annotations

import gradio as gr
import numpy as np

from colorizer.ui import colorize, evaluate, train
from colorizer.ui.common import CSS, colorizer_for, computing, theme

MAX_UPLOAD = "200mb"
# Pictures that are pasted or dropped anywhere on the page go where one would drop them.
TAKE = """() => {
    const take = (event, files) => {
        const given = [...files].filter((file) => file.type.startsWith("image/") || file.name.endsWith(".zip"));
        const one = given.length === 1 && !given[0].name.endsWith(".zip");
        const input = document.querySelector((one ? "#drop" : "#many") + " input[type=file]");
        if (!given.length || !input) return;
        event.preventDefault();
        const transfer = new DataTransfer();
        given.forEach((file) => transfer.items.add(file));
        input.files = transfer.files;
        input.dispatchEvent(new Event("change", { bubbles: true }));
    };
    document.addEventListener("paste", (event) => take(event, event.clipboardData.files));
    document.addEventListener("dragover", (event) => event.preventDefault());
    document.addEventListener("drop", (event) => event.defaultPrevented || take(event, event.dataTransfer.files));
}"""


def build() -> gr.Blocks:
    """The page with its tabs."""
    with gr.Blocks(title="Colorizer", delete_cache=(3600, 3600), analytics_enabled=False) as page:
        gr.Markdown("# Colorizer\nBlack-and-white photographs in color.", elem_id="title")
        with gr.Tabs(selected="colorize") as tabs:
            with gr.Tab("Colorize", id="colorize"):
                colorize_with = colorize.build()
            with gr.Tab("Train", id="train") as training:
                pass
            with gr.Tab("Evaluate", id="evaluate"):
                evaluate_with = evaluate.build()
            with training:
                train.build(tabs, colorize_with, evaluate_with)
        page.load(None, js=TAKE, api_visibility="private")
    return page.queue(max_size=32, default_concurrency_limit=4)


def main() -> None:
    """Serve the page; GRADIO_SERVER_NAME and GRADIO_SERVER_PORT are honored by Gradio itself."""
    computing(colorizer_for(None))(np.full((256, 256), 128, np.uint8))  # the first photo should not wait for it
    build().launch(theme=theme(), css=CSS, max_file_size=MAX_UPLOAD, footer_links=["api", "settings"])


if __name__ == "__main__":
    main()

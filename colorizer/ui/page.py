"""The page as Gradio's Blocks: how what a browser sends comes to the functions."""

from __future__ import annotations

from typing import Any

import gradio as gr

from .access import check_paths, check_room


class PageBlocks(gr.Blocks):
    """Takes no files but those that were uploaded, and gives photographs as they came."""

    async def preprocess_data(
        self, block_fn: Any, inputs: list[Any], state: Any = None, explicit_call: bool = False
    ) -> Any:
        """As Gradio's, which would decode photographs first, and fail in its own words."""
        if not explicit_call and check_paths(inputs):  # explicit ones are the program's own
            check_room()
        for block in block_fn.inputs:
            field = state[block._id] if state is not None and block._id in state else block  # a page has its own copies
            if isinstance(field, gr.Image):
                field.preprocess = _as_it_came  # type: ignore[method-assign]
        return await super().preprocess_data(block_fn, inputs, state, explicit_call)


def _as_it_came(payload: Any) -> str | None:
    """The path of the file."""
    return None if payload is None else payload.path

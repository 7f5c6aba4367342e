"""One small file of a checkpoint, and a model card: to keep, to give away, or for the Hugging Face Hub."""

from __future__ import annotations

import tempfile
from pathlib import Path

from huggingface_hub import ModelCardData

from ..files import write_text
from .checkpoints import Checkpoint, save_checkpoint
from .hub import MODEL, upload

CARD = "README.md"
# Of the checkpoint's info: the errors on validation crops, and their titles.
_VALIDATION = {"crop_mse_ab": "MSE of ab", "crop_mse_rgb": "MSE of RGB"}


def export(checkpoint: Checkpoint, folder: Path, name: str, half: bool = True) -> list[Path]:
    """Write a checkpoint and its model card.

    Args:
        checkpoint: what to write.
        folder: where to.
        name: of the network, for the card's title.
        half: store 16-bit floats: half the size.
    Returns:
        the two files.
    """
    save_checkpoint(checkpoint, folder / MODEL, half)
    write_text(folder / CARD, model_card(checkpoint, name))
    return [folder / MODEL, folder / CARD]


def push(checkpoint: Checkpoint, repository: str, private: bool = False, token: str | None = None) -> str:
    """Upload a checkpoint with its model card; the arguments, the result and the errors are those of `hub.upload`."""
    with tempfile.TemporaryDirectory() as temporary:
        export(checkpoint, Path(temporary), repository)
        return upload(Path(temporary), repository, private, token)


def model_card(checkpoint: Checkpoint, name: str) -> str:
    """What a checkpoint knows of itself, in Markdown, with the Hub's front matter."""
    config, info = checkpoint.config, checkpoint.info
    front_matter = ModelCardData(pipeline_tag="image-to-image", tags=["image-colorization"], library_name="colorizer")
    rows = {"network": config.network, "objective": config.objective, "features": config.features}
    if checkpoint.size:
        rows["training crops"] = f"{checkpoint.size} pixels"
    if checkpoint.credit:
        rows |= {"weights from": config.spec.source, "their license": config.spec.license}
    for part in ("data", "training"):
        rows |= {key.replace("_", " "): str(value) for key, value in info.get(part, {}).items() if value is not None}
    lines = [
        "---", front_matter.to_yaml(), "---", "", f"# {name}", "",
        "Colors black-and-white photographs. A checkpoint of Colorizer:", "", "```python",
        "from colorizer import Colorizer", "",
        f'Colorizer.from_pretrained("{name}")("old.jpg").save("new.png")', "```", "", "| | |", "| --- | --- |",
    ]  # fmt: skip
    lines += [f"| {key} | {value} |" for key, value in rows.items()]
    if errors := {title: key for key, title in _VALIDATION.items() if key in info.get("validation", {})}:
        lines += [
            "", "On crops of the pictures held out of its training, beside those left gray (lower is better; not to be "
            "compared with the errors that evaluate.py measures on whole pictures):", "",
        ]  # fmt: skip
        lines += ["| | colorized | gray |", "| --- | ---: | ---: |"]
        validation = info["validation"]
        lines += [f"| {title} | {validation[k]:.1f} | {validation[f'gray_{k}']:.1f} |" for title, k in errors.items()]
    lines += ["", "The colors are guesses: a colorized photograph should be labeled as such.", ""]
    return "\n".join(lines)

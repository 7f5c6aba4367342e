"""Make one small file of a run's checkpoint, and a model card; to keep, to give away, or for the Hugging Face Hub.

python -m colorizer.export runs/mine -o mine.safetensors       # and mine.md
python -m colorizer.export runs/mine --push me/my-colors      # after `hf auth login`
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from .checkpoints import Checkpoint, load_checkpoint, save_checkpoint
from .errors import UserError
from .files import write_text

MODEL, CARD = "model.safetensors", "README.md"


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


def model_card(checkpoint: Checkpoint, name: str) -> str:
    """What a checkpoint knows of itself, in Markdown, with the Hub's front matter."""
    config, info = checkpoint.config, checkpoint.info
    rows = {"network": config.network, "objective": config.objective, "features": config.features}
    rows["training crops"] = f"{checkpoint.size} pixels"
    for part in ("data", "training"):
        rows |= {key.replace("_", " "): str(value) for key, value in info.get(part, {}).items() if value is not None}
    lines = [
        "---", "pipeline_tag: image-to-image", "tags: [image-colorization]", "---", "", f"# {name}", "",
        "Colors black-and-white photographs. A checkpoint of Colorizer:", "", "```python",
        "from colorizer import Colorizer", "",
        f'Colorizer.from_pretrained("{name}")("old.jpg").save("new.png")', "```", "", "| | |", "| --- | --- |",
    ]  # fmt: skip
    lines += [f"| {key} | {value} |" for key, value in rows.items()]
    if found := info.get("validation"):
        lines += ["", "On the pictures held out of its training, beside the gray picture (lower is better):", ""]
        lines += ["| | colored | gray |", "| --- | ---: | ---: |"]
        for key, title in (("mse_ab", "MSE of ab"), ("mse_rgb", "MSE of RGB")):
            if key in found:
                lines.append(f"| {title} | {found[key]:.1f} | {found[f'gray_{key}']:.1f} |")
    lines += ["", "The colors are guesses: a colored photograph should be labeled as such.", ""]
    return "\n".join(lines)


def main() -> int:
    """0 done, 2 something to be mended by the user."""
    parser = argparse.ArgumentParser(
        prog="python -m colorizer.export", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkpoint", help="the folder of a run, or a .safetensors file")
    parser.add_argument("-o", "--output", type=Path, help="the file to write, .safetensors")
    parser.add_argument("--push", metavar="OWNER/NAME", help="upload it to this repository of the Hugging Face Hub")
    parser.add_argument("--private", action="store_true", help="with --push: a new repository is only yours to see")
    parser.add_argument("--full", action="store_true", help="keep 32-bit floats; the file is twice as large")
    arguments = parser.parse_args()
    try:
        if arguments.output is None and arguments.push is None:
            raise UserError("Say where to: -o FILE.safetensors, or --push OWNER/NAME.")
        checkpoint = load_checkpoint(arguments.checkpoint)
        if (output := arguments.output) is not None:
            if output.suffix != ".safetensors":
                raise UserError(f"The file to write must end in .safetensors, not {output.name}.")
            save_checkpoint(checkpoint, output, half=not arguments.full)
            write_text(output.with_suffix(".md"), model_card(checkpoint, output.stem))
            print(f"{output}: {output.stat().st_size / 1e6:.1f} MB, and {output.with_suffix('.md').name}")
        if arguments.push is not None:
            from .hub import push

            print(push(checkpoint, arguments.push, arguments.private))
    except UserError as error:
        print(f"export: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Make one small file of a run's checkpoint, and a model card; to keep, to give away, or for the Hugging Face Hub.

python -m colorizer.commands.export runs/mine -o mine.safetensors      # and mine.md
python -m colorizer.commands.export runs/mine --push me/my-colors      # after `hf auth login`
python -m colorizer.commands.export runs/mine -o mine.onnx             # for programs without PyTorch
python -m colorizer.commands.export runs/mine -o mine.onnx --whole     # for `python -m colorizer` without PyTorch
python -m colorizer.commands.export runs/a runs/b -o mean.safetensors  # the mean of their weights
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UserError
from .options import parser, run

if TYPE_CHECKING:
    from ..model.checkpoints import Checkpoint


def main() -> int:
    """Exit status 0: done, 2: something needs fixing by the user."""
    p = parser("python -m colorizer.commands.export", __doc__)
    p.add_argument("checkpoint", nargs="+", help="the folder of a run, or a .safetensors file; of several, their mean")
    p.add_argument("--shares", metavar="A,B,...", help="of each of several in their mean (default: all alike)")
    p.add_argument("-o", "--output", type=Path, help="the file to write, .safetensors or .onnx")
    p.add_argument("--push", metavar="OWNER/NAME", help="upload it to this repository of the Hugging Face Hub")
    p.add_argument("--private", action="store_true", help="with --push: only you see a new repository")
    p.add_argument("--full", action="store_true", help="keep 32-bit floats; the file is twice as large")
    p.add_argument("--whole", action="store_true", help="with all that follows the network, in an .onnx file")
    arguments = p.parse_args()
    return run("export", lambda: _export(arguments), "Stopped.")


def _export(arguments: argparse.Namespace) -> int:
    from ..files import write_text
    from ..inference.onnx_export import export_onnx_colorizer
    from ..model.checkpoints import find_checkpoint, save_checkpoint
    from ..model.export import model_card, push
    from ..model.onnx_file import export_onnx

    output: Path | None = arguments.output
    if output is None and arguments.push is None:
        raise UserError("Say where to: -o FILE.safetensors, -o FILE.onnx, or --push OWNER/NAME.")
    if arguments.whole and (output is None or output.suffix != ".onnx"):
        raise UserError("--whole is for .onnx files: -o FILE.onnx.")
    checkpoint = _checkpoint(arguments.checkpoint, arguments.shares)
    if output is not None:
        if output.suffix not in (".safetensors", ".onnx"):
            raise UserError(f"The file to write must end in .safetensors or .onnx, not {output.name}.")
        if output.exists() and any(output.samefile(find_checkpoint(path)) for path in arguments.checkpoint):
            raise UserError(f"{output} would be written over. Choose another file with -o.")
        if output.suffix == ".onnx":
            (export_onnx_colorizer if arguments.whole else export_onnx)(checkpoint, output)
        else:
            save_checkpoint(checkpoint, output, half=not arguments.full)
        write_text(output.with_suffix(".md"), model_card(checkpoint, output.stem))
        print(f"{output}: {output.stat().st_size / 1e6:.1f} MB, and {output.with_suffix('.md').name}")
    if arguments.push is not None:
        print(push(checkpoint, arguments.push, arguments.private))
    return 0


def _checkpoint(paths: list[str], shares: str | None) -> Checkpoint:
    from ..model.averaging import mean_checkpoint
    from ..model.checkpoints import load_checkpoint

    if len(paths) == 1 and shares is None:
        return load_checkpoint(paths[0])
    try:
        return mean_checkpoint(paths, [float(share) for share in shares.split(",")] if shares else ())
    except ValueError as error:
        raise UserError(f"The shares must be numbers with commas between them, not {shares}.") from error


if __name__ == "__main__":
    sys.exit(main())

"""Make one small file of a run's checkpoint, to share or to keep.

python -m colorizer.export runs/mine -o mine.safetensors
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from .checkpoints import load_checkpoint, save_checkpoint
from .errors import UserError


def main() -> int:
    """0 done, 2 something to be mended by the user."""
    parser = argparse.ArgumentParser(
        prog="python -m colorizer.export", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkpoint", help="the folder of a run, or a .safetensors file")
    parser.add_argument("-o", "--output", type=Path, required=True, help="the file to write, .safetensors")
    parser.add_argument("--full", action="store_true", help="keep 32-bit floats; the file is twice as large")
    arguments = parser.parse_args()
    try:
        if arguments.output.suffix != ".safetensors":
            raise UserError(f"The file to write must end in .safetensors, not {arguments.output.name}.")
        save_checkpoint(load_checkpoint(arguments.checkpoint), arguments.output, half=not arguments.full)
    except UserError as error:
        print(f"export: {error}", file=sys.stderr)
        return 2
    print(f"{arguments.output}: {arguments.output.stat().st_size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())

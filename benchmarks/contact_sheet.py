"""A contact sheet: every photograph of a folder, before and after.

python benchmarks/contact_sheet.py FOLDER -o sheet.png
python benchmarks/contact_sheet.py FOLDER -o sheet.png --alternatives 3
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).parent.parent))

from colorizer import Colorizer, Settings
from colorizer.arrays import Array, eight_bit, resize
from colorizer.commands.options import add_colorizer_options, colorizer_from, settings_from
from colorizer.errors import UserError
from colorizer.inference.alternatives import alternative_photos
from colorizer.pictures.photo import Photo
from colorizer.pictures.reading import find_pictures, read_picture
from colorizer.pictures.writing import write_picture

HEIGHT, GAP = 320, 6


def strip(photo: Photo, colorizer: Colorizer, settings: Settings, alternatives: int) -> Array:
    """One photograph: before, after, and its alternatives if they are wanted, beside each other."""
    versions = [photo, colorizer.colorize(photo, settings)]
    if alternatives:
        versions += [p for p, _ in alternative_photos(colorizer.prepare(photo), alternatives, settings)]
    width = round(photo.rgb.shape[1] * HEIGHT / photo.rgb.shape[0])
    small = [resize(eight_bit(v.rgb), width, HEIGHT) for v in versions]
    return np.hstack([np.pad(s, ((0, GAP), (0, GAP), (0, 0)), constant_values=255) for s in small])


def sheet(strips: list[Array], width: int) -> Array:
    """Strips set one after the other in lines of at most `width` pixels, unless one alone is wider."""
    lines: list[list[Array]] = []
    for s in strips:
        if not lines or sum(x.shape[1] for x in lines[-1]) + s.shape[1] > width:
            lines.append([])
        lines[-1].append(s)
    whole = [np.hstack(line) for line in lines]
    widest = max(line.shape[1] for line in whole)
    return np.vstack([np.pad(x, ((0, 0), (0, widest - x.shape[1]), (0, 0)), constant_values=255) for x in whole])


def main() -> int:
    """Write the sheet; 2 if something needs fixing by the user."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="photographs")
    parser.add_argument("-o", "--output", type=Path, required=True, help="the picture to write, .png or .jpg")
    parser.add_argument("--alternatives", type=int, default=0, metavar="N", help="show other colorings, too")
    parser.add_argument("--width", type=int, default=2400, help="of the sheet, in pixels")
    add_colorizer_options(parser)
    arguments = parser.parse_args()
    try:
        colorizer, settings = colorizer_from(arguments), settings_from(arguments)
        paths = find_pictures(arguments.folder) if arguments.folder.is_dir() else []
        if not paths:
            raise UserError(f"There are no pictures in {arguments.folder}.")
        strips = [strip(read_picture(p), colorizer, settings, arguments.alternatives) for p in tqdm(paths)]
        write_picture(Photo(sheet(strips, arguments.width)), arguments.output)
    except UserError as error:
        print(f"contact_sheet.py: {error}", file=sys.stderr)
        return 2
    print(arguments.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())

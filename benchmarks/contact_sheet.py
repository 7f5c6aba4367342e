"""A contact sheet: every photograph of a folder, before and after.

python benchmarks/contact_sheet.py FOLDER -o sheet.png
python benchmarks/contact_sheet.py FOLDER -o sheet.png --alternatives 3
python benchmarks/contact_sheet.py FOLDER -o sheet.png --strokes      # each photograph with a stroke, at three places
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).parent.parent))

from colorizer import Colorizer, Settings
from colorizer.arrays import Array, eight_bit, resize
from colorizer.commands.options import add_colorizer_options, colorizer_from, settings_from
from colorizer.errors import UserError
from colorizer.inference.alternatives import alternative_photos
from colorizer.inference.prepared import PreparedPhoto
from colorizer.model.hints import parse_hint
from colorizer.pictures.photo import Photo
from colorizer.pictures.reading import find_pictures, read_picture
from colorizer.pictures.writing import write_picture

HEIGHT, GAP = 320, 6


# Where a stroke begins, in shares of width and height, and its color: unlikely ones, so that stains and halos are seen.
STROKES = [((0.5, 0.65), "#2f4f9a"), ((0.25, 0.8), "#a3322a"), ((0.5, 0.3), "#2f8a4a")]


def strip(photo: Photo, colorizer: Colorizer, settings: Settings, alternatives: int, strokes: bool = False) -> Array:
    """One photograph: before, after, and its alternatives or strokes if they are wanted, beside each other."""
    prepared = colorizer.prepare(photo)
    versions = [photo, prepared.colorize(settings)]
    if alternatives:
        versions += [p for p, _ in alternative_photos(prepared, alternatives, settings)]
    if strokes:
        versions += [stroked(prepared, settings, place, color) for place, color in STROKES]
    width = round(photo.rgb.shape[1] * HEIGHT / photo.rgb.shape[0])
    small = [resize(eight_bit(v.rgb), width, HEIGHT) for v in versions]
    return np.hstack([np.pad(s, ((0, GAP), (0, GAP), (0, 0)), constant_values=255) for s in small])


def stroked(prepared: PreparedPhoto, settings: Settings, place: tuple[float, float], color: str) -> Photo:
    """The photograph with one stroke, and a ring where it is."""
    height, width = prepared.size
    radius = 0.015 * min(height, width)
    x, y = place[0] * width, place[1] * height
    hint = parse_hint({"points": [[x, y], [x + 2 * radius, y]], "radius": radius, "color": color})
    colorized = prepared.colorize(settings, [hint])
    rgb = np.ascontiguousarray(eight_bit(colorized.rgb))
    cv2.circle(rgb, (int(x + radius), int(y)), int(3 * radius), (255, 255, 255), max(int(radius / 3), 1))
    return Photo(rgb)


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
    parser.add_argument("--strokes", action="store_true", help="show each photograph with a stroke, at three places")
    parser.add_argument("--width", type=int, default=2400, help="of the sheet, in pixels")
    add_colorizer_options(parser)
    arguments = parser.parse_args()
    try:
        colorizer, settings = colorizer_from(arguments), settings_from(arguments)
        paths = find_pictures(arguments.folder) if arguments.folder.is_dir() else []
        if not paths:
            raise UserError(f"There are no pictures in {arguments.folder}.")
        strips = [
            strip(read_picture(p), colorizer, settings, arguments.alternatives, arguments.strokes) for p in tqdm(paths)
        ]
        write_picture(Photo(sheet(strips, arguments.width)), arguments.output)
    except UserError as error:
        print(f"contact_sheet.py: {error}", file=sys.stderr)
        return 2
    print(arguments.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())

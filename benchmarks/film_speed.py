"""How fast films are colored, and whether memory grows with their length.

python benchmarks/film_speed.py
python benchmarks/film_speed.py --frames 300 3000

Films of 640 x 480, 25 frames a second: the camera moves over an example photograph, with grain, and a cut every ten
seconds. In one run, from file to file: frame by frame, and steadily; then, by the command line, films of any length.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from memory import measure

from colorizer import Colorizer
from colorizer.film.reading import FilmInfo, open_film
from colorizer.film.writing import FilmOutput, assemble, segment
from colorizer.pictures.reading import read_picture
from colorizer.pictures.sources import EXAMPLES

_WIDTH, _HEIGHT, _RATE, _SHOT = 640, 480, 25, 250
_INFO = FilmInfo(_WIDTH, _HEIGHT, Fraction(_RATE), 0, Fraction(1, _RATE), 0, Fraction(1), False, 5, 0, 0, 0)


def make(path: Path, frames: int) -> None:
    """Write a film."""
    photos = [read_picture(p).rgb for p in sorted((EXAMPLES / "black-and-white").glob("*.jpg"))]
    random = np.random.default_rng(0)
    with segment(path, _INFO, FilmOutput(preset="ultrafast")) as part:
        for k in range(frames):
            photo = photos[k // _SHOT % len(photos)]
            scale = 1.3 * max(_WIDTH / photo.shape[1], _HEIGHT / photo.shape[0])
            s = k % _SHOT / _SHOT
            x, y = s * (scale * photo.shape[1] - _WIDTH), s * (scale * photo.shape[0] - _HEIGHT)
            place = np.array([[scale, 0, -x], [0, scale, -y]])
            view = cv2.warpAffine(photo, place, (_WIDTH, _HEIGHT), flags=cv2.INTER_LINEAR)
            grain = random.normal(0, 3, (_HEIGHT, _WIDTH, 1))
            part.write(np.clip(view + grain, 0, 255).astype(np.uint8), k)


def frame_by_frame(colorizer: Colorizer, source: Path, target: Path) -> None:
    """As photographs."""
    part_path = target.with_name("part.mp4")
    with open_film(source) as film, segment(part_path, film.info, FilmOutput()) as part:
        for frame in film.frames():
            part.write(colorizer.colorize(film.photo(frame)).rgb, frame.pts or 0)
        info = film.info
    assemble(source, [part_path], target, info)


def main() -> int:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--frames", type=int, nargs="+", default=[250, 1500], help="lengths of the films (250 1500)")
    arguments = p.parse_args()
    colorizer = Colorizer.from_pretrained(device="cpu")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        make(folder / "film.mp4", arguments.frames[0])
        rates = {}
        for name in ("frame by frame", "steady"):
            begun = time.perf_counter()
            if name == "steady":
                colorizer.film(folder / "film.mp4", folder / "steady.mp4")
            else:
                frame_by_frame(colorizer, folder / "film.mp4", folder / "single.mp4")
            rates[name] = arguments.frames[0] / (time.perf_counter() - begun)
        for name, rate in rates.items():
            print(f"{name}: {rate:.1f} frames a second, {rate / rates['frame by frame']:.2f} of frame by frame")
        cv2.imwrite(str(folder / "photo.png"), np.full((_HEIGHT, _WIDTH), 99, np.uint8))
        loaded, _ = measure(folder / "photo.png", folder / "out")
        print(f"the program with one photograph of that size: {loaded:.2f} GB")
        for frames in arguments.frames:
            make(folder / "film.mp4", frames)
            peak, _ = measure(folder / "film.mp4", folder / "out")
            print(f"{frames} frames: {peak:.2f} GB, {peak - loaded:.2f} beside the program")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Whether a stroke on one frame holds to its thing through a shot of 300 frames, and to nothing else.

python benchmarks/film_strokes.py FOLDER

FOLDER is that of `strokes.py`: photographs with labeled garments. Each gives a film with grain and flickering exposure:
the camera moves over it, or the person moves over another photograph. A stroke through the largest garment, of an
unlikely color, is drawn on the first frame or on the middle one; the film is colored with it and without.

Drift is the mean CIEDE2000, of the colors at one L, between the garment in each frame and the same places of the first;
fill its share with the stroke's color in the first and in the last frame; leak the mean change of ab 5 pixels off it,
in the stroke's own frame and over all.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from film import HEIGHT, WIDTH, Film, affine, aged, flow_to, view
from outlined import find_outlined, labels_of
from strokes import CHROMA, OFF, RADIUS, TURN, fill, garment_of, middles, stroke_through

from colorizer import Colorizer
from colorizer.arrays import Array, Plane, resize
from colorizer.color.difference import ciede2000
from colorizer.color.gamut import fit_gamut
from colorizer.color.lab import rgb_to_lab
from colorizer.film.flow import warp
from colorizer.film.reading import FilmInfo, open_film
from colorizer.film.writing import FilmOutput, segment
from colorizer.inference.corrections import Correction
from colorizer.inference.film import colorize_film
from colorizer.model.hints import Hint
from colorizer.pictures.reading import read_picture

_FRAMES, _RATE = 300, 25
_INFO = FilmInfo(WIDTH, HEIGHT, Fraction(_RATE), 0, Fraction(1, _RATE), 0, Fraction(1), False, 5, 0, 0, 0)


def films(paths: list[Path]) -> list[tuple[str, Film, list[Array], list[Plane]]]:
    """Of each photograph: its kind, frames, garment masks (uint8), and where frames lie in the photograph."""
    made: list[tuple[str, Film, list[Array], list[Plane]]] = []
    previous: Array | None = None
    for path in paths:
        rgb, labels = read_picture(path).rgb, labels_of(path)
        scale = max(1.15 * WIDTH / rgb.shape[1], 1.15 * HEIGHT / rgb.shape[0])
        size = round(rgb.shape[1] * scale), round(rgb.shape[0] * scale)
        rgb = resize(rgb, *size)
        labels = cv2.resize(labels, size, interpolation=cv2.INTER_NEAREST)
        garment = garment_of(labels)
        if garment is None:
            continue
        mask = garment.astype(np.uint8) * 255
        y, x = (axis.mean() for axis in np.nonzero(garment))
        center = np.clip([x, y], [WIDTH / 2, HEIGHT / 2], [size[0] - WIDTH / 2, size[1] - HEIGHT / 2])
        t = np.linspace(-0.5, 0.5, _FRAMES)
        moving = previous is not None and len(made) % 2 == 1
        if previous is not None and moving:
            places = [affine(center[0] + 60 * s, center[1] + 10 * np.sin(9 * s), 1, 0) for s in t]
            person = cv2.GaussianBlur((labels > 0).astype(np.float32), (3, 3), 0)
            background = view(previous, affine(WIDTH / 2 + 10, HEIGHT / 2, 1, 0))
            shares = [view(person, place)[..., None] for place in places]
            frames = [
                (background * (1 - share) + view(rgb, place) * share + 0.5).astype(np.uint8)
                for place, share in zip(places, shares, strict=True)
            ]
        else:
            places = [affine(center[0] + 24 * s, center[1] + 12 * s, 1.1 + 0.2 * s, 0.04 * s) for s in t]
            frames = [view(rgb, place) for place in places]
        masks = [view(mask, place) for place in places]
        previous = rgb
        if (masks[0] > 254).mean() > 0.02 and (masks[-1] > 254).mean() > 0.02:
            made.append(("person" if moving else "camera", Film(frames, []), masks, places))
    return made


def main() -> int:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("folder", type=Path)
    p.add_argument("--limit", type=int, default=8, help="photographs (default: 8)")
    arguments = p.parse_args()
    paths = find_outlined(arguments.folder)
    paths = paths[:: max(len(paths) // arguments.limit, 1)][: arguments.limit]
    predictor = Colorizer.from_pretrained(device="cpu").predictor
    figures = []
    print("| film | stroke at | drift, CIEDE2000 | fill, first frame % | last % | leak, own frame | all |")
    print("| --- |" + " ---: |" * 6)
    for k, (kind, film, masks, places) in enumerate(films(paths)):
        number = 0 if k % 4 < 2 else _FRAMES // 2
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder, "film.mp4")
            with segment(source, _INFO, FilmOutput(lossless=True)) as part:
                for time, rgb in enumerate(aged(film, k).frames):
                    part.write(rgb, time)
            garment = masks[number] > 254
            hue = np.deg2rad(TURN * k)
            light = rgb_to_lab(film.frames[number])[garment, 0].mean()
            wanted = np.array([light, CHROMA * np.cos(hue), CHROMA * np.sin(hue)], np.float32)
            a, b = fit_gamut(wanted[None, None])[0, 0, 1:].tolist()
            points = stroke_through(garment, middles(garment, 1)[0])
            stroke = Correction(number / _RATE, [Hint(tuple(points), RADIUS * HEIGHT, (a, b))])
            results = [
                colorize_film(
                    predictor, source, Path(folder, name), corrections=c, output=FilmOutput(lossless=True)
                ).target
                for name, c in (("with.mkv", [stroke]), ("without.mkv", []))
            ]
            labs = []
            for result in results:
                with open_film(result) as opened:
                    labs.append([rgb_to_lab(opened.photo(frame).rgb) for frame in opened.frames()])
        drift, leak, filled = [], [], []
        inside = cv2.erode(masks[0], np.ones((7, 7), np.uint8)) > 254
        for t, (lab, plain) in enumerate(zip(*labs, strict=True)):
            there = warp(lab, flow_to(places[0], places[t]))
            still = cv2.erode(warp(masks[t].astype(np.float32), flow_to(places[0], places[t])), np.ones((7, 7))) > 250
            same = inside & still
            first = labs[0][0].copy()
            there[..., 0] = first[..., 0]
            drift.append(ciede2000(there[same][None], first[same][None]).mean())
            around = cv2.dilate(masks[t], np.ones((2 * OFF + 1,) * 2, np.uint8)) == 0
            leak.append(np.linalg.norm(lab[around, 1:] - plain[around, 1:], axis=-1).mean())
            if t in (0, _FRAMES - 1):
                filled.append(100 * fill(lab, masks[t] > 254, (a, b)))
        figures.append((np.mean(drift), *filled, leak[number], np.mean(leak)))
        print(f"| {kind} | {number} | " + " | ".join(f"{x:.2f}" for x in figures[-1]) + " |", flush=True)
    print("| mean | | " + " | ".join(f"{x:.2f}" for x in np.mean(figures, 0)) + " |")
    return 0


if __name__ == "__main__":
    sys.exit(main())

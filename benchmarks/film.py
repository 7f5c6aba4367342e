"""How steady the colors of films are, and what each part of keeping them so brings.

python benchmarks/film.py photos/test                  # films with known movement, made from color photographs
python benchmarks/film.py photos/test --clips clips/   # and color films, whose movement is estimated from their gray

Every film is turned gray, with grain and flickering exposure as of old film, and colored frame by frame and steadily.
The warping error is the mean change of ab (Lab units) from one frame to the next along the movement, where a place is
seen in both; beside it stands that of the true colors. PSNR is that of RGB to the true film.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from colorizer import Colorizer, Settings
from colorizer.arrays import Array, Plane, resize
from colorizer.color.gamut import lab_to_display
from colorizer.color.lab import lightness, rgb_to_lab
from colorizer.film.flow import FlowFinder, small_copy, warp
from colorizer.film.shots import CutFinder
from colorizer.inference.steady import Steadiness, steady_colors
from colorizer.inference.upsampling import colorize_photo
from colorizer.pictures.photo import Photo
from colorizer.pictures.reading import find_pictures, read_picture

WIDTH, HEIGHT, _FRAMES = 320, 240, 48
_GRAIN, _FLICKER = 2.0, 0.02  # standard deviations: of L, and of the exposure as a share of it
_RIM = 3  # pixels around a moving object where neither movement is certain


@dataclass
class Film:
    """Frames, HWC RGB each, and where a frame's pixels were in the one before, (H, W, 2), NaN where they were not."""

    frames: list[Array]
    flows: list[Plane]


@dataclass
class _Seen:
    number: int
    photo: Photo
    light: Plane


def affine(x: float, y: float, zoom: float, turn: float) -> Plane:
    """From a frame's pixels to a photograph's: 3x3."""
    c, s = np.cos(turn) / zoom, np.sin(turn) / zoom
    center = np.array([[1, 0, -WIDTH / 2], [0, 1, -HEIGHT / 2], [0, 0, 1]])
    return np.array([[c, -s, x], [s, c, y], [0, 0, 1]]) @ center


def view(photo: Array, place: Plane) -> Array:
    """The frame at a place of a photograph."""
    flags = cv2.INTER_AREA | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(photo, place[:2], (WIDTH, HEIGHT), flags=flags, borderMode=cv2.BORDER_REFLECT)


def flow_to(place: Plane, before: Plane) -> Plane:
    """Where a frame's pixels are in another, both by their places in a photograph: (H, W, 2)."""
    to_before = np.linalg.inv(before) @ place
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(np.float64)
    moved = np.einsum("ij,jhw->ihw", to_before, np.stack([x, y, np.ones_like(x)]))
    return np.dstack([moved[0] - x, moved[1] - y]).astype(np.float32)


def _places(photo: Array, kind: str) -> list[Plane]:
    """The camera's way over a photograph."""
    height, width = photo.shape[:2]
    x, y = width / 2, height / 2
    t = np.linspace(-0.5, 0.5, _FRAMES)
    room_x, room_y = (max(side - frame, 0) for side, frame in ((width, WIDTH), (height, HEIGHT)))
    if kind == "zoom":
        return [affine(x, y, 1.1 + 0.3 * s, 0.05 * s) for s in t]
    return [affine(x + min(room_x, 72) * s, y + min(room_y, 36) * s, 1, 0) for s in t]


def _camera(photo: Array, kind: str) -> Film:
    places = _places(photo, kind)
    flows = [flow_to(b, a) for a, b in itertools.pairwise(places)]
    return Film([view(photo, place) for place in places], flows)


def _object(photo: Array, other: Array) -> Film:
    """A part of another photograph, moving over a pan."""
    film = _camera(photo, "pan")
    height, width = other.shape[:2]
    yy, xx = np.mgrid[:height, :width]
    shape = ((((xx - width / 2) / 60) ** 2 + ((yy - height / 2) / 80) ** 2) < 1).astype(np.uint8) * 255
    t = np.linspace(-0.5, 0.5, _FRAMES)
    places = [affine(width / 2 + 130 * s, height / 2 + 20 * np.sin(6 * s), 1, 0) for s in t]
    masks = [view(shape, place) for place in places]
    kernel = np.ones((2 * _RIM + 1,) * 2, np.uint8)
    for k, (place, mask) in enumerate(zip(places, masks, strict=True)):
        share = mask[..., None] / 255
        film.frames[k] = (film.frames[k] * (1 - share) + view(other, place) * share + 0.5).astype(np.uint8)
        if k:
            inside, outside = cv2.erode(mask, kernel) > 254, cv2.dilate(mask, kernel) == 0
            there = warp((cv2.dilate(masks[k - 1], kernel) > 0).astype(np.float32), film.flows[k - 1]) > 0
            film.flows[k - 1][inside] = flow_to(place, places[k - 1])[inside]
            film.flows[k - 1][~inside & (~outside | there)] = np.nan
    return film


def _cut(one: Film, other: Film) -> Film:
    """Half of one, then half of the other."""
    half = _FRAMES // 2
    nowhere = np.full((HEIGHT, WIDTH, 2), np.nan, np.float32)
    return Film(one.frames[:half] + other.frames[:half], [*one.flows[: half - 1], nowhere, *other.flows[: half - 1]])


def films(photos: list[Array]) -> Iterator[tuple[str, Film]]:
    """Pans, zooms, moving objects and cuts from photographs."""
    for k, photo in enumerate(photos):
        kind = ("pan", "zoom", "object", "cut")[k % 4]
        if kind == "cut":
            yield kind, _cut(_camera(photo, "pan"), _camera(photos[k - 1], "zoom"))
        else:
            yield kind, _object(photo, photos[k - 1]) if kind == "object" else _camera(photo, kind)


def clip(path: Path) -> Film:
    """A color film, and its movement, as far as it can be followed there and back."""
    from colorizer.film.reading import open_film

    with open_film(path) as film:
        frames = [film.photo(frame).rgb for frame, _ in zip(film.frames(), range(4 * _FRAMES), strict=False)]
    finder, lights = FlowFinder(), [lightness(frame) for frame in frames]
    begins, flows = _begins(frames), []
    for k, (a, b) in enumerate(itertools.pairwise(lights), 1):
        _, back = finder.steps(a, b)
        seen = (back.seen[..., None] > 0.99) & (not begins[k])
        flows.append(np.where(seen, back.flow, np.nan).astype(np.float32))
    return Film(frames, flows)


def aged(film: Film, seed: int) -> Film:
    """The film with grain and flickering exposure: L alone changes."""
    random = np.random.default_rng(seed)
    frames = []
    for rgb in film.frames:
        lab = rgb_to_lab(rgb)
        grain = random.normal(0, _GRAIN, rgb.shape[:2]).astype(np.float32)
        light = lab[..., 0] * np.float32(1 + random.normal(0, _FLICKER)) + grain
        out = np.empty_like(rgb)
        lab_to_display((light.clip(0, 100), *(np.ascontiguousarray(lab[..., k]) for k in (1, 2))), 1, out)
        frames.append(out)
    return Film(frames, film.flows)


def warping_error(frames: list[Array], flows: list[Plane]) -> float:
    """Mean change of ab along the movement, in Lab units."""
    ab = [rgb_to_lab(rgb)[..., 1:] for rgb in frames]
    errors = []
    for before, after, flow in zip(ab, ab[1:], flows, strict=False):
        height, width = flow.shape[:2]
        place = flow + np.dstack(np.meshgrid(np.arange(width), np.arange(height)))
        with np.errstate(invalid="ignore"):
            inside = ((place >= 0) & (place <= (width - 1, height - 1))).all(2)
        change = np.hypot(*np.moveaxis(after - warp(before, np.nan_to_num(flow)), 2, 0))
        if inside.any():  # nothing is, over a cut
            errors.append(change[inside].mean())
    return float(np.mean(errors))


def psnr(frames: list[Array], truth: list[Array]) -> float:
    """Of RGB, in dB, over the whole film."""
    mse = np.mean([np.mean((a.astype(np.float32) - b) ** 2) for a, b in zip(frames, truth, strict=True)])
    return float(10 * np.log10(255**2 / mse))


def colored(
    film: Film, colorizer: Colorizer, settings: Settings, steadiness: Steadiness | None, with_cuts: bool = True
) -> list[Array]:
    """Its frames in color; each by itself if there is no steadiness, or over cuts as if there were none."""
    photos = [Photo(np.repeat(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)[..., None], 3, 2)) for rgb in film.frames]
    if steadiness is None:
        return [colorizer.colorize(photo, settings).rgb for photo in photos]
    seen = [_Seen(k, photo, small_copy(lightness(photo.rgb))) for k, photo in enumerate(photos)]
    numbers = itertools.accumulate(_begins([photo.rgb for photo in photos]))
    pairs = zip(seen, numbers, strict=True)
    shots = [[s for s, _ in group] for _, group in itertools.groupby(pairs, lambda pair: pair[1])]
    frames: list[Array] = []
    for shot in shots if with_cuts else [seen]:
        steady = steady_colors(shot, lambda s: colorizer.prepare(s.photo).ab(settings), steadiness)
        frames += [colorize_photo(s.frame.photo, lightness(s.frame.photo.rgb), s.ab).rgb for s in steady]
    return frames


def _begins(frames: list[Array]) -> list[bool]:
    """Which frames begin a shot."""
    finder = CutFinder()
    return [finder.begins(small_copy(lightness(rgb))) for rgb in frames]


WAYS: dict[str, tuple[Steadiness | None, bool]] = {
    "frame by frame": (None, True),
    "steady": (Steadiness(), True),
    "each frame a key": (Steadiness(every=1), True),
    "cuts not looked for": (Steadiness(), False),
    "occlusions not looked for": (Steadiness(occlusions=False), True),
    "nothing carried from before": (Steadiness(memory=0), True),
    "nothing from behind": (Steadiness(ahead=0), True),
}


def main() -> int:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("folder", type=Path)
    p.add_argument("--clips", type=Path)
    p.add_argument("--limit", type=int, default=12, help="photographs, and so films (default: 12)")
    arguments = p.parse_args()
    paths = [p for p in find_pictures(arguments.folder) if ".mask." not in p.name]
    photos: list[Array] = []
    for path in paths[:: max(len(paths) // arguments.limit, 1)][: arguments.limit]:
        rgb = read_picture(path).rgb
        scale = max(1.25 * WIDTH / rgb.shape[1], 1.25 * HEIGHT / rgb.shape[0])
        photos.append(resize(rgb, round(rgb.shape[1] * scale), round(rgb.shape[0] * scale)))
    colorizer = Colorizer.from_pretrained(device="cpu")
    made = films(photos)
    if arguments.clips:
        made = itertools.chain(made, ((path.name, clip(path)) for path in sorted(arguments.clips.iterdir())))
    figures: dict[str, list[tuple[float, float]]] = {}
    truth = []
    for k, (kind, film) in enumerate(made):
        film = aged(film, k)
        truth.append(warping_error(film.frames, film.flows))
        line = [f"{kind:14} true {truth[-1]:.2f}"]
        for name, (way, cuts) in WAYS.items():
            frames = colored(film, colorizer, Settings(), way, cuts)
            figure = warping_error(frames, film.flows), psnr(frames, film.frames)
            figures.setdefault(name, []).append(figure)
            line.append(f"{name} {figure[0]:.2f} {figure[1]:.2f} dB")
        print("  ".join(line), flush=True)
    columns = ("", "warping error", "of frame by frame", "of the true colors", "PSNR dB")
    print("", f"| {' | '.join(columns)} |", f"| --- |{' ---: |' * (len(columns) - 1)}", sep="\n")
    base = np.mean([f[0] for f in figures["frame by frame"]])
    for name, rows in figures.items():
        error, decibels = np.mean(rows, 0)
        shares = f"{error / base:.2f} | {error / np.mean(truth):.2f}"
        print(f"| {name} | {error:.2f} | {shares} | {decibels:.2f} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())

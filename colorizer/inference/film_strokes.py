"""What is painted on single frames of a film, carried through their shots."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ..arrays import Plane, resize, resize_linear
from ..color.lab import rgb_to_lab
from ..film.reading import Film, open_film
from ..model.hints import parse_hints
from ..pictures.photo import Photo
from .corrections import Correction
from .film_plan import FilmPlan, Shot, ShownFrame, frames_of
from .objects import ObjectFinder
from .predictor import Predictor
from .prepared import PreparedPhoto
from .steady import Key, Steadiness, carried_back, keys_of, over, painted_colors
from .upsampling import Paint, guide_of, mask_at_edges

_BACK = 250  # keys that strokes are carried back by, at most: some 2000 frames; each takes 1.4 MB of memory
_AROUND = (9, 9)  # pixels: where the color of what is hardly covered is taken from
_EPSILON, _CONTRAST = 1e-3, 2.0  # of the edges of what strokes cover, as of `steady.carried_paint`


def strokes_of(
    predictor: Predictor, source: Path, plan: FilmPlan, shot: Shot, deinterlace: bool, steadiness: Steadiness
) -> tuple[dict[int, Plane], dict[int, Plane]]:
    """What is painted in a shot: at the frames it was said of, and at the keys before them."""
    numbers = sorted(n for n, c in plan.corrections.items() if n in shot and (c.hints or c.reference))
    strokes: dict[int, Plane] = {}
    behind: dict[int, Plane] = {}
    if not numbers:
        return strokes, behind
    with open_film(source, deinterlace) as film:
        frames = frames_of(film, enumerate(film.frames()), shot.first, numbers[-1] + 1)
        keys: deque[Key[ShownFrame]] = deque(maxlen=_BACK)
        for key in keys_of(frames, steadiness, plan.must(shot)):
            shown = key.frames[0]
            keys.append(Key([shown], [], [], key.there, key.there))  # all that it takes
            if shown.number not in numbers:
                continue
            painted = _painted(predictor, film.photo(shown.frame), plan.corrections[shown.number], shown.light)
            if painted is not None:
                strokes[shown.number] = painted
                for number, earlier in carried_back(reversed(keys), painted, whole_things(film)).items():
                    lower = over(behind.get(number), earlier)
                    if lower is not None:
                        behind[number] = lower
    return strokes, behind


def whole_things(film: Film) -> Callable[[ShownFrame, Plane], Plane]:
    """What finds the things in a frame of a film of which something is painted; see `steady.steady_colors`."""

    def whole(shown: ShownFrame, cover: Plane) -> Plane:
        photo = film.photo(shown.frame)
        height, width = shown.light.shape
        finder = ObjectFinder(guide_of(photo), (photo.rgb.shape[0], photo.rgb.shape[1]))
        return resize_linear(finder.whole(cover), width, height)

    return whole


def _painted(predictor: Predictor, photo: Photo, correction: Correction, light: Plane) -> Plane | None:
    """`Known.painted` of a correction, at the size of the small copy."""
    height, width = light.shape
    lower = None
    if correction.reference is not None:
        reference = rgb_to_lab(resize(correction.reference.rgb, width, height))
        lower = np.dstack([np.ones_like(light), reference[..., 1:], light]).astype(np.float32)
    paint = PreparedPhoto(predictor, photo).paint(parse_hints(correction.hints))
    if paint is None:
        return lower
    layers = np.dstack([paint.cover, paint.cover[..., None] * paint.ab, paint.cover * paint.lightness])
    return over(resize(np.asarray(layers, np.float32), width, height), lower)


def paint_at(painted: Plane, guide: Plane) -> Paint:
    """`Known.painted` at a guide's size."""
    height, width = guide.shape
    colors = resize_linear(painted_colors(painted, _AROUND), width, height)
    radius = max(round(min(guide.shape) / min(painted.shape[:2])), 1) + 1
    cover = resize_linear(np.ascontiguousarray(painted[..., 0]), width, height)
    sharp = mask_at_edges(guide, cover, radius, _EPSILON, _CONTRAST)
    return Paint(sharp, np.ascontiguousarray(colors[..., :2]), np.ascontiguousarray(colors[..., 2]))

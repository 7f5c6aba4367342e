"""Several plausible colorings of one photo: other guesses where the network is least sure.

A photo's colors can't be known, and the network's output says so: a distribution over the ab bins at every pixel.
Where it is widest, another of its guesses is given back to the network as a hint; the network then colors the whole
object, and what goes with it, to match. After each hint it is asked anew, so that later choices fit earlier ones.

Of one thing alone, `object_colors` tells which colors it may have.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import zip_longest

import cv2
import numpy as np
import numpy.typing as npt
from torch import Tensor

from ..arrays import Plane, resize, resize_linear
from ..color.bins import ab_bins, rebalance_logits
from ..color.difference import ciede2000
from ..errors import UserError
from ..model.hints import Hint, parse_hints
from ..pictures.photo import Photo
from .prepared import Hints, PreparedPhoto
from .settings import Settings

_PLACES = 3  # least certain places that are looked at, and hints an alternative is made of, at most
_APART = 0.25  # of the short side: between those places
_NEAR_GRAY = 8.0  # chroma under which a bin has no hue
_HUE_CONCENTRATION = 6.0  # of a family of hues: half as much at 27 degrees
_GUESS_DISTANCE = 12.0  # ab distance of two colors that are not the same guess
_BOLDER = 5.0  # the same of a thing's color and a bolder one of its hue
_PLAUSIBLE, _LIKELY = 0.1, 0.4  # share of the best guess's probability for a first choice, and for one that follows it
_ALPHA = 0.3  # rebalancing, at least, of what is possible
_CALM = 0.75  # of a guess's chroma: at 1 what comes out has 120% of the true colorfulness, at 0.75 95%
_HINT_RADIUS = 0.02  # of the short side
_SHOWN_SIDE, _AROUND, _SHOWN_SHARE = 200, 1.3, 0.25  # pixels of a small picture; sides of the thing; of the short side
LEAST_DIFFERENCE = 2.0  # mean CIEDE2000 between any two of what is offered
Field = npt.NDArray[np.float64]


def alternative_photos(
    prepared: PreparedPhoto, n: int = 3, settings: Settings | None = None, hints: Hints = (), onto: Photo | None = None
) -> list[tuple[Photo, list[Hint]]]:
    """Other plausible colorings of a photo; see `plan_alternatives`.

    Args:
        prepared: the photo.
        n: how many, at most. A photo whose colors the network is sure of gives fewer, or none.
        settings: how to color.
        hints: colors that are known, in the photo's pixels; they hold in every alternative.
        onto: a copy of the photo, of another size, to be colored in its stead.
    Returns:
        the colorized photos, the most plausible first, and with each the hints that lead to it, the user's first.
    """
    settings = settings or Settings()
    plans = plan_alternatives(prepared, n, settings, parse_hints(hints))
    return [(prepared.with_colors(ab, settings, chosen, onto), chosen) for chosen, ab in plans]


def plan_alternatives(
    prepared: PreparedPhoto, n: int, settings: Settings, hints: Sequence[Hint] = ()
) -> list[tuple[list[Hint], Plane]]:
    """Hints that lead to other plausible colorings than the likeliest.

    Args:
        prepared: for a classification network that takes hints.
        n: how many, at most; there are fewer if the network sees no other way to color the photo.
        settings: how to color.
        hints: the user's own; they hold in every alternative.
    Returns:
        for each alternative its hints, the user's first, and its ab (h, w, 2); every two of them, and each and the
        likeliest coloring, differ by a mean CIEDE2000 of at least `LEAST_DIFFERENCE`.
    """
    prepared.predictor.check(alternatives=True)
    base = prepared.output(settings, hints)
    likeliest = prepared.predictor.colors(base, settings)
    plans: list[tuple[list[Hint], Plane]] = []
    for first in _other_choices(prepared, settings, base, likeliest, hints, _PLACES, _PLAUSIBLE)[: 2 * n]:
        chosen = [*hints, first]
        for _ in range(_PLACES - 1):
            output = prepared.output(settings, chosen)
            chosen += _other_choices(prepared, settings, output, likeliest, chosen, 1, _LIKELY)[:1]
        ab = prepared.ab(settings, chosen)
        offered = [likeliest, *(other for _, other in plans)]
        if all(difference(prepared.guide, ab, other) >= LEAST_DIFFERENCE for other in offered):
            plans.append((chosen, ab))
        if len(plans) == n:
            break
    return plans


def object_colors(prepared: PreparedPhoto, place: Hint, n: int = 6, settings: Settings | None = None) -> list[Hint]:
    """What colors the thing under a stroke may have.

    Args:
        prepared: for a classification network.
        place: where the thing is; its color, if any, plays no part.
        n: how many colors, at most.
        settings: how to color.
    Returns:
        the same stroke in other colors than the photo's, the most probable first, each unlike all others.
    """
    settings = settings or Settings()
    if prepared.predictor.checkpoint.config.objective != "classification":
        raise UserError("Colors can be proposed by a classification network alone: only that knows other guesses.")
    output = prepared.output(settings)
    p = _probabilities(prepared, settings, output)
    share = resize_linear(prepared.mask(place), p.shape[1], p.shape[0]).astype(np.float64) ** 2
    share /= max(share.sum(), 1e-9)
    usual = np.tensordot(share, prepared.predictor.colors(output, settings), 2).astype(np.float32)
    guesses = _other_guesses(np.tensordot(share, p, 2), usual, 0, _BOLDER)
    return [replace(place, ab=guess, influence=False, hold=True) for guess in guesses[:n]]


def object_pictures(
    prepared: PreparedPhoto, place: Hint, n: int, settings: Settings, hints: Sequence[Hint], onto: Photo
) -> list[tuple[Hint, Photo]]:
    """The colors of `object_colors`, and with each a small picture of the thing in it.

    Args:
        prepared, place, n, settings: as there.
        hints: the user's own, which are in the pictures, too.
        onto: a copy of the photo, of any size.
    """
    mask = prepared.mask(place)
    rows, columns = np.nonzero(mask > 0.5 * mask.max())
    height, width = mask.shape
    span = max(np.ptp(rows), np.ptp(columns), _SHOWN_SHARE * min(height, width))
    scale = min(1.0, _SHOWN_SIDE / (_AROUND * span) * max(height, width) / max(onto.rgb.shape[:2]))
    rgb, ab = onto.rgb, prepared.ab(settings, hints)
    size = max(round(rgb.shape[1] * scale), 1), max(round(rgb.shape[0] * scale), 1)
    small = Photo(resize(rgb, *size))
    window = tuple(
        slice(*np.clip([middle - _SHOWN_SIDE // 2, middle + _SHOWN_SIDE // 2], 0, side))
        for middle, side in (
            (round((rows.min() + rows.max()) / 2 / height * size[1]), size[1]),
            (round((columns.min() + columns.max()) / 2 / width * size[0]), size[0]),
        )
    )
    colored = []
    for hint in object_colors(prepared, place, n, settings):
        whole = prepared.with_colors(ab, settings, [*hints, hint], small)
        colored.append((hint, Photo(np.ascontiguousarray(whole.rgb[window]))))
    return colored


def difference(guide: Plane, ab: Plane, other: Plane) -> float:
    """Mean CIEDE2000 between two colorings (h, w, 2) of one L (H, W), at their own size."""
    light = cv2.resize(guide, (ab.shape[1], ab.shape[0]), interpolation=cv2.INTER_AREA)
    return float(ciede2000(np.dstack([light, ab]), np.dstack([light, other])).mean())


def _other_choices(
    prepared: PreparedPhoto,
    settings: Settings,
    output: Tensor,
    likeliest: Plane,
    hints: Sequence[Hint],
    places: int,
    share: float,
) -> list[Hint]:
    """Hints of other colors than the likeliest at the `places` least certain places away from `hints`: the best
    of each place, then the second best of each, and so on."""
    p = _probabilities(prepared, settings, output)
    (height, width), (rows, columns) = prepared.size, p.shape[:2]
    taken = [(y / height * rows, x / width * columns) for hint in hints for x, y in hint.points]
    by_place = []
    for row, column in _least_certain(p, taken, places):
        around = p[max(row - 2, 0) : row + 3, max(column - 2, 0) : column + 3].mean((0, 1))
        y, x = (row + 0.5) / rows * height, (column + 0.5) / columns * width
        guesses = _other_guesses(around, likeliest[row, column], share)
        by_place.append(
            [Hint(((x, y),), _HINT_RADIUS * min(height, width), guess, influence=True, hold=False) for guess in guesses]
        )
    return [hint for rank in zip_longest(*by_place) for hint in rank if hint is not None]


def _probabilities(prepared: PreparedPhoto, settings: Settings, output: Tensor) -> Field:
    """(h, w, 313), what is rare made a little more probable."""
    prior = prepared.predictor.checkpoint.prior.to(output.device)
    logits = rebalance_logits(output.float(), prior, max(settings.alpha, _ALPHA))
    return logits[0].softmax(0).permute(1, 2, 0).double().cpu().numpy()


def _least_certain(p: Field, taken: list[tuple[float, float]], number: int) -> list[tuple[int, int]]:
    """The (row, column) where the standard deviation of p's colors, averaged over a neighborhood, is largest;
    away from the places (row, column) that are taken, and from each other."""
    bins = ab_bins().double().numpy()
    variance = p @ (bins**2).sum(1) - ((p @ bins) ** 2).sum(-1)
    spread = cv2.blur(np.sqrt(np.maximum(variance, 0)), (7, 7))
    y, x = np.mgrid[: p.shape[0], : p.shape[1]]
    places: list[tuple[int, int]] = []
    while len(places) < number:
        for row, column in [*taken, *places]:
            spread[np.hypot(y - row, x - column) < _APART * min(spread.shape)] = 0
        place = np.unravel_index(int(spread.argmax()), spread.shape)
        if spread[place] == 0:
            break
        places.append((int(place[0]), int(place[1])))
    return places


def _other_guesses(
    p: npt.NDArray[np.float64], likeliest: Plane, share: float, apart: float = _GUESS_DISTANCE
) -> list[tuple[float, float]]:
    """What else p (313,) holds for possible, the most probable first: the mean colors of what is near gray, and of
    what lies in each of eight directions of hue. Left out are what is like a guess before it or, closer
    than `apart`, like the color `likeliest` (2,), and what is less probable than `share` of the best one."""
    bins = ab_bins().double().numpy()
    chroma, hue = np.hypot(*bins.T), np.arctan2(bins[:, 1], bins[:, 0])
    towards = np.arange(8)[:, None] * np.pi / 4
    families = np.exp(_HUE_CONCENTRATION * (np.cos(hue - towards) - 1)) * (chroma >= _NEAR_GRAY)  # (8, 313)
    families = np.vstack([families, chroma < _NEAR_GRAY]) * p
    mass = families.sum(1)
    colors = families @ bins / mass[:, None]
    guesses: list[tuple[float, float]] = []
    for k in np.argsort(-mass):
        unlike = all(np.hypot(*(colors[k] - other)) >= _GUESS_DISTANCE for other in guesses)
        if unlike and np.hypot(*(colors[k] - likeliest)) >= apart and mass[k] >= share * mass.max():
            guesses.append((_CALM * float(colors[k, 0]), _CALM * float(colors[k, 1])))
    return guesses

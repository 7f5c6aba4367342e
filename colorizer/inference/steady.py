"""Steady colors: within a shot they follow the things, instead of being guessed anew for each frame.

Some frames are keys: the network colors them whole. A key's colors are joined with those of the keys before it and of a
few behind it, carried along the optical flow, each place by how surely it was followed and by how many keys speak for
it. All other frames take theirs from the key before and the key behind, the nearer the more. Strokes are carried too.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import cv2
import numpy as np

from ..arrays import Plane, planes_of, resize_linear
from ..film.flow import FlowFinder, Step, joined, standing, warp
from .upsampling import guided_coefficients, mask_at_edges

_EPSILON = 1e-3  # variance of L / 100 below which a key's colors are smoothed
_LEAST = np.float32(1e-3)  # weight of a key where nothing is followed to it: there something must be said
_BESIDE, _AROUND = (13, 13), (41, 41)  # pixels: where it is looked for what was hidden may be a part of, and its color
_SOMETHING = 0.2  # of a place that is covered: there what is painted has a color of its own
_NEARLY_ALL = 0.9  # of the frame: it is no thing that is painted
_EDGES, _SHARPER = 1e-4, 2.0  # of what strokes cover: the same variance, and the contrast by which it stays sharp


class Frame(Protocol):
    """A frame.

    Attributes:
        number: in the film, from 0.
        light: L of a small copy, (H, W) in [0, 100], of one size throughout a shot.
    """

    number: int
    light: Plane


F = TypeVar("F", bound=Frame)
Whole = Callable[[F, Plane], Plane]


@dataclass(frozen=True)
class Steadiness:
    """How colors are kept steady.

    Attributes:
        every: frames between keys, at most; 1 makes each a key.
        lost: share of a frame that may no longer be followed to the last key, above which it is a key itself.
        memory: keys that a carried color counts as much as, at most; 0 forgets what was before.
        ahead: keys behind that are listened to; 0 for none.
        occlusions: whether what is hidden in between is looked for, by going there and back.
    """

    every: int = 8
    lost: float = 0.2
    memory: float = 16
    ahead: int = 4
    occlusions: bool = True


@dataclass
class Known:
    """What is known of the colors at a key: the state that a shot can be gone on with.

    Attributes:
        ab: (H, W, 2) in Lab units.
        count: (H, W), how many keys speak for it.
        painted: (H, W, 4), what strokes cover, in [0, 1], and that times their a, b and L; or None.
    """

    ab: Plane
    count: Plane
    painted: Plane | None = None


@dataclass(frozen=True)
class Steady(Generic[F]):
    """A frame in color.

    Attributes:
        frame: the frame.
        ab: (H, W, 2) in Lab units, at its small copy's size.
        painted: of `Known`.
        known: of a key: what the shot can be gone on with from here.
    """

    frame: F
    ab: Plane
    painted: Plane | None
    known: Known | None


@dataclass
class Key(Generic[F]):
    """A key and the frames behind it, up to the next.

    Attributes:
        frames: the key first.
        steps: from each frame to the next, and back; the last leads to the next key.
        members: from each frame to the key.
        back, there: from the key to the one before it, and from that one to it.
    """

    frames: list[F]
    steps: list[tuple[Step, Step]]
    members: list[Step]
    back: Step
    there: Step


@dataclass
class _Colored(Generic[F]):
    key: Key[F]
    own: Known
    known: Known


def keys_of(
    frames: Iterable[F], steadiness: Steadiness, must: Callable[[int], bool] = lambda number: False
) -> Iterator[Key[F]]:
    """The keys of a shot, each once all of its frames are there.

    Args:
        frames: of one shot, in order.
        steadiness: how far apart they may be.
        must: whether the frame of that number has to be one.
    """
    finder = FlowFinder()
    key: Key[F] | None = None
    there: Step | None = None
    for frame in frames:
        still = standing(frame.light)
        if key is None or there is None:
            key, there = Key([frame], [], [still], still, still), still
            continue
        on, back = finder.steps(key.frames[-1].light, frame.light)
        if not steadiness.occlusions:
            on, back = on._replace(seen=still.seen), back._replace(seen=still.seen)
        key.steps.append((on, back))
        to_key, there = joined(back, key.members[-1]), joined(there, on)
        lost = 1 - float(to_key.seen.mean()) > steadiness.lost
        if lost or len(key.frames) >= steadiness.every or must(frame.number):
            yield key
            key, there = Key([frame], [], [still], to_key, there), still
        else:
            key.frames.append(frame)
            key.members.append(to_key)
    if key is not None:
        yield key


def steady_colors(
    frames: Iterable[F],
    colors_of: Callable[[F], Plane],
    steadiness: Steadiness | None = None,
    before: Known | None = None,
    must: Callable[[int], bool] = lambda number: False,
    strokes: Mapping[int, Plane] | None = None,
    behind: Mapping[int, Plane] | None = None,
    whole: Whole[F] | None = None,
    told: Collection[int] = (),
) -> Iterator[Steady[F]]:
    """The colors of a shot.

    Args:
        frames: of one shot, in order.
        colors_of: the network's colors of a frame, (h, w, 2) in Lab units.
        steadiness: how they are kept.
        before: what was known at the first frame, where the shot goes on.
        must: of `keys_of`.
        strokes: what is painted, by the number of the frame, which must be a key: `Known.painted`.
        behind: what is painted later, carried back to keys by `carried_back`.
        whole: finds the things that are painted, in a key, from (H, W) what is known of them to be painted; without it,
            what comes into sight is taken to be as what is beside it.
        told: the frames, which must be keys, of which the network was told colors, by number.
    Yields:
        each frame, in order; at most (ahead + 2) * every of them wait meanwhile.
    """
    steadiness, strokes, behind = steadiness or Steadiness(), strokes or {}, behind or {}
    waiting: list[_Colored[F]] = []
    last: Known | None = None
    for key in keys_of(frames, steadiness, must):
        frame = key.frames[0]
        if last is None and before is not None:
            own = known = before
        else:
            own = Known(_at_edges(colors_of(frame), frame.light), np.ones(frame.light.shape, np.float32))
            if frame.number in told:
                own.count *= max(steadiness.memory, 1)  # what was said of it counts more than what was guessed before
            known = own if last is None else _both(own, _carried(last, key.back, steadiness.memory))
            earlier = None if last is None else carried_paint(last.painted, key.back, frame, whole)
            known.painted = over(strokes.get(frame.number), over(earlier, behind.get(frame.number)))
        waiting.append(_Colored(key, own, known))
        last = known
        if len(waiting) > steadiness.ahead + 1:
            yield from _between(waiting, steadiness)
            del waiting[0]
    while waiting:
        yield from _between(waiting, steadiness)
        del waiting[0]


def carried_back(keys: Iterable[Key[F]], painted: Plane, whole: Whole[F] | None = None) -> dict[int, Plane]:
    """What is painted at a frame, at the keys before it, by their numbers.

    Args:
        keys: of the shot before that frame, which is itself a key: in reverse order, that frame's first.
        painted: of `Known`, at that frame.
        whole: of `steady_colors`.
    """
    carried: dict[int, Plane] = {}
    there: Step | None = None
    for key in keys:
        if there is not None:
            painted = carried_paint(painted, there, key.frames[0], whole)  # type: ignore[assignment]
            carried[key.frames[0].number] = painted
        there = key.there
    return carried


def over(upper: Plane | None, lower: Plane | None) -> Plane | None:
    """One `Known.painted` laid over another."""
    if upper is None or lower is None:
        return lower if upper is None else upper
    return upper + lower * (1 - upper[..., :1])


def carried_paint(painted: Plane | None, step: Step, frame: F, whole: Whole[F] | None = None) -> Plane | None:
    """`Known.painted` of another frame at this one, whose L its edges keep to; `whole` is that of `steady_colors`."""
    if painted is None:
        return None
    seen = step.seen[..., None]
    moved = warp(painted, step.flow) * seen
    if whole is None or moved[..., 0].mean() > _NEARLY_ALL:
        beside = cv2.blur(moved[..., 0], _BESIDE) / np.maximum(cv2.blur(step.seen, _BESIDE), 1e-3)
        hidden = np.asarray(beside, np.float32)
    else:
        hidden = whole(frame, moved[..., 0])
    cover = np.asarray(moved[..., 0] + hidden * (1 - step.seen), np.float32)
    sharp = mask_at_edges(frame.light, cover, 2, _EDGES, _SHARPER)
    # What comes into sight has the color of what is painted around it.
    return np.asarray(np.dstack([sharp, sharp[..., None] * painted_colors(moved, _AROUND)]), np.float32)


def painted_colors(painted: Plane, around: tuple[int, int]) -> Plane:
    """a, b and L of `Known.painted`, (H, W, 3); where next to nothing is, those around it, within so many pixels."""
    layers = np.where(painted[..., :1] > _SOMETHING, painted, cv2.blur(painted, around))
    return np.asarray(layers[..., 1:] / np.maximum(layers[..., :1], 1e-3), np.float32)


def _carried(known: Known, step: Step, memory: float) -> Known:
    """What is known at another frame, at this one."""
    return Known(warp(known.ab, step.flow), np.minimum(warp(known.count, step.flow), memory) * step.seen)


def _both(one: Known, other: Known) -> Known:
    """Joined, each place by how many speak for it."""
    count = one.count + other.count
    return Known(one.ab + (other.ab - one.ab) * (other.count / count)[..., None], count)


def _at_edges(ab: Plane, light: Plane) -> Plane:
    """The network's few pixels of ab at a frame's small copy, along the edges of its L."""
    height, width = light.shape
    radius = max(round(min(light.shape) / min(ab.shape[:2])), 1)
    a, b, offset_a, offset_b = guided_coefficients(light, planes_of(resize_linear(ab, width, height)), radius, _EPSILON)
    return np.dstack([a * light + offset_a, b * light + offset_b])


def _settled(waiting: list[_Colored[F]], k: int, steadiness: Steadiness) -> Plane:
    """A key's colors, joined with those of the keys behind it as well."""
    last = min(k + steadiness.ahead, len(waiting) - 1)
    if last == k:
        return waiting[k].known.ab
    behind = waiting[last].own
    for j in range(last - 1, k, -1):
        behind = _both(waiting[j].own, _carried(behind, waiting[j + 1].key.there, steadiness.memory))
    return _both(waiting[k].known, _carried(behind, waiting[k + 1].key.there, steadiness.memory)).ab


def _between(waiting: list[_Colored[F]], steadiness: Steadiness) -> Iterator[Steady[F]]:
    """The frames of the first key."""
    key, known = waiting[0].key, waiting[0].known
    first, painted = _settled(waiting, 0, steadiness), known.painted
    if len(waiting) == 1:
        for k, (frame, step) in enumerate(zip(key.frames, key.members, strict=True)):
            paint = None if painted is None else warp(painted, step.flow)
            yield Steady(frame, warp(first, step.flow), paint, None if k else known)
        return
    second, next_painted = _settled(waiting, 1, steadiness), waiting[1].known.painted
    ways = [standing(key.frames[0].light)]
    for on, _ in reversed(key.steps):
        ways.append(joined(on, ways[-1]))
    for k, (frame, back, there) in enumerate(zip(key.frames, key.members, reversed(ways), strict=False)):
        share = np.float32(k / len(key.frames))
        before, behind = (1 - share) * (back.seen + _LEAST), share * (there.seen + _LEAST)
        weight = np.asarray(behind / (before + behind), np.float32)[..., None]
        ab = _mixed(first, back, second, there, weight)
        paint = None
        if painted is not None or next_painted is not None:
            nothing = np.zeros((*frame.light.shape, 4), np.float32)
            one, other = (nothing if p is None else p for p in (painted, next_painted))
            paint = _mixed(one, back, other, there, weight)
        yield Steady(frame, ab, paint, None if k else known)


def _mixed(one: Plane, to_one: Step, other: Plane, to_other: Step, weight: Plane) -> Plane:
    near, far = warp(one, to_one.flow), warp(other, to_other.flow)
    return np.asarray(near + (far - near) * weight, np.float32)

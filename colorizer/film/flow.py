"""How things move from one frame to the next: optical flow, and where it can be believed.

A flow (H, W, 2) says for each pixel of a frame how far away (x, y), in pixels, it lies in another one. What belongs to
that other frame is brought to this one by `warp`.
"""

from __future__ import annotations

from typing import NamedTuple, cast

import cv2
import numpy as np
import numpy.typing as npt

from ..arrays import Plane, resize

SIDE = 192  # short side of the copies in which movement is looked for
_LONGEST = 4  # of the longer side, in short sides
_SLACK, _SHARE = 0.5, 0.01  # Sundaram, Brox and Keutzer, "Dense Point Trajectories" (ECCV 2010), eq. 5
_CONTRAST = 50.0  # standard deviation of L that frames are brought to, in 8 bits
_ALIKE = 3.0  # difference of such levels, in the mean of 5 x 5 pixels, up to which places look alike


class Step(NamedTuple):
    """The way from one frame to another.

    Attributes:
        flow: (H, W, 2), where this frame's pixels lie in the other.
        seen: (H, W) in [0, 1], how surely they are to be seen there at all.
    """

    flow: Plane
    seen: Plane


def small_copy(light: Plane) -> Plane:
    """L (H, W) at the size at which movement is looked for; a smaller one as it is."""
    height, width = light.shape
    scale = min(1.0, SIDE / min(height, width), _LONGEST * SIDE / max(height, width))
    return resize(light, max(round(width * scale), 1), max(round(height * scale), 1))


class FlowFinder:
    """Finds the flow between two frames, by dense inverse search (Kroeger et al., ECCV 2016)."""

    def __init__(self, preset: int = cv2.DISOPTICAL_FLOW_PRESET_MEDIUM) -> None:
        """Make ready.

        Args:
            preset: of OpenCV: how much time it takes to be exact.
        """
        self._search = cv2.DISOpticalFlow.create(preset)

    def flow(self, levels: npt.NDArray[np.uint8], other: npt.NDArray[np.uint8]) -> Plane:
        """Of a frame to another, both (H, W), as of `leveled`."""
        return cast(Plane, self._search.calc(levels, other, None))  # type: ignore[call-overload]

    def steps(self, first: Plane, second: Plane) -> tuple[Step, Step]:
        """The ways from the first frame to the second, and back.

        Args:
            first, second: (H, W) L in [0, 100], of the same size.
        """
        a, b = leveled(first), leveled(second)
        there, back = self.flow(a, b), self.flow(b, a)
        return Step(there, _seen(there, back, a, b)), Step(back, _seen(back, there, b, a))


def leveled(light: Plane) -> npt.NDArray[np.uint8]:
    """L (H, W) in 8 bits of one mean and contrast: what flickers as a whole, as old films do, has not moved."""
    return np.clip((light - light.mean()) * (_CONTRAST / max(float(light.std()), 2)) + 128, 0, 255).astype(np.uint8)


def warp(planes: Plane, flow: Plane) -> Plane:
    """What belongs to another frame, brought to this one: (H, W) or (H, W, C), bilinear."""
    x, y = _places(flow)
    return cast(Plane, cv2.remap(planes, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))


def joined(first: Step, second: Step) -> Step:
    """The way by the first, and on by the second."""
    return Step(first.flow + warp(second.flow, first.flow), first.seen * warp(second.seen, first.flow))


def standing(light: Plane) -> Step:
    """The way from a frame to itself."""
    return Step(np.zeros((*light.shape, 2), np.float32), np.ones(light.shape, np.float32))


def _seen(there: Plane, back: Plane, here: npt.NDArray[np.uint8], other: npt.NDArray[np.uint8]) -> Plane:
    """Where a way within the picture ends at the same thing: (H, W) in [0, 1].

    That is where the way there and back ends where it began; or where both ends look alike: in even areas no way can be
    found, nor does it matter.

    Args:
        there, back: flows.
        here, other: both frames, as of `leveled`.
    """
    height, width = there.shape[:2]
    x, y = _places(there)
    returned = warp(back, there)
    error = ((there + returned) ** 2).sum(2)
    allowed = _SHARE * ((there**2).sum(2) + (returned**2).sum(2)) + _SLACK
    inside = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    agree = cv2.blur(((error < allowed) & inside).astype(np.float32), (3, 3))
    difference = cv2.blur(here.astype(np.float32) - warp(other.astype(np.float32), there), (5, 5))
    return np.maximum(np.asarray(agree, np.float32), (np.abs(difference) < _ALIKE) & inside)


def _places(flow: Plane) -> tuple[Plane, Plane]:
    columns, rows = np.arange(flow.shape[1], dtype=np.float32), np.arange(flow.shape[0], dtype=np.float32)
    return np.asarray(flow[..., 0] + columns, np.float32), np.asarray(flow[..., 1] + rows[:, None], np.float32)

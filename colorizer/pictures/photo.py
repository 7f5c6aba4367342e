"""A decoded photograph."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..arrays import Array
from ..limits import limits


def max_pixels() -> int:
    """The largest photographs that are taken."""
    return limits().megapixels * 10**6


@dataclass(frozen=True)
class Metadata:
    """What a file says beside its pixels, as far as it goes on into the result.

    Attributes:
        exif: what EXIF says of the photograph (when, where, by whom), without what it says of the file; may be empty.
        dpi: resolution across and down, if given.
        notes: sentences for the user about what was left behind.
    """

    exif: bytes = b""
    dpi: tuple[float, float] | None = None
    notes: tuple[str, ...] = ()


@dataclass
class Photo:
    """A decoded picture.

    Attributes:
        rgb: HWC, 3 channels, sRGB, uint8 or uint16 (a 16-bit scan stays 16 bit), full range.
        alpha: HW of the same dtype, or None.
        metadata: of its file.
    """

    rgb: Array
    alpha: Array | None = None
    metadata: Metadata = field(default_factory=Metadata)

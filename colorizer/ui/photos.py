"""The photos on the page: decoded and prepared once, not at each stroke."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path

from ..arrays import eight_bit, resize
from ..errors import UserError
from ..inference.colorizer import Colorizer
from ..inference.prepared import PreparedPhoto
from ..pictures.photo import Photo
from ..pictures.reading import read_picture
from .common import colorizer_for

VIEW_PIXELS = 6_000_000  # of the pictures that are compared on the page
_KEEP_PIXELS = 120_000_000  # of the photos last worked on


@dataclass
class Opened:
    """A photo on the page.

    Attributes:
        photo: decoded.
        view: 8 bits, at the photo's size or, if that is larger, at `VIEW_PIXELS`.
    """

    photo: Photo
    view: Photo
    _prepared: dict[Colorizer, PreparedPhoto] = field(default_factory=dict)

    def prepared(self, checkpoint: str) -> PreparedPhoto:
        """For a network, once."""
        colorizer = colorizer_for(checkpoint)
        if colorizer not in self._prepared:
            self._prepared = {colorizer: colorizer.prepare(self.photo)}
        return self._prepared[colorizer]


class _OpenedPhotos:
    """The photos last worked on, so that they are decoded and prepared once, not at each stroke."""

    def __init__(self) -> None:
        self._photos: OrderedDict[str, Opened] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, picture: str) -> Opened:
        with self._lock:
            if picture not in self._photos:
                self._photos[picture] = _open(picture)
                while len(self._photos) > 1 and sum(map(_pixels, self._photos.values())) > _KEEP_PIXELS:
                    self._photos.popitem(last=False)
            self._photos.move_to_end(picture)
            return self._photos[picture]


def _pixels(opened: Opened) -> int:
    return opened.photo.rgb.size // 3


def _open(picture: str) -> Opened:
    if not Path(picture).exists():
        raise UserError("This photo was put away, because it lay here for long. Drop it again.")
    photo = read_picture(picture)
    height, width = photo.rgb.shape[:2]
    scale = min(1.0, (VIEW_PIXELS / (height * width)) ** 0.5)
    rgb = photo.rgb if scale == 1 else resize(photo.rgb, max(int(width * scale), 1), max(int(height * scale), 1))
    return Opened(photo, Photo(eight_bit(rgb)))


opened_photos = _OpenedPhotos()

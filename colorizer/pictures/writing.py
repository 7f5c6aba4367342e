"""Picture files out.

write_picture(photo, "scan-color.png")    # whole file or none
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import ExifTags, Image, PngImagePlugin

from ..arrays import eight_bit
from ..errors import UserError
from ..files import whole_file
from .photo import Photo, max_pixels
from .sixteen_bit import write_png, write_tiff

_WRITABLE = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP", ".tif": "TIFF", ".tiff": "TIFF"}
FORMATS = ("png", "jpg", "webp", "tif")
SIMULATED = "Colors are simulated by Colorizer; they were not recorded."
_LONGEST_SIDES = {".jpg": 65500, ".jpeg": 65500, ".webp": 16383}  # in pixels


@dataclass(frozen=True)
class Output:
    """How a result is written.

    Attributes:
        format: "png", "jpg", "webp" or "tif"; None keeps the picture's own where that can hold the result, and takes
            PNG where it can't.
        quality: of JPEG and WebP, 1..100.
        note: whether the metadata are to say that the colors are simulated.
        credit: whose network it was, for the note, where it was somebody else's.
    """

    format: str | None = None
    quality: int = 95
    note: bool = False
    credit: str = ""

    def __post_init__(self) -> None:
        if self.format is not None and self.format not in FORMATS:
            raise UserError(f"Pictures can't be written as {self.format}. Choose one of {', '.join(FORMATS)}.")
        if not 1 <= self.quality <= 100:
            raise UserError(f"The quality must lie between 1 and 100, not {self.quality}.")

    @property
    def words(self) -> str | None:
        """Of the note; None without one."""
        credit = f" Network: {self.credit}." if self.credit else ""
        return SIMULATED + credit if self.note else None

    def suffix(self, photo: Photo, own: str) -> str:
        """Of the result's file, with the dot; `own` is the suffix of the photo's file."""
        if self.format is not None:
            return f".{self.format}"
        suffix = own.lower()
        keeps_depth = photo.rgb.dtype == np.uint8 or suffix in (".png", ".tif", ".tiff")
        keeps_alpha = photo.alpha is None or suffix not in (".jpg", ".jpeg")
        fits = max(photo.rgb.shape[:2]) <= _LONGEST_SIDES.get(suffix, max_pixels())
        return own if suffix in _WRITABLE and keeps_depth and keeps_alpha and fits else ".png"


def write_picture(photo: Photo, path: str | os.PathLike[str], output: Output | None = None) -> None:
    """Write a picture with its metadata, whole or not at all: to a temporary name beside it, then renamed.

    Args:
        photo: what to write. JPEG and WebP hold 8 bits; JPEG has no alpha, the photo is then laid on white.
        path: .png, .jpg, .webp or .tif.
        output: its quality and note; the path alone tells the format.
    Raises:
        UserError: a format that can't be written, or not at that size.
    """
    path, output = Path(path), output or Output()
    suffix = path.suffix.lower()
    if suffix not in _WRITABLE:
        raise UserError(
            f"Pictures can't be written as {path.suffix or 'files without a suffix'}. Use .png, .jpg, .webp or .tif."
        )
    if max(photo.rgb.shape[:2]) > (longest := _LONGEST_SIDES.get(suffix, max_pixels())):
        raise UserError(f"A {suffix} file holds at most {longest} pixels a side. Choose PNG for {path.stem}.")
    with whole_file(path) as temporary, temporary.open("wb") as file:
        _encode(photo, suffix, file, output.quality, output.words)


def _encode(photo: Photo, suffix: str, file: BinaryIO, quality: int, note: str | None) -> None:
    exif, dpi = _exif_with(photo.metadata.exif, note), photo.metadata.dpi
    if photo.rgb.dtype == np.uint16 and suffix == ".png":
        write_png(file, photo.rgb, photo.alpha, exif, dpi, note)
        return
    if photo.rgb.dtype == np.uint16 and suffix in (".tif", ".tiff"):
        write_tiff(file, photo.rgb, photo.alpha, exif, dpi)
        return
    image = Image.fromarray(eight_bit(photo.rgb))
    if photo.alpha is not None:
        alpha = Image.fromarray(eight_bit(photo.alpha))
        if suffix in (".jpg", ".jpeg"):
            image = Image.composite(image, Image.new("RGB", image.size, "white"), alpha)
        else:
            image.putalpha(alpha)
    more: dict[str, Any] = {"exif": exif} if exif else {}
    if dpi:
        more["dpi"] = dpi
    if note and suffix == ".png":
        more["pnginfo"] = PngImagePlugin.PngInfo()
        more["pnginfo"].add_text("Comment", note)
    image.save(file, _WRITABLE[suffix], quality=quality, **more)


def _exif_with(exif: bytes, note: str | None) -> bytes:
    if not note:
        return exif
    block = Image.Exif()
    if exif:
        block.load(exif)
    comment = b"ASCII\0\0\0" + note.encode("ascii", "replace")
    inner = {**block.get_ifd(ExifTags.IFD.Exif), ExifTags.Base.UserComment.value: comment}
    block[ExifTags.IFD.Exif] = inner
    return block.tobytes()

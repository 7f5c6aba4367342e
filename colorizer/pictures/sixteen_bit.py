"""Files with 16 bits a channel and several channels, which Pillow reads as 8 bits and can't write.

They are read by OpenCV. They are written here, a strip of rows at a time and with their metadata, as PNG (W3C, Portable
Network Graphics, third edition, sections 5, 9 and 11) or TIFF (revision 6.0, sections 2, 6, 14).
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, cast

import cv2
import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, TiffImagePlugin

from ..arrays import Array

_STRIP_BYTES = 4_000_000
_COMPRESSION = 3  # of zlib, 1..9: 4 to 9 save 2% in twice the time
_BITS_PER_SAMPLE = 258  # TIFF
Bytes = npt.NDArray[np.uint8]


def read_deep(image: Image.Image, source: str | os.PathLike[str] | bytes) -> Array | None:
    """The pixels of a PNG or TIFF file of 16-bit color.

    Args:
        image: the file, opened but not decoded by Pillow.
        source: the same file.
    Returns:
        HWC uint16, 3 or 4 channels, as stored; None for all other files, and for kinds that OpenCV doesn't know.
    """
    if image.format not in ("PNG", "TIFF") or image.mode not in ("RGB", "RGBA", "LA"):
        return None
    if image.format == "TIFF" and 16 not in image.tag_v2.get(_BITS_PER_SAMPLE, ()):  # type: ignore[attr-defined]
        return None
    if image.format == "PNG" and _head(source)[24] != 16:  # bit depth in the header
        return None
    if isinstance(source, bytes):
        pixels = cv2.imdecode(np.frombuffer(source, np.uint8), cv2.IMREAD_UNCHANGED)
    else:
        pixels = cv2.imread(str(source), cv2.IMREAD_UNCHANGED)
        if pixels is None:  # on Windows it doesn't open every name
            pixels = cv2.imdecode(np.fromfile(source, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.dtype != np.uint16 or pixels.ndim != 3:
        return None
    for top in range(0, len(pixels), rows := _rows(pixels)):  # from BGR, without a second picture
        strip = pixels[top : top + rows]
        strip[..., :3] = strip[..., 2::-1].copy()
    return cast(Array, pixels)


def _head(source: str | os.PathLike[str] | bytes) -> bytes:
    if isinstance(source, bytes):
        return source[:32]
    with Path(source).open("rb") as file:
        return file.read(32)


def _rows(pixels: Array) -> int:
    return max(_STRIP_BYTES // pixels[0].nbytes, 1)


def _strips(rgb: Array, alpha: Array | None) -> Iterator[Array]:
    rows = _rows(rgb)
    for top in range(0, len(rgb), rows):
        strip = rgb[top : top + rows]
        yield strip if alpha is None else np.dstack([strip, alpha[top : top + rows]])


def write_png(
    file: BinaryIO, rgb: Array, alpha: Array | None, exif: bytes, dpi: tuple[float, float] | None, note: str | None
) -> None:
    """Write a PNG file.

    Args:
        file: to write to.
        rgb: HWC uint16.
        alpha: HW uint16, or None.
        exif: an EXIF block, or empty.
        dpi: resolution across and down, if known.
        note: a comment, if there is one.
    """

    def chunk(kind: bytes, content: bytes) -> None:
        file.write(struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content)))

    height, width = rgb.shape[:2]
    file.write(b"\x89PNG\r\n\x1a\n")
    chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, 2 if alpha is None else 6, 0, 0, 0))
    if dpi:
        chunk(b"pHYs", struct.pack(">IIB", *(round(d / 0.0254) for d in dpi), 1))
    if exif:
        chunk(b"eXIf", exif.removeprefix(b"Exif\0\0"))
    if note:
        chunk(b"tEXt", b"Comment\0" + note.encode("latin-1", "replace"))
    deflate = zlib.compressobj(_COMPRESSION)
    for strip in _strips(rgb, alpha):
        if data := deflate.compress(_filtered(strip).tobytes()):
            chunk(b"IDAT", data)
    chunk(b"IDAT", deflate.flush())
    chunk(b"IEND", b"")


def _filtered(strip: Array) -> Bytes:
    """Rows as PNG stores them: a filter type each, here always Sub, and the differences to the pixel on the left."""
    rows, width, channels = strip.shape
    stored = strip.astype(">u2").view(np.uint8).reshape(rows, width * channels * 2)
    pixel = 2 * channels
    filtered = np.empty((rows, 1 + stored.shape[1]), np.uint8)
    filtered[:, 0] = 1
    filtered[:, 1 : 1 + pixel] = stored[:, :pixel]
    np.subtract(stored[:, pixel:], stored[:, :-pixel], out=filtered[:, 1 + pixel :])
    return filtered


def write_tiff(file: BinaryIO, rgb: Array, alpha: Array | None, exif: bytes, dpi: tuple[float, float] | None) -> None:
    """Write a TIFF file, deflated, with horizontal differencing; the arguments are those of `write_png`."""
    (height, width), channels = rgb.shape[:2], 3 if alpha is None else 4
    directory = TiffImagePlugin.ImageFileDirectory_v2(b"II*\0\x08\0\0\0")
    if exif:
        block = Image.Exif()
        block.load(exif)
        for tag, value in block.items():
            directory[tag] = block.get_ifd(tag) if tag in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo) else value
    base = ExifTags.Base
    number = -(-height // _rows(rgb))
    long, short = 4, 3  # types of TIFF
    entries: dict[int, tuple[int, tuple[int, ...]]] = {
        base.ImageWidth: (long, (width,)),
        base.ImageLength: (long, (height,)),
        base.BitsPerSample: (short, (16,) * channels),
        base.Compression: (short, (8,)),
        base.PhotometricInterpretation: (short, (2,)),
        base.StripOffsets: (long, (0,) * number),
        base.SamplesPerPixel: (short, (channels,)),
        base.RowsPerStrip: (long, (_rows(rgb),)),
        base.StripByteCounts: (long, (0,) * number),
        base.PlanarConfiguration: (short, (1,)),
        base.Predictor: (short, (2,)),
    }
    if alpha is not None:
        entries[base.ExtraSamples] = (short, (2,))  # not premultiplied
    for tag, (kind, values) in entries.items():
        directory.tagtype[tag] = kind
        directory[tag] = _one_or_more(values)
    if dpi:
        directory[base.XResolution], directory[base.YResolution] = dpi
        directory[base.ResolutionUnit] = 2
    file.seek(8 + len(directory.tobytes(8)))
    sizes = []
    for strip in _strips(rgb, alpha):
        sizes.append(file.write(zlib.compress(_differences(strip).tobytes(), _COMPRESSION)))
    directory[base.StripByteCounts] = _one_or_more(sizes)
    directory[base.StripOffsets] = _one_or_more(np.cumsum([0, *sizes[:-1]]).tolist())  # after the directory
    file.seek(0)
    file.write(b"II*\0\x08\0\0\0" + directory.tobytes(8))


def _one_or_more(values: Sequence[int]) -> tuple[int, ...] | int:
    return tuple(values) if len(values) > 1 else values[0]


def _differences(strip: Array) -> Array:
    stored = strip.astype("<u2")
    stored[:, 1:] -= stored[:, :-1].copy()
    return stored

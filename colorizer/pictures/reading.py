"""Picture files in.

photo = read_picture("scan.tif")          # a Photo: sRGB at the file's own size and depth, upright
"""

from __future__ import annotations

import contextlib
import io
import os
import struct
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from ..arrays import Array, eight_bit, from_unit
from ..errors import UserError
from .icc import deep_to_srgb, gray_to_srgb, srgb
from .photo import Metadata, Photo, max_pixels
from .sixteen_bit import read_deep

EXTENSIONS = (
    ".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".heic", ".heif", ".avif", ".jxl", ".bmp", ".gif", ".jp2",
    ".ppm", ".pgm",
)  # fmt: skip
_PAGED = (".tif", ".tiff", ".pdf")  # whose pictures are pages, and not the frames of a film
MAX_BYTES = 1_000_000_000  # of a file in a zip: as much as the largest picture takes, uncompressed
_STRIP_PIXELS = 1_000_000
_JPEG_END, _TAIL = b"\xff\xd9", 65536
_LEAST_PART = 0.1  # of the rows of a JPEG file that was cut off
_PDF_DPI = 300
_pdfs = threading.Lock()
# What decoders raise on odd files.
_BROKEN = (
    OSError, ValueError, SyntaxError, EOFError, LookupError, TypeError, ArithmeticError, RuntimeError, struct.error,
)  # fmt: skip
_SIXTEEN_BIT_MODES = ("I;16", "I;16L", "I;16B", "I")
_ORIENTATION = 0x0112
# Of the photograph: description, camera, software, date, artist, copyright, and the same for Windows.
_KEPT_TAGS = {0x010E, 0x010F, 0x0110, 0x0131, 0x0132, 0x013B, 0x8298, 0x9C9B, 0x9C9C, 0x9C9D, 0x9C9E, 0x9C9F}
_SIZE_TAGS = {0xA002, 0xA003}  # may be other ones once the picture is upright


def read_picture(
    source: str | os.PathLike[str] | bytes | Image.Image, name: str = "The picture", page: int | None = None
) -> Photo:
    """Decode a picture: EXIF orientation applied, ICC profile converted to sRGB.

    Args:
        source: a path, the bytes of a file, or a PIL image. Of a JPEG file that was cut off, what is there is read.
        name: what to call it in messages, if it is no path.
        page: of a TIFF or PDF file, from 0; None for the first, with a note if there are others.

    Raises:
        UserError: not a picture, broken, or larger than `max_pixels`.
    """
    name = name if isinstance(source, bytes | Image.Image) else Path(source).name
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of large sizes, whose limit is ours, and of odd metadata
        return _read(source, name, page)


def number_of_pages(source: Path | bytes, name: str = "") -> int:
    """Of a TIFF or PDF file; 1 for all others, and for what can't be read, which is said when it is.

    Args:
        source: a path, or the bytes of a file.
        name: of the file, if it is no path.
    """
    suffix = Path(name if isinstance(source, bytes) else source).suffix.lower()
    if suffix not in _PAGED or not (isinstance(source, bytes) or source.is_file()):
        return 1
    try:
        if suffix == ".pdf":
            with _opened_pdf(source) as document:
                return len(document)
        with warnings.catch_warnings(), _opened(source) as image:
            warnings.simplefilter("ignore")
            return max(getattr(image, "n_frames", 1), 1)
    except Exception:  # whatever the file is
        return 1


def _read(source: str | os.PathLike[str] | bytes | Image.Image, name: str, page: int | None) -> Photo:
    if isinstance(source, str | os.PathLike) and Path(source).exists() and not Path(source).is_file():
        raise UserError(f"{name} is a folder or a device, not a picture.")  # a pipe would be waited for
    with _in_words(name):
        if isinstance(source, Image.Image):
            return _decode(source, name, None)
        if _starts_with(source, b"%PDF"):
            return _page_of_pdf(source, name, page)
        if page:
            with _opened(source) as image:
                image.seek(page)
                return _decode(image, name, None, page)
        if _is_cut_jpeg(source):
            return _what_is_there(source, name)
        with _opened(source) as image:
            if image.format == "PNG":  # Pillow reads over damaged pixels, unless it is asked to look at the checksums
                with _opened(source) as checked:
                    checked.verify()
            return _decode(image, name, source, page)


def _starts_with(source: str | os.PathLike[str] | bytes, begin: bytes) -> bool:
    if isinstance(source, bytes):
        return source.startswith(begin)
    with Path(source).open("rb") as file:
        return file.read(len(begin)) == begin


def _bytes_of(source: str | os.PathLike[str] | bytes) -> bytes:
    return source if isinstance(source, bytes) else Path(source).read_bytes()


def _is_cut_jpeg(source: str | os.PathLike[str] | bytes) -> bool:
    """Whether the end of image is missing near the end of a JPEG file; cameras may write a little behind it."""
    if not _starts_with(source, b"\xff\xd8\xff"):
        return False
    if isinstance(source, bytes):
        return _JPEG_END not in source[-_TAIL:]
    with Path(source).open("rb") as file:
        file.seek(max(file.seek(0, os.SEEK_END) - _TAIL, 0))
        return _JPEG_END not in file.read()


def _what_is_there(source: str | os.PathLike[str] | bytes, name: str) -> Photo:
    """Of a JPEG file that was cut off: libjpeg takes the end that is put behind it for its own, and fills what is
    missing with gray."""
    whole = _bytes_of(source)
    photo = _decode(_opened(whole + _JPEG_END), name, None)
    rows = photo.rgb.reshape(len(photo.rgb), -1)
    differing = np.flatnonzero((rows[1:] != rows[:-1]).any(axis=1))
    there = (int(differing[-1]) + 1) / len(rows) if len(differing) else 0.0
    if there < _LEAST_PART:
        raise OSError("nearly nothing is there")
    note = f"{name} is damaged: its end is missing. What could be read is colored."
    return replace(photo, metadata=replace(photo.metadata, notes=(*photo.metadata.notes, note)))


def _opened_pdf(source: str | os.PathLike[str] | bytes) -> contextlib.closing[Any]:
    import pypdfium2

    return contextlib.closing(pypdfium2.PdfDocument(source if isinstance(source, bytes) else Path(source)))


def _page_of_pdf(source: str | os.PathLike[str] | bytes, name: str, page: int | None) -> Photo:
    """A page at 300 dots an inch, or fewer where that would be too large."""
    with _pdfs, _opened_pdf(source) as document:  # PDFium is not safe to use from several threads
        number = len(document)
        if not number:
            raise OSError("no pages")
        sheet = document[page or 0]
        width, height = (side / 72 for side in sheet.get_size())  # inches
        dots = min(_PDF_DPI, (max_pixels() / (width * height)) ** 0.5 * 0.999)
        image = sheet.render(scale=dots / 72).to_pil()
    photo = _decode(image.convert("RGB"), name, None)
    notes = (_first_of(name, number, "pages"),) if page is None and number > 1 else ()
    return replace(photo, metadata=Metadata(dpi=(dots, dots), notes=notes))


def _first_of(name: str, number: int, what: str) -> str:
    return f"{name} holds {number} {what}; the first one is colored." + (
        " As an album, or by the command line, all are." if what == "pages" else ""
    )


@contextmanager
def _in_words(name: str) -> Iterator[None]:
    """What Pillow's decoders say of odd files, as a UserError."""
    try:
        yield
    except FileNotFoundError as error:
        raise UserError(f"There is no file {name}.") from error
    except UnidentifiedImageError as error:
        raise UserError(
            f"{name} is not a picture that can be read. Use a JPEG, PNG, WebP, TIFF or HEIC file."
        ) from error
    except Image.DecompressionBombError as error:
        raise UserError(_too_large(name)) from error
    except UserError:
        raise
    except _BROKEN as error:
        raise UserError(f"{name} is broken: only a part of it can be read. Use another copy of it.") from error


@cache
def _with_more_formats() -> None:
    """Teach Pillow HEIF and JPEG XL, where their packages are; AVIF it knows."""
    with contextlib.suppress(ImportError):
        import pillow_heif

        pillow_heif.register_heif_opener()
    with contextlib.suppress(ImportError):  # there is none for some systems
        import pillow_jxl  # noqa: F401


def _opened(source: str | os.PathLike[str] | bytes) -> Image.Image:
    _with_more_formats()
    return Image.open(io.BytesIO(source) if isinstance(source, bytes) else source)


def _too_large(name: str) -> str:
    return f"{name} has more than {max_pixels() // 10**6} megapixels. Make it smaller and try again."


def _decode(
    image: Image.Image, name: str, source: str | os.PathLike[str] | bytes | None, page: int | None = None
) -> Photo:
    if image.width * image.height > max_pixels():
        raise UserError(_too_large(name))
    metadata = _metadata(image, name, page)
    turned = image.format == "TIFF"  # by Pillow and OpenCV themselves
    orientation = 1 if turned else image.getexif().get(_ORIENTATION, 1)
    rgb, alpha = _pixels(image, source)
    rgb = np.ascontiguousarray(upright(rgb, orientation))
    return Photo(rgb, None if alpha is None else np.ascontiguousarray(upright(alpha, orientation)), metadata)


def _pixels(image: Image.Image, source: str | os.PathLike[str] | bytes | None) -> tuple[Array, Array | None]:
    """RGB, HWC, and alpha, HW, in sRGB, as stored: not yet upright."""
    deep = None if source is None else read_deep(image, source)
    profile = image.info.get("icc_profile")
    if deep is not None:
        if profile:
            deep_to_srgb(deep[..., :3], profile)
        return deep[..., :3], deep[..., 3] if deep.shape[2] == 4 else None
    if image.mode in _SIXTEEN_BIT_MODES:
        gray = np.asarray(image)
        gray = (gray.clip(0, 65535) if gray.dtype == np.int32 else gray).astype(np.uint16, copy=False)
        return _three_channels(gray_to_srgb(gray, profile) if profile else gray), None
    if image.mode == "F":
        gray = np.asarray(image, dtype=np.float32)
        span = float(gray.max() - gray.min()) or 1.0  # floating-point scans have no agreed range
        return _three_channels(from_unit((gray - gray.min()) / span, np.uint16)), None
    alpha = None
    if image.has_transparency_data:
        alpha = np.asarray(image.convert("RGBA").getchannel("A"))
        image = image.convert("L" if image.mode == "LA" else "RGB")
    return _array_of(srgb(image, profile)), alpha


def _array_of(image: Image.Image) -> Array:
    """An RGB picture as an array, by strips: numpy alone would take three times the memory on the way."""
    rgb = np.empty((image.height, image.width, 3), np.uint8)
    rows = max(_STRIP_PIXELS // image.width, 1)
    for top in range(0, image.height, rows):
        bottom = min(top + rows, image.height)
        rgb[top:bottom] = np.asarray(image.crop((0, top, image.width, bottom)))
    return rgb


def _three_channels(gray: Array) -> Array:
    return np.repeat(gray[..., None], 3, axis=2)


def _metadata(image: Image.Image, name: str, page: int | None) -> Metadata:
    dpi = image.info.get("dpi")
    frames = getattr(image, "n_frames", 1)
    what = "pages" if image.format == "TIFF" else "pictures"
    notes = (_first_of(name, frames, what),) if frames > 1 and page is None else ()
    try:
        resolution = (float(dpi[0]), float(dpi[1])) if dpi and min(dpi) > 0 else None
        exif_block, kept = image.getexif(), Image.Exif()
        for tag in _KEPT_TAGS & set(exif_block):
            kept[tag] = exif_block[tag]
        for tag in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo):
            if inner := {k: v for k, v in exif_block.get_ifd(tag).items() if k not in _SIZE_TAGS}:
                kept[tag] = inner
        exif = kept.tobytes() if len(kept) else b""
    except Exception:  # EXIF blocks are damaged in any way; a photo is not refused for it
        return Metadata(notes=(*notes, f"The metadata of {name} could not be read and is left out."))
    return Metadata(exif, resolution, notes)


def thumbnail_rgb(data: bytes, side: int) -> Array:
    """Decode for training: RGB uint8 HWC whose short side is at least `side` if the picture's is.

    Large JPEGs are decoded at a half, quarter or eighth of their size, which is much faster.

    Raises:
        UserError: as `read_picture`.
    """
    with _in_words("The picture"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        image = _opened(data)
        image.draft("RGB", (side, side))
        return eight_bit(_decode(image, "The picture", None).rgb)


def upright(pixels: Array, orientation: int) -> Array:
    """Turn stored pixels (HWC or HW) upright, by the EXIF orientation 1..8."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return pixels


def find_pictures(folder: Path) -> list[Path]:
    """All picture files below a folder, at any depth, sorted; hidden files and folders are left out."""
    paths = []
    for directory, subfolders, files in os.walk(folder):
        subfolders[:] = sorted(d for d in subfolders if not d.startswith("."))
        paths += [Path(directory, f) for f in files if f.lower().endswith(EXTENSIONS) and not f.startswith(".")]
    return sorted(path for path in paths if path.is_file() or path.is_symlink())  # no pipes, which would be waited for

"""Picture files in.

photo = read_picture("scan.tif")          # a Photo: sRGB at the file's own size and depth, upright
"""

from __future__ import annotations

import io
import os
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from ..arrays import Array, eight_bit, from_unit
from ..errors import UserError
from .icc import deep_to_srgb, gray_to_srgb, srgb
from .photo import MAX_PIXELS, Metadata, Photo
from .sixteen_bit import read_deep

EXTENSIONS = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".jp2", ".ppm", ".pgm")
MAX_BYTES = 1_000_000_000  # of a file in a zip: as much as the largest picture takes, uncompressed
_STRIP_PIXELS = 1_000_000
_SIXTEEN_BIT_MODES = ("I;16", "I;16L", "I;16B", "I")
_ORIENTATION = 0x0112
# Of the photograph: description, camera, software, date, artist, copyright, and the same for Windows.
_KEPT_TAGS = {0x010E, 0x010F, 0x0110, 0x0131, 0x0132, 0x013B, 0x8298, 0x9C9B, 0x9C9C, 0x9C9D, 0x9C9E, 0x9C9F}
_SIZE_TAGS = {0xA002, 0xA003}  # may be other ones once the picture is upright


def read_picture(source: str | os.PathLike[str] | bytes | Image.Image, name: str = "The picture") -> Photo:
    """Decode a picture: EXIF orientation applied, ICC profile converted to sRGB, first frame of several.

    Args:
        source: a path, the bytes of a file, or a PIL image.
        name: what to call it in messages, if it is no path.

    Raises:
        UserError: not a picture, broken, or larger than `MAX_PIXELS`.
    """
    name = name if isinstance(source, bytes | Image.Image) else Path(source).name
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of large sizes, whose limit is ours, and of odd metadata
        return _read(source, name)


def _read(source: str | os.PathLike[str] | bytes | Image.Image, name: str) -> Photo:
    if isinstance(source, str | os.PathLike) and Path(source).exists() and not Path(source).is_file():
        raise UserError(f"{name} is a folder or a device, not a picture.")  # a pipe would be waited for
    with _in_words(name):
        if isinstance(source, Image.Image):
            return _decode(source, name, None)
        with _opened(source) as image:
            if image.format == "PNG":  # Pillow reads over damaged pixels, unless it is asked to look at the checksums
                with _opened(source) as checked:
                    checked.verify()
            return _decode(image, name, source)


@contextmanager
def _in_words(name: str) -> Iterator[None]:
    """What Pillow's decoders say of odd files, as a UserError."""
    try:
        yield
    except FileNotFoundError as error:
        raise UserError(f"There is no file {name}.") from error
    except UnidentifiedImageError as error:
        raise UserError(f"{name} is not a picture that can be read. Use a JPEG, PNG, WebP or TIFF file.") from error
    except Image.DecompressionBombError as error:
        raise UserError(_too_large(name)) from error
    except UserError:
        raise
    except (OSError, ValueError, SyntaxError, EOFError, LookupError, TypeError, ArithmeticError, struct.error) as error:
        raise UserError(f"{name} is broken: only a part of it can be read. Use another copy of it.") from error


def _opened(source: str | os.PathLike[str] | bytes) -> Image.Image:
    return Image.open(io.BytesIO(source) if isinstance(source, bytes) else source)


def _too_large(name: str) -> str:
    return f"{name} has more than {MAX_PIXELS // 10**6} megapixels. Make it smaller and try again."


def _decode(image: Image.Image, name: str, source: str | os.PathLike[str] | bytes | None) -> Photo:
    if image.width * image.height > MAX_PIXELS:
        raise UserError(_too_large(name))
    metadata = _metadata(image, name)
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


def _metadata(image: Image.Image, name: str) -> Metadata:
    dpi = image.info.get("dpi")
    frames = getattr(image, "n_frames", 1)
    notes = (f"{name} holds {frames} pictures; the first one is colored.",) if frames > 1 else ()
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
        image = Image.open(io.BytesIO(data))
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

"""Picture files in and out.

photo = read_picture("scan.tif")          # a Photo: sRGB at the file's own size and depth, upright
write_picture(photo, "scan-color.png")    # whole file or none
"""

from __future__ import annotations

import io
import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

import cv2
import numpy as np
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from .color import Array, from_unit, full_scale
from .errors import UserError
from .files import whole_file

EXTENSIONS = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".jp2", ".ppm", ".pgm")
MAX_PIXELS = 100_000_000
_WRITABLE = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP", ".tif": "TIFF", ".tiff": "TIFF"}
_SIXTEEN_BIT_MODES = ("I;16", "I;16L", "I;16B", "I")


@dataclass
class Photo:
    """A decoded picture.

    Attributes:
        rgb: HWC, 3 channels, sRGB, uint8 or uint16 (a 16-bit scan stays 16 bit), full range.
        alpha: HW of the same dtype, or None.
    """

    rgb: Array
    alpha: Array | None = None


def read_picture(source: str | os.PathLike[str] | bytes | Image.Image) -> Photo:
    """Decode a picture: EXIF orientation applied, ICC profile converted to sRGB, first frame of several.

    Raises:
        UserError: not a picture, broken, or larger than `MAX_PIXELS`.
    """
    name = "The picture" if isinstance(source, bytes | Image.Image) else Path(source).name
    try:
        if isinstance(source, Image.Image):
            return _decode(source, name)
        with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source) as opened:
            return _decode(opened, name)
    except FileNotFoundError as error:
        raise UserError(f"There is no file {source if isinstance(source, str) else name}.") from error
    except IsADirectoryError as error:
        raise UserError(f"{name} is a folder, not a picture.") from error
    except UnidentifiedImageError as error:
        raise UserError(f"{name} is not a picture that can be read. Use a JPEG, PNG, WebP or TIFF file.") from error
    except Image.DecompressionBombError as error:
        raise UserError(_too_large(name)) from error
    except (OSError, ValueError, SyntaxError, EOFError) as error:  # how Pillow's decoders report broken files
        raise UserError(f"{name} is broken: only a part of it can be read. Use another copy of it.") from error


def _too_large(name: str) -> str:
    return f"{name} has more than {MAX_PIXELS // 10**6} megapixels. Make it smaller and try again."


def _decode(image: Image.Image, name: str) -> Photo:
    if image.width * image.height > MAX_PIXELS:
        raise UserError(_too_large(name))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the limit above is ours
        image.load()
    profile = image.info.get("icc_profile")
    image = ImageOps.exif_transpose(image)
    if image.mode in _SIXTEEN_BIT_MODES:
        grey = np.asarray(image).astype(np.int64).clip(0, 65535).astype(np.uint16)
        return Photo(np.repeat(grey[..., None], 3, axis=2))
    if image.mode == "F":
        grey = np.asarray(image, dtype=np.float32)
        span = float(grey.max() - grey.min()) or 1.0  # floating-point scans have no agreed range
        return Photo(np.repeat(from_unit((grey - grey.min()) / span, np.uint16)[..., None], 3, axis=2))
    alpha = None
    if image.has_transparency_data:
        image = image.convert("RGBA")
        alpha = np.asarray(image.getchannel("A"))
    return Photo(np.array(_to_srgb(image, profile)), alpha)


def _to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    if profile and image.mode in ("RGB", "CMYK", "L"):
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
        except (ImageCms.PyCMSError, OSError, ValueError):
            pass  # an unusable profile is as good as none
        else:
            return cast(Image.Image, converted)
    return image.convert("RGB")


def thumbnail_rgb(data: bytes, side: int) -> Array:
    """Decode for training: RGB uint8 HWC whose short side is at least `side` if the picture's is.

    Large JPEGs are decoded at a half, quarter or eighth of their size, which is much faster.

    Raises:
        UserError: as `read_picture`.
    """
    try:
        image = Image.open(io.BytesIO(data))
    except (OSError, ValueError) as error:
        raise UserError("This is not a picture that can be read.") from error
    image.draft("RGB", (side, side))
    return eight_bit(read_picture(image).rgb)


def eight_bit(array: Array) -> Array:
    """A uint16 or floating-point picture as uint8; a uint8 one as it is."""
    if array.dtype == np.uint8:
        return array
    return from_unit(array.astype(np.float32) / np.float32(full_scale(array.dtype)), np.uint8)


def output_suffix(photo: Photo, wanted: str | None = None) -> str:
    """The file name's suffix for a result: the one wanted, if it can hold the photo, else .png."""
    suffix = (wanted or ".png").lower()
    if suffix not in _WRITABLE:
        return ".png"
    keeps_depth = photo.rgb.dtype == np.uint8 or suffix in (".png", ".tif", ".tiff")
    keeps_alpha = photo.alpha is None or suffix not in (".jpg", ".jpeg")
    return suffix if keeps_depth and keeps_alpha else ".png"


def write_picture(photo: Photo, path: str | os.PathLike[str], quality: int = 95) -> None:
    """Write a picture whole or not at all: to a temporary name beside it, then renamed.

    Args:
        photo: what to write.
        path: .png, .jpg, .webp or .tif.
        quality: of JPEG and WebP, 1..100.
    Raises:
        UserError: a format that can't be written.
    """
    path = Path(path)
    if path.suffix.lower() not in _WRITABLE:
        raise UserError(
            f"Pictures can't be written as {path.suffix or 'files without a suffix'}. Use .png, .jpg, .webp or .tif."
        )
    with whole_file(path) as temporary, temporary.open("wb") as file:
        _encode(photo, path.suffix.lower(), file, quality)


def _encode(photo: Photo, suffix: str, file: BinaryIO, quality: int) -> None:
    pixels = photo.rgb if photo.alpha is None else np.dstack([photo.rgb, photo.alpha])
    if pixels.dtype == np.uint16 and suffix in (".png", ".tif", ".tiff"):  # Pillow has no 16-bit colour
        order = cv2.COLOR_RGB2BGR if photo.alpha is None else cv2.COLOR_RGBA2BGRA
        done, encoded = cv2.imencode(suffix, cv2.cvtColor(pixels, order))
        if not done:
            raise UserError(f"The picture could not be written as {suffix}. Use .png.")
        file.write(encoded.tobytes())
        return
    if suffix in (".jpg", ".jpeg"):
        pixels = photo.rgb  # JPEG has no alpha
    Image.fromarray(eight_bit(pixels)).save(file, _WRITABLE[suffix], quality=quality)


def find_pictures(folder: Path) -> list[Path]:
    """All picture files below a folder, at any depth, sorted; hidden files and folders are left out."""
    found = []
    for directory, subfolders, files in os.walk(folder):
        subfolders[:] = sorted(d for d in subfolders if not d.startswith("."))
        found += [Path(directory, f) for f in files if f.lower().endswith(EXTENSIONS) and not f.startswith(".")]
    return sorted(found)

"""Picture files in and out.

photo = read_picture("scan.tif")          # a Photo: sRGB at the file's own size and depth, upright
write_picture(photo, "scan-color.png")    # whole file or none
"""

from __future__ import annotations

import io
import os
import struct
import warnings
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, cast

import cv2
import numpy as np
from PIL import ExifTags, Image, ImageOps, PngImagePlugin, UnidentifiedImageError

from .color import Array, from_unit, full_scale
from .errors import UserError
from .files import whole_file
from .profiles import deep_to_srgb, grey_to_srgb, srgb

EXTENSIONS = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".jp2", ".ppm", ".pgm")
MAX_PIXELS = 100_000_000
_WRITABLE = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP", ".tif": "TIFF", ".tiff": "TIFF"}
_SIXTEEN_BIT_MODES = ("I;16", "I;16L", "I;16B", "I")
_ORIENTATION, _BITS_PER_SAMPLE = 0x0112, 0x0102
# Of the photograph: description, camera, software, date, artist, copyright, and the same for Windows.
_KEPT_TAGS = {0x010E, 0x010F, 0x0110, 0x0131, 0x0132, 0x013B, 0x8298, 0x9C9B, 0x9C9C, 0x9C9D, 0x9C9E, 0x9C9F}
_SIZE_TAGS = {0xA002, 0xA003}  # may be other ones once the picture is upright


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


def read_picture(source: str | os.PathLike[str] | bytes | Image.Image) -> Photo:
    """Decode a picture: EXIF orientation applied, ICC profile converted to sRGB, first frame of several.

    Raises:
        UserError: not a picture, broken, or larger than `MAX_PIXELS`.
    """
    name = "The picture" if isinstance(source, bytes | Image.Image) else Path(source).name
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of large sizes, whose limit is ours, and of odd metadata
        return _read(source, name)


def _read(source: str | os.PathLike[str] | bytes | Image.Image, name: str) -> Photo:
    try:
        if isinstance(source, Image.Image):
            return _decode(source, name, None)
        with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source) as opened:
            return _decode(opened, name, source)
    except FileNotFoundError as error:
        raise UserError(f"There is no file {source if isinstance(source, str) else name}.") from error
    except IsADirectoryError as error:
        raise UserError(f"{name} is a folder, not a picture.") from error
    except UnidentifiedImageError as error:
        raise UserError(f"{name} is not a picture that can be read. Use a JPEG, PNG, WebP or TIFF file.") from error
    except Image.DecompressionBombError as error:
        raise UserError(_too_large(name)) from error
    except (OSError, ValueError, SyntaxError, EOFError, struct.error) as error:  # Pillow's decoders on broken files
        raise UserError(f"{name} is broken: only a part of it can be read. Use another copy of it.") from error


def _too_large(name: str) -> str:
    return f"{name} has more than {MAX_PIXELS // 10**6} megapixels. Make it smaller and try again."


def _decode(image: Image.Image, name: str, source: str | os.PathLike[str] | bytes | None) -> Photo:
    if image.width * image.height > MAX_PIXELS:
        raise UserError(_too_large(name))
    metadata = _metadata(image, name)
    deep = _deep_colour(image, source)
    if deep is None:
        image.load()
    profile, orientation = image.info.get("icc_profile"), image.getexif().get(_ORIENTATION, 1)
    if deep is not None:
        rgb = deep_to_srgb(deep[..., :3], profile) if profile else deep[..., :3]
        pixels = upright(np.dstack([rgb, deep[..., 3:]]), orientation)
        alpha = pixels[..., 3] if pixels.shape[2] == 4 else None
        return Photo(np.ascontiguousarray(pixels[..., :3]), alpha, metadata)
    image = ImageOps.exif_transpose(image)
    if image.mode in _SIXTEEN_BIT_MODES:
        grey = np.asarray(image).astype(np.int64).clip(0, 65535).astype(np.uint16)
        if profile:
            grey = grey_to_srgb(grey, profile)
        return Photo(np.repeat(grey[..., None], 3, axis=2), None, metadata)
    if image.mode == "F":
        grey = np.asarray(image, dtype=np.float32)
        span = float(grey.max() - grey.min()) or 1.0  # floating-point scans have no agreed range
        unit = from_unit((grey - grey.min()) / span, np.uint16)
        return Photo(np.repeat(unit[..., None], 3, axis=2), None, metadata)
    alpha = None
    if image.has_transparency_data:
        alpha = np.asarray(image.convert("RGBA").getchannel("A"))
        image = image.convert("RGB")
    return Photo(np.array(srgb(image, profile)), alpha, metadata)


def _metadata(image: Image.Image, name: str) -> Metadata:
    dpi = image.info.get("dpi")
    frames = getattr(image, "n_frames", 1)
    notes = (f"{name} holds {frames} pictures; the first one is coloured.",) if frames > 1 else ()
    try:
        resolution = (float(dpi[0]), float(dpi[1])) if dpi and min(dpi) > 0 else None
        found, kept = image.getexif(), Image.Exif()
        for tag in _KEPT_TAGS & set(found):
            kept[tag] = found[tag]
        for tag in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo):
            if inner := {k: v for k, v in found.get_ifd(tag).items() if k not in _SIZE_TAGS}:
                kept[tag] = inner
        exif = kept.tobytes() if len(kept) else b""
    except Exception:  # EXIF blocks are damaged in any way; a photo is not refused for it
        return Metadata(notes=(*notes, f"The metadata of {name} could not be read and is left out."))
    return Metadata(exif, resolution, notes)


def _deep_colour(image: Image.Image, source: str | os.PathLike[str] | bytes | None) -> Array | None:
    """The pixels of a file with 16 bits a channel and several channels, which Pillow would read as 8: HWC uint16,
    3 or 4 channels, not yet turned upright; None for all other files."""
    if source is None or image.format not in ("PNG", "TIFF") or image.mode not in ("RGB", "RGBA", "LA"):
        return None
    if image.format == "TIFF" and 16 not in image.tag_v2.get(_BITS_PER_SAMPLE, ()):  # type: ignore[attr-defined]
        return None
    with io.BytesIO(source) if isinstance(source, bytes) else Path(source).open("rb") as file:
        head = file.read(25)
        if image.format == "PNG" and head[24] != 16:  # bit depth in the IHDR chunk
            return None
        data = head + file.read()
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.dtype != np.uint16 or pixels.ndim != 3:
        return None  # of a kind that OpenCV doesn't know: Pillow's 8 bits are better than nothing
    return cast(Array, cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB if pixels.shape[2] == 3 else cv2.COLOR_BGRA2RGBA))


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


def write_picture(photo: Photo, path: str | os.PathLike[str], quality: int = 95, note: str | None = None) -> None:
    """Write a picture with its metadata, whole or not at all: to a temporary name beside it, then renamed.

    Args:
        photo: what to write.
        path: .png, .jpg, .webp or .tif. A 16-bit TIFF file keeps its pixels, not its metadata.
        quality: of JPEG and WebP, 1..100.
        note: a remark to add to the metadata, as EXIF user comment and PNG text.
    Raises:
        UserError: a format that can't be written.
    """
    path = Path(path)
    if path.suffix.lower() not in _WRITABLE:
        raise UserError(
            f"Pictures can't be written as {path.suffix or 'files without a suffix'}. Use .png, .jpg, .webp or .tif."
        )
    with whole_file(path) as temporary, temporary.open("wb") as file:
        _encode(photo, path.suffix.lower(), file, quality, note)


def _encode(photo: Photo, suffix: str, file: BinaryIO, quality: int, note: str | None) -> None:
    exif = _exif_with(photo.metadata.exif, note)
    pixels = photo.rgb if photo.alpha is None else np.dstack([photo.rgb, photo.alpha])
    if pixels.dtype == np.uint16 and suffix in (".png", ".tif", ".tiff"):  # Pillow has no 16-bit colour
        order = cv2.COLOR_RGB2BGR if photo.alpha is None else cv2.COLOR_RGBA2BGRA
        done, encoded = cv2.imencode(suffix, cv2.cvtColor(pixels, order))
        if not done:
            raise UserError(f"The picture could not be written as {suffix}. Use .png.")
        data = encoded.tobytes()
        file.write(_with_png_chunks(data, exif, photo.metadata.dpi, note) if suffix == ".png" else data)
        return
    if suffix in (".jpg", ".jpeg"):
        pixels = photo.rgb  # JPEG has no alpha
    more: dict[str, Any] = {"exif": exif} if exif else {}
    if photo.metadata.dpi:
        more["dpi"] = photo.metadata.dpi
    if note and suffix == ".png":
        more["pnginfo"] = PngImagePlugin.PngInfo()
        more["pnginfo"].add_text("Comment", note)
    Image.fromarray(eight_bit(pixels)).save(file, _WRITABLE[suffix], quality=quality, **more)


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


def _with_png_chunks(png: bytes, exif: bytes, dpi: tuple[float, float] | None, note: str | None) -> bytes:
    """A PNG file with chunks for metadata put in after its header (PNG specification, sections 5.3 and 11.3)."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    added = b""
    if dpi:
        added += chunk(b"pHYs", struct.pack(">IIB", *(round(d / 0.0254) for d in dpi), 1))
    if exif:
        added += chunk(b"eXIf", exif.removeprefix(b"Exif\0\0"))
    if note:
        added += chunk(b"tEXt", b"Comment\0" + note.encode("latin-1", "replace"))
    header = 8 + 25  # signature and IHDR
    return png[:header] + added + png[header:]


def upright(pixels: Array, orientation: int) -> Array:
    """Turn stored pixels (HWC) upright, by the EXIF orientation 1..8."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return pixels


def find_pictures(folder: Path) -> list[Path]:
    """All picture files below a folder, at any depth, sorted; hidden files and folders are left out."""
    found = []
    for directory, subfolders, files in os.walk(folder):
        subfolders[:] = sorted(d for d in subfolders if not d.startswith("."))
        found += [Path(directory, f) for f in files if f.lower().endswith(EXTENSIONS) and not f.startswith(".")]
    return sorted(found)

"""Picture files: what comes in is what the file says, and what goes out is whole."""

from __future__ import annotations

import io
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

from colorizer.errors import UserError
from colorizer.pictures.photo import Photo
from colorizer.pictures.reading import find_pictures, read_picture, thumbnail_rgb, upright
from colorizer.pictures.sixteen_bit import write_tiff
from colorizer.pictures.writing import Output, write_picture

from ..conftest import draw_photo


@pytest.mark.parametrize(
    "mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "I;16", "I", "F", "HSV", "LAB"]
)
def test_every_mode_of_pillow(mode: str) -> None:
    image = draw_photo(1, (20, 30))
    if mode in ("I;16", "I"):
        image = Image.fromarray((np.asarray(image.convert("L")).astype(np.uint16)) * 257).convert(mode)
    elif mode in ("PA", "LAB", "HSV"):
        image = image.convert("P").convert("PA") if mode == "PA" else image.convert("HSV") if mode == "HSV" else image
    else:
        image = image.convert(mode)
    photo = read_picture(image)
    assert photo.rgb.shape == (30, 20, 3)
    assert photo.rgb.dtype == (np.uint16 if mode in ("I;16", "I", "F") else np.uint8)
    assert (photo.alpha is not None) == (mode in ("LA", "PA", "RGBA"))


def test_sixteen_bits_survive(tmp_path: Path) -> None:
    ramp = np.linspace(0, 65535, 4000).astype(np.uint16).reshape(50, 80)
    cv2.imwrite(str(tmp_path / "scan.png"), ramp)
    photo = read_picture(tmp_path / "scan.png")
    assert np.array_equal(photo.rgb[..., 1], ramp)
    write_picture(photo, tmp_path / "out.png")
    back = cv2.imread(str(tmp_path / "out.png"), cv2.IMREAD_UNCHANGED)
    assert back.dtype == np.uint16
    assert np.array_equal(back[..., 0], ramp)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(orientation: int, tmp_path: Path) -> None:
    image = draw_photo(5, (40, 24))
    exif = Image.Exif()
    exif[0x0112] = orientation
    image.save(tmp_path / "a.png", exif=exif)
    rgb = read_picture(tmp_path / "a.png").rgb
    assert rgb.shape[:2] == ((24, 40) if orientation <= 4 else (40, 24))
    upright = np.asarray(image)
    corner = {1: (0, 0), 2: (0, -1), 3: (-1, -1), 4: (-1, 0), 5: (0, 0), 6: (-1, 0), 7: (-1, -1), 8: (0, -1)}
    assert np.array_equal(rgb[0, 0], upright[corner[orientation]])


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["raw", "tiff_lzw", "gray of 16 bits", "color of 16 bits"])
def test_scans_with_an_orientation_are_turned_once(kind: str, orientation: int) -> None:
    stored = np.asarray(draw_photo(5, (40, 24)))
    buffer = io.BytesIO()
    if kind == "color of 16 bits":
        stored = stored.astype(np.uint16) * 257
        exif = Image.Exif()
        exif[0x0112] = orientation
        write_tiff(buffer, stored, None, exif.tobytes(), None)
    else:
        if kind == "gray of 16 bits":
            stored = stored[..., 1].astype(np.uint16) * 257
        tags = TiffImagePlugin.ImageFileDirectory_v2()
        tags[0x0112] = orientation
        compression = None if kind == "raw" else "tiff_lzw"
        Image.fromarray(stored).save(buffer, "TIFF", tiffinfo=tags, compression=compression)
    photo = read_picture(buffer.getvalue())
    expected = upright(stored, orientation)
    assert np.array_equal(photo.rgb if stored.ndim == 3 else photo.rgb[..., 0], expected)


def test_broken_files_are_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("no picture")
    (tmp_path / "empty.png").touch()
    buffer = io.BytesIO()
    draw_photo(1, (200, 200)).save(buffer, "JPEG")
    (tmp_path / "cut.jpg").write_bytes(buffer.getvalue()[:700])
    for name, words in (
        ("text.jpg", "not a picture"),
        ("empty.png", "not a picture"),
        ("cut.jpg", "broken"),
        ("none.jpg", "no file"),
    ):
        with pytest.raises(UserError, match=words):
            read_picture(tmp_path / name)
    with pytest.raises(UserError, match="folder"):
        read_picture(tmp_path)


def test_a_huge_header_is_refused_before_decoding() -> None:
    header = io.BytesIO()
    Image.new("1", (10, 10)).save(header, "PPM")
    with pytest.raises(UserError, match="100 megapixels"):
        read_picture(header.getvalue().replace(b"10 10", b"60000 60000"))


def test_thumbnails_of_large_jpegs_are_large_enough() -> None:
    buffer = io.BytesIO()
    draw_photo(1, (1600, 1200)).save(buffer, "JPEG")
    assert min(thumbnail_rgb(buffer.getvalue(), 224).shape[:2]) in range(224, 601)


def test_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photo = read_picture(draw_photo(1))
    write_picture(photo, tmp_path / "deep" / "a.jpg")
    assert read_picture(tmp_path / "deep" / "a.jpg").rgb.shape == (80, 96, 3)
    with pytest.raises(UserError, match=r"\.xyz"):
        write_picture(photo, tmp_path / "a.xyz")
    monkeypatch.setattr(Image.Image, "save", lambda *a, **k: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(UserError, match="disk full"):
        write_picture(photo, tmp_path / "b.png")
    assert [p.name for p in tmp_path.iterdir()] == ["deep"]


def test_the_result_keeps_its_format_if_that_can_hold_it() -> None:
    eight, sixteen = Photo(np.zeros((2, 2, 3), np.uint8)), Photo(np.zeros((2, 2, 3), np.uint16))
    clear = Photo(eight.rgb, np.zeros((2, 2), np.uint8))
    own = Output()
    assert [own.suffix(eight, s) for s in (".jpg", ".tif", ".gif", "")] == [".jpg", ".tif", ".png", ".png"]
    assert [own.suffix(sixteen, s) for s in (".jpg", ".tif")] == [".png", ".tif"]
    assert [own.suffix(clear, s) for s in (".jpg", ".webp")] == [".png", ".webp"]
    assert [Output("jpg").suffix(p, ".tif") for p in (eight, sixteen, clear)] == [".jpg"] * 3
    assert own.suffix(Photo(np.zeros((1, 70000, 3), np.uint8)), ".jpg") == ".png"
    for bad in ({"format": "gif"}, {"quality": 0}):
        with pytest.raises(UserError):
            Output(**bad)


def test_find_pictures_at_any_depth_without_hidden_ones(tmp_path: Path) -> None:
    for name in ("b.JPG", "a/c.png", "a/d/e.tiff", ".hidden/x.png", "a/.y.png", "notes.txt"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert [str(p.relative_to(tmp_path)) for p in find_pictures(tmp_path)] == ["a/c.png", "a/d/e.tiff", "b.JPG"]

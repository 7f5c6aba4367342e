"""Color profiles and metadata."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import pytest
from PIL import ExifTags, Image, ImageCms

from colorizer.pictures.icc import deep_to_srgb, gray_to_srgb, srgb
from colorizer.pictures.photo import Metadata, Photo
from colorizer.pictures.reading import read_picture, upright
from colorizer.pictures.writing import SIMULATED, Output, write_picture

from ..conftest import draw_photo


def _profile(name: Literal["LAB", "XYZ", "sRGB"]) -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile(name)).tobytes()


def _swapping_profile() -> bytes:
    """sRGB whose red and blue primaries have changed places: an RGB profile that visibly differs."""
    data = bytearray(_profile("sRGB"))
    tags = {}
    for k in range(int.from_bytes(data[128:132], "big")):
        entry = 132 + 12 * k
        tags[bytes(data[entry : entry + 4])] = entry
    red, blue = tags[b"rXYZ"], tags[b"bXYZ"]
    data[red + 4 : red + 12], data[blue + 4 : blue + 12] = data[blue + 4 : blue + 12], data[red + 4 : red + 12]
    return bytes(data)


def test_a_profile_is_honored_in_8_bit() -> None:
    image = draw_photo(1, (40, 30))
    plain = np.asarray(srgb(image, None))
    assert np.abs(np.asarray(srgb(image, _profile("sRGB"))).astype(int) - plain).max() <= 1
    swapped = np.asarray(srgb(image, _swapping_profile())).astype(int)
    assert np.abs(swapped - plain[..., ::-1]).mean() < 2
    assert np.array_equal(np.asarray(srgb(image, b"no profile")), plain)


def test_a_profile_is_honored_in_16_bit_as_in_8(tmp_path: Path) -> None:
    eight = np.asarray(draw_photo(2, (48, 36)))
    deep = eight.astype(np.uint16) * 257
    expected = np.asarray(srgb(Image.fromarray(eight), _swapping_profile())).astype(float)
    swapped, same = deep.copy(), deep.copy()
    deep_to_srgb(swapped, _swapping_profile())
    assert np.abs(swapped / 257 - expected).max() < 1.5
    deep_to_srgb(same, _profile("sRGB"))
    assert np.abs(same.astype(int) - deep).max() < 257
    ramp = np.linspace(0, 65535, 900).astype(np.uint16).reshape(30, 30)
    assert np.abs(gray_to_srgb(ramp, b"no profile").astype(int) - ramp).max() <= 1


def test_lab_tiffs_are_read(tmp_path: Path) -> None:
    image = draw_photo(3, (40, 30))
    lab = ImageCms.profileToProfile(
        image, ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
    )
    lab.save(tmp_path / "lab.tif")
    back = read_picture(tmp_path / "lab.tif").rgb
    assert np.abs(back.astype(int) - np.asarray(image)).mean() < 3


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("channels", [3, 4])
def test_16_bits_of_color_stay_16(suffix: str, channels: int, tmp_path: Path) -> None:
    deep = np.random.default_rng(0).integers(0, 65536, (20, 30, channels), np.uint16)
    path = tmp_path / f"deep{suffix}"
    cv2.imwrite(str(path), cv2.cvtColor(deep, cv2.COLOR_RGB2BGR if channels == 3 else cv2.COLOR_RGBA2BGRA))
    for photo in (read_picture(path), read_picture(path.read_bytes())):
        assert np.array_equal(photo.rgb, deep[..., :3])
        assert (photo.alpha is None) == (channels == 3)
        if photo.alpha is not None:
            assert np.array_equal(photo.alpha, deep[..., 3])
    write_picture(read_picture(path), tmp_path / f"again{suffix}")
    assert np.array_equal(read_picture(tmp_path / f"again{suffix}").rgb, deep[..., :3])


@pytest.mark.parametrize("orientation", range(1, 9))
def test_upright_is_what_pillow_does(orientation: int) -> None:
    from PIL import ImageOps

    image = draw_photo(5, (40, 24))
    exif = Image.Exif()
    exif[0x0112] = orientation
    buffer = io.BytesIO()
    image.save(buffer, "PNG", exif=exif)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(buffer)))
    assert np.array_equal(upright(np.asarray(image), orientation), expected)


def _photographed() -> Image.Exif:
    exif = Image.Exif()
    exif[ExifTags.Base.ImageDescription] = "Grandmother, 1931"
    exif[ExifTags.Base.Artist] = "A. Photographer"
    exif[ExifTags.Base.Orientation] = 6
    exif[ExifTags.IFD.Exif] = {ExifTags.Base.DateTimeOriginal.value: "1931:05:01 12:00:00", 0xA002: 40, 0xA003: 24}
    exif[ExifTags.IFD.GPSInfo] = {1: "N"}
    return exif


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif"])
def test_metadata_goes_on_into_the_result(suffix: str, tmp_path: Path) -> None:
    draw_photo(1, (40, 24)).save(tmp_path / "in.jpg", exif=_photographed(), dpi=(300, 300))
    photo = read_picture(tmp_path / "in.jpg")
    assert photo.rgb.shape == (40, 24, 3)
    write_picture(photo, tmp_path / f"out{suffix}", output=Output(note=True))
    with Image.open(tmp_path / f"out{suffix}") as out:
        found = out.getexif()
        assert found[ExifTags.Base.ImageDescription] == "Grandmother, 1931"
        assert found.get(ExifTags.Base.Orientation, 1) == 1
        inner = found.get_ifd(ExifTags.IFD.Exif)
        assert inner[ExifTags.Base.DateTimeOriginal] == "1931:05:01 12:00:00"
        assert SIMULATED.encode() in inner[ExifTags.Base.UserComment]
        assert 0xA002 not in inner
        assert found.get_ifd(ExifTags.IFD.GPSInfo)[1] == "N"
        if suffix != ".webp":
            assert out.info["dpi"] == pytest.approx((300, 300), abs=0.1)
        if suffix == ".png":
            assert out.info["Comment"] == SIMULATED
    assert read_picture(tmp_path / f"out{suffix}").rgb.shape == (40, 24, 3)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("shape", [(8, 9), (600, 4000), (1, 1)])
@pytest.mark.parametrize("alpha", [False, True])
def test_metadata_goes_into_16_bit_files_too(suffix: str, shape: tuple[int, int], alpha: bool, tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    deep = rng.integers(0, 65536, (*shape, 3), np.uint16)
    clear = rng.integers(0, 65536, shape, np.uint16) if alpha else None
    exif = Image.Exif()
    exif[ExifTags.Base.Artist] = "A. Photographer"
    exif[ExifTags.IFD.Exif] = {ExifTags.Base.DateTimeOriginal.value: "1931:05:01 12:00:00"}
    path = tmp_path / f"a{suffix}"
    write_picture(Photo(deep, clear, Metadata(exif.tobytes(), (600, 600))), path, Output(note=True))
    with Image.open(path) as out:
        out.load()
        found = out.getexif()
        assert out.size == shape[::-1]
        assert found[ExifTags.Base.Artist] == "A. Photographer"
        inner = found.get_ifd(ExifTags.IFD.Exif)
        assert inner[ExifTags.Base.DateTimeOriginal] == "1931:05:01 12:00:00"
        assert SIMULATED.encode() in inner[ExifTags.Base.UserComment]
        assert out.info["dpi"] == pytest.approx((600, 600), abs=0.1)
        if suffix == ".png":
            assert out.info["Comment"] == SIMULATED
    back = read_picture(path)
    assert np.array_equal(back.rgb, deep)
    assert (back.alpha is not None) == alpha
    if back.alpha is not None and clear is not None:
        assert np.array_equal(back.alpha, clear)


def test_damaged_metadata_does_not_stop_a_photo(tmp_path: Path) -> None:
    draw_photo(1, (40, 24)).save(tmp_path / "in.jpg", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + b"\xff" * 30)
    assert read_picture(tmp_path / "in.jpg").rgb.shape == (24, 40, 3)


def test_of_several_pages_the_first_is_taken_and_it_is_said(tmp_path: Path) -> None:
    pages = [draw_photo(k, (30, 20)) for k in range(3)]
    for name, words in (
        ("a.tif", "pages; the first one is colored. As an album, or by the command line, all are."),
        ("a.gif", "pictures; the first one is colored."),
    ):
        pages[0].save(tmp_path / name, save_all=True, append_images=pages[1:])
        photo = read_picture(tmp_path / name)
        assert photo.metadata.notes == (f"{name} holds 3 {words}",)
        assert np.abs(photo.rgb.astype(int) - np.asarray(pages[0])).mean() < 12

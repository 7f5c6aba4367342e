"""A folder of odd pictures, made here: for each the right picture comes out, or one clear sentence."""

from __future__ import annotations

import io
import os
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pillow_heif
import pillow_jxl  # noqa: F401 - which Pillow writes by
import pytest
from PIL import Image, ImageCms

from colorizer import Colorizer, Settings, UserError
from colorizer.color.lab import lightness
from colorizer.data.scan import scan_pictures
from colorizer.inference import batch
from colorizer.pictures.photo import max_pixels
from colorizer.pictures.reading import read_picture
from colorizer.pictures.sources import open_source
from colorizer.pictures.writing import Output

from ..conftest import draw_photo

pillow_heif.register_heif_opener()
ONE_STEP = 100 / 255  # of L: the most that rounding to 8 bits may change


def _saved(image: Image.Image, format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def _deep(channels: int, suffix: str) -> bytes:
    gray = np.linspace(900, 64000, 60 * 40).reshape(40, 60).astype(np.uint16)
    done, data = cv2.imencode(suffix, gray if channels == 1 else np.dstack([gray] * channels))
    assert done
    return data.tobytes()


def _with_orientation(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return _saved(draw_photo(3, (60, 40)), "JPEG", exif=exif)


def _with_profile(mode: str) -> bytes:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("XYZ" if mode == "broken" else "sRGB"))
    data = b"no profile" if mode == "broken" else profile.tobytes()
    return _saved(draw_photo(4, (60, 40)), "PNG", icc_profile=data)


def _huge_png() -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 60000, 60000, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def _bomb() -> bytes:
    return _saved(Image.new("1", (20000, 20000)), "PNG")  # 50 kB that would be 400 megapixels


def _lab() -> bytes:
    sources, target = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    picture = ImageCms.profileToProfile(draw_photo(1, (300, 200)), sources, target, outputMode="LAB")
    assert picture is not None
    return _saved(picture, "TIFF")


def _in_mode(mode: str, format: str) -> Callable[[], bytes]:
    return lambda: _saved(draw_photo(2, (60, 40)).convert(mode), format)


def _jpeg() -> bytes:
    return _saved(draw_photo(1, (300, 200)), "JPEG")


FINE: dict[str, tuple[Callable[[], bytes], tuple[int, int]]] = {
    **{f"mode-{mode}.png": (_in_mode(mode, "PNG"), (60, 40)) for mode in ("1", "L", "LA", "P", "RGB", "RGBA")},
    **{f"mode-{mode}.tif": (_in_mode(mode, "TIFF"), (60, 40)) for mode in ("1", "L", "RGB", "CMYK", "I", "F")},
    "lab.tif": (_lab, (300, 200)),
    **{f"orientation-{k}.jpg": (partial(_with_orientation, k), (60, 40) if k < 5 else (40, 60))
       for k in range(1, 9)},
    "cmyk.jpg": (_in_mode("CMYK", "JPEG"), (60, 40)),
    "gray.jpg": (_in_mode("L", "JPEG"), (60, 40)),
    "palette.gif": (_in_mode("P", "GIF"), (60, 40)),
    "deep-gray.png": (lambda: _deep(1, ".png"), (60, 40)),
    "deep-gray.tif": (lambda: _deep(1, ".tiff"), (60, 40)),
    "deep-color.png": (lambda: _deep(3, ".png"), (60, 40)),
    "deep-alpha.tif": (lambda: _deep(4, ".tiff"), (60, 40)),
    "profile.png": (lambda: _with_profile("sRGB"), (60, 40)),
    "broken-profile.png": (lambda: _with_profile("broken"), (60, 40)),
    "dot.png": (lambda: _saved(draw_photo(1).resize((1, 1)), "PNG"), (1, 1)),
    "line.png": (lambda: _saved(draw_photo(1).resize((1, 5000)), "PNG"), (1, 5000)),
    "bar.jpg": (lambda: _saved(draw_photo(1).resize((5000, 1)), "JPEG"), (5000, 1)),
    "wrong-suffix.jpg": (lambda: _saved(draw_photo(1, (60, 40)), "PNG"), (60, 40)),
    "animated.webp": (lambda: _saved(draw_photo(1, (60, 40)), "WEBP", save_all=True,
                                     append_images=[draw_photo(2, (60, 40))], lossless=True), (60, 40)),
    "pages.tif": (lambda: _saved(draw_photo(1, (60, 40)), "TIFF", save_all=True,
                                 append_images=[draw_photo(2, (60, 40))]), (60, 40)),
    "phone.heic": (lambda: _saved(draw_photo(1, (60, 40)), "HEIF"), (60, 40)),
    "phone.avif": (lambda: _saved(draw_photo(1, (60, 40)), "AVIF"), (60, 40)),
    "archive.jxl": (lambda: _saved(draw_photo(1, (60, 40)), "JXL", lossless=True), (60, 40)),
    "Großmutter & Söhne <1931>.png": (_in_mode("L", "PNG"), (60, 40)),
}  # fmt: skip
BROKEN: dict[str, tuple[Callable[[], bytes], str]] = {
    "truncated.jpg": (lambda: _jpeg()[:700], "broken"),
    "truncated.png": (lambda: _saved(draw_photo(1, (300, 200)), "PNG")[:5000], "broken"),
    "truncated.tif": (lambda: _saved(draw_photo(1, (300, 200)), "TIFF")[:5000], "broken|not a picture"),
    "truncated-lab.tif": (lambda: _lab()[:5000], "broken"),
    "truncated-deep.png": (lambda: _deep(3, ".png")[:2000], "broken"),
    "damaged.png": (lambda: bytes(b ^ 0x55 if 300 < k < 400 else b for k, b in enumerate(
        _saved(draw_photo(1, (90, 60)), "PNG"))), "broken"),
    "empty.jpg": (bytes, "not a picture"),
    "text.jpg": (lambda: b"Dear photograph,\nplease be in color.\n", "not a picture"),
    "huge-header.png": (_huge_png, "100 megapixels"),
    "bomb.png": (_bomb, "100 megapixels"),
}  # fmt: skip


@pytest.mark.parametrize("name", FINE)
def test_an_odd_picture_comes_out_right(name: str, colorizer: Colorizer, tmp_path: Path) -> None:
    make, size = FINE[name]
    path = tmp_path / name
    path.write_bytes(make())
    before = read_picture(path)
    assert before.rgb.shape == (size[1], size[0], 3)
    result, *_ = batch.run(colorizer, batch.plan([path], tmp_path / "out"), output=Output("png"))
    result, *_ = batch.run(colorizer, batch.plan([path], tmp_path / "out", "png"), output=Output("png"), overwrite=True)
    assert result.problem is None, result.problem
    after = read_picture(result.written[0])
    assert after.rgb.shape == before.rgb.shape
    assert after.rgb.dtype == before.rgb.dtype
    assert np.abs(lightness(after.rgb) - lightness(before.rgb)).max() < ONE_STEP
    assert (after.alpha is None) == (before.alpha is None)
    if before.alpha is not None:
        assert after.alpha is not None
        assert np.array_equal(after.alpha, before.alpha)
    assert bool(result.notes) == name.startswith("animated")


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_no_picture_gives_one_sentence(name: str, colorizer: Colorizer, tmp_path: Path) -> None:
    make, words = BROKEN[name]
    path = tmp_path / name
    path.write_bytes(make())
    with pytest.raises(UserError, match=words) as caught:
        read_picture(path)
    assert name in str(caught.value)
    [result] = batch.run(colorizer, batch.plan([path], tmp_path / "out"))
    assert result.problem == str(caught.value)
    assert not list(tmp_path.rglob("out/*")), "nothing half-written stays"


def test_the_others_go_on(colorizer: Colorizer, tmp_path: Path) -> None:
    for name, (make, _) in {**FINE, **BROKEN}.items():
        (tmp_path / "in").mkdir(exist_ok=True)
        (tmp_path / "in" / name).write_bytes(make())
    results = list(batch.run(colorizer, batch.plan([tmp_path / "in"], tmp_path / "out"), workers=3))
    assert {r.job.source.name for r in results if r.problem} == set(BROKEN)
    assert {r.job.source.name for r in results if r.written} == set(FINE)
    assert len({path for r in results for path in r.written}) == len(FINE) + 1, "one of them has two pages"


@pytest.mark.parametrize("settings", [Settings(), Settings(vividness=4, saturation=3), Settings(strength=0.4)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_l_is_kept_to_one_step_everywhere(settings: Settings, dtype: Any, colorizer: Colorizer) -> None:
    step = 1 if dtype == np.uint8 else 257
    gray = (np.tile(np.arange(256), (64, 2)) * step).astype(dtype)  # every gray there is
    colorized = colorizer(gray, settings, hints=[(100, 30, 40, "#0000ff"), (400, 30, 40, "#ff0000")])
    apart = np.abs(lightness(colorized) - lightness(np.repeat(gray[..., None], 3, 2)))
    assert apart.max() < ONE_STEP / (1 if dtype == np.uint8 else 4)


def test_the_limit_is_said_where_it_is_enforced(tmp_path: Path) -> None:
    assert max_pixels() == 100_000_000
    path = tmp_path / "large.png"
    Image.new("1", (10001, 10000)).save(path)
    with pytest.raises(UserError, match=r"large.png has more than 100 megapixels. Make it smaller"):
        read_picture(path)


def test_pipes_and_links_to_nowhere_end_no_folder(tmp_path: Path, colorizer: Colorizer) -> None:
    folder = tmp_path / "album"
    folder.mkdir()
    draw_photo(1).save(folder / "a.png")
    os.mkfifo(folder / "pipe.jpg")
    (folder / "self.jpg").symlink_to(folder / "self.jpg")
    (folder / "nowhere.png").symlink_to(tmp_path / "nowhere")
    results = {r.job.source.name: r for r in batch.run(colorizer, batch.plan([folder], tmp_path / "out"))}
    assert set(results) == {"a.png", "self.jpg", "nowhere.png"}
    assert results["a.png"].written
    for name in ("self.jpg", "nowhere.png"):
        assert name in (results[name].problem or "")
    with pytest.raises(UserError, match="not a picture"):
        read_picture(folder / "pipe.jpg")
    scan = scan_pictures(open_source(folder), cache=tmp_path)
    assert [p.name for p in scan.pictures] == ["a.png"]
    assert scan.left_out == {"broken": ["nowhere.png", "self.jpg"]}


def test_a_picture_that_claims_to_be_huge_ends_no_training(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    draw_photo(1).save(folder / "a.png")
    (folder / "huge.png").write_bytes(_huge_png())
    (folder / "bomb.png").write_bytes(_bomb())
    scan = scan_pictures(open_source(folder), cache=tmp_path)
    assert [p.name for p in scan.pictures] == ["a.png"]
    assert scan.left_out == {"broken": ["bomb.png", "huge.png"]}


def test_a_tar_file_of_a_folder_s_contents(tmp_path: Path) -> None:
    draw_photo(1).save(tmp_path / "a.png")
    (tmp_path / ".hidden.png").write_bytes(b"")
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        for name in ("a.png", ".hidden.png"):
            archive.add(tmp_path / name, f"./{name}")
    assert open_source(tmp_path / "x.tar").names == ["x.tar/./a.png"]


def test_a_made_up_zip_file_is_one_sentence(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "old.zip", "w") as archive:
        archive.writestr("photo.jpg", b"x")
    data = bytearray((tmp_path / "old.zip").read_bytes())
    data[data.index(b"PK\x01\x02") + 6] = 104  # the version that is needed to read it
    (tmp_path / "old.zip").write_bytes(data)
    with pytest.raises(UserError, match=r"old\.zip is not a zip file that can be read"):
        open_source(str(tmp_path / "old.zip"))


def test_of_a_jpeg_that_was_cut_off_what_is_there_is_read() -> None:
    whole, cut = _jpeg(), _jpeg()[: len(_jpeg()) * 6 // 10]
    photo, complete = read_picture(cut, "grandmother.jpg"), read_picture(whole)
    assert complete.metadata.notes == ()
    assert photo.metadata.notes == ("grandmother.jpg is damaged: its end is missing. What could be read is colored.",)
    assert photo.rgb.shape == complete.rgb.shape
    assert np.array_equal(photo.rgb[:64], complete.rgb[:64])
    with pytest.raises(UserError, match="broken"):
        read_picture(whole[:600])
    behind = whole + b"\0" * 1000  # as some cameras write
    assert read_picture(behind).metadata.notes == ()


def test_each_page_is_a_picture(colorizer: Colorizer, tmp_path: Path) -> None:
    pages = [draw_photo(k, (600, 400)) for k in range(3)]
    pages[0].save(tmp_path / "scans.tif", save_all=True, append_images=pages[1:])
    pages[0].save(tmp_path / "scans.pdf", save_all=True, append_images=pages[1:], resolution=300)
    for name in ("scans.tif", "scans.pdf"):
        first = read_picture(tmp_path / name)
        assert first.metadata.notes == (
            f"{name} holds 3 pages; the first one is colored. As an album, or by the command line, all are.",
        )
        results = list(batch.run(colorizer, batch.plan([tmp_path / name], tmp_path / name[-3:])))
        suffix = ".tif" if name.endswith("tif") else ".png"
        assert {p.name for r in results for p in r.written} == {f"scans-page{k}{suffix}" for k in (1, 2, 3)}
        for k, page in enumerate(pages):
            photo = read_picture(tmp_path / name, page=k)
            assert photo.metadata.notes == ()
            assert np.abs(photo.rgb[:400, :600].astype(int) - np.asarray(page)).mean() < 8
    (tmp_path / "broken.pdf").write_bytes((tmp_path / "scans.pdf").read_bytes()[:300])
    with pytest.raises(UserError, match=r"broken.pdf is broken"):
        read_picture(tmp_path / "broken.pdf")

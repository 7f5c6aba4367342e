"""Coloring: a picture in, a picture out."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image
from safetensors.torch import save_file

from colorizer import LOOKS, Colorizer, Settings, UserError
from colorizer.arrays import planes_of, resize, resize_linear
from colorizer.color.difference import ciede2000
from colorizer.color.gamut import fit_gamut
from colorizer.color.lab import lab_to_rgb, lightness, rgb_to_lab
from colorizer.evaluation.metrics import colorfulness, gray_picture, mse
from colorizer.inference.upsampling import guided_coefficients
from colorizer.inference.working import working_shape
from colorizer.model.checkpoints import find_checkpoint, load_checkpoint, save_checkpoint
from colorizer.pictures.reading import read_picture

from ..conftest import EXAMPLES, draw_photo


def test_the_bundled_checkpoint_is_small_and_self_contained() -> None:
    assert find_checkpoint(None).stat().st_size < 25e6
    checkpoint = load_checkpoint()
    assert checkpoint.config.network == "skip_fusion"
    assert checkpoint.config.objective == "classification"
    assert checkpoint.config.features == "tf_efficientnet_lite0"
    assert checkpoint.prior.sum() == pytest.approx(1, abs=1e-4)


def test_it_colors_the_examples_closer_to_the_truth_than_gray(colorizer: Colorizer) -> None:
    errors, grays = [], []
    for path in (EXAMPLES / "color").glob("*.jpg"):
        true = read_picture(path).rgb
        colorized = colorizer(true)
        errors.append(mse(colorized, true))
        grays.append(mse(gray_picture(true), true))
        assert colorfulness(colorized) > 8
    assert np.mean(errors) < np.mean(grays)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
@pytest.mark.parametrize("channels", [None, 1, 3, 4])
def test_same_kind_same_size(colorizer: Colorizer, dtype: Any, channels: int | None) -> None:
    gray = np.asarray(draw_photo(1, (70, 50)).convert("L"))
    scale = {np.uint8: 1, np.uint16: 257}.get(dtype, 1 / 255)
    picture = (gray * np.array(scale)).astype(dtype)
    if channels:
        picture = np.repeat(picture[..., None], channels, axis=2)
    colorized = colorizer(picture)
    assert colorized.dtype == dtype
    assert colorized.shape == (50, 70, 4 if channels == 4 else 3)
    if channels == 4:
        assert np.array_equal(colorized[..., 3], picture[..., 3])
    rgb = np.repeat(picture[..., None], 3, axis=2) if picture.ndim == 2 else np.repeat(picture[..., :1], 3, axis=2)
    assert np.abs(lightness(colorized[..., :3]) - lightness(rgb)).max() < 0.5


def test_paths_and_pil_images(colorizer: Colorizer, tmp_path: Path) -> None:
    gray = draw_photo(2, (90, 60)).convert("L")
    gray.save(tmp_path / "a.png")
    from_path, from_image = colorizer(tmp_path / "a.png"), colorizer(gray)
    assert isinstance(from_path, Image.Image)
    assert from_path.size == (90, 60)
    assert from_path.mode == "RGB"
    assert np.array_equal(np.asarray(from_path), np.asarray(from_image))
    assert colorizer(gray.convert("LA")).mode == "RGBA"


@pytest.mark.parametrize("size", [(1, 1), (1, 700), (900, 2), (33, 31)])
def test_odd_sizes(colorizer: Colorizer, size: tuple[int, int]) -> None:
    assert colorizer(np.full(size, 120, np.uint8)).shape == (*size, 3)


def test_l_is_kept_at_full_size(colorizer: Colorizer) -> None:
    gray = np.asarray(
        Image.open(EXAMPLES / "black-and-white" / "chelsea.jpg").resize((1353, 900), Image.Resampling.LANCZOS)
    )
    colorized = colorizer(gray)
    assert colorized.shape == (900, 1353, 3)
    assert np.abs(lightness(colorized) - lightness(np.repeat(gray[..., None], 3, 2))).max() < 0.5


def test_a_tint_is_taken_out_before_l_is_read(colorizer: Colorizer) -> None:
    """Sepia, a cyanotype, yellowed paper: the colors come out as of the neutral scan."""
    gray = np.asarray(Image.open(EXAMPLES / "black-and-white" / "grace_hopper.jpg").convert("RGB").resize((256, 300)))
    neutral = rgb_to_lab(colorizer(gray))
    light = lightness(gray)
    for a, b in ((6, 22), (-6, -25), (0, 12)):
        strength = np.sin(np.pi * np.clip(light, 5, 95) / 100)
        tinted = lab_to_rgb(fit_gamut(np.dstack([light, a * strength, b * strength]).astype(np.float32)), np.uint8)
        assert colorfulness(tinted) > 8
        assert ciede2000(rgb_to_lab(colorizer(tinted)), neutral).mean() < 1


def test_the_same_colors_at_every_size(colorizer: Colorizer) -> None:
    picture = Image.open(EXAMPLES / "black-and-white" / "coffee.jpg").convert("L")
    labs = []
    for short in (256, 512, 1024):
        size = (round(short * picture.width / picture.height), short)
        colorized = colorizer(np.asarray(picture.resize(size, Image.Resampling.LANCZOS)))
        labs.append(rgb_to_lab(resize(colorized, 384, 256)))
    for one, other in itertools.combinations(labs, 2):
        assert ciede2000(one, other).mean() < 4


def test_the_working_size_changes_detail_but_not_hue(colorizer: Colorizer) -> None:
    picture = np.asarray(Image.open(EXAMPLES / "black-and-white" / "coffee.jpg").convert("L"))
    ab = []
    for size in (160, 192, 256):
        lab = rgb_to_lab(colorizer(picture, Settings(working_size=size)))
        ab.append(cv2.resize(lab[..., 1:], (6, 4), interpolation=cv2.INTER_AREA).reshape(-1, 2))
    for one, other in itertools.combinations(ab, 2):
        agreement = (one * other).sum() / (np.linalg.norm(one) * np.linalg.norm(other))
        assert agreement > np.cos(np.deg2rad(30))


def test_strips_join_without_a_seam(colorizer: Colorizer, monkeypatch: pytest.MonkeyPatch) -> None:
    gray = np.asarray(draw_photo(4, (640, 480)).convert("L"))
    whole = colorizer(gray)
    monkeypatch.setattr("colorizer.inference.upsampling._STRIP_PIXELS", 640 * 7)
    assert np.abs(colorizer(gray).astype(int) - whole).max() <= 1


def test_settings_change_the_colors(colorizer: Colorizer) -> None:
    path = EXAMPLES / "black-and-white" / "coffee.jpg"
    vivid = [colorfulness(np.asarray(colorizer(path, Settings(vividness=v)))) for v in (0, 2, 4)]
    assert all(a < b for a, b in itertools.pairwise(vivid))
    for bad in ({"vividness": -1}, {"saturation": 9}, {"strength": 2}, {"temperature": 0}, {"working_size": 8}):
        with pytest.raises(UserError, match="must"):
            Settings(**bad)


def test_looks_are_ever_bolder_and_natural_is_the_default(colorizer: Colorizer) -> None:
    assert list(LOOKS) == ["cautious", "natural", "vivid"]
    assert LOOKS["natural"] == Settings()
    path = EXAMPLES / "black-and-white" / "coffee.jpg"
    bold = [colorfulness(np.asarray(colorizer(path, look))) for look in LOOKS.values()]
    assert bold[0] * 1.1 < bold[1] < bold[2] / 1.1


def test_the_temperature_rises_with_the_vividness() -> None:
    vivid = LOOKS["vivid"].vividness
    assert [Settings(vividness=v).annealing for v in (0, 1, vivid, 9)] == pytest.approx([0.5, 0.5, 0.6, 0.6])
    assert Settings(vividness=3, temperature=0.2).annealing == 0.2


def test_the_working_size_suits_the_checkpoint(colorizer: Colorizer) -> None:
    assert colorizer.predictor.checkpoint.size == 128
    assert colorizer.predictor.working_size(Settings()) == 192
    assert colorizer.predictor.working_size(Settings(working_size=300)) == 300


def test_working_shape_is_in_steps_of_32() -> None:
    assert working_shape(480, 640, 224) == (224, 288)
    assert working_shape(1, 1, 224) == (224, 224)
    assert working_shape(1, 5000, 224) == (224, 1344)


def test_guided_filter_moves_color_edges_to_edges_of_l() -> None:
    guide = np.zeros((64, 64), np.float32)
    guide[:, 40:] = 80
    ab = np.zeros((64, 64, 2), np.float32)
    ab[:, 36:] = (30, -30)  # four pixels off, as after a coarse prediction
    ab[:] = cv2.GaussianBlur(ab, (0, 0), 3)
    k = np.dstack(guided_coefficients(guide, planes_of(ab), 8, 1e-3))
    out = k[..., :2] * guide[..., None] + k[..., 2:]
    step_before, step_after = (abs(x[32, 40, 0] - x[32, 39, 0]) for x in (ab, out))
    assert step_after > 4 * step_before
    assert out[32, 36:40, 0].sum() < 0.75 * ab[32, 36:40, 0].sum()  # less color spilt over the edge
    slope, offset = guided_coefficients(np.full((32, 32), 50, np.float32), [np.full((32, 32), 7, np.float32)], 4, 1e-3)
    assert np.allclose(slope * 50 + offset, 7, atol=1e-4)


def test_resize_linear() -> None:
    ramp = np.arange(8, dtype=np.float32).reshape(1, 8, 1).repeat(2, 2).repeat(4, 0)
    assert resize_linear(ramp, 16, 8).shape == (8, 16, 2)
    assert resize_linear(ramp, 4, 2)[0, 0, 0] == pytest.approx(0.5)


def test_checkpoint_round_trip_in_half_precision(colorizer: Colorizer, tmp_path: Path) -> None:
    save_checkpoint(load_checkpoint(), tmp_path / "half.safetensors", half=True)
    save_checkpoint(load_checkpoint(), tmp_path / "full.safetensors")
    sizes = [(tmp_path / f"{n}.safetensors").stat().st_size for n in ("half", "full")]
    assert sizes[0] < 0.55 * sizes[1]
    gray = EXAMPLES / "black-and-white" / "chelsea.jpg"
    pictures = [
        np.asarray(Colorizer.from_pretrained(tmp_path / f"{n}.safetensors", device="cpu")(gray))
        for n in ("half", "full")
    ]
    assert np.abs(pictures[0].astype(int) - pictures[1]).mean() < 0.5
    assert [p.name for p in tmp_path.iterdir() if p.suffix != ".safetensors"] == []


def test_wrong_checkpoints_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="There is no checkpoint"):
        Colorizer.from_pretrained(tmp_path / "none.safetensors")
    with pytest.raises(UserError, match=r"no best\.safetensors yet"):
        Colorizer.from_pretrained(tmp_path)
    (tmp_path / "bad.safetensors").write_bytes(b"not a checkpoint")
    with pytest.raises(UserError, match="not a checkpoint"):
        Colorizer.from_pretrained(tmp_path / "bad.safetensors")
    whole = find_checkpoint(None).read_bytes()
    (tmp_path / "cut.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match="damaged"):
        Colorizer.from_pretrained(tmp_path / "cut.safetensors")
    about = {"format": 1, "config": {"features": "tf_efficientnet_l2"}}  # 2 GB, which must not be built for it
    save_file({}, tmp_path / "large.safetensors", metadata={"colorizer": json.dumps(about)})
    with pytest.raises(UserError, match="damaged"):
        Colorizer.from_pretrained(tmp_path / "large.safetensors")


def test_wrong_arrays_and_devices(colorizer: Colorizer) -> None:
    with pytest.raises(ValueError, match="channels"):
        colorizer(np.zeros((4, 4, 2), np.uint8))
    with pytest.raises(TypeError, match="uint8"):
        colorizer(np.zeros((4, 4), np.int64))
    with pytest.raises(UserError, match="auto, cuda, mps, cpu"):
        Colorizer.from_pretrained(device="tpu")

"""Training of the network that finds objects: the strokes it is shown, and that it learns."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from colorizer.color.bins import ab_bins
from colorizer.color.lab import rgb_to_lab
from colorizer.data.outlines import colors_of, draw_stroke, find_outlined, lesson
from colorizer.errors import UserError
from colorizer.model.objects import ObjectNetwork
from colorizer.training.objects import loss_of, overlap

from ..conftest import ROOT


@pytest.fixture
def outlined(tmp_path: Path) -> tuple[Path, Path]:
    """Three pictures of a light disc on a dark ground, and their labels."""
    pictures, masks = tmp_path / "pictures", tmp_path / "masks"
    pictures.mkdir()
    masks.mkdir()
    for k in range(3):
        y, x = np.mgrid[:120, :100]
        disc = (x - 40 - 5 * k) ** 2 + (y - 60) ** 2 < 30**2
        Image.fromarray(np.where(disc[..., None], 200, 60).repeat(3, 2).astype(np.uint8)).save(pictures / f"{k}.jpg")
        Image.fromarray(disc.astype(np.uint8) * 7).save(masks / f"{k}.png")
    return pictures, masks


def test_strokes_lie_on_their_objects(outlined: tuple[Path, Path]) -> None:
    [first, *_] = find_outlined(*outlined)
    for seed in range(20):
        taught = lesson(first, 96, 4, np.random.default_rng(seed))
        if taught is None:
            continue
        assert taught.lightness.shape == taught.strokes.shape[1:] == taught.objects.shape[1:]
        assert all(side % 32 == 0 for side in taught.lightness.shape)
        assert taught.strokes.any((1, 2)).all()
        assert not (taught.strokes & ~taught.objects).any()
    again = [lesson(first, 96, 4, np.random.default_rng(5)) for _ in range(2)]
    assert again[0] is not None
    assert again[1] is not None
    assert np.array_equal(again[0].strokes, again[1].strokes)


def test_labels_are_named_where_they_mean_something(outlined: tuple[Path, Path]) -> None:
    rng = np.random.default_rng(0)
    unnamed, named = (
        next(t for t in (lesson(o, 96, 4, rng) for o in find_outlined(*outlined, named=n)) if t) for n in (False, True)
    )
    assert unnamed.kinds is None
    assert named.kinds is not None
    assert set(np.unique(named.kinds).tolist()) <= {0, 7}
    assert (named.kinds[named.objects[0]] == named.kinds[named.objects[0]][0]).all()


def test_the_colors_of_kinds_are_counted_in_named_photographs_alone(tmp_path: Path) -> None:
    for folder in ("pictures", "masks"):
        (tmp_path / folder).mkdir()
    halves, labels = np.zeros((40, 60, 3), np.uint8), np.zeros((40, 60), np.uint8)
    halves[:, :30], halves[:, 30:], labels[:, 30:] = (128, 128, 128), (200, 60, 50), 7
    Image.fromarray(halves).save(tmp_path / "pictures" / "a.webp", lossless=True)
    Image.fromarray(labels).save(tmp_path / "masks" / "a.png")
    unnamed, named = (find_outlined(tmp_path / "pictures", tmp_path / "masks", named=n) for n in (False, True))
    assert colors_of(unnamed, (0, 7)).sum() == 0
    gray, red, nothing = colors_of(named, (0, 7, 9)) @ ab_bins()
    assert gray.norm() < 1
    assert torch.allclose(red, torch.from_numpy(rgb_to_lab(halves)[0, 40, 1:]), atol=4)
    assert nothing.norm() == 0


def test_strokes_are_points_and_lines() -> None:
    mask = np.zeros((60, 90), bool)
    mask[10:50, 10:80] = True
    sizes = [int(draw_stroke(mask, np.random.default_rng(seed)).sum()) for seed in range(60)]
    assert min(sizes) >= 1
    assert max(sizes) > 4 * np.median(sizes)


def test_loss_and_overlap_of_known_masks() -> None:
    objects = torch.zeros(1, 1, 4, 4)
    objects[..., :2] = 1
    right = torch.where(objects > 0, 20.0, -20.0)
    assert loss_of(right, objects).item() == pytest.approx(0, abs=1e-6)
    assert overlap(right, objects) == 1
    everything = torch.full_like(objects, 20.0)
    assert overlap(everything, objects) == pytest.approx(0.5)
    assert loss_of(everything, objects) > loss_of(torch.zeros_like(objects), objects)


def test_what_does_not_fit_is_one_sentence(outlined: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(UserError, match="No photograph"):
        find_outlined(outlined[0], outlined[0])
    Image.fromarray(np.ones((5, 5), np.uint8)).save(outlined[1] / "0.png")
    with pytest.raises(UserError, match="not an image of the size"):
        lesson(find_outlined(*outlined)[0], 96, 4, np.random.default_rng(0))
    Image.fromarray(np.full((120, 100), 59, np.uint8)).save(outlined[1] / "1.png")
    with pytest.raises(UserError, match="has the label 59"):
        lesson(find_outlined(*outlined, named=True)[1], 96, 4, np.random.default_rng(0))
    (tmp_path / "bad.safetensors").write_text("no")
    with pytest.raises(UserError, match="does not hold the weights"):
        ObjectNetwork().load_weights(tmp_path / "bad.safetensors")


@pytest.mark.slow
def test_it_learns_from_the_command_line(outlined: tuple[Path, Path], tmp_path: Path) -> None:
    output = tmp_path / "objects.safetensors"
    command = [sys.executable, "-m", "colorizer.commands.train_objects", "--pictures", str(outlined[0]), "--masks",
               str(outlined[1]), "-o", str(output)]  # fmt: skip
    for more in (["--steps=4"], ["--steps=2", "--init", str(output)]):
        done = subprocess.run([*command, *more], cwd=ROOT, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
    ObjectNetwork().load_weights(output)
    wrong = subprocess.run([*command, "--share=0"], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert wrong.returncode == 2
    assert "Traceback" not in wrong.stderr

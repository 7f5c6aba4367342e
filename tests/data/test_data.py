"""Data sets: sources, the scan, the split, crops, and the order of batches."""

from __future__ import annotations

import functools
import hashlib
import http.server
import random
import shutil
import tarfile
import threading
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from colorizer.color.lab import rgb_to_lab_tensor
from colorizer.data.crops import BatchOrder, CropDataset, ab_prior, crop
from colorizer.data.embeddings import EmbeddingCache
from colorizer.data.folder_weights import folder_weights
from colorizer.data.scan import PictureInfo, scan_pictures, split
from colorizer.errors import UserError
from colorizer.pictures.sources import open_source

from ..conftest import draw_photo, write_shards


def test_a_folder_at_any_depth(photo_folder: Path) -> None:
    source = open_source(photo_folder)
    assert len(source.names) == 24
    with Image.open(photo_folder / source.names[0]) as picture:
        assert picture.size == (96, 80)


def test_a_zip_reads_like_its_folder(photo_folder: Path, tmp_path: Path) -> None:
    archive = tmp_path / "photos.zip"
    with zipfile.ZipFile(archive, "w") as z:
        for path in photo_folder.rglob("*.png"):
            z.write(path, path.relative_to(photo_folder))
        z.writestr("../../escape.png", b"never unpacked")
        z.writestr("__MACOSX/._photo00.png", b"rubbish")
    scans = [scan_pictures(open_source(s)) for s in (archive, photo_folder)]
    assert [p.key for p in scans[0].pictures] == [p.key for p in scans[1].pictures]
    assert scans[0].left_out == {}
    assert [p.name for p in tmp_path.rglob("*")] == ["photos.zip"]


def _tree(root: Path, parts: tuple[str, ...]) -> None:
    for k, part in enumerate(parts):
        for wnid in ("n01440764", "n02102040"):
            for j in range(2):
                path = root / part / wnid / f"{wnid}_{j}.JPEG"
                path.parent.mkdir(parents=True, exist_ok=True)
                draw_photo(100 * k + j + (wnid == "n02102040") * 10).save(path)


def test_torchvision_roots(tmp_path: Path) -> None:
    for wnid in (
        "n03888257",
        "n03425413",
        "n03394916",
        "n03000684",
        "n02979186",
        "n03445777",
        "n03028079",
        "n03417042",
    ):
        for part in ("train", "val"):
            (tmp_path / "imagenette2" / part / wnid).mkdir(parents=True)
            draw_photo(int(wnid[-4:])).save(tmp_path / "imagenette2" / part / wnid / f"{wnid}_0.JPEG")
    _tree(tmp_path / "imagenette2", ("train", "val"))
    training = open_source(f"imagenette:{tmp_path}")
    testing = open_source(f"imagenette:{tmp_path}", training=False)
    assert len(training.names) == len(testing.names) == 12
    assert all("train" in n for n in training.names)
    assert all("val" in n for n in testing.names)

    root = tmp_path / "imagenet"
    _tree(root, ("train", "val"))
    torch.save(({"n01440764": ("tench",), "n02102040": ("springer",)}, ["n01440764"]), root / "meta.bin")
    assert len(open_source(f"imagenet:{root}").names) == 4
    with pytest.raises(UserError, match="not the root of a torchvision imagenet"):
        open_source(f"imagenet:{tmp_path}")


def test_what_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no folder or zip"):
        open_source(tmp_path / "none")
    with pytest.raises(UserError, match="no pictures in"):
        open_source(tmp_path)
    (tmp_path / "a.zip").write_bytes(b"no zip")
    with pytest.raises(UserError, match="not a zip"):
        open_source(tmp_path / "a.zip")


def test_gray_broken_tiny_and_duplicate_pictures_are_counted(photo_folder: Path, tmp_path: Path) -> None:
    good = photo_folder / "class0" / "photo00.png"
    shutil.copy(good, tmp_path / "a.png")
    shutil.copy(good, tmp_path / "b.png")
    (tmp_path / "broken.jpg").write_bytes(good.read_bytes()[:300])
    (tmp_path / "empty.jpg").touch()
    draw_photo(1).convert("L").save(tmp_path / "gray.png")
    draw_photo(2, (20, 40)).save(tmp_path / "tiny.png")
    scan = scan_pictures(open_source(tmp_path))
    assert [p.name for p in scan.pictures] == ["a.png"]
    assert scan.left_out == {
        "duplicate": ["b.png"], "broken": ["broken.jpg", "empty.jpg"], "gray": ["gray.png"], "tiny": ["tiny.png"]
    }  # fmt: skip
    assert scan.summary() == "1 pictures (1 duplicate, 2 broken, 1 gray, 1 tiny left out)"
    assert [p.name for p in scan_pictures(open_source(tmp_path), keep_gray=True).pictures] == ["a.png", "gray.png"]


def test_a_changed_picture_is_looked_at_again(tmp_path: Path) -> None:
    draw_photo(1).save(tmp_path / "a.png")
    before = scan_pictures(open_source(tmp_path)).pictures[0].key
    assert scan_pictures(open_source(tmp_path)).pictures[0].key == before
    draw_photo(2).save(tmp_path / "a.png")
    assert scan_pictures(open_source(tmp_path)).pictures[0].key != before


def test_adding_and_renaming_pictures_moves_none_across(tmp_path: Path) -> None:
    for k in range(40):
        draw_photo(k, (40, 40)).save(tmp_path / f"{k:02d}.png")
    few, held = split(scan_pictures(open_source(tmp_path)).pictures, 0.3)
    assert {p.key for p in few}.isdisjoint(p.key for p in held)
    assert 4 <= len(held) <= 20
    for k in range(40, 60):
        draw_photo(k, (40, 40)).save(tmp_path / f"{k:02d}.png")
    (tmp_path / "00.png").rename(tmp_path / "zz.png")
    more, more_held = split(scan_pictures(open_source(tmp_path)).pictures, 0.3)
    assert {p.key for p in few} <= {p.key for p in more}
    assert {p.key for p in held} <= {p.key for p in more_held}


def test_a_small_set_still_has_a_validation_picture(photo_folder: Path) -> None:
    pictures = scan_pictures(open_source(photo_folder)).pictures
    train, held = split(pictures[:2], 0.001)
    assert (len(train), len(held)) == (1, 1)
    with pytest.raises(UserError, match="at least 2"):
        split(pictures[:1], 0.1)


def test_crops() -> None:
    rgb = np.asarray(draw_photo(3, (120, 90)))
    for size in (224, 299, 32):
        assert crop(rgb, size, None).shape == (size, size, 3)
    assert np.array_equal(crop(rgb, 90, None), rgb[:, 15:105])
    drawn = [crop(rgb, 32, np.random.default_rng(s)) for s in (1, 1, 2)]
    assert np.array_equal(drawn[0], drawn[1])
    assert not np.array_equal(drawn[0], drawn[2])


def test_an_item_depends_only_on_seed_epoch_and_index(photo_folder: Path) -> None:
    source = open_source(photo_folder)
    pictures = scan_pictures(source).pictures
    data = CropDataset(source, pictures, 32, seed=5)
    first = data[(2, 3)].rgb
    random.random(), np.random.random(), torch.rand(1)  # noqa: NPY002 - global generators must not matter
    assert data[(2, 3)].rgb.equal(first)
    assert not data[(3, 3)].rgb.equal(first)
    assert first.shape == (3, 32, 32)
    assert first.dtype == torch.uint8


class _Ramp(EmbeddingCache):
    """Of each picture a map that says how far right its cells lie, and how far down."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, "ramp", (2, 8, 8))

    def get(self, key: str, flip: bool) -> NDArray[np.float32]:
        centers = ((np.arange(8) + 0.5) / 8).astype(np.float32)
        across, down = np.meshgrid(centers, centers)
        return np.stack([across[:, ::-1] if flip else across, down])


def test_a_crop_comes_with_its_part_of_the_map(tmp_path: Path) -> None:
    """A picture that is as bright as its pixels lie right, and as green as they lie down."""
    across, down = np.meshgrid(np.arange(180) / 180, np.arange(120) / 120)
    rgb = np.stack([across, down, across], axis=-1)
    Image.fromarray((rgb * 255).astype(np.uint8)).save(tmp_path / "ramp.png")
    data = CropDataset(open_source(tmp_path), [PictureInfo("ramp.png", "")], 64, embeddings=_Ramp(tmp_path))
    for epoch in range(8):
        item = data[(epoch, 0)]
        part, whole = item.embedding
        mean = item.rgb.float().mean((1, 2)) / 255
        assert part.mean((1, 2)).numpy() == pytest.approx(mean[:2].numpy(), abs=0.01)
        assert whole.mean((1, 2)).numpy() == pytest.approx(np.full(2, 0.5), abs=1e-5)
        rising = (item.rgb[0, :, -1].float() - item.rgb[0, :, 0].float()).sign().mean()
        assert (part[0, :, -1] - part[0, :, 0]).sign().mean() == rising, "flipped as the picture is"


def test_batch_order_covers_resumes_and_divides() -> None:
    whole = list(BatchOrder(50, 8, seed=1, epoch=2))
    assert len(whole) == 6
    flat = [i for batch in whole for _, i in batch]
    assert len(set(flat)) == 48
    assert list(BatchOrder(50, 8, 1, 2, start=4)) == whole[4:]
    halves = [list(BatchOrder(50, 8, 1, 2, rank=r, ranks=2)) for r in (0, 1)]
    for k, batch in enumerate(whole):
        assert sorted(halves[0][k] + halves[1][k]) == sorted(batch)
    assert list(BatchOrder(50, 8, 1, 3)) != whole
    assert [len(b) for b in BatchOrder(5, 8, 0, 0)] == [5]


def test_pictures_come_as_often_as_their_folder_weighs() -> None:
    names = ["a/1.jpg", "a/deep/2.jpg", "b/a/3.jpg", "4.jpg"]
    for text, expected in (("a=0.5,a/deep=3", [0.5, 3, 0.5, 1]), ("b=0.25", [1, 1, 0.25, 1])):
        weights = folder_weights(text, names)
        assert weights is not None
        assert weights.tolist() == expected
    assert folder_weights(None, names) is None
    weights = np.repeat([2.0, 0.3, 1.0], 100)
    times = np.zeros(300)
    for epoch in range(20):
        order = BatchOrder(300, 10, 4, epoch, weights=weights)
        assert len(order) == 33
        times += np.bincount([i for batch in order for _, i in batch], minlength=300)
        assert list(BatchOrder(300, 10, 4, epoch, 5, weights=weights)) == list(order)[5:]
    assert times[:100].mean() == pytest.approx(40, rel=0.02)
    assert times[100:200].mean() == pytest.approx(6, rel=0.05)
    assert times[100:200].max() < 15
    assert times[200:].mean() == pytest.approx(20, rel=0.02)
    alike = BatchOrder(300, 10, 4, 0, weights=np.ones(300))
    assert sorted(i for batch in alike for _, i in batch) == list(range(300))


@pytest.mark.parametrize(
    ("text", "words"),
    [("a", "FOLDER=NUMBER"), ("a=x", "FOLDER=NUMBER"), ("a=0", "above 0"), ("a=nan", "above 0"), ("c=2", "name c")],
)
def test_folder_weights_that_make_no_sense(text: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        folder_weights(text, ["a/1.jpg"])


def test_the_prior_is_a_distribution_around_the_colors(photo_folder: Path) -> None:
    source = open_source(photo_folder)
    data = CropDataset(source, scan_pictures(source).pictures, 32)
    prior = ab_prior(data)
    assert prior.shape == (313,)
    assert prior.sum() == pytest.approx(1, abs=1e-5)
    sky = rgb_to_lab_tensor(torch.tensor([110, 160, 220]).view(3, 1, 1) / 255)[1:].flatten()
    from colorizer.color.bins import ab_bins

    assert (ab_bins()[prior.argmax()] - sky).norm() < 15


def test_tar_shards_are_the_folder(photo_folder: Path, tmp_path: Path) -> None:
    write_shards(photo_folder, tmp_path / "shards", 3)
    folder = open_source(photo_folder)
    for spec in (tmp_path / "shards", tmp_path / "shards" / "photos-*.tar"):
        source = open_source(spec)
        assert len(source.names) == 24, "no labels, no links"
        assert {source.read(n) for n in source.names} == {folder.read(n) for n in folder.names}
        scan = scan_pictures(source)
        assert {p.key for p in scan.pictures} == {p.key for p in scan_pictures(folder).pictures}
    one = open_source(tmp_path / "shards" / "photos-001.tar")
    assert len(one.names) == 8
    (tmp_path / "bad.tar").write_text("no tar")
    with pytest.raises(UserError, match="not an uncompressed tar file"):
        open_source(tmp_path / "bad.tar")


def test_the_sample_set_comes_along() -> None:
    scan = scan_pictures(open_source("sample"))
    assert len(scan.pictures) == 60
    assert not scan.left_out


def test_imagenette_is_downloaded_on_demand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From a stand-in on this machine, with the archive's real layout."""
    from torchvision.datasets import Imagenette

    for wnid in Imagenette._WNID_TO_CLASS:
        for part in ("train", "val"):
            folder = tmp_path / "imagenette2-160" / part / wnid
            folder.mkdir(parents=True)
            draw_photo(int(wnid[-4:])).save(folder / "a.JPEG")
    archive = tmp_path / "imagenette2-160.tgz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(tmp_path / "imagenette2-160", "imagenette2-160")
    md5 = hashlib.md5(archive.read_bytes(), usedforsecurity=False).hexdigest()
    monkeypatch.setenv("COLORIZER_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(Imagenette, "_ARCHIVES", {"160px": ("http://127.0.0.1:9/imagenette2-160.tgz", md5)})
    with pytest.raises(UserError, match="could not be downloaded"):
        open_source("imagenette")
    serve = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), serve) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/imagenette2-160.tgz"
        monkeypatch.setattr(Imagenette, "_ARCHIVES", {"160px": (address, md5)})
        assert len(open_source("imagenette").names) == 10
        server.shutdown()
    assert len(open_source("imagenette", training=False).names) == 10, "from the cache"


def test_a_zip_bomb_is_not_unpacked(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.bmp", bytes(60_000_000))
        archive.writestr("fine.bmp", b"x" * 1000)
    source = open_source(tmp_path / "bomb.zip")
    with pytest.raises(UserError, match="too large"):
        source.read("bomb.bmp")
    assert source.read("fine.bmp") == b"x" * 1000
    assert scan_pictures(source).left_out == {"broken": ["bomb.bmp", "fine.bmp"]}

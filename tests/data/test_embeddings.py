"""The embedding cache: computed once, keyed by content, safe to kill."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from colorizer.data.embeddings import EmbeddingCache, picture_lightness
from colorizer.data.scan import PictureInfo, scan_pictures
from colorizer.model.pretrained import FeatureExtractor, load_extractor
from colorizer.model.whole_picture import MapExtractor
from colorizer.pictures.sources import open_source

from ..conftest import draw_photo


class Counting(FeatureExtractor):
    """Counts the pictures it sees."""

    seen = 0

    def forward(self, lightness: torch.Tensor) -> torch.Tensor:
        self.seen += len(lightness)
        return super().forward(lightness)


@pytest.fixture
def extractor() -> Counting:
    return Counting("tf_efficientnet_lite0", load_extractor("tf_efficientnet_lite0").backbone)


def _pictures(folder: Path, count: int) -> list[PictureInfo]:
    for k in range(count):
        draw_photo(k, (40, 40)).save(folder / f"{k}.png")
    return scan_pictures(open_source(folder)).pictures


def test_computed_once_per_picture_and_flip(extractor: Counting, tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    pictures = _pictures(tmp_path / "p", 3)
    source = open_source(tmp_path / "p")
    cache = EmbeddingCache(tmp_path, extractor.fingerprint())
    assert cache.fill(extractor, source, pictures) == 3
    assert extractor.seen == 6
    assert EmbeddingCache(tmp_path, extractor.fingerprint()).fill(extractor, source, pictures) == 0
    assert extractor.seen == 6
    lightness = picture_lightness(source.read(pictures[1].name), 224)
    for flip in (False, True):
        expected = extractor(lightness.flip(-1)[None] if flip else lightness[None])[0].numpy()
        assert np.allclose(cache.get(pictures[1].key, flip), expected, atol=1e-4)


def test_maps_are_kept_once_and_mirrored(tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    pictures = _pictures(tmp_path / "p", 3)
    source = open_source(tmp_path / "p")
    extractor = MapExtractor("tf_efficientnet_lite0")
    extractor.load_pretrained(load_extractor("tf_efficientnet_lite0").backbone)
    cache = EmbeddingCache(tmp_path, extractor.fingerprint(), extractor.shape)
    assert cache.fill(extractor, source, pictures) == 3
    assert not EmbeddingCache(tmp_path, extractor.fingerprint(), extractor.shape).missing(pictures)
    assert cache.rows_file.stat().st_size == 3 * 320 * 8 * 8 * 2
    expected = extractor(picture_lightness(source.read(pictures[1].name), 256)[None])[0].numpy()
    assert np.abs(cache.get(pictures[1].key, False) - expected).max() < 0.01 * np.abs(expected).max()
    assert np.array_equal(cache.get(pictures[1].key, True), cache.get(pictures[1].key, False)[..., ::-1])


def test_it_can_be_sent_to_another_process(extractor: Counting, tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    pictures = _pictures(tmp_path / "p", 1)
    cache = EmbeddingCache(tmp_path, extractor.fingerprint())
    cache.fill(extractor, open_source(tmp_path / "p"), pictures)
    row = cache.get(pictures[0].key, True)
    assert np.array_equal(pickle.loads(pickle.dumps(cache)).get(pictures[0].key, True), row)


def test_a_changed_picture_or_extractor_never_reads_a_stale_row(extractor: Counting, tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    pictures = _pictures(tmp_path / "p", 2)
    cache = EmbeddingCache(tmp_path, extractor.fingerprint())
    cache.fill(extractor, open_source(tmp_path / "p"), pictures)
    draw_photo(99, (40, 40)).save(tmp_path / "p" / "0.png")
    changed = scan_pictures(open_source(tmp_path / "p")).pictures
    with pytest.raises(KeyError):
        cache.get(changed[0].key, False)
    assert cache.fill(extractor, open_source(tmp_path / "p"), changed) == 1
    with torch.no_grad():
        extractor.backbone.classifier.bias += 1
    assert len(EmbeddingCache(tmp_path, extractor.fingerprint())) == 0


@pytest.mark.parametrize("lost", ["part of a row", "row without a line", "part of a line", "lines without rows"])
def test_goes_on_after_a_kill_at_any_point(extractor: Counting, tmp_path: Path, lost: str) -> None:
    (tmp_path / "p").mkdir()
    pictures = _pictures(tmp_path / "p", 3)
    source = open_source(tmp_path / "p")
    cache = EmbeddingCache(tmp_path, extractor.fingerprint())
    cache.fill(extractor, source, pictures)
    whole = [cache.get(p.key, flip).copy() for p in pictures for flip in (False, True)]
    rows, index = cache.folder / "rows.f32", cache.folder / "index.txt"
    data, text = rows.read_bytes(), index.read_text()
    if lost == "part of a row":
        rows.write_bytes(data[:-1000])
        index.write_text("".join(text.splitlines(keepends=True)[:-2]))
    elif lost == "row without a line":
        index.write_text("".join(text.splitlines(keepends=True)[:3]))
    elif lost == "part of a line":
        index.write_text(text[:-7])
    else:
        rows.write_bytes(data[: 4000 * 2 + 17])
    again = EmbeddingCache(tmp_path, extractor.fingerprint())
    assert len(again) < 6
    again.fill(extractor, source, pictures)
    restored = [again.get(p.key, flip) for p in pictures for flip in (False, True)]
    assert np.allclose(whole, restored, atol=1e-4)
    assert rows.stat().st_size == 6 * 4000

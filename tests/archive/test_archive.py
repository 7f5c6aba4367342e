"""Archives without Ray: places, what is to be done, the manifest, and a worker."""

from __future__ import annotations

import io
import json
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from colorizer import Colorizer, Settings, UserError
from colorizer.archive.manifest import DONE, FAILED, FOLDER, now, put_together, read_manifest, table_of, write_part
from colorizer.archive.places import Picture, Place, open_place
from colorizer.archive.plan import Archive, Task, batches, left_to_do, read_table
from colorizer.archive.worker import Worker
from colorizer.pictures.writing import Output

from ..conftest import draw_photo, write_shards


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    """A folder with a picture of each kind of trouble."""
    folder = tmp_path / "scans"
    (folder / "deep").mkdir(parents=True)
    draw_photo(1).save(folder / "a.bmp")
    draw_photo(2).save(folder / "a.png")
    draw_photo(3).save(folder / "deep" / "b.jpg")
    draw_photo(4).save(folder / "pages.tif", save_all=True, append_images=[draw_photo(5)])
    (folder / "broken.jpg").write_bytes(b"no picture")
    (folder / ".hidden.png").write_bytes(b"")
    (folder / "letter.txt").write_text("not a picture")
    return folder


def _archive(source: object, target: object, **more: Any) -> Archive:
    return Archive.between(str(source), str(target), **more)


def _color(archive: Archive, key: str = "batch", table: Path | None = None) -> pd.DataFrame:
    Worker(archive)(key, sorted(archive.tasks(table), key=lambda task: task.picture.name))
    return read_manifest(archive.target).set_index("name")


def test_a_place_is_listed_and_read(scans: Path) -> None:
    (scans / "deep" / "b.hints.json").write_text("[]")
    place = open_place(f"{scans}/")
    pictures = {picture.name: picture for picture in place.pictures()}
    assert set(pictures) == {"a.bmp", "a.png", "broken.jpg", "deep/b.jpg", "pages.tif"}
    assert place.read(pictures["deep/b.jpg"]) == (scans / "deep" / "b.jpg").read_bytes()
    assert pictures["deep/b.jpg"].hints_name == "deep/b.hints.json"
    assert [name for name, picture in pictures.items() if picture.hints] == ["deep/b.jpg"]
    before = pictures["a.png"].stamp
    draw_photo(9).save(scans / "a.png")
    assert {p.name: p.stamp for p in open_place(str(scans)).pictures()}["a.png"] != before


@pytest.mark.parametrize("url", ["scans", "memory://scans"])
def test_shards_are_read_in_place(photo_folder: Path, tmp_path: Path, url: str) -> None:
    write_shards(photo_folder, tmp_path / "scans", 3)
    if url.startswith("memory"):
        fsspec.filesystem("memory").put(f"{tmp_path}/scans", "/scans", recursive=True)
        place = open_place(f"{url}/photos-*.tar")
    else:
        place = open_place(f"{tmp_path / url}/photos-*.tar")
    pictures = list(place.pictures())
    names = [picture.name for picture in pictures]
    assert len(set(names)) == 24
    assert names[0].startswith("photos-000.tar/")
    by_name = {path.name: path.read_bytes() for path in photo_folder.rglob("*.png")}
    assert all(place.read(picture) == by_name[picture.name.rpartition("/")[2]] for picture in pictures)


@pytest.mark.parametrize(
    ("source", "target", "words"),
    [
        ("nowhere://a", "out", "can't be reached: Protocol not known"),
        ("{scans}", "{scans}/out", "would be colored, too"),
        ("{scans}", "out/one.tar", "put a star into"),
        ("{scans}/*.tar", "out", "There are no tar files"),
        ("{scans}/letter.tar", "out", "is not an uncompressed tar file"),
    ],
)
def test_wrong_places_are_refused(scans: Path, tmp_path: Path, source: str, target: str, words: str) -> None:
    (scans / "letter.tar").write_text("not a tar file") if "letter" in source else None
    with pytest.raises(UserError, match=words):
        list(_archive(source.format(scans=scans), target.format(scans=scans)).tasks())


def test_what_is_done_by_the_same_recipe_is_left_alone(scans: Path, tmp_path: Path) -> None:
    archive = _archive(scans, tmp_path / "out")
    tasks = list(archive.tasks())
    rows = [{"name": t.picture.name, "stamp": t.picture.stamp, "recipe": t.recipe, "outcome": DONE} for t in tasks]
    rows[0]["outcome"] = FAILED
    manifest = table_of(rows).to_pandas()
    assert left_to_do(tasks, manifest) == tasks[:1], "what failed is tried again"
    for other in (
        replace(archive, settings=Settings(vividness=2)), replace(archive, output=Output(quality=90)),
        replace(archive, network=replace(archive.network, digest="another")),
    ):  # fmt: skip
        assert len(left_to_do(other.tasks(), manifest)) == len(tasks)
    (scans / "deep" / "b.hints.json").write_text("[]")
    assert "deep/b.jpg" in {task.picture.name for task in left_to_do(archive.tasks(), manifest)}


def test_batches_are_small_in_number_and_size() -> None:
    tasks = [Task(Picture(str(k), size=10**6 if k < 100 else 10**8), Settings()) for k in range(103)]
    assert [len(batch) for batch in batches(tasks * 6)][:5] == [64, 36, 1, 1, 1]
    assert [task for batch in batches(tasks) for task in batch] == tasks
    assert [len(batch) for batch in batches(tasks[:40], workers=2)] == [2] * 20
    assert [len(batch) for batch in batches(tasks[:3], workers=9)] == [1, 1, 1]


def test_the_manifest_keeps_the_last_word(tmp_path: Path) -> None:
    place = Place(str(tmp_path))
    assert read_manifest(place).empty
    write_part(place, "one", table_of([{"name": "a", "outcome": FAILED, "reason": "no room", "time": now()}]))
    write_part(place, "two", table_of([{"name": "a", "outcome": DONE, "written": ["a.png"], "time": now()}]))
    write_part(place, "two", table_of([{"name": "a", "outcome": DONE, "written": ["a.png"], "time": now()}]))
    for rows in (read_manifest(place), put_together(place), read_manifest(place)):
        assert rows[["name", "outcome"]].to_numpy().tolist() == [["a", DONE]]
        assert list(rows["written"][0]) == ["a.png"]
    assert len(list((tmp_path / FOLDER).glob("*.parquet"))) == 1


def test_a_worker_colors_what_can_be_colored(scans: Path, tmp_path: Path, colorizer: Colorizer) -> None:
    target = tmp_path / "out"
    manifest = _color(_archive(scans, target))
    assert manifest.loc["broken.jpg", "outcome"] == FAILED
    assert "is not a picture that can be read" in manifest.loc["broken.jpg", "reason"]
    written = {name: list(row) for name, row in manifest["written"].items() if row is not None}
    assert written == {
        "a.bmp": ["a.bmp.png"], "a.png": ["a.png"], "deep/b.jpg": ["deep/b.jpg"],
        "pages.tif": ["pages-page1.tif", "pages-page2.tif"],
    }  # fmt: skip
    there = {p.relative_to(target).as_posix() for p in target.rglob("*") if p.is_file() and FOLDER not in p.parts}
    assert there == {name for names in written.values() for name in names}, "and nothing else"
    with Image.open(target / "a.bmp.png") as colored:
        assert np.array_equal(np.asarray(colored), np.asarray(colorizer(scans / "a.bmp")))
    assert json.loads(manifest.loc["a.png", "settings"])["vividness"] == 1
    assert manifest.loc["a.png", "checkpoint"].startswith("bundled ")
    assert not list((target / FOLDER / "in-work").iterdir()), "the batch is not in work any more"


def test_a_table_tells_settings_and_hints(scans: Path, tmp_path: Path, colorizer: Colorizer) -> None:
    table = tmp_path / "table.csv"
    hint = [40, 40, 20, "#a32a2a"]
    pd.DataFrame({"name": ["a.png", "a.bmp"], "vividness": [2.5, None], "working_size": [None, 128],
                  "hints": [None, json.dumps([hint])]}).to_csv(table, index=False)  # fmt: skip
    _color(_archive(scans, tmp_path / "out"), table=table)
    expected = {
        "a.png": colorizer(scans / "a.png", Settings(vividness=2.5)),
        "a.bmp.png": colorizer(scans / "a.bmp", Settings(working_size=128), [(40, 40, 20, "#a32a2a")]),
    }
    for name, picture in expected.items():
        with Image.open(tmp_path / "out" / name) as colored:
            assert np.array_equal(np.asarray(colored), np.asarray(picture)), name


def test_hints_beside_a_picture_are_read(scans: Path, tmp_path: Path, colorizer: Colorizer) -> None:
    (scans / "a.hints.json").write_text('[[40, 40, 20, "#a32a2a"]]')
    _color(_archive(scans, tmp_path / "out"))
    with Image.open(tmp_path / "out" / "a.png") as colored:
        expected = colorizer(scans / "a.png", hints=[(40, 40, 20, "#a32a2a")])
        assert np.array_equal(np.asarray(colored), np.asarray(expected))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("file,vividness\na.png,1\n", "the column name is missing"),
        ("name,vividnes\na.png,1\n", "the column vividnes is not known"),
        ("name,vividness\na.png,99\n", "wrong at a.png: The vividness must lie between 0 and 10"),
        ("name,vividness\na.png,much\n", "wrong at a.png"),
        ("name,hints\na.png,[[1]]\n", "wrong at a.png"),
        ("name\nletter.txt\n", "wrong at letter.txt: It is not the name of a picture"),
        ("", "can't be read"),
    ],
)
def test_wrong_tables_are_refused(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "table.csv").write_text(text)
    with pytest.raises(UserError, match=words):
        read_table(tmp_path / "table.csv", Settings())


def test_a_table_names_what_is_not_there(scans: Path, tmp_path: Path) -> None:
    table = tmp_path / "table.parquet"
    pd.DataFrame({"name": ["gone.png"]}).to_parquet(table)
    manifest = _color(_archive(scans, tmp_path / "out"), table=table)
    assert (manifest.loc["gone.png", "outcome"], len(manifest)) == (FAILED, 6)


def test_shards_are_written(photo_folder: Path, tmp_path: Path) -> None:
    archive = _archive(photo_folder, f"{tmp_path}/out/colored-*.tar")
    manifest = _color(archive, key="0123")
    with tarfile.open(tmp_path / "out" / "colored-0123.tar") as shard:
        names = shard.getnames()
        member = shard.extractfile(names[0])
        assert member is not None
        with Image.open(io.BytesIO(member.read())) as picture:
            assert picture.size == (96, 80)
    assert sorted(names) == sorted(manifest.index)
    assert list(manifest["written"].iloc[0]) == [f"colored-0123.tar/{manifest.index[0]}"]


def test_a_picture_that_ends_its_workers_is_left_out(scans: Path, tmp_path: Path) -> None:
    """Three workers have ended: one on the batch, and then two carefully, each while it was at a.png."""
    mark = tmp_path / "out" / FOLDER / "in-work" / "batch.json"
    mark.parent.mkdir(parents=True)
    mark.write_text(json.dumps({"at": "a.png", "ends": {"a.png": 1}}))
    manifest = _color(_archive(scans, tmp_path / "out"))
    assert manifest["outcome"].to_dict() == {
        "a.bmp": DONE, "a.png": FAILED, "broken.jpg": FAILED, "deep/b.jpg": DONE, "pages.tif": DONE
    }  # fmt: skip
    assert "ended twice" in manifest.loc["a.png", "reason"]
    assert not mark.exists()


def test_a_worker_that_ended_once_is_not_held_against_a_picture(scans: Path, tmp_path: Path) -> None:
    mark = tmp_path / "out" / FOLDER / "in-work" / "batch.json"
    mark.parent.mkdir(parents=True)
    mark.write_text(json.dumps({"at": "a.png", "ends": {}}))
    assert _color(_archive(scans, tmp_path / "out")).loc["a.png", "outcome"] == DONE


def test_a_place_that_is_busy_is_asked_again(scans: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("colorizer.archive.worker._PAUSES", (0.0, 0.0))
    read, asked = Place.read, []

    def busy(self: Place, picture: Picture) -> bytes:
        asked.append(picture.name)
        if asked.count(picture.name) < 3 or picture.name == "a.png":
            raise OSError("slow down")
        return read(self, picture)

    monkeypatch.setattr(Place, "read", busy)
    manifest = _color(_archive(scans, tmp_path / "out"))
    assert manifest.loc["a.bmp", "outcome"] == DONE
    assert (manifest.loc["a.png", "outcome"], manifest.loc["a.png", "reason"]) == (FAILED, "slow down")
    assert asked.count("a.png") == 3


def test_a_checkpoint_of_ones_own_goes_along(scans: Path, tmp_path: Path) -> None:
    from colorizer.model.checkpoints import load_checkpoint, save_checkpoint

    save_checkpoint(load_checkpoint(), tmp_path / "mine.safetensors")
    archive = _archive(scans, tmp_path / "out", checkpoint=str(tmp_path / "mine.safetensors"))
    archive.network.lay_down(archive.target)
    (tmp_path / "mine.safetensors").unlink()
    assert _color(archive).loc["a.png", "outcome"] == DONE


def test_machines_of_other_versions_are_refused(scans: Path, tmp_path: Path) -> None:
    archive = _archive(scans, tmp_path / "out")
    with pytest.raises(UserError, match="same version"):
        Worker(replace(archive, network=replace(archive.network, digest="0" * 64)))

"""Collections of drawings: nothing lost, nothing half, nothing of others."""

from __future__ import annotations

import contextlib
import csv
import io
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnn_demo.datasets.specs import get_spec
from cnn_demo.drawing.prepare import prepare
from cnn_demo.runs.collection import INDEX, Collection, new_name

SPEC = get_spec("mnist-mini")


def drawing(seed: int) -> np.ndarray:
    """A pad picture with a stroke of its own: RGBA, 280 x 280."""
    picture = np.zeros((280, 280, 4), np.uint8)
    picture[:, :, 3] = 255
    row = 40 + seed % 150
    picture[row : row + 60, 100 : 130 + seed % 50, :3] = 255
    return picture


@pytest.fixture
def collection(tmp_path: Path) -> Collection:
    return Collection(tmp_path / "collection", new_name())


def test_what_is_kept_comes_back(collection: Collection) -> None:
    assert collection.entries() == []
    assert collection.version() == (0, 0)
    first = collection.add(drawing(1), 7, SPEC, predicted="1", network="shipped")
    before = collection.version()
    second = collection.add(drawing(2), 0, SPEC)
    assert collection.version() != before
    assert collection.entries() == [first, second]
    assert (first.label, first.word, first.classes, first.predicted) == (7, "7", "digits", "1")
    with Image.open(collection.picture_path(first.id)) as kept:
        assert np.array_equal(np.asarray(kept), drawing(1))
    assert Collection(collection.folder.parent, collection.name).entries() == [first, second]


def test_many_at_once_lose_nothing(collection: Collection) -> None:
    """Twelve visitors keep four drawings each, through objects of their own, while others delete."""

    def visitor(number: int) -> list[str]:
        own = Collection(collection.folder.parent, collection.name)
        ids = [own.add(drawing(10 * number + k), number % 10, SPEC).id for k in range(4)]
        own.delete(ids[0])
        return ids[1:]

    with ThreadPoolExecutor(12) as pool:
        expected = {entry for ids in pool.map(visitor, range(12)) for entry in ids}
    assert {entry.id for entry in collection.entries()} == expected
    assert len(expected) == 36
    assert {path.stem for path in collection.folder.glob("*.png")} == expected  # no drafts, no orphans


def test_delete_and_clear(collection: Collection) -> None:
    first, second = collection.add(drawing(1), 1, SPEC), collection.add(drawing(2), 2, SPEC)
    collection.delete(first.id)
    collection.delete(first.id)  # twice does no harm
    assert collection.entries() == [second]
    assert not collection.picture_path(first.id).exists()
    collection.clear()
    assert collection.entries() == []
    assert not collection.folder.exists()
    collection.delete(second.id)


def test_zip_has_every_picture_and_its_label(collection: Collection) -> None:
    kept = [collection.add(drawing(n), n, SPEC, predicted="8") for n in (3, 5)]
    with zipfile.ZipFile(io.BytesIO(collection.zip())) as archive:
        rows = list(csv.DictReader(io.StringIO(archive.read("labels.csv").decode("utf-8-sig"))))
        assert [(row["label"], row["predicted"]) for row in rows] == [("3", "8"), ("5", "8")]
        for row, entry, number in zip(rows, kept, (3, 5), strict=True):
            assert row["id"] == entry.id
            with Image.open(io.BytesIO(archive.read(row["file"]))) as picture:
                assert np.array_equal(np.asarray(picture), drawing(number))
        assert len(archive.namelist()) == 3


def test_split_is_what_the_page_shows_the_network(collection: Collection) -> None:
    for label in (4, 9):
        collection.add(drawing(label), label, SPEC)
    collection.add(drawing(0), 2, get_spec("kmnist"))  # a label of other classes
    split = collection.split(get_spec("mnist"))  # digits are digits, whichever set
    assert split.labels.tolist() == [4, 9]
    assert split.images.shape == (2, 1, 28, 28)
    shown = prepare(drawing(4), SPEC).stages[-1].image
    assert np.abs(split.images[0, 0].numpy() / 255 - shown).max() <= 0.5 / 255 + 1e-6
    assert collection.split(get_spec("kmnist")).labels.tolist() == [2]
    color = collection.split(get_spec("cifar10"))
    assert color.images.shape == (0, 3, 32, 32)


def test_damage_costs_only_what_is_damaged(collection: Collection) -> None:
    good, gone, broken = (collection.add(drawing(n), n, SPEC) for n in (1, 2, 3))
    collection.picture_path(gone.id).unlink()
    collection.picture_path(broken.id).write_bytes(b"no picture")
    with (collection.folder / INDEX).open("a") as file:
        file.write("rubbish,line\n../../etc/passwd,1,1,digits,,,0\n")
    assert [e.id for e in collection.entries()] == [good.id, broken.id]
    assert collection.split(SPEC).labels.tolist() == [1]
    assert len(zipfile.ZipFile(io.BytesIO(collection.zip())).namelist()) == 3


@pytest.mark.parametrize("missing", [1, 2, 3, 20, 40, 60])
def test_a_torn_last_line_does_not_take_the_next_drawing_with_it(collection: Collection, missing: int) -> None:
    """A crash in the middle of a write: the line of the second drawing lacks its last bytes."""
    first = collection.add(drawing(1), 1, SPEC)
    collection.add(drawing(2), 2, SPEC, predicted='a "quoted", word', network="shipped")
    index = collection.folder / INDEX
    index.write_bytes(index.read_bytes()[:-missing])
    third, fourth = collection.add(drawing(3), 3, SPEC), collection.add(drawing(4), 4, SPEC)
    labels = [entry.label for entry in collection.entries()]
    assert labels in ([1, 2, 3, 4], [1, 3, 4])
    assert (labels == [1, 2, 3, 4]) == (missing <= 3)  # only the end of the line, or a digit of the time, is missing
    assert {first, third, fourth} <= set(collection.entries())


def test_a_full_disk_is_told_and_loses_nothing(small_disk: Callable[[int], Path]) -> None:
    disk = small_disk(1)
    collection = Collection(disk, new_name())
    kept = [collection.add(drawing(n), n, SPEC) for n in range(3)]
    filler = disk / "filler"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(512))
    with pytest.raises(OSError, match="No space"):
        collection.add(drawing(9), 9, SPEC)
    assert collection.entries() == kept
    assert {path.stem for path in collection.folder.glob("*.png")} == {entry.id for entry in kept}
    before = collection.version()
    collection.delete(kept[0].id)  # deleting works, and makes room
    assert collection.entries() == kept[1:]
    assert collection.version() != before
    filler.unlink()
    assert collection.entries() == kept[1:]
    assert collection.add(drawing(9), 9, SPEC) == collection.entries()[-1]


def test_a_failed_write_leaves_nothing(collection: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    collection.add(drawing(1), 1, SPEC)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Collection, "_append", full)
    with pytest.raises(OSError, match="No space"):
        collection.add(drawing(2), 2, SPEC)
    assert len(collection.entries()) == 1
    assert len([path for path in collection.folder.iterdir() if path.suffix == ".png"]) == 1


@pytest.mark.parametrize("name", ["", "short", "../../../tmp", "UPPERCASE1", "a" * 33, "with space1"])
def test_names_are_no_paths(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="name"):
        Collection(tmp_path, name)


def test_bad_labels_and_ids_are_refused(collection: Collection) -> None:
    for label in (-1, 10):
        with pytest.raises(ValueError, match="label"):
            collection.add(drawing(1), label, SPEC)
    with pytest.raises(ValueError, match="id of a drawing"):
        collection.delete("../index")


def test_names_are_hard_to_guess() -> None:
    names = {new_name() for _ in range(200)}
    assert len(names) == 200
    assert all(len(name) == 12 for name in names)

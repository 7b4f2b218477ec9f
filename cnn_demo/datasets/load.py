"""Data sets as uint8 tensors, in whole arrays: no image is ever handled on its own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from cnn_demo.datasets import files
from cnn_demo.datasets.download import DatasetUnavailable, Progress, fetch
from cnn_demo.datasets.specs import DATASETS, DatasetSpec, get_spec
from cnn_demo.datasets.splits import Split, every_fifth


@dataclass(frozen=True)
class Dataset:
    """A data set in host memory. The test split is for measuring, never for choosing anything."""

    spec: DatasetSpec
    train: Split
    test: Split


def read_mini(_name: str, _root: Path) -> tuple[Split, Split]:
    """The two splits of the data set that ships, see :func:`cnn_demo.datasets.splits.every_fifth`."""
    images = files.read_idx(files.MINI_FOLDER / files.MINI_IMAGES)
    labels = files.read_idx(files.MINI_FOLDER / files.MINI_LABELS)
    everything = Split(torch.from_numpy(images).unsqueeze(1), torch.from_numpy(labels).long())
    train, test = every_fifth(labels)
    return everything.take(train), everything.take(test)


def read_idx_dataset(name: str, root: Path) -> tuple[Split, Split]:
    """The two splits of a data set in MNIST's format: images ``(N, H, W)`` become ``(N, 1, H, W)``."""
    train_images, train_labels, test_images, test_labels = (
        torch.from_numpy(files.read_file(name, file, root)) for file in files.IDX_FILES
    )
    return Split(train_images.unsqueeze(1), train_labels.long()), Split(test_images.unsqueeze(1), test_labels.long())


def read_cifar10(_name: str, root: Path) -> tuple[Split, Split]:
    """The two splits of CIFAR-10. torchvision checks each file before it unpickles it."""
    from torchvision.datasets import CIFAR10

    folder = root / files.CIFAR_FOLDER
    try:
        parts = [CIFAR10(str(root), train=train) for train in (True, False)]
    except RuntimeError as error:
        raise files.DamagedFile(folder, "a file is missing or has a wrong checksum") from error
    train, test = (
        Split(torch.from_numpy(part.data).permute(0, 3, 1, 2).contiguous(), torch.tensor(part.targets))
        for part in parts  # (N, H, W, C) -> (N, C, H, W)
    )
    return train, test


def load_dataset(
    name: str, *, root: Path | str | None = None, download: bool = True, progress: Progress | None = None
) -> Dataset:
    """Load a data set, fetching what is missing or damaged first.

    Files that are whole are only read, so the folder may be read-only. MNIST-like sets are read from torchvision's
    layout (``MNIST/raw/train-images-idx3-ubyte`` and so on), packed with gzip or not, without torchvision: its import
    alone takes 1.4 s. Mirrors and checksums are torchvision's.

    Args:
        name: a data set of ``list_specs()``.
        root: the folder for downloaded data; default :func:`cnn_demo.datasets.files.data_root`.
        download: whether missing files may be fetched, and CIFAR-10's archive unpacked.
        progress: is told how far the download is, at most ten times a second. What it raises ends the download.

    Raises:
        KeyError: no such data set.
        DatasetUnavailable: it is not here and cannot be fetched; says what was tried and what to do.
    """
    spec = get_spec(name)
    read = DATASETS.get(name).load()
    folder = Path(root) if root is not None else files.data_root()
    fetched = False
    while True:
        try:
            return Dataset(spec, *read(name, folder))
        except FileNotFoundError as error:
            unavailable = DatasetUnavailable(name, "missing", f"{error.filename} is not there.", root=folder)
        except files.DamagedFile as error:
            unavailable = DatasetUnavailable(name, "damaged", f"{error}.", root=folder)
        if fetched or not download:
            raise unavailable
        fetch(name, folder, progress)
        fetched = True

"""Data sets as uint8 tensors, in whole arrays: no image is ever handled on its own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from cnn_demo.data import files
from cnn_demo.data.download import DatasetUnavailable, Progress
from cnn_demo.data.specs import DatasetSpec, get_spec
from cnn_demo.data.splits import Split, every_fifth


@dataclass(frozen=True)
class Dataset:
    """A data set in host memory. The test split is for measuring, never for choosing anything."""

    spec: DatasetSpec
    train: Split
    test: Split


def _mini() -> tuple[Split, Split]:
    images = files.read_idx(files.MINI_FOLDER / files.MINI_IMAGES)
    labels = files.read_idx(files.MINI_FOLDER / files.MINI_LABELS)
    everything = Split(torch.from_numpy(images).unsqueeze(1), torch.from_numpy(labels).long())
    train, test = every_fifth(labels)
    return everything.take(train), everything.take(test)


def _idx_split(name: str, images_file: str, labels_file: str, root: Path) -> Split:
    images_path, labels_path = (files.find_file(name, file, root) for file in (images_file, labels_file))
    assert images_path is not None
    assert labels_path is not None
    images = torch.from_numpy(files.read_idx(images_path)).unsqueeze(1)  # (N, H, W) -> (N, 1, H, W)
    return Split(images, torch.from_numpy(files.read_idx(labels_path)).long())


def load_dataset(
    name: str, *, root: Path | str | None = None, download: bool = True, progress: Progress | None = None
) -> Dataset:
    """Load a data set."""
    spec = get_spec(name)
    if name == "mnist-mini":
        return Dataset(spec, *_mini())
    folder = Path(root) if root is not None else files.data_root()
    missing = files.missing_files(name, folder)
    if missing:
        raise DatasetUnavailable(name, "missing", f"{', '.join(missing)} not found.", root=folder)
    train_images, train_labels, test_images, test_labels = files.IDX_FILES
    return Dataset(
        spec,
        _idx_split(name, train_images, train_labels, folder),
        _idx_split(name, test_images, test_labels, folder),
    )

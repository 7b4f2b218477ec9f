"""Data sets: what they are, where they come from, and how they reach the training device.

Everything is imported on first use, so that asking for the list of data sets does not load torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cnn_demo.data.download import Attempt, DatasetUnavailable, DownloadProgress
    from cnn_demo.data.files import data_root, is_available
    from cnn_demo.data.load import Dataset, load_dataset
    from cnn_demo.data.resident import Resident, normalise
    from cnn_demo.data.specs import DatasetSpec, get_spec, list_specs
    from cnn_demo.data.splits import NO_CLASS, Split, stratified_split

_HOME = {
    "NO_CLASS": "splits",
    "Attempt": "download",
    "Dataset": "load",
    "DatasetSpec": "specs",
    "DatasetUnavailable": "download",
    "DownloadProgress": "download",
    "Resident": "resident",
    "Split": "splits",
    "data_root": "files",
    "get_spec": "specs",
    "is_available": "files",
    "list_specs": "specs",
    "load_dataset": "load",
    "normalise": "resident",
    "stratified_split": "splits",
}

__all__ = [
    "NO_CLASS",
    "Attempt",
    "Dataset",
    "DatasetSpec",
    "DatasetUnavailable",
    "DownloadProgress",
    "Resident",
    "Split",
    "data_root",
    "get_spec",
    "is_available",
    "list_specs",
    "load_dataset",
    "normalise",
    "stratified_split",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)

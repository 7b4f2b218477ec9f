"""Fetching data sets from torchvision's mirrors, checked against torchvision's checksums.

Imports torchvision only when something has to be fetched.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cnn_demo.data.files import CIFAR_ARCHIVE, LAYOUTS


@dataclass(frozen=True, slots=True)
class DownloadProgress:
    """How far a download is.

    Attributes:
        file: name of the file that is being fetched.
        done_bytes: bytes of it that are here.
        total_bytes: its size; None when the server does not say.
    """

    file: str
    done_bytes: int
    total_bytes: int | None


Progress = Callable[[DownloadProgress], None]


@dataclass(frozen=True, slots=True)
class Attempt:
    """An address that was tried in vain, and why."""

    url: str
    reason: str


class DatasetUnavailable(RuntimeError):
    """A data set that is not here and could not be fetched.

    Attributes:
        name: the data set.
        reason: ``missing`` (not here, and no download was asked for), ``network`` (no mirror gave the file),
            ``damaged`` (a file that is here is not what it should be), ``disk_full``, or ``not_writable``.
        detail: one sentence on what went wrong.
        tried: every address that was tried, with the reason it failed.
        folder: where files can be put by hand.
        files: the names they must have there.
    """

    def __init__(self, name: str, reason: str, detail: str, *, root: Path, tried: tuple[Attempt, ...] = ()) -> None:
        layout = LAYOUTS[name]
        self.name, self.reason, self.detail, self.tried = name, reason, detail, tried
        self.folder = root if name == "cifar10" else root / layout.folder
        self.files = (CIFAR_ARCHIVE,) if name == "cifar10" else tuple(f"{file}.gz" for file in layout.files)
        lines = [f"The data set {name} is not available: {detail}"]
        lines += [f"  tried {attempt.url}: {attempt.reason}" for attempt in tried]
        lines.append(f"To add it by hand, put {', '.join(self.files)} into {self.folder}.")
        lines.append("The data set mnist-mini needs no download and works now.")
        super().__init__("\n".join(lines))

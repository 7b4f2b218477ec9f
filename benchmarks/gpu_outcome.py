"""What a check of ``benchmarks.gpu`` gives, and what all checks share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import torch

from cnn_demo.datasets.load import Dataset

Status = Literal["reached", "MISSED", "FAILED", "not here"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a check found.

    Attributes:
        status: ``MISSED`` where it ran and a target was missed, ``not here`` where the machine lacks what it needs.
        figure: the result in a few words, for the table.
        data: everything that was measured.
    """

    status: Status
    figure: str
    data: dict[str, Any] = field(default_factory=dict)


def cut(data: Dataset, train: int, test: int = 200) -> Dataset:
    """The first samples of a data set."""
    return Dataset(data.spec, data.train.take(torch.arange(train)), data.test.take(torch.arange(test)))


def is_cuda(device: str) -> bool:
    """Whether it is a CUDA device, and not a rehearsal."""
    return device.startswith("cuda")


def wait(device: str) -> None:
    """Return when the device has done all that it was told."""
    if is_cuda(device):
        torch.cuda.synchronize(device)

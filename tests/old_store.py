"""A run store that commit 953c0f6 wrote, and what that commit read from it.

``tests/fixtures/953c0f6/make_fixture.py`` says how both were made.
"""

from __future__ import annotations

import hashlib
import json
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from torch import Tensor

FIXTURE = Path(__file__).parent / "fixtures" / "953c0f6"


@pytest.fixture
def old_home(runs_home: Path) -> Path:
    """The home of this test's runs, filled with the old store: nine runs, their checkpoints and a collection."""
    with tarfile.open(FIXTURE / "runs-953c0f6.tar.xz") as archive:
        archive.extractall(runs_home, filter="data")
    return runs_home


@pytest.fixture(scope="session")
def old_expected() -> dict[str, Any]:
    """What the old code read from it, and the weights to which it resumed the runs that had not ended."""
    return dict(json.loads((FIXTURE / "expected.json").read_text(encoding="utf-8")))


def hash_tensors(tensors: dict[str, Tensor]) -> str:
    """SHA-256 of the bytes of all tensors, in the order of their names."""
    digest = hashlib.sha256()
    for _, tensor in sorted(tensors.items()):
        digest.update(tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()


def rounds_as_there(probe: str) -> bool:
    """Whether PyTorch rounds here as it did where the fixture was made: two steps of a like network in PyTorch alone.

    Where it does not (another processor or PyTorch), weights agree only to a few digits.
    """
    import torch
    from torch import nn

    torch.manual_seed(11)
    convolutions = [nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
    convolutions += [nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()]
    head = [nn.Linear(3136, 512), nn.ReLU(), nn.Dropout(0.5), nn.Linear(512, 10)]
    model = nn.Sequential(*convolutions, *head).to(memory_format=torch.channels_last)
    adam = torch.optim.AdamW(model.parameters(), lr=0.01, weight_decay=0.01, fused=True)
    images, labels = torch.rand(1000, 1, 28, 28).to(memory_format=torch.channels_last), torch.arange(1000) % 10
    for _ in range(2):
        adam.zero_grad()
        nn.functional.cross_entropy(model(images), labels).backward()
        adam.step()
    return hash_tensors(dict(model.state_dict())) == probe

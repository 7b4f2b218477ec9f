"""Trainings of a few seconds for lessons: small, seeded, on the digits that ship, and never a hand on global state.

The loop is the textbook's; runs that are kept belong to ``cnn_demo.training``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cnn_demo.datasets.device_dataset import normalize
from cnn_demo.datasets.load import load_dataset
from cnn_demo.datasets.specs import get_spec

DATA = "mnist-mini"


@dataclass(frozen=True, slots=True)
class Digits:
    """Normalized images ``(N, 1, 28, 28)`` and labels, for training and for counting afterwards."""

    images: Tensor
    labels: Tensor
    test_images: Tensor
    test_labels: Tensor


@lru_cache(maxsize=2)
def load_digits(train: int = 4000, test: int = 500) -> Digits:
    """The first images of both splits of mnist-mini, normalized once."""
    data, spec = load_dataset(DATA, download=False), get_spec(DATA)
    return Digits(
        normalize(data.train.images[:train], spec),
        data.train.labels[:train],
        normalize(data.test.images[:test], spec),
        data.test.labels[:test],
    )


def create_seeded(make: Callable[[], nn.Module], seed: int) -> nn.Module:
    """A network whose first weights depend on the seed alone; the global random numbers go on as before."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make()


def train_steps(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    rate: float,
    batch: int = 64,
    seed: int = 0,
    optimizer: str = "adam",
    change: Callable[[Tensor, torch.Generator], Tensor] | None = None,
) -> Iterator[float]:
    """Train without end, a batch a step.

    Args:
        model: is changed.
        images, labels: what it learns from, drawn at random.
        rate: the learning rate.
        batch: images a step.
        seed: of the order, and of ``change``.
        optimizer: adam or sgd.
        change: what is done to a batch first: an augmentation.

    Yields:
        The loss of each step, before the step; it may be infinite or no number.
    """
    stream = torch.Generator().manual_seed(seed)
    make = {"adam": torch.optim.Adam, "sgd": torch.optim.SGD}[optimizer]
    optim = make(model.parameters(), lr=rate)
    while True:
        picked = torch.randint(len(labels), (batch,), generator=stream)
        x = images[picked] if change is None else change(images[picked], stream)
        model.train()
        optim.zero_grad()
        loss = F.cross_entropy(model(x), labels[picked])
        loss.backward()
        optim.step()
        yield loss.item()


@torch.no_grad()
def count_right(model: nn.Module, images: Tensor, labels: Tensor) -> int:
    """How many images it reads right, in eval mode."""
    model.eval()
    return int((model(images).argmax(1) == labels).sum())

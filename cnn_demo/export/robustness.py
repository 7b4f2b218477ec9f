"""How much a network loses when its test images are disturbed a little, for the model card of a bundle."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from cnn_demo.datasets.splits import Split
from cnn_demo.prediction.load import LoadedModel
from cnn_demo.prediction.logits import compute_logits

MOST_IMAGES = 2_000  # of a test split; the first ones


@dataclass(frozen=True, slots=True)
class Disturbed:
    """How a network did on disturbed test images.

    Attributes:
        what: what was done to them, in English.
        correct: how many were answered rightly.
        n: of how many.
    """

    what: str
    correct: int
    n: int


def _shift(images: Tensor, right: int, down: int) -> Tensor:
    """Moved by whole pixels; black comes in."""
    height, width = images.shape[-2:]
    framed = F.pad(images, (abs(right),) * 2 + (abs(down),) * 2)
    top, left = abs(down) - down, abs(right) - right
    return framed[..., top : top + height, left : left + width]


def _rotate(images: Tensor, degrees: float) -> Tensor:
    """Turned around the middle, to the left for a positive angle; black comes in."""
    angle = torch.deg2rad(torch.tensor(degrees))
    cos, sin = float(angle.cos()), float(angle.sin())
    turn = torch.tensor([[cos, -sin, 0.0], [sin, cos, 0.0]]).expand(len(images), 2, 3)
    grid = F.affine_grid(turn, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, align_corners=False)


def _add_noise(images: Tensor, deviation: float) -> Tensor:
    """Normal noise on every pixel, the same for equal images."""
    noise = torch.randn(images.shape, generator=torch.Generator().manual_seed(0))
    return (images + deviation * noise).clamp(0, 1)


_DISTURBANCES: dict[str, Callable[[Tensor], Tensor]] = {
    "as they are": lambda images: images,
    "moved two pixels to the right": lambda images: _shift(images, 2, 0),
    "moved two pixels down": lambda images: _shift(images, 0, 2),
    "turned 15° to the left": lambda images: _rotate(images, 15.0),
    "turned 15° to the right": lambda images: _rotate(images, -15.0),
    "normal noise of standard deviation 0.2": lambda images: _add_noise(images, 0.2),
    "at half the contrast": lambda images: images / 2,
}


def measure_robustness(loaded: LoadedModel, test: Split) -> list[Disturbed]:
    """Count right answers on the first test images, undisturbed and disturbed.

    Args:
        loaded: the network.
        test: the test split of its data set.
    """
    images, labels = test.images[:MOST_IMAGES].float() / 255, test.labels[:MOST_IMAGES]
    found = []
    for what, disturb in _DISTURBANCES.items():
        changed = (disturb(images) * 255).round().to(torch.uint8)
        logits = compute_logits(loaded.model, changed, loaded.spec)
        found.append(Disturbed(what, int((logits.argmax(1) == labels).sum()), len(labels)))
    return found

"""The table of objectives: what a training aims at. Reading the table does not import PyTorch.

An objective turns labels into targets, and outputs and targets into a loss and a number of correct answers. Which one
a model is trained with, its entry in ``cnn_demo.models.registry`` says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from cnn_demo.locales import N_
from cnn_demo.models.registry import MODELS
from cnn_demo.settings.registry import Registry

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from cnn_demo.datasets.specs import DatasetSpec

OBJECTIVES = Registry("objective")
OBJECTIVES.add("classification", N_("Classification"), "cnn_demo.training.classification:Classification")
OBJECTIVES.add("contrastive", N_("Images and captions"), "cnn_demo.training.contrastive:Contrastive")


class Objective(Protocol):
    """What :func:`create_objective` gives."""

    def make_targets(self, labels: Tensor) -> Tensor:
        """Labels ``(N,)`` to soft targets ``(N, classes)``; each row sums to 1."""

    def __call__(self, outputs: Any, targets: Tensor, /) -> tuple[Tensor, Tensor]:
        """What the model gave for a batch, and its targets, to the mean loss and the number of correct answers."""


def create_objective(model: str, spec: DatasetSpec, device: torch.device | str) -> Objective:
    """Build the objective that a model is trained and evaluated with.

    Args:
        model: a name of ``MODELS``.
        spec: the data set, for its classes.
        device: where the outputs will be.
    """
    name = MODELS.get(model).facts.get("objective", "classification")
    objective: Objective = OBJECTIVES.get(name).load()(spec, device)
    return objective

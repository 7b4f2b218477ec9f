"""Classification against torch.nn.functional: plain labels, samples of no class, mixed targets."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from cnn_demo.datasets.specs import get_spec
from cnn_demo.datasets.splits import NO_CLASS
from cnn_demo.training.classification import Classification


@pytest.fixture
def objective() -> Classification:
    return Classification(get_spec("mnist-mini"), "cpu")


def logits(n: int, seed: int = 0) -> Tensor:
    return (torch.randn(n, 10, generator=torch.Generator().manual_seed(seed)) * 3).requires_grad_()


def test_labels_become_rows_and_no_class_the_uniform_one(objective: Classification) -> None:
    rows = objective.make_targets(torch.tensor([3, NO_CLASS, 9]))
    assert torch.equal(rows[[0, 2]], F.one_hot(torch.tensor([3, 9]), 10).float())
    assert torch.equal(rows[1], torch.full((10,), 0.1))


def test_on_plain_labels_it_is_the_cross_entropy_with_the_same_gradient(objective: Classification) -> None:
    x, labels = logits(128), torch.arange(128) % 10
    loss, correct = objective(x, objective.make_targets(labels))
    reference = F.cross_entropy(x, labels)
    torch.testing.assert_close(loss, reference)
    assert int(correct) == int((x.argmax(1) == labels).sum())
    # Bit for bit: the weights of a run are those that the cross-entropy of labels gives.
    assert torch.equal(torch.autograd.grad(loss, x)[0], torch.autograd.grad(reference, x)[0])


def test_outliers_are_pulled_to_equal_probabilities(objective: Classification) -> None:
    x, labels = logits(6), torch.tensor([3, NO_CLASS, 0, NO_CLASS, 9, NO_CLASS])
    targets = objective.make_targets(labels)
    loss, correct = objective(x, targets)
    soft = F.cross_entropy(x, targets)  # PyTorch's own, for probabilities
    assert loss.item() == pytest.approx(soft.item() - math.log(10) * 3 / 6, abs=1e-6)
    torch.testing.assert_close(torch.autograd.grad(loss, x)[0], torch.autograd.grad(soft, x)[0])
    most = x.softmax(1).max(1)
    right = [int(most.indices[i]) == int(labels[i]) for i in (0, 2, 4)] + [most.values[i] < 0.5 for i in (1, 3, 5)]
    assert int(correct) == sum(map(bool, right))
    perfect, _ = objective(torch.zeros(2, 10), objective.make_targets(torch.tensor([NO_CLASS] * 2)))
    assert float(perfect) == pytest.approx(0, abs=1e-6)


def test_mixed_targets_lose_their_entropy_and_count_their_larger_part(objective: Classification) -> None:
    x = logits(20, seed=1)
    first, second = torch.arange(20) % 10, (torch.arange(20) + 3) % 10
    targets = 0.7 * objective.make_targets(first) + 0.3 * objective.make_targets(second)  # MixUp
    loss, correct = objective(x, targets)
    entropy = -(0.7 * math.log(0.7) + 0.3 * math.log(0.3))
    smooth = 0.7 * F.cross_entropy(x, first) + 0.3 * F.cross_entropy(x, second)
    assert loss.item() == pytest.approx(smooth.item() - entropy, rel=1e-5)
    assert int(correct) == int((x.argmax(1) == first).sum())
    smoothed = 0.9 * objective.make_targets(first) + 0.01
    reference = F.cross_entropy(x, first, label_smoothing=0.1)
    torch.testing.assert_close(
        torch.autograd.grad(objective(x, smoothed)[0], x)[0], torch.autograd.grad(reference, x)[0]
    )

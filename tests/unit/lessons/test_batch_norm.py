"""Batch norm against nn.BatchNorm1d and torch.nn.functional."""

from __future__ import annotations

import random
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from cnn_demo.lessons import batch_norm as norm
from cnn_demo.lessons.exercises.batch_norm import ask_questions
from cnn_demo.lessons.short_training import create_seeded, load_digits, train_steps


@pytest.mark.parametrize("seed", range(10))
def test_train_mode_is_that_of_torch(seed: int) -> None:
    stream = random.Random(seed)
    gamma, beta = stream.uniform(-2, 2), stream.uniform(-3, 3)
    x = norm.draw_batch(stream.randint(2, 40), stream.uniform(-5, 5), stream.uniform(0.1, 5), seed)
    mean, variance, normalized, output = norm.normalize_batch(x, gamma, beta)
    expected = F.batch_norm(x[:, None], None, None, torch.tensor([gamma]), torch.tensor([beta]), training=True)[:, 0]
    assert torch.allclose(output, expected, atol=1e-5)
    assert torch.allclose(normalized, F.batch_norm(x[:, None], None, None, training=True)[:, 0], atol=1e-5)
    assert float(variance) == pytest.approx(x.var(correction=0).item(), rel=1e-4)
    assert float(mean) == pytest.approx(x.mean().item(), rel=1e-4, abs=1e-6)


def test_eval_mode_uses_the_running_statistics() -> None:
    x, mean, variance = norm.draw_batch(5, 2, 3), torch.tensor(0.7), torch.tensor(2.5)
    expected = F.batch_norm(x[:, None], mean[None], variance[None], torch.tensor([1.5]), torch.tensor([-1.0]))[:, 0]
    assert torch.allclose(norm.normalize_running(x, mean, variance, 1.5, -1.0), expected, atol=1e-6)


def test_running_statistics_are_the_weighted_means_that_the_documentation_describes() -> None:
    means, variances = norm.follow_running(20, 8, 1.0, 2.0)
    mean, variance = 0.0, 1.0
    for number in range(20):
        batch = norm.draw_batch(8, 1.0, 2.0, seed=number)
        mean, variance = 0.9 * mean + 0.1 * batch.mean().item(), 0.9 * variance + 0.1 * batch.var(correction=1).item()
        assert float(means[number + 1]) == pytest.approx(mean, abs=1e-5)
        assert float(variances[number + 1]) == pytest.approx(variance, abs=1e-4)


def test_torch_refuses_a_batch_of_one_in_the_words_that_the_lesson_quotes() -> None:
    with pytest.raises(ValueError, match="Expected more than 1 value per channel when training"):
        nn.BatchNorm1d(1).train()(torch.zeros(1, 1))


def test_at_the_rate_of_the_lesson_only_one_of_both_trains() -> None:
    digits, last = load_digits(), {}
    for kind in (True, False):
        network = create_seeded(lambda: norm.make_deep_network(kind), 5)  # noqa: B023 (called at once)
        run = train_steps(network, digits.images, digits.labels, rate=0.8, seed=6, optimizer="sgd")
        losses = [next(run) for _ in range(100)]
        last[kind] = sum(losses[-20:]) / 20
    assert last[True] < 0.8
    assert not last[False] < 2  # stuck at guessing, or no number


@pytest.mark.parametrize("seed", range(100))
def test_questions_have_the_right_answers(seed: int) -> None:
    number, running, mode = ask_questions(random.Random(seed))
    v: Any = number.text.values
    layer = nn.BatchNorm1d(1)
    layer.weight.data.fill_(v["gamma"])
    layer.bias.data.fill_(v["beta"])
    assert number.is_right(round(layer(torch.tensor([[float(v["a"])], [float(v["b"])]]))[1].item(), 2))
    v = running.text.values
    assert running.is_right(0.9 * v["before"] + 0.1 * v["mean"])
    assert mode.answer == ("train" if "running statistics" in mode.text.values["case"].text else "eval")

"""Learning: every line against autograd, torch.nn.functional and torch.optim."""

from __future__ import annotations

import random

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from cnn_demo.lessons import learning
from cnn_demo.lessons.exercises.learning import ask_questions


def test_softmax_is_that_of_torch_and_only_the_naive_one_overflows() -> None:
    logits = torch.tensor([3.0, -1.0, 0.5])
    for found in (learning.softmax_naively(logits), learning.softmax_safely(logits)):
        assert torch.allclose(found, F.softmax(logits, 0))
    large = logits + 100
    assert learning.softmax_naively(large).isnan().any()
    assert torch.allclose(learning.softmax_safely(large), F.softmax(logits, 0), atol=1e-6)
    assert float(learning.cross_entropy(large, 1)) == pytest.approx(
        float(F.cross_entropy(logits, torch.tensor(1))), abs=1e-5
    )


@pytest.mark.parametrize("seed", range(20))
def test_the_chain_rule_is_autograd(seed: int) -> None:
    stream = torch.Generator().manual_seed(seed)
    hidden, output = (torch.randn(2, 2, generator=stream) for _ in range(2))
    x, target = torch.randn(2, generator=stream), seed % 2
    found = learning.run_pass(learning.TinyNetwork(hidden, output), x, target)
    a, b, c = (tensor.clone().requires_grad_() for tensor in (hidden, output, x))
    h = torch.tanh(F.linear(c, a))
    h.retain_grad()
    z = F.linear(h, b)
    z.retain_grad()
    loss = F.cross_entropy(z, torch.tensor(target))
    loss.backward()
    for mine, theirs in (
        (found.h, h),
        (found.z, z),
        (found.p, F.softmax(z, 0)),
        (found.loss, loss),
        (found.dz, z.grad),
        (found.dh, h.grad),
        (found.dx, c.grad),
        (found.dhidden, a.grad),
        (found.doutput, b.grad),
    ):
        assert theirs is not None
        assert torch.allclose(mine, theirs.detach(), atol=1e-6)


@pytest.mark.parametrize("forget", [False, True])
def test_adam_by_the_formula_is_torch_optim(forget: bool) -> None:
    network = learning.TinyNetwork(torch.tensor([[0.5, -0.3], [0.8, 0.4]]), torch.tensor([[1.0, -0.6], [-0.7, 0.9]]))
    x = torch.tensor([1.0, 0.5])
    weights, gradients, losses = learning.train_tiny(network, x, 0, "adam", 0.1, 5, forget)
    steps = learning.step_adam(weights[0], gradients, 0.1)
    assert [step.weight for step in steps] == pytest.approx(weights[1:], rel=1e-5)
    alone = nn.Parameter(torch.tensor(0.5))
    optimizer = torch.optim.Adam([alone], lr=0.1)
    for gradient in gradients:
        alone.grad = torch.tensor(gradient)
        optimizer.step()
    state = optimizer.state[alone]
    assert (steps[-1].mean, steps[-1].square) == pytest.approx(
        (state["exp_avg"].item(), state["exp_avg_sq"].item()), rel=1e-5
    )
    assert losses == sorted(losses, reverse=True)


def test_without_zero_grad_gradients_pile_up() -> None:
    network = learning.TinyNetwork(torch.tensor([[0.5, -0.3], [0.8, 0.4]]), torch.tensor([[1.0, -0.6], [-0.7, 0.9]]))
    x = torch.tensor([1.0, 0.5])
    _, kept, _ = learning.train_tiny(network, x, 0, "sgd", 1e-6, 3)  # so small a rate that the gradient stays
    _, piled, _ = learning.train_tiny(network, x, 0, "sgd", 1e-6, 3, forget=True)
    assert piled == pytest.approx([kept[0], 2 * kept[0], 3 * kept[0]], rel=1e-4)


def test_sgd_diverges_where_the_lesson_says() -> None:
    start = torch.tensor([-1.6, 0.8])
    below = learning.bowl(learning.descend(learning.bowl, start, "sgd", 0.24, 40))
    above = learning.bowl(learning.descend(learning.bowl, start, "sgd", 0.26, 40))
    assert below[-1] < below[0] < above[-1]
    hessian = torch.autograd.functional.hessian(lambda w: learning.bowl(w), torch.zeros(2))
    assert isinstance(hessian, torch.Tensor)
    assert float(torch.linalg.eigvalsh(hessian)[-1]) == pytest.approx(8)


def test_saved_bytes_of_one_linear_layer_are_those_of_its_input() -> None:
    assert learning.count_saved_bytes(nn.Linear(10, 3), torch.zeros(4, 10)) == 4 * 10 * 4
    assert (
        learning.count_saved_bytes(nn.Sequential(nn.Linear(10, 3), nn.ReLU()), torch.zeros(4, 10))
        == 4 * 10 * 4 + 4 * 3 * 4
    )


def test_dropout_changes_in_train_mode_only() -> None:
    before = torch.random.get_rng_state()
    first, second, still = learning.compare_modes(200, 0.5, seed=0)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert set(first.tolist()) == {0.0, 2.0}
    assert not torch.equal(first, second)
    assert torch.equal(still, torch.ones(200))


@pytest.mark.parametrize("seed", range(100))
def test_questions_have_the_right_answers(seed: int) -> None:
    loss, step, slope = ask_questions(random.Random(seed))
    classes = loss.text.values["n"]
    assert loss.is_right(float(F.cross_entropy(torch.zeros(1, classes), torch.tensor([1]))))
    weight = nn.Parameter(torch.tensor(float(step.text.values["w"])))
    weight.grad = torch.tensor(float(step.text.values["g"]))
    torch.optim.SGD([weight], lr=step.text.values["rate"]).step()
    assert step.is_right(round(weight.item(), 4))
    share = slope.text.values["p"]
    logits = torch.log(torch.tensor([share, 1 - share])).requires_grad_()
    right = slope.text.values["which"].text == "the right class"
    F.cross_entropy(logits[None], torch.tensor([0 if right else 1])).backward()
    assert logits.grad is not None
    assert slope.options[str(slope.answer)].text.replace("−", "-") == f"{logits.grad[0].item():.4g}"

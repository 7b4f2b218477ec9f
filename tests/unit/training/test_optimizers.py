"""Optimizers by name, with their own options; and one that somebody adds."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from cnn_demo.settings.config import ConfigError, TrainConfig
from cnn_demo.training.optimizers import OPTIMIZERS, create_optimizer


def parameters() -> list[torch.nn.Parameter]:
    return [torch.nn.Parameter(torch.ones(3)), torch.nn.Parameter(torch.ones(2, 2))]


@pytest.mark.parametrize(("name", "kind"), [("adamw", "AdamW"), ("adam", "Adam"), ("sgd", "SGD")])
def test_they_are_pytorchs_own_and_fused(name: str, kind: str) -> None:
    optimizer = create_optimizer(TrainConfig(optimizer=name, lr=0.25, weight_decay=0.125), parameters())
    assert type(optimizer) is getattr(torch.optim, kind)
    weights, rest = optimizer.param_groups
    assert (weights["lr"], weights["weight_decay"], weights["fused"]) == (0.25, 0.125, True)
    assert (rest["lr"], rest["weight_decay"], rest["fused"]) == (0.25, 0.0, True)
    assert [len(group["params"]) for group in optimizer.param_groups] == [1, 1]


def test_biases_and_scales_do_not_decay_but_did_in_older_runs() -> None:
    for version, kept in ((3, 1.0), (2, 0.95), (1, 0.95)):
        bias, weight = parameters()
        optimizer = create_optimizer(TrainConfig(lr=0.5, weight_decay=0.1, version=version), [bias, weight])
        bias.grad, weight.grad = torch.zeros(3), torch.zeros(2, 2)
        optimizer.step()
        assert bias.tolist() == pytest.approx([kept] * 3)  # 1 - 0.5 * 0.1 where it decays
        assert weight.flatten().tolist() == pytest.approx([0.95] * 4)
    assert len(create_optimizer(TrainConfig(), parameters()).param_groups) == 1


def test_sgd_has_its_own_options() -> None:
    config = TrainConfig(optimizer="sgd", options={"momentum": 0.5, "nesterov": True})
    group = create_optimizer(config, parameters()).param_groups[0]
    assert (group["momentum"], group["nesterov"]) == (0.5, True)
    assert create_optimizer(TrainConfig(optimizer="sgd"), parameters()).param_groups[0]["momentum"] == 0.9
    with pytest.raises(ConfigError, match="Nesterov momentum requires a momentum"):
        create_optimizer(TrainConfig(optimizer="sgd", options={"momentum": 0.0, "nesterov": True}), parameters())


@pytest.fixture
def added() -> Iterator[None]:
    OPTIMIZERS.add("rmsprop", "RMSprop", "torch.optim:RMSprop")
    yield
    OPTIMIZERS.remove("rmsprop")


@pytest.mark.usefixtures("added")
def test_adding_one_is_one_line_also_where_it_is_not_fused() -> None:
    optimizer = create_optimizer(TrainConfig(optimizer="rmsprop", lr=0.5), parameters())
    assert type(optimizer) is torch.optim.RMSprop
    assert optimizer.param_groups[0]["lr"] == 0.5

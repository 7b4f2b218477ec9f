"""Muon against PyTorch's own for matrices, against AdamW for the rest, and resumed."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import nn

from cnn_demo.datasets.load import Dataset, load_dataset
from cnn_demo.settings.config import TrainConfig
from cnn_demo.training.events import CheckpointDue
from cnn_demo.training.loop import fit
from cnn_demo.training.muon import Muon, orthogonalize


def small_net() -> nn.Module:
    torch.manual_seed(5)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 6, 3), nn.Flatten(), nn.Linear(6 * 16, 20), nn.Linear(20, 3)
    )


def is_hidden(name: str) -> bool:
    return name in ("2.weight", "4.weight")


@pytest.mark.parametrize("shape", [(5, 40), (40, 5), (12, 12), (1, 7)])
def test_singular_values_become_about_one_and_directions_stay(shape: tuple[int, int]) -> None:
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    u, _s, vt = torch.linalg.svd(matrix, full_matrices=False)
    made = orthogonalize(matrix)
    along = u.T @ made @ vt.T  # diagonal: U and V are kept
    assert 0.6 < float(along.diagonal().min()) <= float(along.diagonal().max()) < 1.3
    torch.testing.assert_close(along, along.diagonal().diag_embed(), rtol=0, atol=1e-4)
    assert torch.equal(orthogonalize(torch.zeros(3, 4)), torch.zeros(3, 4))


def test_hidden_weights_are_pytorchs_muon_and_the_rest_its_adamw(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.Tensor, "bfloat16", torch.Tensor.float)  # theirs, in single precision
    model = small_net()
    twin = copy.deepcopy(model)
    muon = Muon(model.parameters(), lr=0.02, weight_decay=0.1)
    named = dict(twin.named_parameters())
    matrices = {name: named[name].detach().flatten(1).clone().requires_grad_() for name in named if is_hidden(name)}
    theirs = torch.optim.Muon(list(matrices.values()), lr=0.02, weight_decay=0.1, adjust_lr_fn="match_rms_adamw")
    rest = [p for name, p in named.items() if not is_hidden(name)]
    adamw = torch.optim.AdamW(rest, lr=0.02, weight_decay=0.1)
    images = torch.randn(8, 1, 8, 8, generator=torch.Generator().manual_seed(2))
    for _ in range(3):
        muon.zero_grad()
        model(images).square().sum().backward()
        for name, parameter in model.named_parameters():  # the same gradients for both
            assert parameter.grad is not None
            if is_hidden(name):
                matrices[name].grad = parameter.grad.flatten(1).clone()
            else:
                named[name].grad = parameter.grad.clone()
        muon.step()
        theirs.step()
        adamw.step()
    for name, parameter in model.named_parameters():
        if is_hidden(name):
            torch.testing.assert_close(parameter.flatten(1), matrices[name], rtol=1e-3, atol=1e-5)
        else:
            torch.testing.assert_close(parameter, named[name], rtol=1e-5, atol=1e-6)


def test_groups_keep_their_own_decay() -> None:
    first, hidden, last, bias = (nn.Parameter(torch.ones(2, 2)) for _ in range(4))
    bias.data = torch.ones(3)
    groups: list[dict[str, Any]] = [{"params": [first, hidden, last]}, {"params": [bias], "weight_decay": 0.0}]
    optimizer = Muon(groups, lr=0.5, weight_decay=0.1)
    for parameter in (first, hidden, last, bias):
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    assert [float(p.detach().flatten()[0]) for p in (first, hidden, last, bias)] == pytest.approx([0.95] * 3 + [1.0])
    assert [(len(g["params"]), g["muon"], g["weight_decay"]) for g in optimizer.param_groups] == [
        (1, True, 0.1),
        (2, False, 0.1),
        (1, False, 0.0),
    ]


@pytest.mark.parametrize("weight_decay", [0.0, 0.05])
def test_a_resumed_run_has_the_same_weights_bit_for_bit(weight_decay: float) -> None:
    full = load_dataset("mnist-mini")
    data = Dataset(full.spec, full.train.take(torch.arange(96)), full.test.take(torch.arange(20)))
    config = TrainConfig(
        model="cnn-tiny", optimizer="muon", batch_size=32, epochs=3, device="cpu", weight_decay=weight_decay, lr=0.01
    )
    captured = [event.capture() for event in fit(config, dataset=data) if isinstance(event, CheckpointDue)]
    assert captured[-1].step == 9
    kept = copy.deepcopy(
        next(e.capture() for e in fit(config, dataset=data, checkpoint_steps=(4,)) if isinstance(e, CheckpointDue))
    )
    assert kept.step in (3, 4)
    again = [e for e in fit(config, dataset=data, resume=kept) if isinstance(e, CheckpointDue)][-1].capture()
    for name, value in captured[-1].weights.items():
        assert torch.equal(value, again.weights[name]), name

"""State of any part, packed into tensors and plain data and unpacked, and put back into an optimizer."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch
from torch import nn

from cnn_demo.training.state import pack_state, restore_optimizer, unpack_state
from tests.odd_optimizer import OddOptimizer


def test_everything_that_a_state_may_hold_comes_back_as_it_was() -> None:
    tensor = torch.arange(6).view(2, 3)
    state: dict[str, Any] = {
        "state": {0: {"step": tensor, "history": [tensor + 1, (1, None, 2.5)]}, 7: {}},
        "param_groups": [{"betas": (0.9, 0.999), "lr": 1e-3, "name": "all", "fused": True}],
        "empty": {},
    }
    tensors: dict[str, torch.Tensor] = {}
    packed = json.loads(json.dumps(pack_state(state, tensors)))
    assert sorted(tensors) == ["state.0.history.0", "state.0.step"]
    back = unpack_state(packed, tensors)
    assert torch.equal(back["state"][0].pop("step"), tensor)
    assert torch.equal(back["state"][0]["history"].pop(0), tensor + 1)
    del state["state"][0]["step"], state["state"][0]["history"][0]
    assert back == state
    assert isinstance(back["param_groups"][0]["betas"], tuple)


def test_what_could_not_be_restored_is_refused_by_its_place() -> None:
    with pytest.raises(TypeError, match=r"state\.0\.when is a set"):
        pack_state({"state": {0: {"when": {1, 2}}}}, {})


@pytest.mark.parametrize("build", [OddOptimizer, torch.optim.AdamW, torch.optim.Adam])
def test_an_optimizer_goes_on_as_if_nothing_had_been(build: Any) -> None:
    def make() -> tuple[nn.Module, torch.optim.Optimizer]:
        torch.manual_seed(0)
        model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(36, 2)).to(memory_format=torch.channels_last)
        return model, build(model.parameters(), lr=0.01, weight_decay=0.1)

    def walk(model: nn.Module, optimizer: torch.optim.Optimizer, steps: range) -> None:
        for step in steps:
            images = torch.randn(8, 3, 5, 5, generator=torch.Generator().manual_seed(step))
            optimizer.zero_grad()
            model(images).square().mean().backward()
            optimizer.step()

    model, optimizer = make()
    walk(model, optimizer, range(3))
    tensors: dict[str, torch.Tensor] = {}
    packed = json.dumps(pack_state(optimizer.state_dict(), tensors))
    stored = {name: tensor.clone(memory_format=torch.contiguous_format) for name, tensor in tensors.items()}
    again, optimizer_again = make()
    again.load_state_dict({name: value.clone() for name, value in model.state_dict().items()})
    untouched = {name: tensor.clone() for name, tensor in stored.items()}
    restore_optimizer(optimizer_again, unpack_state(json.loads(packed), stored))
    walk(model, optimizer, range(3, 6))
    walk(again, optimizer_again, range(3, 6))
    for name, value in model.state_dict().items():
        assert torch.equal(value, again.state_dict()[name]), name
    assert all(torch.equal(stored[name], untouched[name]) for name in stored), "the stored tensors are copied"
    for parameter, state in optimizer_again.state.items():
        for value in state.values():
            if isinstance(value, torch.Tensor) and value.shape == parameter.shape:
                assert value.stride() == parameter.stride()

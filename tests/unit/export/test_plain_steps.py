"""Writing a network down as steps: batch normalization folded, constants worked out, what is unknown named."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cnn_demo.export.plain_steps import OPERATORS, OperatorUnknown, list_steps
from cnn_demo.models.clip_small import ClipSmall
from cnn_demo.models.registry import MODELS, create_model


@pytest.mark.parametrize("name", MODELS.names)
def test_every_registered_model_can_be_written_down(name: str) -> None:
    torch.manual_seed(0)
    found = list_steps(create_model(name).eval(), (1, 28, 28))
    assert {step.op for step in found.steps} <= OPERATORS
    assert found.steps[found.output - 1].shape == (1, 10)
    for step in found.steps:
        places = [v["tensor"] for v in step.settings.values() if isinstance(v, dict) and "tensor" in v]
        assert all(0 <= place < len(found.tensors) for place in places)


def test_a_small_network_step_by_step() -> None:
    torch.manual_seed(0)
    conv, norm = nn.Conv2d(1, 2, 3, stride=2), nn.BatchNorm2d(2)
    norm.running_mean, norm.running_var = torch.tensor([1.0, -2.0]), torch.tensor([4.0, 0.25])
    model = nn.Sequential(conv, norm, nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(8, 3))
    found = list_steps(model.eval(), (1, 5, 5))
    assert [step.op for step in found.steps] == ["conv2d", "scale_and_shift", "relu", "reshape", "linear"]
    assert [step.shape for step in found.steps] == [(1, 2, 2, 2)] * 3 + [(1, 8), (1, 3)]
    settings = found.steps[0].settings
    assert settings["stride"] == [2, 2]
    assert (settings["padding"], settings["dilation"], settings["groups"]) == ([0, 0], [1, 1], 1)
    assert settings["input"] == {"value": 0}
    folded = found.steps[1].settings
    x = torch.randn(1, 2, 2, 2)
    scale, shift = (found.tensors[folded[name]["tensor"]].view(1, 2, 1, 1) for name in ("scale", "shift"))
    assert torch.allclose(x * scale + shift, norm(x), atol=1e-6)
    assert torch.equal(found.tensors[settings["weight"]["tensor"]], conv.weight)
    assert found.nbytes == 4 * (18 + 2 + 2 + 2 + 24 + 3)


def test_what_does_not_depend_on_the_image_is_worked_out() -> None:
    model = create_model("clip-small").eval()
    assert isinstance(model, ClipSmall)
    found = list_steps(model, (1, 28, 28))
    assert found.steps[-1].op == "linear"
    weight = found.tensors[found.steps[-1].settings["weight"]["tensor"]]
    with torch.no_grad():
        assert torch.allclose(weight, model.scale * model.embed_classes(), atol=1e-5)


class Odd(nn.Module):
    def __init__(self, function: str) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        if self.function == "ceil_mode":
            return F.max_pool2d(x, 2, ceil_mode=True).flatten(1)
        if self.function == "reflect":
            return F.pad(x, (1, 1, 1, 1), mode="reflect").flatten(1)
        return torch.cumsum(x, 2).flatten(1)


@pytest.mark.parametrize(("function", "named"), [("cumsum", "cumsum"), ("ceil_mode", "max_pool2d"), ("reflect", "pad")])
def test_an_operator_that_is_not_known_is_named(function: str, named: str) -> None:
    with pytest.raises(OperatorUnknown, match=named):
        list_steps(Odd(function).eval(), (1, 5, 5))

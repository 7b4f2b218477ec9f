"""Receptive fields against autograd: the pixels with a gradient are the pixels a unit sees."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torchvision.models import mobilenet_v3_small, resnet18

from cnn_demo.inspect.architecture import layers
from cnn_demo.inspect.capture import capture
from cnn_demo.models.registry import MODELS, create_model


class Branches(nn.Module):
    """A residual sum of unlike paths, a functional activation, a concatenation and a module that runs twice."""

    def __init__(self) -> None:
        super().__init__()
        self.wide = nn.Conv2d(1, 4, 5, stride=2, padding=1)
        self.narrow = nn.Conv2d(1, 4, 3, stride=2)
        self.twice = nn.Conv2d(4, 4, 3, padding=2, dilation=2, groups=2)
        self.pool = nn.AvgPool2d(3, stride=2, padding=1, ceil_mode=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.wide(x) + self.narrow(x))
        x = torch.cat([x, self.twice(self.twice(x))], 1)
        return self.pool(nn.functional.pad(x, (1, 0, 0, 2)))


# Their gradient can be zero, or too small for a number; without them every path carries one.
ELEMENTWISE = (nn.ReLU, nn.GELU, nn.SiLU, nn.Tanh, nn.Sigmoid, nn.Hardswish, nn.Hardsigmoid)


class Uniform(nn.Module):
    """In place of attention's softmax: every token gets the same from every other."""

    def forward(self, scores: torch.Tensor) -> torch.Tensor:
        return torch.full_like(scores, 1 / scores.shape[-1])


def averaging(model: nn.Module) -> nn.Module:
    """A copy in which every path carries a positive gradient: positive weights, means for maxima, no curvature."""
    model = copy.deepcopy(model).double().eval()
    for parent in list(model.modules()):
        for name, child in parent.named_children():
            if isinstance(child, nn.MaxPool2d):
                swap: nn.Module = nn.AvgPool2d(child.kernel_size, child.stride, child.padding, child.ceil_mode)
                setattr(parent, name, swap)
            elif isinstance(child, (*ELEMENTWISE, nn.LayerNorm)):  # of equal values, layer norm makes zeros
                setattr(parent, name, nn.Identity())
            elif isinstance(child, nn.Softmax):
                setattr(parent, name, Uniform())
    for parameter in model.parameters():
        nn.init.constant_(parameter, 1.0)
    return model


def gradient_window(gradient: torch.Tensor) -> tuple[int, int, int, int]:
    rows, cols = (gradient != 0).any(1).any(0).any(1).nonzero(), (gradient != 0).any(1).any(0).any(0).nonzero()
    return int(rows.min()), int(cols.min()), int(rows.max()) + 1, int(cols.max()) + 1


CASES = {
    **{spec.name: (lambda name=spec.name: create_model(name), (1, 28, 28)) for spec in MODELS},
    "branches": (Branches, (1, 23, 30)),
    "resnet18 of torchvision": (resnet18, (3, 64, 64)),
    "mobilenet": (mobilenet_v3_small, (3, 48, 48)),
    "odd": (
        lambda: nn.Sequential(
            nn.Conv2d(1, 3, (3, 5), stride=(2, 1), padding=(0, 3), dilation=(1, 2)),
            nn.MaxPool2d(3, 2, 1),
            nn.Conv2d(3, 3, 4, padding="same"),
            nn.AdaptiveAvgPool2d((5, 3)),
        ),
        (1, 26, 31),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_window_equals_autograd(case: str) -> None:
    build, shape = CASES[case]
    torch.manual_seed(0)
    model = averaging(build())
    found = {layer.name: layer for layer in layers(model, shape)}
    spatial = [layer for layer in found.values() if layer.kind in ("conv", "pool", "add", "concat", "linear")]
    generator = torch.Generator().manual_seed(1)
    with capture(model) as maps:
        x = torch.rand(1, *shape, dtype=torch.float64, generator=generator) + 0.5
        maps(x, grad=True)
        for layer in spatial[:: max(1, len(spatial) // 12)]:
            value = maps[layer.name]
            if (grid := layer.tokens) is not None:  # (1, T, D) -> (1, D, rows, cols)
                value = value.transpose(1, 2)[:, :, grid.extra :].unflatten(2, (grid.rows, grid.cols))
            h, w = value.shape[-2:] if value.dim() == 4 else (1, 1)
            corners = {(0, 0), (h // 2, w // 2), (h - 1, w // 3)}
            for y, x_ in corners:
                unit = value[0, :, y, x_].sum() if value.dim() == 4 else value[0].sum()
                (gradient,) = torch.autograd.grad(unit, maps["input"], retain_graph=True, allow_unused=True)
                top, left, bottom, right = layer.field.inside(y, x_)
                if top < bottom and left < right:
                    assert (top, left, bottom, right) == gradient_window(gradient), (layer.name, y, x_)
                else:
                    assert not gradient.any(), (layer.name, y, x_)  # the unit sees padding only


def test_fields_of_the_plain_cnn() -> None:
    fields = {layer.name: layer.field for layer in layers(create_model("cnn"), (1, 28, 28))}
    found = [(fields[name].size, fields[name].stride, fields[name].start) for name in ("conv1", "pool1", "conv2")]
    assert found == [((3, 3), (1, 1), (-1, -1)), ((4, 4), (2, 2), (-1, -1)), ((8, 8), (2, 2), (-3, -3))]


def test_textbook_receptive_field_of_resnet18() -> None:
    fields = {layer.name: layer.field for layer in layers(resnet18(), (3, 224, 224))}
    # Araujo et al. 2019 give 435 for the last convolutions of ResNet-18.
    assert fields["layer4.1.conv2"].size == (435, 435)
    assert fields["layer4.1.conv2"].stride == (32, 32)

"""Registered models as lists of layers: the builder makes the same network of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import nn

import cnn_demo.models
from cnn_demo.models.builder import create_built_model
from cnn_demo.models.layer_list import format_rows
from cnn_demo.models.plain_sequence import NotPlain, list_rows
from cnn_demo.models.registry import create_model
from scripts.make_facts import compute_sequences

SEQUENCES: dict[str, dict[str, str]] = json.loads(
    Path(cnn_demo.models.__file__).with_name("sequences.json").read_text("utf-8")
)


def test_the_file_is_made_of_the_models() -> None:
    assert compute_sequences() == SEQUENCES
    assert {"cnn", "cnn-bn", "cnn-strided", "cnn-tiny", "lenet5", "builder"} <= set(SEQUENCES)
    assert not {"resnet18", "resnet-small", "clip-small"} & set(SEQUENCES)
    assert "conv; batch-norm; relu" in SEQUENCES["cnn-bn"]["1x28x10"]
    assert SEQUENCES["cnn"]["1x28x10"] == (
        "v1; conv; relu; max-pool; conv channels=64; relu; max-pool; flatten; linear width=512; relu; dropout"
    )


@pytest.mark.parametrize("name", list(SEQUENCES))
def test_the_builder_makes_the_same_network(name: str) -> None:
    for shape, text in SEQUENCES[name].items():
        channels, size, classes = map(int, shape.split("x"))
        torch.manual_seed(1)
        original = create_model(name, channels=channels, size=size, classes=classes).eval()
        torch.manual_seed(1)
        built = create_built_model(channels, size, classes, text).eval()
        for one, other in zip(original.state_dict().values(), built.state_dict().values(), strict=True):
            assert torch.equal(one, other)
        x = torch.randn(3, channels, size, size)
        torch.testing.assert_close(built(x), original(x))


def test_every_setting_of_a_layer_is_taken_over() -> None:
    model = nn.Sequential(
        nn.Conv2d(2, 8, 5, stride=2, padding=0, dilation=2, groups=2, bias=False),
        nn.GroupNorm(4, 8),
        nn.AvgPool2d(3, stride=1, padding=1),
        nn.Flatten(),
        nn.Linear(8 * 10 * 10, 6, bias=False),
        nn.BatchNorm1d(6),
        nn.Linear(6, 4),
    )
    assert format_rows(list_rows(model, 4)) == (
        "v1; conv channels=8 kernel=5 stride=2 padding=0 dilation=2 groups=2 bias=no; group-norm groups=4; "
        "avg-pool kernel=3 stride=1 padding=1; flatten; linear width=6; batch-norm"
    )


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(1, 2, (3, 1)),
        nn.MaxPool2d(2, ceil_mode=True),
        nn.AdaptiveAvgPool2d(2),
        nn.Softmax(1),
        nn.MaxPool2d(2, dilation=2),
    ],
)
def test_what_the_builder_does_not_have_is_refused(layer: nn.Module) -> None:
    with pytest.raises(NotPlain):
        list_rows(nn.Sequential(layer), 10)


def test_a_model_with_two_paths_is_refused() -> None:
    with pytest.raises(NotPlain):
        list_rows(create_model("resnet18"), 10)

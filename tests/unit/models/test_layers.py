"""Layers by name, against torch.nn.functional."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cnn_demo.models.layers import ACTIVATIONS, create_activation, create_normalization
from cnn_demo.models.options import ACTIVATION, NORMALIZATION
from cnn_demo.settings.description import Choice


def test_every_choice_has_its_layer() -> None:
    activation, normalization = ACTIVATION.setting.kind, NORMALIZATION.setting.kind
    assert isinstance(activation, Choice)
    assert isinstance(normalization, Choice)
    assert activation.names == tuple(ACTIVATIONS)
    assert [type(create_normalization(name, 4)) for name in normalization.names] == [
        nn.Identity,
        nn.BatchNorm2d,
        nn.GroupNorm,
    ]
    x = torch.randn(3, 4)
    functions: dict[str, Callable[[Tensor], Tensor]] = {
        "relu": F.relu,
        "leaky_relu": F.leaky_relu,
        "silu": F.silu,
        "gelu": F.gelu,
        "tanh": torch.tanh,
    }
    for name, function in functions.items():
        assert torch.equal(create_activation(name)(x), function(x))


@pytest.mark.parametrize(("channels", "groups"), [(16, 8), (12, 4), (20, 4), (7, 1)])
def test_groups_divide_the_channels(channels: int, groups: int) -> None:
    x = torch.randn(2, channels, 5, 5)
    torch.testing.assert_close(create_normalization("group", channels)(x), F.group_norm(x, groups))


def test_unknown_layers_are_explained() -> None:
    with pytest.raises(ValueError, match="activation = 'step': expected one of relu"):
        create_activation("step")
    with pytest.raises(ValueError, match="normalization = 'layer': expected none, batch or group"):
        create_normalization("layer", 4)

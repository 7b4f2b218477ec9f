"""Layers that an option names: the activation and the normalization."""

from __future__ import annotations

import math

from torch import nn

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,  # slope 0.01 below zero
    "silu": nn.SiLU,
    "gelu": nn.GELU,
    "tanh": nn.Tanh,
}
_GROUPS = 8


def create_activation(name: str) -> nn.Module:
    """The activation that :data:`cnn_demo.models.options.ACTIVATION` names.

    Raises:
        ValueError: no such activation.
    """
    if name not in ACTIVATIONS:
        raise ValueError(f"activation = {name!r}: expected one of {', '.join(ACTIVATIONS)}")
    return ACTIVATIONS[name]()


def create_normalization(name: str, channels: int) -> nn.Module:
    """The normalization that :data:`cnn_demo.models.options.NORMALIZATION` names, for ``(N, channels, H, W)``.

    ``batch`` is Ioffe and Szegedy, "Batch Normalization", 2015; ``group`` is Wu and He, "Group Normalization", 2018,
    with eight groups, or four, two or one where eight do not divide the channels. ``none`` changes nothing.

    Raises:
        ValueError: no such normalization.
    """
    if name == "batch":
        return nn.BatchNorm2d(channels)
    if name == "group":
        return nn.GroupNorm(math.gcd(_GROUPS, channels), channels)
    if name == "none":
        return nn.Identity()
    raise ValueError(f"normalization = {name!r}: expected none, batch or group")

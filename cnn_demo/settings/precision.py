"""Which precisions a device computes, and how: for the form and for a training. Imports no PyTorch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

from cnn_demo.locales import N_
from cnn_demo.settings.config import TrainConfig
from cnn_demo.settings.errors import ConfigError

# "fast": the device has arithmetic for it. "slow": it computes it by way of fp32, which is no gain. "none": not at all.
Arithmetic = Literal["fast", "slow", "none"]


def refuse_precision(precision: str, device: str, arithmetic: Mapping[str, Arithmetic]) -> None:
    """Refuse what a device cannot compute.

    Args:
        precision: a value of ``TrainConfig.precision``.
        device: the kind of device: ``cpu``, ``cuda`` or ``mps``.
        arithmetic: what the device has, by precision; one that is not named is accepted.

    Raises:
        ConfigError: it cannot; says which precisions it can.
    """
    if arithmetic.get(precision) != "none":
        return
    if precision == "fp16":
        raise ConfigError("precision", precision, N_("fp32 or bf16 on {device} (fp16 needs CUDA)"), device=device)
    raise ConfigError("precision", precision, N_("fp32 or fp16 on this GPU"))


def suit_precision(config: TrainConfig, arithmetic: Mapping[str, Arithmetic]) -> TrainConfig:
    """The config of a preset for a device: with fp32 in place of a precision that is no gain there.

    Without arithmetic for it bf16 can take many times as long as fp32, which nobody means who picks a preset.

    Args:
        config: what the preset says.
        arithmetic: what the device has, by precision; empty while nothing is known of it.
    """
    gains = config.precision == "fp32" or arithmetic.get(config.precision) == "fast"
    return config if gains else replace(config, precision="fp32")

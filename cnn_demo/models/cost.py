"""What a model costs: its parameters, and the multiply-adds for one image."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from cnn_demo.models.registry import count_parameters, create_model


def measure_cost(name: str, channels: int, size: int, classes: int, options: Mapping[str, Any]) -> dict[str, int]:
    """``{"parameters": ..., "multiply_adds": ...}`` of a model for one image ``(channels, size, size)``.

    The model is built without memory for its weights (on PyTorch's device "meta") and its functions only tell the
    shapes of what they would compute. So this takes milliseconds, and touches no random state.

    Args:
        name: a registered model.
        channels, size, classes: of the data set.
        options: as in :func:`cnn_demo.models.registry.create_model`.

    Raises:
        ValueError: the model cannot be built for this size.
    """
    with torch.device("meta"):
        model = create_model(name, channels=channels, size=size, classes=classes, **options).eval()
        once, twice = (_count_flops(model, n, channels, size) for n in (1, 2))
    # Of one image more: what a batch computes once is left out. A multiply-add is two floating-point operations.
    return {"parameters": count_parameters(model), "multiply_adds": (twice - once) // 2}


def _count_flops(model: nn.Module, n: int, channels: int, size: int) -> int:
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(torch.zeros(n, channels, size, size))
    return int(counter.get_total_flops())

"""The model that a visitor has put together: a list of layers, one module for each."""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

from cnn_demo.models import layer_blocks
from cnn_demo.models.layer_arithmetic import Call
from cnn_demo.models.layer_list import DEFAULT_TEXT, parse_rows
from cnn_demo.models.layer_plan import plan_rows


def create_built_model(channels: int, size: int, classes: int, layers: str = DEFAULT_TEXT) -> nn.Sequential:
    """Build what a text lists; its modules are called ``conv1``, ``norm1``, ``relu1``, ... ``logits``.

    Raises:
        ConfigError: no list of layers, or a layer that cannot work on such images.
    """
    plan = plan_rows(parse_rows(layers), channels, size, classes)
    if plan.problem:
        raise plan.problem.to_error()
    return nn.Sequential(OrderedDict((layer.name, _make_module(layer.call)) for layer in plan.layers))


def _make_module(call: Call) -> nn.Module:
    home = layer_blocks if hasattr(layer_blocks, call.function) else nn
    module: nn.Module = getattr(home, call.function)(*call.args, **call.options)
    return module

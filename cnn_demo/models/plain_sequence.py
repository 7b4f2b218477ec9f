"""A registered model as a list of layers, where it is a plain sequence of layers that the builder knows."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import torch
from torch import fx, nn

from cnn_demo.models.layer_list import LAYERS, Row


class NotPlain(ValueError):
    """A model is no plain sequence, or holds a layer that the builder does not know."""


def list_rows(model: nn.Module, classes: int) -> tuple[Row, ...]:
    """The layers of a model in the order of computation, without the last linear one, which the builder adds.

    Args:
        model: any module from images to logits.
        classes: number of logits.

    Raises:
        NotPlain: it is no plain sequence.
    """
    try:
        nodes = list(fx.symbolic_trace(model).graph.nodes)
    except Exception as error:  # a model may do anything with its input, and tracing fails in as many ways
        raise NotPlain(f"{type(model).__name__} cannot be followed: {error}") from error
    rows = []
    for before, node in itertools.pairwise(nodes):
        if node.all_input_nodes != [before]:
            raise NotPlain(f"{node.name} reads {node.all_input_nodes}, expected {before.name} alone")
        if node.op == "call_module":
            rows += _convert(model.get_submodule(str(node.target)))
        elif node.op in ("call_function", "call_method") and node.target in (torch.flatten, "flatten"):
            rows.append(Row("flatten", {}))
        elif node.op != "output":
            raise NotPlain(f"{node.name} is no layer of the builder")
    rows = [_drop_defaults(row, rows[i + 1].kind if i + 1 < len(rows) else "") for i, row in enumerate(rows)]
    if rows and rows[-1].kind == "linear" and rows[-1].values.get("width") == classes:
        rows.pop()
    return tuple(rows)


def _drop_defaults(row: Row, behind: str) -> Row:
    """Only what is not as it is where nothing is said."""
    usual = {option.name: option.default for option in LAYERS.get(row.kind).options}
    if "bias" in usual:
        usual["bias"] = behind != "batch-norm"
    if row.kind == "conv":
        usual["padding"] = row.values["dilation"] * (row.values["kernel"] - 1) // 2
    if row.kind in ("max-pool", "avg-pool"):
        usual["stride"] = row.values["kernel"]
    return Row(row.kind, {name: value for name, value in row.values.items() if value != usual[name]})


def _square(value: Any) -> int:
    """The one number of a setting for height and width."""
    values = set(value) if isinstance(value, tuple) else {value}
    if len(values) != 1 or not isinstance(number := values.pop(), int):
        raise NotPlain(f"{value} is not square")
    return number


def _convert_conv(m: nn.Conv2d) -> Row:
    if m.padding_mode != "zeros":
        raise NotPlain(f"padding_mode = {m.padding_mode}")
    values = {"kernel": m.kernel_size, "stride": m.stride, "padding": m.padding, "dilation": m.dilation}
    square = {name: _square(value) for name, value in values.items()}
    return Row("conv", {"channels": m.out_channels, **square, "groups": m.groups, "bias": m.bias is not None})


def _convert_pool(m: nn.MaxPool2d | nn.AvgPool2d) -> Row:
    if m.ceil_mode or _square(getattr(m, "dilation", 1)) != 1 or not getattr(m, "count_include_pad", True):
        raise NotPlain(f"{m} has settings that the builder does not have")
    values = {"kernel": m.kernel_size, "stride": m.stride, "padding": m.padding}
    kind = "max-pool" if isinstance(m, nn.MaxPool2d) else "avg-pool"
    return Row(kind, {name: _square(value) for name, value in values.items()})


_CONVERTERS: dict[type[nn.Module], Callable[[Any], Row]] = {
    nn.Conv2d: _convert_conv,
    nn.BatchNorm2d: lambda m: Row("batch-norm", {}),
    nn.BatchNorm1d: lambda m: Row("batch-norm", {}),
    nn.GroupNorm: lambda m: Row("group-norm", {"groups": m.num_groups}),
    nn.ReLU: lambda m: Row("relu", {}),
    nn.LeakyReLU: lambda m: Row("leaky-relu", {}),
    nn.SiLU: lambda m: Row("silu", {}),
    nn.GELU: lambda m: Row("gelu", {}),
    nn.Tanh: lambda m: Row("tanh", {}),
    nn.Sigmoid: lambda m: Row("sigmoid", {}),
    nn.MaxPool2d: _convert_pool,
    nn.AvgPool2d: _convert_pool,
    nn.AdaptiveAvgPool2d: lambda m: Row("global-pool", {}) if _square(m.output_size) == 1 else _refuse(m),
    nn.Dropout: lambda m: Row("dropout", {"rate": m.p}),
    nn.Flatten: lambda m: Row("flatten", {}),
    nn.Linear: lambda m: Row("linear", {"width": m.out_features, "bias": m.bias is not None}),
}


def _convert(module: nn.Module) -> list[Row]:
    if isinstance(module, nn.Identity):
        return []
    convert = _CONVERTERS.get(type(module), _refuse)
    return [convert(module)]


def _refuse(module: nn.Module) -> Row:
    raise NotPlain(f"the builder has no {module}")

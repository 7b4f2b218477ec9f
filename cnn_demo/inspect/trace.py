"""The arithmetic of one unit, from the numbers below it to the number PyTorch computed.

Every step is worked out in double precision with NumPy from the captured inputs of that step, and carries the value
that PyTorch captured, so that the difference can be shown. What textbooks call a convolution is a cross-correlation
here, as in PyTorch: the kernel is not flipped.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from cnn_demo.inspect.capture import Captured, Node, capture
from cnn_demo.inspect.receptive import window_settings
from cnn_demo.inspect.steps import (
    ActivationStep,
    AddStep,
    ConvStep,
    CopyStep,
    LengthStep,
    LinearStep,
    NormStep,
    PoolStep,
    ProductStep,
    SoftmaxStep,
    Step,
    Trace,
)
from cnn_demo.inspect.token_arithmetic import trace_attention, trace_product


def trace(model: nn.Module, image: Tensor, layer: str, channel: int, y: int = 0, x: int = 0, *, top: int = 12) -> Trace:
    """Run a model on one image and take one unit apart.

    Args:
        model: as for :func:`cnn_demo.inspect.capture.capture`.
        image: one normalized image, ``(1, C, H, W)``.
        layer, channel, y, x: the unit; y and x are 0 for a layer of features. Of a layer with another number of
            dimensions, such as tokens ``(N, T, D)``, they are the first indices behind the batch.
        top: how many contributions of a linear layer are listed one by one.

    Raises:
        KeyError: no such layer.
        IndexError: no such unit in this layer.
    """
    with capture(model) as maps:
        maps(image)
        return trace_unit(maps, layer, channel, y, x, top=top)


def trace_unit(maps: Captured, layer: str, channel: int, y: int = 0, x: int = 0, *, top: int = 12) -> Trace:
    """As :func:`trace`, from activations that were captured already (all kinds, first image of the batch)."""
    if layer not in maps.nodes:
        raise KeyError(f"no layer named {layer!r}; there are: {', '.join(maps.nodes)}")
    shape = maps.nodes[layer].shape[1:]
    unit = (channel, y, x)[: len(shape)]
    if any(not 0 <= i < n for i, n in zip((channel, y, x), (*shape, 1, 1), strict=False)):
        raise IndexError(f"unit {(channel, y, x)} is outside layer {layer!r} of shape {tuple(shape)}")
    chain = chain_of(maps.nodes, layer)
    steps = [_step(maps, maps.nodes[name], unit, top) for name in chain]
    last = maps.nodes[chain[-1]]
    if last.name == next(reversed(maps.nodes)) and last.kind == "linear" and len(last.shape) == 2:
        steps.append(_softmax(last.name, _numbers(maps, last.name), channel))
    return Trace(layer, channel, y, x, tuple(steps))


_NORMS = ("batch_norm", "group_norm", "layer_norm")


def _single(node: Node) -> bool:
    """Whether every output unit is a function of the same unit of one input."""
    kind = node.kind in ("activation", "norm", "dropout") and not node.op.endswith("softmax")
    return kind and len(node.inputs) == 1 and (node.kind != "norm" or node.op in _NORMS)


def chain_of(nodes: Mapping[str, Node], layer: str) -> list[str]:
    """The nodes that a unit of a layer is taken apart into, in the order of computation.

    Back to the operation that mixes several numbers, and on to the end of the layer's answer.
    """
    chain = [layer]
    while _single(nodes[chain[0]]):
        chain.insert(0, nodes[chain[0]].inputs[0])
    while nodes[chain[-1]].kind != "activation":
        readers = [node for node in nodes.values() if chain[-1] in node.inputs]
        if len(readers) != 1 or not _single(readers[0]) or readers[0].kind == "dropout":
            break
        chain.append(readers[0].name)
    return chain


def _numbers(maps: Captured, name: str) -> np.ndarray:
    return maps[name][0].detach().cpu().double().numpy()


def _step(maps: Captured, node: Node, unit: tuple[int, ...], top: int) -> Step:
    captured = float(_numbers(maps, node.name)[unit])
    base: dict[str, Any] = {"layer": node.name, "op": node.op, "captured": captured}
    if node.op == "conv2d":
        return _conv(maps, node, unit, base)
    if node.op == "linear":
        return _linear(maps, node, unit, base, top)
    if node.kind == "attention":
        if node.op == "softmax":
            return trace_attention(maps, node, unit, base, top)
        if len(node.inputs) == 2:
            return trace_product(maps, node, unit, base, top)
    if node.kind == "pool" and len(maps.nodes[node.inputs[0]].shape) == 4:
        return _pool(maps, node, unit, base)
    if node.kind == "norm" and _single(node):
        return _norm(maps, node, unit, base)
    if node.op == "normalize" and node.settings.get("p", 2.0) == 2:
        return _length(maps, node, unit, base)
    if _single(node):
        before = float(_numbers(maps, node.inputs[0])[unit])
        return ActivationStep(**base, input=before, value=_apply(node, before, unit[0]))
    if node.kind == "add" and node.settings.get("alpha", 1) == 1:
        terms = _terms(maps, node, unit)
        return AddStep(**base, value=sum(value for _, value in terms), terms=terms)
    if node.kind == "product":
        terms = _terms(maps, node, unit)
        return ProductStep(**base, value=math.prod(value for _, value in terms), terms=terms)
    if node.op == "pad" and node.settings.get("mode", "constant") == "constant":
        return _pad(maps, node, unit, base)
    if (place := _origin(maps, node, unit)) is not None:
        source, where = place
        one_pixel = len(where) == 3 and math.prod(maps.nodes[source].shape[2:]) == 1
        unit = where[:1] if one_pixel else where
        return CopyStep(**base, value=float(_numbers(maps, source)[where]), source=source, unit=unit)
    return Step(**base, value=captured)


def _conv(maps: Captured, node: Node, unit: tuple[int, ...], base: dict[str, Any]) -> ConvStep:
    weight = node.settings["weight"].detach().cpu().double().numpy()  # (O, I / groups, kh, kw)
    channel, y, x = unit
    (kh, kw), stride, padding, dilation = window_settings(node)
    inputs = weight.shape[1]
    first = channel // (weight.shape[0] // int(node.settings.get("groups", 1))) * inputs
    top, left = y * stride[0] - padding[0], x * stride[1] - padding[1]
    source = _numbers(maps, node.inputs[0])[first : first + inputs]
    patch = np.nan_to_num(_window(source, top, left, (kh, kw), dilation))
    in_rows, in_cols = _places_inside(source.shape[1:], top, left, (kh, kw), dilation)
    products = patch * weight[channel]
    sums = products.sum((1, 2))
    bias = _at(node.settings.get("bias"), channel, 0.0)
    return ConvStep(
        **base,
        value=float(sums.sum() + bias),
        source=node.inputs[0],
        first_channel=first,
        top=top,
        left=left,
        dilation=dilation,
        patch=patch,
        padding=~np.outer(in_rows, in_cols),
        kernel=weight[channel],
        products=products,
        sums=sums,
        bias=bias,
    )


def _pool(maps: Captured, node: Node, unit: tuple[int, ...], base: dict[str, Any]) -> PoolStep:
    channel, y, x = (*unit, 0, 0)[:3]  # a mean over the whole map may leave features
    source = _numbers(maps, node.inputs[0])[channel : channel + 1]
    h, w = source.shape[1:]
    dilation, divisor, maximum = (1, 1), None, "max" in node.op
    if node.op in ("max_pool2d", "avg_pool2d"):
        kernel, stride, padding, dilation = window_settings(node)
        top, left = y * stride[0] - padding[0], x * stride[1] - padding[1]
    else:  # the windows of adaptive pooling: start floored, end ceiled
        out_h, out_w = node.shape[-2:] if node.op != "mean" else (1, 1)
        top, left = y * h // out_h, x * w // out_w
        kernel = math.ceil((y + 1) * h / out_h) - top, math.ceil((x + 1) * w / out_w) - left
        padding = (0, 0)
    window = _window(source, top, left, kernel, dilation)[0]
    winner: tuple[int, int] | None = None
    if maximum:
        winner = divmod(int(np.nanargmax(window)), window.shape[1])
        value = float(window[winner])
    else:
        divisor = int(np.isfinite(window).sum())
        if node.op == "avg_pool2d":
            if node.settings.get("count_include_pad", True):  # padding counts, what ceil_mode adds beyond it does not
                divisor = (min(top + kernel[0], h + padding[0]) - top) * (min(left + kernel[1], w + padding[1]) - left)
            divisor = node.settings.get("divisor_override") or divisor
        value = float(np.nansum(window) / divisor)
    return PoolStep(
        **base,
        value=value,
        source=node.inputs[0],
        top=top,
        left=left,
        dilation=dilation,
        window=window,
        winner=winner,
        divisor=divisor,
    )


def _pad(maps: Captured, node: Node, unit: tuple[int, ...], base: dict[str, Any]) -> Step:
    before = [0] * len(unit)
    for i, count in enumerate(node.settings["pad"][::2]):  # from the last dimension on
        before[-1 - i] = count
    (source,) = node.inputs
    where = tuple(i - count for i, count in zip(unit, before, strict=True))
    if all(0 <= i < n for i, n in zip(where, maps.nodes[source].shape[1:], strict=True)):
        return CopyStep(**base, value=float(_numbers(maps, source)[where]), source=source, unit=where)
    constant = float(node.settings.get("value") or 0)
    return AddStep(**base, value=constant, terms=(("", constant),))


def _norm(maps: Captured, node: Node, unit: tuple[int, ...], base: dict[str, Any]) -> NormStep:
    settings, channel = node.settings, unit[0]
    source = _numbers(maps, node.inputs[0])
    if node.op == "layer_norm":  # over the last dimensions, each number with a weight of its own
        inner = unit[-len(settings["normalized_shape"]) :]
        token = source[unit[: -len(inner)]]
        return _normalized(node, float(source[unit]), float(token.mean()), float(token.var()), inner, base)
    if node.op == "group_norm":
        size = source.shape[0] // int(settings["num_groups"])
        group = source[channel // size * size :][:size]
        mean, variance = float(group.mean()), float(group.var())
    elif settings.get("running_mean") is not None:
        mean, variance = _at(settings["running_mean"], channel, 0.0), _at(settings["running_var"], channel, 1.0)
    else:  # no running statistics: those of the batch
        batch = maps[node.inputs[0]].detach().cpu().double().numpy()[:, channel]
        mean, variance = float(batch.mean()), float(batch.var())
    return _normalized(node, float(source[unit]), mean, variance, (channel,), base)


def _normalized(
    node: Node, before: float, mean: float, variance: float, place: tuple[int, ...], base: dict[str, Any]
) -> NormStep:
    """Mean and variance taken out, weight and bias of a place put in."""
    eps = float(node.settings.get("eps", 1e-5))
    weight, bias = _at(node.settings.get("weight"), place, 1.0), _at(node.settings.get("bias"), place, 0.0)
    value = (before - mean) / math.sqrt(variance + eps) * weight + bias
    return NormStep(**base, value=value, input=before, mean=mean, variance=variance, eps=eps, weight=weight, bias=bias)


def _length(maps: Captured, node: Node, unit: tuple[int, ...], base: dict[str, Any]) -> LengthStep:
    axis = int(node.settings.get("dim", 1)) % len(node.shape) - 1
    source = _numbers(maps, node.inputs[0])
    vector = np.moveaxis(source, axis, -1)[(*unit[:axis], *unit[axis + 1 :])]
    length = max(float(np.linalg.norm(vector)), float(node.settings.get("eps", 1e-12)))
    before = float(source[unit])
    return LengthStep(**base, value=before / length, input=before, length=length, count=len(vector))


def _linear(maps: Captured, node: Node, unit: tuple[int, ...], base: dict[str, Any], top: int) -> LinearStep:
    *before, channel = unit  # which token, where there are tokens
    inputs = _numbers(maps, node.inputs[0])[tuple(before)]
    weights = node.settings["weight"].detach()[channel].cpu().double().numpy()
    products = inputs * weights
    order = np.argsort(-np.abs(products), kind="stable")[:top]
    bias = _at(node.settings.get("bias"), channel, 0.0)
    maps_layer = ""
    places: tuple[tuple[int, int, int], ...] = ()
    flat = maps.nodes[node.inputs[0]]
    while flat.kind == "dropout":
        flat = maps.nodes[flat.inputs[0]]
    before_flat = maps.nodes[flat.inputs[0]].shape if flat.inputs else ()
    if flat.op in ("flatten", "view", "reshape") and len(before_flat) == 4 and math.prod(before_flat[2:]) > 1:
        maps_layer = flat.inputs[0]
        places = tuple(
            (int(c), int(y), int(x))
            for c, y, x in zip(*np.unravel_index(order, maps.nodes[maps_layer].shape[1:]), strict=True)
        )
    return LinearStep(
        **base,
        value=float(products.sum() + bias),
        source=node.inputs[0],
        index=tuple(int(i) for i in order),
        inputs=inputs[order],
        weights=weights[order],
        products=products[order],
        places=places,
        maps=maps_layer,
        others=float(np.delete(products, order).sum()),
        count=len(products) - len(order),
        bias=bias,
    )


def _terms(maps: Captured, node: Node, unit: tuple[int, ...]) -> tuple[tuple[str, float], ...]:
    """What is added or multiplied for a unit: (layer, value) pairs; a weight or a number has the layer ``""``."""
    values: list[tuple[str, Any]] = [(name, maps[name].detach().cpu()) for name in node.inputs]
    values += [("", node.settings[key]) for key in ("input", "other") if key in node.settings]
    found = []
    for name, value in values:
        numbers = value.detach().cpu() if isinstance(value, Tensor) else torch.tensor(float(value), dtype=torch.float64)
        found.append((name, float(torch.broadcast_to(numbers, node.shape)[0][unit])))
    return tuple(found)


def _origin(maps: Captured, node: Node, unit: tuple[int, ...]) -> tuple[str, tuple[int, ...]] | None:
    """Where a unit of a reshaped or concatenated layer comes from: layer and place there; None where unknown."""
    shapes = [maps.nodes[name].shape for name in node.inputs]
    if node.kind == "reshape" and node.apply is not None and node.parts == 1:
        numbers = node.apply(torch.arange(math.prod(shapes[0])).reshape(shapes[0]))  # each place by its number
        first, *where = np.unravel_index(int(numbers[0][unit]), shapes[0])
        return (node.inputs[0], tuple(int(i) for i in where)) if first == 0 else None
    if node.kind == "concat":
        axis = int(node.settings.get("dim", 0)) % len(node.shape) - 1
        ends = np.cumsum([shape[axis + 1] for shape in shapes])
        if axis >= 0 and ends[-1] == node.shape[axis + 1]:  # else something else was put in, such as a weight
            part = int(np.searchsorted(ends, unit[axis], side="right"))
            start = int(ends[part]) - shapes[part][axis + 1]
            return node.inputs[part], (*unit[:axis], unit[axis] - start, *unit[axis + 1 :])
    return None


def _softmax(layer: str, logits: np.ndarray, channel: int) -> SoftmaxStep:
    largest = float(logits.max())
    exponentials = np.exp(logits - largest)
    probabilities = exponentials / exponentials.sum()
    captured = float(torch.softmax(torch.from_numpy(logits), 0)[channel])
    return SoftmaxStep(
        layer=f"{layer} · softmax",
        op="softmax",
        value=float(probabilities[channel]),
        captured=captured,
        logits=logits,
        largest=largest,
        exponentials=exponentials,
        total=float(exponentials.sum()),
        probabilities=probabilities,
    )


def _apply(node: Node, value: float, channel: int) -> float:
    if node.apply is None:
        return value  # dropout
    if node.op == "prelu":
        slopes = node.settings["weight"].detach()
        slope = float(slopes[channel if len(slopes) > 1 else 0])
        return value if value >= 0 else slope * value
    return float(node.apply(torch.tensor(value, dtype=torch.float64)))


def _window(source: np.ndarray, top: int, left: int, kernel: tuple[int, int], dilation: tuple[int, int]) -> np.ndarray:
    """Values of ``(C, H, W)`` under a window, ``(C, kh, kw)``; NaN outside the map."""
    rows, cols = top + np.arange(kernel[0]) * dilation[0], left + np.arange(kernel[1]) * dilation[1]
    in_rows, in_cols = _places_inside(source.shape[1:], top, left, kernel, dilation)
    window = np.full((source.shape[0], *kernel), np.nan)
    window[np.ix_(np.arange(source.shape[0]), in_rows, in_cols)] = source[:, rows[in_rows]][:, :, cols[in_cols]]
    return window


def _places_inside(
    shape: tuple[int, ...], top: int, left: int, kernel: tuple[int, int], dilation: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Which rows ``(kh,)`` and columns ``(kw,)`` of a window lie in a map of ``shape`` (height, width)."""
    rows, cols = top + np.arange(kernel[0]) * dilation[0], left + np.arange(kernel[1]) * dilation[1]
    return (rows >= 0) & (rows < shape[0]), (cols >= 0) & (cols < shape[1])


def _at(values: Tensor | None, place: int | tuple[int, ...], default: float) -> float:
    return default if values is None else float(values.detach()[place])

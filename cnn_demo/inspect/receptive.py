"""Receptive fields from the graph of executed operations.

For every unit of every layer: which pixels of the input can change it. The theory (size, stride, start: Araujo, Norris
and Sim, "Computing Receptive Fields of Convolutional Neural Networks", Distill 2019) and, at the borders, the exact
interval without padding are carried along together, for height and width separately. Where paths meet (residual sums,
concatenations) the field is the union of their fields, given as its hull.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from cnn_demo.inspect import ops
from cnn_demo.inspect.capture import Node
from cnn_demo.inspect.tokens import find_token_grids


@dataclass(frozen=True, slots=True)
class Axis:
    """The receptive fields of all units along one axis.

    Attributes:
        bounds: ``(units, 2)`` integers, first pixel and one past the last inside the input; equal where a unit sees
            padding only.
        size: extent in pixels without regard to borders; None where units differ (everything after flattening).
        stride: pixels between the fields of neighboring units; None as for ``size``.
        start: first pixel of unit 0; negative where the field begins in the padding; None as for ``size``.
    """

    bounds: np.ndarray
    size: int | None = None
    stride: int | None = None
    start: int | None = None

    @classmethod
    def pixels(cls, length: int) -> Axis:
        """The input itself: each pixel sees itself."""
        index = np.arange(length)
        return cls(np.stack([index, index + 1], 1), 1, 1, 0)

    @classmethod
    def everything(cls, *parts: Axis) -> Axis:
        """One unit that sees whatever any unit of the parts sees."""
        both = np.concatenate([part.bounds[part.bounds[:, 0] < part.bounds[:, 1]] for part in parts])
        if not len(both):  # nobody sees a pixel: all of it is padding
            return cls(np.zeros((1, 2), dtype=np.int64))
        return cls(np.array([[both[:, 0].min(), both[:, 1].max()]]))

    def repeated(self, count: int) -> Axis:
        """From one unit to ``count`` units that see the same."""
        return Axis(np.repeat(self.bounds[:1], count, 0))

    def windows(self, kernel: int, stride: int, padding: int, dilation: int, count: int) -> Axis:
        """After a convolution or pooling along this axis with ``count`` output units."""
        taps = np.arange(count)[:, None] * stride - padding + np.arange(kernel)[None, :] * dilation  # (count, kernel)
        size = step = start = None
        if self.size is not None and self.stride is not None and self.start is not None:
            size, step = self.size + (kernel - 1) * dilation * self.stride, self.stride * stride
            start = self.start - padding * self.stride
        return Axis(self._hull(taps), size, step, start)

    def adaptive(self, count: int) -> Axis:
        """After adaptive pooling to ``count`` units, with the windows PyTorch uses (start floored, end ceiled)."""
        length = len(self.bounds)
        if length % count == 0:
            return self.windows(length // count, length // count, 0, 1, count)
        first = [i * length // count for i in range(count)]
        last = [math.ceil((i + 1) * length / count) for i in range(count)]
        widest = max(b - a for a, b in zip(first, last, strict=True))
        taps = np.array([[min(a + k, b - 1) for k in range(widest)] for a, b in zip(first, last, strict=True)])
        return Axis(self._hull(taps))

    def padded(self, before: int, after: int) -> Axis:
        """After padding with a constant; negative padding crops."""
        return self.windows(1, 1, before, 1, len(self.bounds) + before + after)

    def union(self, other: Axis) -> Axis:
        """Where two paths meet; a length of 1 is broadcast."""
        count = max(len(self.bounds), len(other.bounds))
        a, b = (np.broadcast_to(axis.bounds, (count, 2)) for axis in (self, other))
        empty_a, empty_b = a[:, 0] >= a[:, 1], b[:, 0] >= b[:, 1]
        low = np.where(empty_a, b[:, 0], np.where(empty_b, a[:, 0], np.minimum(a[:, 0], b[:, 0])))
        high = np.where(empty_a, b[:, 1], np.where(empty_b, a[:, 1], np.maximum(a[:, 1], b[:, 1])))
        size = stride = start = None
        same = len(self.bounds) == len(other.bounds) and self.stride == other.stride
        if same and self.size and other.size and self.start is not None and other.start is not None:
            start, stride = min(self.start, other.start), self.stride
            size = max(self.start + self.size, other.start + other.size) - start
        return Axis(np.stack([low, high], 1), size, stride, start)

    def _hull(self, taps: np.ndarray) -> np.ndarray:
        """From input units ``(count, kernel)``, some of them outside, to the pixels they see: ``(count, 2)``."""
        inside = (taps >= 0) & (taps < len(self.bounds))
        seen = self.bounds[np.clip(taps, 0, len(self.bounds) - 1)]  # (count, kernel, 2)
        inside &= seen[..., 0] < seen[..., 1]
        low = np.where(inside, seen[..., 0], np.iinfo(np.int64).max).min(1)
        high = np.where(inside, seen[..., 1], 0).max(1)
        low = np.where(inside.any(1), low, high)
        return np.stack([low, high], 1)


@dataclass(frozen=True, slots=True)
class ReceptiveField:
    """What each unit of a layer sees of the input.

    Attributes:
        rows: along the height.
        cols: along the width.
    """

    rows: Axis
    cols: Axis

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels; where units differ, of the largest field."""
        return _size(self.rows), _size(self.cols)

    @property
    def stride(self) -> tuple[int, int] | None:
        """Pixels between neighboring units, or None where there is no such number."""
        return None if self.rows.stride is None or self.cols.stride is None else (self.rows.stride, self.cols.stride)

    @property
    def start(self) -> tuple[int, int] | None:
        """First row and column of unit (0, 0), negative in the padding, or None where there is no such number."""
        return None if self.rows.start is None or self.cols.start is None else (self.rows.start, self.cols.start)

    def inside(self, y: int, x: int) -> tuple[int, int, int, int]:
        """The pixels that can change unit (y, x): top, left, bottom, right, the last two exclusive."""
        (top, bottom), (left, right) = self.rows.bounds[y], self.cols.bounds[x]
        return int(top), int(left), int(bottom), int(right)

    def window(self, y: int, x: int) -> tuple[int, int, int, int]:
        """As :meth:`inside`, with the part that lies in the padding; all units of a layer have the same extent."""
        top, left, bottom, right = self.inside(y, x)
        if self.rows.size is not None and self.rows.stride is not None and self.rows.start is not None:
            top = self.rows.start + y * self.rows.stride
            bottom = top + self.rows.size
        if self.cols.size is not None and self.cols.stride is not None and self.cols.start is not None:
            left = self.cols.start + x * self.cols.stride
            right = left + self.cols.size
        return top, left, bottom, right


def _size(axis: Axis) -> int:
    return axis.size if axis.size is not None else int((axis.bounds[:, 1] - axis.bounds[:, 0]).max())


def receptive_fields(nodes: Mapping[str, Node]) -> dict[str, ReceptiveField]:
    """The receptive field of every layer in the input image.

    Args:
        nodes: ``Captured.nodes`` after a forward pass over ``(N, C, H, W)``.

    Returns:
        By node name, in the order of execution. Operations that mix positions freely (flattening, linear layers,
        attention, anything unknown) see the union of all that their inputs see. Tokens that lie in a grid have the
        fields of a map; what is in front of them (a class token) is not counted.
    """
    fields: dict[str, ReceptiveField] = {}
    tokens = find_token_grids(nodes)
    for name, node in nodes.items():
        if node.kind == ops.INPUT:
            fields[name] = ReceptiveField(Axis.pixels(node.shape[-2]), Axis.pixels(node.shape[-1]))
            continue
        sources = [fields[source] for source in node.inputs]
        if name in tokens:
            everything = _mixed(node, sources)
            h, w = tokens[name].rows, tokens[name].cols
            spread = ReceptiveField(everything.rows.repeated(h), everything.cols.repeated(w))
            fields[name] = spread if node.op == "matmul" else _same(node, sources)
            continue
        rule = _RULES.get(node.op)
        if len(node.shape) != 4 or any(len(nodes[source].shape) != 4 for source in node.inputs):
            rule = None
        elif rule is None and node.op in ops.ELEMENTWISE:
            rule = _same
        fields[name] = (rule or _mixed)(node, sources)
    return fields


Rule = Callable[[Node, list[ReceptiveField]], ReceptiveField]


def _same(node: Node, sources: list[ReceptiveField]) -> ReceptiveField:
    rows, cols = sources[0].rows, sources[0].cols
    for other in sources[1:]:
        rows, cols = rows.union(other.rows), cols.union(other.cols)
    return ReceptiveField(rows, cols)


def _mixed(node: Node, sources: list[ReceptiveField]) -> ReceptiveField:
    rows, cols = Axis.everything(*(s.rows for s in sources)), Axis.everything(*(s.cols for s in sources))
    if len(node.shape) != 4:
        return ReceptiveField(rows, cols)
    h, w = node.shape[-2:]
    return ReceptiveField(rows.repeated(h), cols.repeated(w))


def _windows(node: Node, sources: list[ReceptiveField]) -> ReceptiveField:
    kernel, stride, padding, dilation = window_settings(node)
    h, w = node.shape[-2:]
    return ReceptiveField(
        sources[0].rows.windows(kernel[0], stride[0], padding[0], dilation[0], h),
        sources[0].cols.windows(kernel[1], stride[1], padding[1], dilation[1], w),
    )


def _adaptive(node: Node, sources: list[ReceptiveField]) -> ReceptiveField:
    h, w = node.shape[-2:]
    return ReceptiveField(sources[0].rows.adaptive(h), sources[0].cols.adaptive(w))


def _mean(node: Node, sources: list[ReceptiveField]) -> ReceptiveField:
    return _adaptive(node, sources) if node.kind == "pool" else _mixed(node, sources)


def _cat(node: Node, sources: list[ReceptiveField]) -> ReceptiveField:
    return _same(node, sources) if int(node.settings.get("dim", 0)) % 4 == 1 else _mixed(node, sources)


def _pad(node: Node, sources: list[ReceptiveField]) -> ReceptiveField:
    pad = [int(p) for p in node.settings["pad"]] + [0] * 4
    if node.settings.get("mode", "constant") != "constant" or any(pad[4:]):
        return _mixed(node, sources)
    return ReceptiveField(sources[0].rows.padded(pad[2], pad[3]), sources[0].cols.padded(pad[0], pad[1]))


_RULES: dict[str, Rule] = {
    "conv2d": _windows,
    "max_pool2d": _windows,
    "avg_pool2d": _windows,
    "adaptive_avg_pool2d": _adaptive,
    "adaptive_max_pool2d": _adaptive,
    "mean": _mean,
    "pad": _pad,
    "cat": _cat,
    "concat": _cat,
}

Pair = tuple[int, int]


def window_settings(node: Node) -> tuple[Pair, Pair, Pair, Pair]:
    """Kernel size, stride, padding before the first unit, and dilation of a convolution or pooling, (height, width)."""
    if node.op == "conv2d":
        kernel = ops.pair(node.settings["weight"].shape[-2:])
        stride, dilation = ops.pair(node.settings.get("stride", 1)), ops.pair(node.settings.get("dilation", 1))
        padding = node.settings.get("padding", 0)
        if padding == "valid":
            return kernel, stride, (0, 0), dilation
        if padding == "same":  # PyTorch puts the odd pixel after the last unit
            return kernel, stride, (dilation[0] * (kernel[0] - 1) // 2, dilation[1] * (kernel[1] - 1) // 2), dilation
        return kernel, stride, ops.pair(padding), dilation
    kernel = ops.pair(node.settings["kernel_size"])
    step = node.settings.get("stride")
    stride = kernel if step is None or step == [] else ops.pair(step)
    dilation = ops.pair(node.settings.get("dilation", 1))
    return kernel, stride, ops.pair(node.settings.get("padding", 0)), dilation

"""The steps that a unit's value is made of, as data."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any

import numpy as np


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One operation on the way to a unit. On its own: an operation that is not taken apart.

    Attributes:
        layer: the node's name.
        op: the PyTorch function.
        value: the result of the arithmetic in this step.
        captured: what PyTorch computed for this unit.
    """

    layer: str
    op: str
    value: float
    captured: float

    @property
    def difference(self) -> float:
        """How far the arithmetic is from PyTorch's value."""
        return self.value - self.captured

    def plain(self) -> dict[str, Any]:
        """The step as plain data for JSON; arrays become nested lists, numbers that are not finite None."""
        found = {f.name: _plain(getattr(self, f.name)) for f in fields(self)}
        return {"step": type(self).__name__, **found, "difference": _plain(self.difference)}


@dataclass(frozen=True, slots=True, kw_only=True)
class ConvStep(Step):
    """Patch × kernel, summed over each input channel, plus the bias.

    Attributes:
        source: the layer the patch is taken from.
        first_channel: number of the patch's first channel in ``source`` (above 0 with groups only).
        top, left: row and column of the patch's first value in ``source``; negative in the padding.
        dilation: distance between the patch's values in ``source``, (height, width).
        patch, kernel, products: ``(I / groups, kh, kw)``; padding is 0 in the patch.
        padding: ``(kh, kw)`` bool, the places of the patch that lie outside ``source``: zeros that nobody computed.
        sums: the products summed over each input channel, ``(I / groups,)``.
        bias: 0 where the layer has none.
    """

    source: str
    first_channel: int
    top: int
    left: int
    dilation: tuple[int, int]
    patch: np.ndarray
    padding: np.ndarray
    kernel: np.ndarray
    products: np.ndarray
    sums: np.ndarray
    bias: float


@dataclass(frozen=True, slots=True, kw_only=True)
class NormStep(Step):
    """(input − mean) / √(variance + eps) · weight + bias, as batch and group normalization do it in evaluation mode."""

    input: float
    mean: float
    variance: float
    eps: float
    weight: float
    bias: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LengthStep(Step):
    """input / length: a vector is brought to the length 1.

    Attributes:
        input: the number of this unit.
        length: √(sum of squares) of all ``count`` numbers of the vector.
        count: how many there are.
    """

    input: float
    length: float
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivationStep(Step):
    """An elementwise function of one number (also dropout, which is the identity in evaluation mode)."""

    input: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolStep(Step):
    """The largest or the mean of a window.

    Attributes:
        source, top, left, dilation: as in :class:`ConvStep`.
        window: ``(kh, kw)``; NaN outside the map.
        winner: row and column in the window of the largest value; None for means.
        divisor: what the sum is divided by; None for maxima.
    """

    source: str
    top: int
    left: int
    dilation: tuple[int, int]
    window: np.ndarray
    winner: tuple[int, int] | None
    divisor: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AddStep(Step):
    """The sum of two paths: ``terms`` are (layer, value) pairs; a constant has the layer ``""``."""

    terms: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductStep(Step):
    """The product of two paths, as of a map and its gate: ``terms`` as in :class:`AddStep`."""

    terms: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyStep(Step):
    """A unit that has the number of another one: reshaping and concatenation compute nothing.

    Attributes:
        source: the layer of the other unit.
        unit: (channel, row, column) there, or (feature,), also for maps of one pixel.
    """

    source: str
    unit: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LinearStep(Step):
    """Inputs × weights, plus the bias; the largest contributions by magnitude one by one.

    Attributes:
        source: the layer of the inputs.
        index: numbers of the inputs with the largest contributions, largest first.
        inputs, weights, products: of these.
        places: for each, (channel, row, column) in the maps that were flattened; empty if none were, or only maps of
            one pixel.
        maps: the layer of those maps, or ``""``.
        others: sum of all other products.
        count: how many others there are.
        bias: 0 where the layer has none.
    """

    source: str
    index: tuple[int, ...]
    inputs: np.ndarray
    weights: np.ndarray
    products: np.ndarray
    places: tuple[tuple[int, int, int], ...]
    maps: str
    others: float
    count: int
    bias: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SoftmaxStep(Step):
    """From logits to a probability: subtract the largest, exponentiate, divide by the total.

    Attributes:
        logits: ``(classes,)``.
        largest: the largest logit, subtracted so that nothing overflows.
        exponentials: e to the power of (logit − largest).
        total: their sum.
        probabilities: ``(classes,)``.
    """

    logits: np.ndarray
    largest: float
    exponentials: np.ndarray
    total: float
    probabilities: np.ndarray


@dataclass(frozen=True, slots=True)
class Trace:
    """How one unit got its value.

    Attributes:
        layer, channel, y, x: the unit; y and x are 0 for a layer of features.
        steps: in the order of computation: the operation that mixes several numbers, then what follows element by
            element, to the end of the layer's answer (norm and activation that directly follow), and for a logit the
            softmax.
    """

    layer: str
    channel: int
    y: int
    x: int
    steps: tuple[Step, ...]

    @property
    def step(self) -> Step:
        """The step of the unit's own layer."""
        return next(step for step in self.steps if step.layer == self.layer)

    def plain(self) -> dict[str, Any]:
        """The whole trace as plain data for JSON."""
        unit = {"layer": self.layer, "channel": self.channel, "y": self.y, "x": self.x}
        return {**unit, "value": _plain(self.step.captured), "steps": [step.plain() for step in self.steps]}


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):  # thousands of numbers, nearly always all finite
        return value.tolist() if np.isfinite(value).all() else _plain(value.tolist())
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value

"""The unit that a visitor pinned on Feature maps, as one convolution over one channel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from cnn_demo.inspect.capture import capture
from cnn_demo.inspect.receptive import window_settings

if TYPE_CHECKING:
    from cnn_demo.lessons.lesson import Subject


@dataclass(frozen=True, slots=True)
class PinnedUnit:
    """A unit of a convolution, and one of the input channels that add up to it.

    Attributes:
        layer: the name of the convolution.
        channel, row, column: of the unit.
        source: the number of that input channel, among ``sources``.
        sources: how many input channels the unit reads.
        image: ``(H, W)``, that channel.
        kernel: ``(kh, kw)``, the slice for it.
        bias: of the output channel.
        stride, padding, dilation: of the layer, vertically; horizontally they are the same.
        parts: ``(sources,)``, what each input channel adds to the unit.
        first: the number of the first of them: a group of a convolution reads some channels only.
        value: the whole unit as PyTorch computed it.
    """

    layer: str
    channel: int
    row: int
    column: int
    source: int
    sources: int
    image: Tensor
    kernel: Tensor
    bias: float
    stride: int
    padding: int
    dilation: int
    parts: Tensor
    first: int
    value: float

    @property
    def part(self) -> float:
        """What this input channel adds to the unit."""
        return float(self.parts[self.source - self.first])

    def rank_sources(self) -> list[int]:
        """The numbers of the input channels, those that add or take away most first."""
        return [self.first + int(i) for i in self.parts.abs().argsort(descending=True, stable=True)]


@torch.no_grad()
def find_pinned_unit(subject: Subject, rank: int = 1) -> PinnedUnit | None:
    """The pinned unit of this network and image; None where it is none of a square convolution.

    Args:
        subject: with the unit that was pinned.
        rank: which of its input channels, 1 for the one that adds or takes away most; at most all of them.
    """
    if subject.unit is None:
        return None
    name, channel, row, column = subject.unit
    with capture(subject.network.model) as maps:
        maps(subject.batch)
    node = maps.nodes.get(name)
    if node is None or node.op != "conv2d" or node.inputs[0] not in maps:
        return None
    _size, stride, padding, dilation = window_settings(node)
    if any(pair[0] != pair[1] for pair in (stride, padding, dilation)):
        return None
    output, source = maps[name][0], maps[node.inputs[0]][0]
    if not (channel < output.shape[0] and row < output.shape[1] and column < output.shape[2]):
        return None
    weight: Tensor = node.settings["weight"][channel].detach()  # (C_in / groups, kh, kw)
    first = channel // (output.shape[0] // int(node.settings.get("groups", 1))) * len(weight)
    read = torch.nn.functional.pad(source[first : first + len(weight)], (padding[0],) * 4)
    top, left = row * stride[0], column * stride[0]
    patch = read[
        :,
        top : top + (weight.shape[1] - 1) * dilation[0] + 1 : dilation[0],
        left : left + (weight.shape[2] - 1) * dilation[0] + 1 : dilation[0],
    ]
    parts = (patch * weight).sum((1, 2))
    best = int(parts.abs().argsort(descending=True, stable=True)[min(rank, len(parts)) - 1])
    bias = 0.0 if node.settings.get("bias") is None else float(node.settings["bias"][channel])
    return PinnedUnit(
        name,
        channel,
        row,
        column,
        first + best,
        len(weight),
        source[first + best],
        weight[best],
        bias,
        stride[0],
        padding[0],
        dilation[0],
        parts,
        first,
        float(output[channel, row, column]),
    )

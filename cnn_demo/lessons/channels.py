"""Many channels: every output channel is a sum over input channels; groups and 1 × 1 kernels; what each of them costs.

Sources: Chollet, "Xception", 2017; Howard et al., "MobileNets", 2017.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

Pair = tuple[int, int]  # (vertical, horizontal)


def split_by_input(
    x: Tensor, weight: Tensor, stride: Pair = (1, 1), padding: Pair = (0, 0), dilation: Pair = (1, 1)
) -> Tensor:
    """What each input channel adds to one output channel.

    Args:
        x: ``(C_in, H, W)``.
        weight: ``(C_in, kh, kw)``, of one output channel.
        stride, padding, dilation: of the convolution.

    Returns:
        ``(C_in, H_out, W_out)``; their sum plus the bias is the output channel.
    """
    return F.conv2d(x[None], weight[:, None], None, stride, padding, dilation, groups=len(x))[0]


def convolve_depthwise_pointwise(x: Tensor, depthwise: Tensor, pointwise: Tensor) -> Tensor:
    """A kernel for each channel on its own, then a 1 × 1 convolution that mixes them.

    Args:
        x: ``(C_in, H, W)``.
        depthwise: ``(C_in, 1, k, k)``, k odd.
        pointwise: ``(C_out, C_in, 1, 1)``.

    Returns:
        ``(C_out, H, W)``.
    """
    each = F.conv2d(x[None], depthwise, padding=depthwise.shape[-1] // 2, groups=len(x))
    return F.conv2d(each, pointwise)[0]


@dataclass(frozen=True, slots=True)
class Cost:
    """Parameters (biases included), and multiply-adds for one image."""

    parameters: int
    multiply_adds: int


def count_cost(inputs: int, outputs: int, kernel: int, places: int, groups: int = 1) -> Cost:
    """The cost of one convolution that answers at ``places`` places; ``groups`` divides both numbers of channels."""
    weights = kernel * kernel * (inputs // groups) * outputs
    return Cost(weights + outputs, weights * places)


def count_separable_cost(inputs: int, outputs: int, kernel: int, places: int) -> Cost:
    """The cost of depthwise and pointwise together."""
    each, mix = count_cost(inputs, inputs, kernel, places, groups=inputs), count_cost(inputs, outputs, 1, places)
    return Cost(each.parameters + mix.parameters, each.multiply_adds + mix.multiply_adds)


FILTERS: dict[str, Tensor] = {  # (3, 3, 3): for red, green and blue
    "gray": torch.tensor([0.299, 0.587, 0.114])[:, None, None] * torch.tensor([[0.0, 0, 0], [0, 1, 0], [0, 0, 0]]),
    "edges": torch.tensor([[0.0, -1, 0], [-1, 4, -1], [0, -1, 0]]).expand(3, 3, 3),
    "red-green": torch.tensor([1.0, -1.0, 0.0])[:, None, None] * torch.full((3, 3), 1 / 9),
    "blue-yellow": torch.tensor([-0.5, -0.5, 1.0])[:, None, None] * torch.full((3, 3), 1 / 9),
}

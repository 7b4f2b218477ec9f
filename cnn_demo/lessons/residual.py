"""Residual connections: y = F(x) + x, and what the addition does to the gradient of deep networks.

Sources: He et al., "Deep residual learning for image recognition", 2016; Vaswani et al., "Attention is all you need",
2017.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Block(nn.Module):
    """Two linear layers with a ReLU between them, and a skip connection that can be taken out."""

    def __init__(self, width: int, skip: bool) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(width, width), nn.Linear(width, width)
        self.skip = skip

    def forward(self, x: Tensor) -> Tensor:
        """``(N, width)`` to the same shape."""
        f = self.second(F.relu(self.first(x)))
        return f + x if self.skip else f


class TokenBlock(nn.Module):
    """A transformer block: attention, then two linear layers, each after a layer norm; both skips can be taken out."""

    def __init__(self, width: int, skip: bool) -> None:
        super().__init__()
        self.norms = nn.ModuleList([nn.LayerNorm(width), nn.LayerNorm(width)])
        self.attention = nn.MultiheadAttention(width, 4, batch_first=True)
        self.first, self.second = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)
        self.skip = skip

    def forward(self, x: Tensor) -> Tensor:
        """``(N, tokens, width)`` to the same shape."""
        a = self.norms[0](x)
        a = self.attention(a, a, a, need_weights=False)[0]
        x = a + x if self.skip else a
        f = self.second(F.relu(self.first(self.norms[1](x))))
        return f + x if self.skip else f


@dataclass(frozen=True, slots=True)
class Gradients:
    """The root mean square of the gradient before the first block and after each, ``(blocks + 1,)``.

    Attributes:
        norms: from the input to the end; that of the sum of the last output is 1 there.
        x, f, y: the first numbers that go into the first block, what F makes of them, and what leaves it.
    """

    norms: Tensor
    x: Tensor
    f: Tensor
    y: Tensor


def measure_gradients(blocks: list[nn.Module], x: Tensor) -> Gradients:
    """Send ``x`` through blocks and the gradient of the sum back, by autograd."""
    places = [x.clone().requires_grad_()]
    for block in blocks:
        places.append(block(places[-1]))
    gradients = torch.autograd.grad(places[-1].sum(), places)
    y, first = places[1].detach().flatten()[:6], places[0].detach().flatten()[:6]
    skip = bool(getattr(blocks[0], "skip", False))
    return Gradients(
        torch.stack([gradient.square().mean().sqrt() for gradient in gradients]), first, y - first if skip else y, y
    )


def make_deep_network(depth: int, skip: bool, width: int = 32) -> nn.Module:
    """A network for digits: 784 → width, ``depth`` blocks, width → 10."""
    blocks = [Block(width, skip) for _ in range(depth)]
    return nn.Sequential(nn.Flatten(), nn.Linear(784, width), nn.ReLU(), *blocks, nn.Linear(width, 10))

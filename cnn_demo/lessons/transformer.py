"""From convolutions to transformers: patches are a strided convolution, attention sees everything at once.

Sources: Dosovitskiy et al., "An image is worth 16x16 words", 2021; Vaswani et al., "Attention is all you need", 2017;
Radford et al., "Learning transferable visual models from natural language supervision", 2021.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def draw_embedding(patch: int, width: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Random weights ``(width, 1, patch, patch)`` and biases ``(width,)`` that make a token of a patch."""
    stream = torch.Generator().manual_seed(seed)
    return torch.randn(width, 1, patch, patch, generator=stream) / patch, torch.randn(width, generator=stream) / 10


def embed_by_convolution(image: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """A convolution whose stride is its kernel: ``(H, W)`` to tokens ``(T, width)``, row by row."""
    maps = F.conv2d(image[None, None], weight, bias, stride=weight.shape[-1])  # -> (1, width, H / p, W / p)
    return maps[0].flatten(1).T  # (width, T) -> (T, width)


def embed_by_linear(image: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """The patches cut out, laid flat, and sent through one linear layer: the same tokens ``(T, width)``."""
    patch = weight.shape[-1]
    patches = F.unfold(image[None, None], patch, stride=patch)[0].T  # (p · p, T) -> (T, p · p)
    return F.linear(patches, weight.flatten(1), bias)


def attend(q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    """softmax(q kᵀ / √d) v for ``(T, d)`` each: the weights ``(T, T)``, every row sums to 1, and what comes out."""
    weights = (q @ k.T / q.shape[-1] ** 0.5).softmax(-1)
    return weights, weights @ v


def find_seen(size: int, layers: int, kernel: int = 3) -> Tensor:
    """Which pixels can change the unit in the middle after some convolutions of stride 1: ``(size, size)`` of 0 and 1.

    Found by autograd: the gradient is not zero where the unit looks.
    """
    x = torch.zeros(1, 1, size, size, requires_grad=True)
    y = x
    for _layer in range(layers):
        y = F.conv2d(y, torch.ones(1, 1, kernel, kernel) / kernel**2, padding=kernel // 2)
    (gradient,) = torch.autograd.grad(y[0, 0, size // 2, size // 2], x)
    return (gradient[0, 0] != 0).float()

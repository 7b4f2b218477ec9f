"""Plain convolutional networks: blocks of convolution, activation and pooling, then a head of two linear layers."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import torch
from torch import Tensor, nn

from cnn_demo.models.layers import create_activation, create_normalization
from cnn_demo.models.options import refuse_depth


class CNN(nn.Module):
    """Conv 3×3 – ReLU – MaxPool 2, twice, then Linear – ReLU – Dropout – Linear.

    For ``(N, 1, 28, 28)`` and 10 classes it has 1,630,090 parameters. Convolutions keep height and width (padding 1),
    each pooling halves them. Each block has twice the channels of the one before.

    Args:
        channels, size: C and H = W of the images.
        classes: number of logits.
        width: channels of the first convolution.
        depth: number of blocks.
        activation, normalization: as in ``cnn_demo.models.options``; the normalization follows each convolution.
        dropout: share of the 512 features that is switched off in training.
        strided: convolutions of stride 2 halve height and width, and there is no pooling.

    Raises:
        ConfigError: the images are too small to be halved so often.
    """

    conv1: nn.Conv2d
    conv2: nn.Conv2d
    relu1: nn.Module
    relu2: nn.Module
    relu3: nn.Module
    pool1: nn.Module
    pool2: nn.Module

    def __init__(
        self,
        channels: int = 1,
        size: int = 28,
        classes: int = 10,
        *,
        width: int = 32,
        depth: int = 2,
        activation: str = "relu",
        normalization: str = "none",
        dropout: float = 0.5,
        strided: bool = False,
    ) -> None:
        super().__init__()
        refuse_depth(depth, size)
        before, after = channels, width
        for i in range(1, depth + 1):
            # A bias in front of a normalization would be taken away again.
            bias, stride = normalization == "none", 2 if strided else 1
            self.add_module(f"conv{i}", nn.Conv2d(before, after, kernel_size=3, stride=stride, padding=1, bias=bias))
            if normalization != "none":
                self.add_module(f"norm{i}", create_normalization(normalization, after))
            self.add_module(f"{activation}{i}", create_activation(activation))
            if not strided:
                self.add_module(f"pool{i}", nn.MaxPool2d(2))
            size = (size + 1) // 2 if strided else size // 2
            before, after = after, 2 * after
        self.fc1 = nn.Linear(before * size**2, 512)
        self.add_module(f"{activation}{depth + 1}", create_activation(activation))
        self.dropout = nn.Dropout(dropout)
        self.fc2 = nn.Linear(512, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Images ``(N, C, H, W)`` to logits ``(N, classes)``: the layers one after the other, in the order above."""
        # By default (N, C, 28, 28) -> (N, 32, 14, 14) -> (N, 64, 7, 7) -> (N, 3136) -> (N, 512) -> (N, classes).
        for name, layer in self.named_children():
            if name == "fc1":
                x = torch.flatten(x, 1)  # (N, C, H, W) -> (N, C · H · W)
            x = layer(x)
        return x


def strided_cnn(channels: int, size: int, classes: int, **options: Any) -> CNN:
    """The same network without pooling: each convolution has stride 2.

    Source: Springenberg, Dosovitskiy, Brox and Riedmiller, "Striving for Simplicity: The All Convolutional Net", 2015.
    """
    return CNN(channels, size, classes, strided=True, **options)


def tiny_cnn(
    channels: int, size: int, classes: int, *, width: int = 16, activation: str = "relu", normalization: str = "batch"
) -> nn.Sequential:
    """The fast one: 29,434 parameters and 1.9 million multiply-adds for ``(N, 1, 28, 28)``.

    Its first convolution has stride 2, so that everything behind it works on a quarter of the places. Its head is one
    linear layer on maps of 3 × 3. After one pass over 50,000 training images of MNIST that was right in 98.7% of 10,000
    others, where the mean over each map in its place was right in 97.6%: the mean takes longer to learn.

    Args:
        channels, size: C and H = W of the images.
        classes: number of logits.
        width: channels of the first convolution; the others have two and four times as many.
        activation, normalization: as in ``cnn_demo.models.options``.

    Raises:
        ValueError: the images are smaller than 7 × 7.
    """
    if size < 7:
        raise ValueError(f"size = {size}: it is halved three times, so images need at least 7 × 7 pixels")
    bias, last = normalization == "none", (size + 1) // 2 // 4
    layers = OrderedDict(
        conv1=nn.Conv2d(channels, width, kernel_size=5, stride=2, padding=2, bias=bias),  # -> (N, 16, 14, 14)
        norm1=create_normalization(normalization, width),
        act1=create_activation(activation),
        conv2=nn.Conv2d(width, 2 * width, kernel_size=3, padding=1, bias=bias),  # -> (N, 32, 14, 14)
        norm2=create_normalization(normalization, 2 * width),
        act2=create_activation(activation),
        pool2=nn.MaxPool2d(2),  # -> (N, 32, 7, 7)
        conv3=nn.Conv2d(2 * width, 4 * width, kernel_size=3, padding=1, bias=bias),  # -> (N, 64, 7, 7)
        norm3=create_normalization(normalization, 4 * width),
        act3=create_activation(activation),
        pool3=nn.MaxPool2d(2),  # -> (N, 64, 3, 3)
        flatten=nn.Flatten(),  # -> (N, 576)
        fc=nn.Linear(4 * width * last**2, classes),  # -> (N, classes)
    )
    return nn.Sequential(layers)

"""The plain two-convolution network: 1-32-64 channels and a 512-unit head."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class CNN(nn.Module):
    """Conv 3×3 – ReLU – MaxPool 2, twice, then Linear – ReLU – Dropout – Linear.

    For ``(N, 1, 28, 28)`` and 10 classes it has 1,630,090 parameters. Convolutions keep height and width (padding 1),
    each pooling halves them.
    """

    def __init__(self, channels: int = 1, size: int = 28, classes: int = 10) -> None:
        super().__init__()
        if size < 4:
            raise ValueError(f"size = {size}: two poolings need images of at least 4 × 4 pixels")
        self.conv1 = nn.Conv2d(channels, 32, kernel_size=3, padding=1)
        self.relu1 = nn.ReLU()
        self.pool1 = nn.MaxPool2d(2)
        self.conv2 = nn.Conv2d(32, 64, kernel_size=3, padding=1)
        self.relu2 = nn.ReLU()
        self.pool2 = nn.MaxPool2d(2)
        self.fc1 = nn.Linear(64 * (size // 4) ** 2, 512)
        self.relu3 = nn.ReLU()
        self.dropout = nn.Dropout(0.5)
        self.fc2 = nn.Linear(512, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Images ``(N, C, H, W)`` to logits ``(N, classes)``."""
        x = self.pool1(self.relu1(self.conv1(x)))  # (N, C, 28, 28) -> (N, 32, 14, 14)
        x = self.pool2(self.relu2(self.conv2(x)))  # -> (N, 64, 7, 7)
        x = torch.flatten(x, 1)  # -> (N, 3136)
        x = self.dropout(self.relu3(self.fc1(x)))  # -> (N, 512)
        return self.fc2(x)  # -> (N, classes)

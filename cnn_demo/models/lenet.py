"""LeNet-5 (LeCun, Bottou, Bengio and Haffner, "Gradient-Based Learning Applied to Document Recognition", 1998)."""

from __future__ import annotations

from torch import Tensor, nn

from cnn_demo.models.layers import create_activation


class LeNet5(nn.Module):
    """Conv 5×5 – mean of 2×2, twice, then three linear layers: 61,706 parameters for ``(N, 1, 28, 28)``.

    The paper reads images of 32 × 32 pixels; smaller ones get two pixels of padding. Three things are as they became
    usual later: pooling has no weights of its own, every map of the second convolution reads all six of the first, and
    the answer is a linear layer with softmax.

    Args:
        channels, size: C and H = W of the images.
        classes: number of logits.
        activation: as in ``cnn_demo.models.options``; the paper's is tanh.

    Raises:
        ValueError: the images are too small.
    """

    def __init__(self, channels: int, size: int, classes: int, *, activation: str = "tanh") -> None:
        super().__init__()
        padding = 0 if size >= 32 else 2
        last = ((size + 2 * padding - 4) // 2 - 4) // 2  # height and width behind the second pooling
        if last < 1:
            raise ValueError(f"size = {size}: LeNet-5 needs images of at least 12 × 12 pixels")
        self.conv1 = nn.Conv2d(channels, 6, kernel_size=5, padding=padding)
        self.act1 = create_activation(activation)
        self.pool1 = nn.AvgPool2d(2)
        self.conv2 = nn.Conv2d(6, 16, kernel_size=5)
        self.act2 = create_activation(activation)
        self.pool2 = nn.AvgPool2d(2)
        self.fc1 = nn.Linear(16 * last**2, 120)
        self.act3 = create_activation(activation)
        self.fc2 = nn.Linear(120, 84)
        self.act4 = create_activation(activation)
        self.fc3 = nn.Linear(84, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Images ``(N, C, H, W)`` to logits ``(N, classes)``."""
        x = self.pool1(self.act1(self.conv1(x)))  # (N, C, 28, 28) -> (N, 6, 14, 14)
        x = self.pool2(self.act2(self.conv2(x)))  # -> (N, 16, 5, 5)
        x = x.flatten(1)  # -> (N, 400)
        x = self.act3(self.fc1(x))  # -> (N, 120)
        x = self.act4(self.fc2(x))  # -> (N, 84)
        return self.fc3(x)  # -> (N, classes)

"""A small vision transformer whose patches are embedded by convolutions.

The transformer is that of Dosovitskiy et al., "An Image is Worth 16x16 Words", 2021: pre-norm blocks, a class token and
learnt positions. Two convolutions stand in for its patch embedding, after Xiao et al., "Early Convolutions Help
Transformers See Better", 2021: with few images to learn from, neighboring pixels need not be found first.

Attention is written out as the product, softmax and weighted sum that it is, so that a page can show its weights. A
test holds it equal to ``torch.nn.functional.scaled_dot_product_attention``.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Attention(nn.Module):
    """Multi-head self-attention (Vaswani et al., "Attention Is All You Need", 2017): softmax(q kᵀ / √d) v.

    Every token asks (query), every token answers (key), and what a token gets is the mean of all values, weighted by
    how well the answers fit. Each head does so in its own d = width / heads numbers.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.weights = nn.Softmax(-1)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Tokens ``(N, T, D)`` to ``(N, T, D)``."""
        q, k, v = self._split(self.query(x)), self._split(self.key(x)), self._split(self.value(x))
        scores = torch.matmul(q, k.transpose(-2, -1)) * q.shape[-1] ** -0.5  # -> (N, heads, T, T)
        weights = self.weights(scores)  # each row, one for a query, sums to 1
        mixed = torch.matmul(weights, v)  # -> (N, heads, T, d)
        return self.out(mixed.transpose(1, 2).flatten(2))  # -> (N, T, heads, d) -> (N, T, D)

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)  # (N, T, D) -> (N, T, heads, d) -> (N, heads, T, d)


class Block(nn.Module):
    """Attention mixes the tokens, then two linear layers think about each token alone; both add to what was there."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.dropout1 = nn.Dropout(dropout)
        self.norm2 = nn.LayerNorm(width)
        self.fc1 = nn.Linear(width, 4 * width)
        self.gelu = nn.GELU()
        self.fc2 = nn.Linear(4 * width, width)
        self.dropout2 = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Tokens ``(N, T, D)`` to ``(N, T, D)``."""
        x = x + self.dropout1(self.attention(self.norm1(x)))
        return x + self.dropout2(self.fc2(self.gelu(self.fc1(self.norm2(x)))))


class VitHybrid(nn.Module):
    """Two convolutions of stride 2, then ``depth`` transformer blocks over a class token and one token for each place.

    An image of 28 × 28 pixels gives 7 × 7 places. The class token alone decides; it has seen the image only through
    attention.
    """

    def __init__(
        self,
        channels: int = 1,
        size: int = 28,
        classes: int = 10,
        depth: int = 3,
        heads: int = 4,
        head_width: int = 16,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        if size < 4:
            raise ValueError(f"size = {size}: two strides of 2 need images of at least 4 × 4 pixels")
        width = heads * head_width  # D
        grid = size // 4
        # Kernels of an even size, so that what a token sees lies around its own 4 × 4 pixels.
        self.conv1 = nn.Conv2d(channels, width // 2, kernel_size=4, stride=2, padding=1)
        self.bn1 = nn.BatchNorm2d(width // 2)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(width // 2, width, kernel_size=4, stride=2, padding=1)
        # The class token is nothing but its position: zeros are put in front, then what was learnt is added.
        self.positions = nn.Parameter(torch.zeros(1, 1 + grid**2, width))
        nn.init.trunc_normal_(self.positions, std=0.02)
        self.blocks = nn.Sequential(*(Block(width, heads, dropout) for _ in range(depth)))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Images ``(N, C, H, W)`` to logits ``(N, classes)``."""
        x = self.relu1(self.bn1(self.conv1(x)))  # (N, C, 28, 28) -> (N, D / 2, 14, 14)
        x = self.conv2(x)  # -> (N, D, 7, 7)
        x = x.flatten(2).transpose(1, 2)  # -> (N, D, 49) -> (N, 49, D): a token for each place
        x = F.pad(x, (0, 0, 1, 0))  # -> (N, 50, D): the class token first
        x = self.blocks(x + self.positions)
        return self.head(self.norm(x)[:, 0])  # the class token: (N, D) -> (N, classes)

"""One convolution over one channel, as PyTorch computes it: a cross-correlation, term by term.

Source: Dumoulin and Visin, "A guide to convolution arithmetic for deep learning", 2016.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

KERNELS: dict[str, Tensor] = {
    "identity": torch.tensor([[0.0, 0, 0], [0, 1, 0], [0, 0, 0]]),
    "blur": torch.full((3, 3), 1 / 9),
    "sharpen": torch.tensor([[0.0, -1, 0], [-1, 5, -1], [0, -1, 0]]),
    "sobel-x": torch.tensor([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]]),
    "sobel-y": torch.tensor([[-1.0, -2, -1], [0, 0, 0], [1, 2, 1]]),
    "laplacian": torch.tensor([[0.0, 1, 0], [1, -4, 1], [0, 1, 0]]),
}


def cross_correlate(x: Tensor, w: Tensor, bias: float = 0.0, stride: int = 1, dilation: int = 1) -> Tensor:
    """Slide ``w (kh, kw)`` over ``x (H, W)``: ``(H_out, W_out)``. What is called a convolution in deep learning."""
    return F.conv2d(x[None, None], w[None, None], torch.tensor([bias]), stride=stride, dilation=dilation)[0, 0]


def convolve(x: Tensor, w: Tensor, bias: float = 0.0, stride: int = 1, dilation: int = 1) -> Tensor:
    """A convolution as mathematics defines it: the kernel is turned by 180° first."""
    return cross_correlate(x, w.flip(0, 1), bias, stride, dilation)


def transpose_convolve(x: Tensor, w: Tensor, stride: int = 1) -> Tensor:
    """Each value of ``x (H, W)`` stamps the kernel into the output, ``stride`` cells apart; stamps add up."""
    return F.conv_transpose2d(x[None, None], w[None, None], stride=stride)[0, 0]


def pad_image(x: Tensor, sides: tuple[int, int, int, int], fill: str = "zeros") -> Tensor:
    """Put cells around ``x (H, W)``.

    Args:
        x: the image.
        sides: cells on the left, the right, at the top, the bottom.
        fill: zeros, reflect or circular.

    Raises:
        ValueError: the image is too small to fill so many cells from it.
    """
    if fill == "zeros":
        return F.pad(x, sides)
    most = min(x.shape) - (1 if fill == "reflect" else 0)
    if max(sides) > most:
        raise ValueError(f"{fill} padding of {max(sides)} needs a larger image than {tuple(x.shape)}")
    return F.pad(x[None, None], sides, mode=fill)[0, 0]


def split_same_padding(kernel: int, dilation: int = 1) -> tuple[int, int]:
    """Padding before and after with which stride 1 keeps the size; an even kernel needs one more after (PyTorch)."""
    total = dilation * (kernel - 1)
    return total // 2, total - total // 2


def count_outputs(size: int, kernel: int, padding: int, stride: int, dilation: int) -> tuple[int, int]:
    """Places along one side, and how many cells at the far end no window reaches.

    ``padding`` is the sum of both ends. 0 places where the kernel is larger than the padded input.
    """
    room = size + padding - dilation * (kernel - 1) - 1
    return (0, 0) if room < 0 else (room // stride + 1, room % stride)


def list_products(x: Tensor, w: Tensor, stride: int = 1, dilation: int = 1) -> Tensor:
    """Every product of every window: ``(H_out · W_out, kh · kw)``, row by row."""
    patches = F.unfold(x[None, None], (w.shape[0], w.shape[1]), dilation=dilation, stride=stride)[0]
    return patches.T * w.flatten()  # (kh·kw, L) -> (L, kh·kw)


def add_up(products: Tensor) -> Tensor:
    """The sum of each window as it grows, the same shape as ``products``."""
    return products.cumsum(1)


def count_stamps(size: tuple[int, int], kernel: tuple[int, int], stride: int) -> Tensor:
    """How many stamps of a transposed convolution overlap in each cell: uneven where stride does not divide kernel."""
    return transpose_convolve(torch.ones(size), torch.ones(kernel), stride)

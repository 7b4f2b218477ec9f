"""The pixels before the network sees them: ToTensor and Normalize, and what they do to the histogram.

The usual claim that Normalize brings MNIST to [-1, 1] is wrong: mean 0 and deviation 1 do not bound a number.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from cnn_demo.datasets.device_dataset import PixelStatistics, normalize


def scale_to_unit(images: Tensor) -> Tensor:
    """What ToTensor does to bytes: 0..255 becomes 0..1, float32, the same shape."""
    return images.float() / 255


def measure_pixels(images: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and (population) standard deviation of all pixels of ``(N, C, H, W)`` uint8, each channel: ``(C,)``."""
    pixels = scale_to_unit(images).transpose(0, 1).flatten(1).double()  # (N, C, H, W) -> (C, N·H·W)
    return pixels.mean(1), pixels.std(1, correction=0)


def measure_gradually(images: Tensor, counts: list[int]) -> list[tuple[Tensor, Tensor]]:
    """The same after the first ``count`` images, for each count."""
    return [measure_pixels(images[:count]) for count in counts]


def count_bins(values: Tensor, low: float, high: float, bins: int) -> Tensor:
    """The share of the values in each of ``bins`` equal bins from ``low`` to ``high``: ``(bins,)``, sums to 1."""
    return torch.histc(values.flatten().float(), bins, low, high) / values.numel()


def prepare_wrongly(image: Tensor, spec: PixelStatistics, fault: str) -> Tensor:
    """The input ``(1, C, H, W)`` as people get it wrong.

    Args:
        image: ``(C, H, W)`` uint8.
        spec: with the right mean and deviation.
        fault: none; unit (normalization forgotten); bytes (0..255 as they are); twice (normalized two times);
            inverted (dark on light, as on paper).
    """
    right = normalize(image[None], spec)
    if fault == "unit":
        return scale_to_unit(image)[None]
    if fault == "bytes":
        return image[None].float()
    if fault == "twice":
        return normalize(right, spec)
    if fault == "inverted":
        return normalize((255 - image)[None], spec)
    return right


@torch.no_grad()
def count_correct(model: nn.Module, images: Tensor, labels: Tensor, spec: PixelStatistics, fault: str) -> int:
    """How many of ``(N, C, H, W)`` uint8 images a network reads right when they are prepared so."""
    inputs = torch.cat([prepare_wrongly(image, spec, fault) for image in images])
    return int((model(inputs).argmax(1) == labels).sum())

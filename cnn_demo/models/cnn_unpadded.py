"""A deep network of convolutions without padding: the one that reads handwriting best here for its size."""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

# Output channels of the 3 × 3 convolutions before and after the pooling.
_BEFORE, _AFTER = (32, 48), (96, 128, 160, 192)


def cnn_unpadded(channels: int, size: int, classes: int) -> nn.Module:
    """Six times Conv – BatchNorm – ReLU without padding, one pooling after the second, and one Linear layer.

    Nothing is added around the image: each convolution makes the maps two pixels smaller, 28 → 26 → 24, pooled to 12,
    → 10 → 8 → 6 → 4. Every value that a convolution sees comes from the image. The idea of leaving the padding away and
    widening the maps as they shrink is of An et al., "An ensemble of simple convolutional neural network models for
    MNIST digit recognition", 2020, whose networks have ten such layers and no pooling. For ``(N, 1, 28, 28)`` and 10
    classes it has 659,018 parameters.

    Args:
        channels: color channels of the input.
        size: height and width of the input in pixels.
        classes: number of logits.

    Raises:
        ValueError: nothing would be left of the images.
    """
    side = (size - 2 * len(_BEFORE)) // 2 - 2 * len(_AFTER)
    if side < 1:
        raise ValueError(f"size = {size}: six convolutions without padding need images of at least 22 × 22 pixels")
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    before = channels
    for number, width in enumerate((*_BEFORE, *_AFTER), 1):
        layers[f"conv{number}"] = nn.Conv2d(before, width, kernel_size=3, bias=False)  # the norm has a bias
        layers[f"norm{number}"] = nn.BatchNorm2d(width)
        layers[f"relu{number}"] = nn.ReLU()
        if number == len(_BEFORE):
            layers["pool"] = nn.MaxPool2d(2)  # (N, 48, 24, 24) -> (N, 48, 12, 12)
        before = width
    layers["flatten"] = nn.Flatten()  # (N, 192, 4, 4) -> (N, 3072)
    layers["fc"] = nn.Linear(before * side * side, classes)
    return nn.Sequential(layers)

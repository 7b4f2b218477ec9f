"""A deep, narrow network without poolings in between: the one behind the preset ``modern``."""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

# Output channels, kernel and stride of each convolution.
_LAYERS = ((32, 5, 2), (32, 3, 1), (64, 3, 2), (64, 3, 1), (128, 3, 1), (192, 3, 2))


def cnn_deep(channels: int, size: int, classes: int) -> nn.Module:
    """Six times Conv – BatchNorm – ReLU, then the mean of each map and one Linear layer.

    Three of the convolutions have stride 2, the first of them at once: most of the work happens on maps of 14 × 14 and
    7 × 7. Batch norm: Ioffe and Szegedy, "Batch normalization", 2015; strided convolutions in place of pooling:
    Springenberg et al., "Striving for simplicity", 2015; the mean of each map: Lin, Chen and Yan, "Network in network",
    2014. For ``(N, 1, 28, 28)`` and 10 classes it has 363,178 parameters.

    Args:
        channels: color channels of the input.
        size: height and width of the input in pixels.
        classes: number of logits.

    Raises:
        ValueError: the images are too small for three halvings.
    """
    if size < 8:
        raise ValueError(f"size = {size}: three strides of 2 need images of at least 8 × 8 pixels")
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    before = channels
    for number, (width, kernel, stride) in enumerate(_LAYERS, 1):
        # The norm has a bias of its own.
        layers[f"conv{number}"] = nn.Conv2d(before, width, kernel, stride, padding=kernel // 2, bias=False)
        layers[f"norm{number}"] = nn.BatchNorm2d(width)
        layers[f"relu{number}"] = nn.ReLU()
        before = width
    layers["pool"] = nn.AdaptiveAvgPool2d(1)  # (N, 192, 4, 4) -> (N, 192, 1, 1)
    layers["flatten"] = nn.Flatten()  # -> (N, 192)
    layers["fc"] = nn.Linear(before, classes)
    return nn.Sequential(layers)

"""ResNet-18 (He, Zhang, Ren and Sun, "Deep Residual Learning for Image Recognition", 2016) for small images."""

from __future__ import annotations

from torch import nn


def resnet18(channels: int, size: int, classes: int) -> nn.Module:
    """torchvision's ResNet-18; images under 64 pixels get the stem of the paper's CIFAR networks.

    That stem is one 3 × 3 convolution with stride 1 and no pooling, so that a 28 × 28 image is still 28 × 28 at the
    first residual block and 4 × 4 at the last.
    """
    from torchvision.models import resnet18 as build  # takes a second to import, and only this entry needs it

    model = build(num_classes=classes)
    if size < 64:
        model.conv1 = nn.Conv2d(channels, 64, kernel_size=3, padding=1, bias=False)
        model.maxpool = nn.Identity()
    else:
        model.conv1 = nn.Conv2d(channels, 64, kernel_size=7, stride=2, padding=3, bias=False)
    nn.init.kaiming_normal_(model.conv1.weight, mode="fan_out", nonlinearity="relu")
    return model

"""Residual networks (He, Zhang, Ren and Sun, "Deep Residual Learning for Image Recognition", 2016)."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from cnn_demo.models.layers import create_activation, create_normalization


class ResidualBlock(nn.Module):
    """Two 3 × 3 convolutions; what they find is added to what came in.

    Args:
        before, after: channels that come in and go out.
        stride: 2 halves height and width.
        activation, normalization: as in ``cnn_demo.models.options``.
        skip: without it the block is two ordinary convolutions.
        gate: weigh the channels of what they find, see :class:`SqueezeExcitation`.
    """

    def __init__(
        self, before: int, after: int, stride: int, *, activation: str, normalization: str, skip: bool, gate: bool
    ) -> None:
        super().__init__()
        bias = normalization == "none"
        self.conv1 = nn.Conv2d(before, after, kernel_size=3, stride=stride, padding=1, bias=bias)
        self.norm1 = create_normalization(normalization, after)
        self.act1 = create_activation(activation)
        self.conv2 = nn.Conv2d(after, after, kernel_size=3, padding=1, bias=bias)
        self.norm2 = create_normalization(normalization, after)
        self.gate = SqueezeExcitation(after) if gate else nn.Identity()
        self.shortcut: nn.Module | None = None
        if skip and (stride != 1 or before != after):  # what comes in must get the shape of what goes out
            conv = nn.Conv2d(before, after, kernel_size=1, stride=stride, bias=bias)
            self.shortcut = nn.Sequential(conv, create_normalization(normalization, after))
        elif skip:
            self.shortcut = nn.Identity()
        self.act2 = create_activation(activation)

    def forward(self, x: Tensor) -> Tensor:
        """``(N, before, H, W)`` to ``(N, after, H / stride, W / stride)``."""
        found = self.norm2(self.conv2(self.act1(self.norm1(self.conv1(x)))))
        found = self.gate(found)
        if self.shortcut is not None:
            found = found + self.shortcut(x)
        return self.act2(found)


class SqueezeExcitation(nn.Module):
    """A weight from 0 to 1 for each channel, from the means of all channels.

    Source: Hu, Shen and Sun, "Squeeze-and-Excitation Networks", 2018.

    Args:
        channels: C of ``(N, C, H, W)``.
        reduction: the hidden layer has this many times fewer features.
    """

    def __init__(self, channels: int, reduction: int = 4) -> None:
        super().__init__()
        hidden = max(1, channels // reduction)
        self.squeeze = nn.AdaptiveAvgPool2d(1)
        self.reduce = nn.Conv2d(channels, hidden, kernel_size=1)  # on (N, C, 1, 1) this is a linear layer
        self.relu = nn.ReLU()
        self.expand = nn.Conv2d(hidden, channels, kernel_size=1)
        self.sigmoid = nn.Sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        """``(N, C, H, W)`` to the same shape, each channel times its weight."""
        means = self.squeeze(x)  # (N, C, H, W) -> (N, C, 1, 1)
        weights = self.sigmoid(self.expand(self.relu(self.reduce(means))))  # (N, C, 1, 1)
        return x * weights


class SmallResNet(nn.Module):
    """A convolution, three stages of residual blocks, the mean over each map, and one linear layer.

    The second and third stage halve height and width and double the channels, as in the networks of the paper for
    CIFAR-10. For ``(N, 1, 28, 28)`` and 10 classes it has 174,970 parameters.

    Args:
        channels, size: C and H = W of the images.
        classes: number of logits.
        width: channels of the first stage.
        depth: blocks of each stage.
        activation, normalization: as in ``cnn_demo.models.options``.
        dropout: share of the features in front of the linear layer that is switched off in training.
        skip: without it nothing is added around a block, and a deep network learns worse.
        gate: each block weighs its channels, see :class:`SqueezeExcitation`.

    Raises:
        ValueError: the images are smaller than 4 × 4.
    """

    def __init__(
        self,
        channels: int,
        size: int,
        classes: int,
        *,
        width: int = 16,
        depth: int = 2,
        activation: str = "relu",
        normalization: str = "batch",
        dropout: float = 0.0,
        skip: bool = True,
        gate: bool = False,
    ) -> None:
        super().__init__()
        if size < 4:
            raise ValueError(f"size = {size}: it is halved twice, so images need at least 4 × 4 pixels")
        bias = normalization == "none"
        self.conv = nn.Conv2d(channels, width, kernel_size=3, padding=1, bias=bias)
        self.norm = create_normalization(normalization, width)
        self.act = create_activation(activation)
        before = width
        for stage in (1, 2, 3):
            after = width * 2 ** (stage - 1)
            blocks = nn.Sequential()
            for i in range(depth):
                stride = 2 if stage > 1 and i == 0 else 1
                blocks.append(
                    ResidualBlock(
                        before,
                        after,
                        stride,
                        activation=activation,
                        normalization=normalization,
                        skip=skip,
                        gate=gate,
                    )
                )
                before = after
            self.add_module(f"stage{stage}", blocks)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(before, classes)

    stage1: nn.Sequential
    stage2: nn.Sequential
    stage3: nn.Sequential

    def forward(self, x: Tensor) -> Tensor:
        """Images ``(N, C, H, W)`` to logits ``(N, classes)``."""
        x = self.act(self.norm(self.conv(x)))  # (N, C, 28, 28) -> (N, 16, 28, 28)
        x = self.stage1(x)  # -> (N, 16, 28, 28)
        x = self.stage2(x)  # -> (N, 32, 14, 14)
        x = self.stage3(x)  # -> (N, 64, 7, 7)
        x = self.pool(x).flatten(1)  # -> (N, 64)
        return self.fc(self.dropout(x))  # -> (N, classes)


def small_se_resnet(channels: int, size: int, classes: int, **options: Any) -> SmallResNet:
    """The small residual network with squeeze-and-excitation in each block."""
    return SmallResNet(channels, size, classes, gate=True, **options)


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

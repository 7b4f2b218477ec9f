"""The table of models, and building one. Reading the table does not import PyTorch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cnn_demo.locales import N_
from cnn_demo.settings.registry import Registry

if TYPE_CHECKING:
    from torch import nn

MODELS = Registry("model")
MODELS.add("cnn", N_("Plain CNN"), "cnn_demo.models.cnn:CNN")
MODELS.add("resnet18", N_("ResNet-18"), "cnn_demo.models.resnet:resnet18")


def create_model(name: str, *, channels: int = 1, size: int = 28, classes: int = 10, **options: Any) -> nn.Module:
    """Build a model with fresh weights from the global random state.

    Args:
        name: a registered name.
        channels: color channels of the input, C in ``(N, C, H, W)``.
        size: height and width of the input in pixels.
        classes: number of logits.
        options: the settings that this model's entry describes.

    Raises:
        UnknownName: no such model.
        ValueError: the model cannot be built for this size.
    """
    model: nn.Module = MODELS.get(name).load()(channels, size, classes, **options)
    return model


def count_parameters(model: nn.Module) -> int:
    """The number of trainable values in a model."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)

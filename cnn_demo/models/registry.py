"""The table of models, and building one. Reading the table does not import PyTorch.

To add one, write a file with an ``nn.Module`` or a function that takes ``(channels, size, classes, **options)``, and
add a line to the table. A model whose output is not one tensor of logits also names its objective, from
``cnn_demo.training.objectives``: ``objective="..."``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cnn_demo.locales import N_
from cnn_demo.settings.registry import Registry

if TYPE_CHECKING:
    from torch import nn

    from cnn_demo.datasets.specs import DatasetSpec
    from cnn_demo.settings.config import TrainConfig

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


def create_configured_model(config: TrainConfig, spec: DatasetSpec) -> nn.Module:
    """Build the model that a config names, with its options, for the images and classes of a data set.

    Raises:
        UnknownName: no such model.
        ValueError: the model cannot be built for this size.
    """
    options = MODELS.get(config.model).option_values(config)
    return create_model(config.model, channels=spec.channels, size=spec.size, classes=len(spec.classes), **options)


def count_parameters(model: nn.Module) -> int:
    """The number of trainable values in a model."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)

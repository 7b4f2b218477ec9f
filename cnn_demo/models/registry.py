"""One table of models: a name, an entrypoint, and what a person should know about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

Entrypoint = Callable[[int, int, int], nn.Module]


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """A registered model.

    Attributes:
        name: what ``TrainConfig.model`` and ``--model`` say.
        build: ``build(channels, size, classes) -> nn.Module`` for images ``(N, channels, size, size)``, giving logits
            ``(N, classes)``.
        title: the name for people, in English (translated by the pages).
    """

    name: str
    build: Entrypoint
    title: str


_MODELS: dict[str, ModelSpec] = {}


def register(name: str, title: str) -> Callable[[Entrypoint], Entrypoint]:
    """Decorate an entrypoint so that ``create_model(name, ...)`` finds it.

    Raises:
        ValueError: the name is taken.
    """

    def add(build: Entrypoint) -> Entrypoint:
        if name in _MODELS:
            raise ValueError(f"model {name!r} is registered twice")
        _MODELS[name] = ModelSpec(name, build, title)
        return build

    return add


def list_models() -> list[ModelSpec]:
    """All registered models, in the order of registration."""
    return list(_MODELS.values())


def get_model_spec(name: str) -> ModelSpec:
    """The entry of one model.

    Raises:
        KeyError: no such model; the message lists the names there are.
    """
    try:
        return _MODELS[name]
    except KeyError:
        raise KeyError(f"no model named {name!r}; there are: {', '.join(_MODELS)}") from None


def create_model(name: str, *, channels: int = 1, size: int = 28, classes: int = 10) -> nn.Module:
    """Build a model with fresh weights from the global random state.

    Args:
        name: a registered name.
        channels: colour channels of the input, C in ``(N, C, H, W)``.
        size: height and width of the input in pixels.
        classes: number of logits.

    Raises:
        KeyError: no such model.
        ValueError: the model cannot be built for this size.
    """
    return get_model_spec(name).build(channels, size, classes)


def count_parameters(model: nn.Module) -> int:
    """The number of trainable values in a model."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)

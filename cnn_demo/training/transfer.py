"""Beginning from another network's weights: which of its layers are taken over, and which of them stay fixed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from cnn_demo.locales import N_
from cnn_demo.models.registry import MODELS
from cnn_demo.settings.config import ConfigError, TrainConfig

_NORMALIZATIONS = (_NormBase, nn.GroupNorm, nn.LayerNorm)


def list_layers(model: nn.Module) -> list[list[tuple[str, nn.Module]]]:
    """The layers of a model that learn, first to last, each with its name and the normalizations behind it.

    The order is that in which the model was put together. What belongs to no layer (a class token, a temperature) is
    not among them.
    """
    layers: list[list[tuple[str, nn.Module]]] = []
    for name, module in model.named_modules():
        if not name or not any(True for _ in _own_tensors(module)):
            continue
        if layers and isinstance(module, _NORMALIZATIONS):
            layers[-1].append((name, module))
        else:
            layers.append([(name, module)])
    return layers


def _own_tensors(module: nn.Module) -> Iterator[Tensor]:
    yield from module.parameters(recurse=False)
    yield from module.buffers(recurse=False)


def freeze_layers(model: nn.Module, config: TrainConfig) -> list[nn.Module]:
    """Take the first ``config.freeze`` layers of a model out of training.

    Their weights get no gradient. Their modules are to be kept in eval mode, so that the running statistics of a batch
    normalization stay as they are, too (and are what normalizes): see :func:`hold_layers`.

    Returns:
        The modules of the frozen layers.

    Raises:
        ConfigError: nothing would be left to learn.
    """
    layers = list_layers(model)
    if config.freeze and config.freeze >= len(layers):
        message = N_("at most {most}: this network has {layers} layers, and the last one must learn")
        raise ConfigError("freeze", config.freeze, message, most=max(0, len(layers) - 1), layers=len(layers))
    held = [module for layer in layers[: config.freeze] for _name, module in layer]
    for module in held:
        for parameter in module.parameters(recurse=False):
            parameter.requires_grad_(False)
    hold_layers(held)
    return held


def hold_layers(held: list[nn.Module]) -> None:
    """Put frozen modules back into eval mode: ``model.train()`` has switched all of them, as after an evaluation."""
    for module in held:
        module.training = False  # not eval(): that would walk through what lies inside, which may not be frozen


def drop_head(model: nn.Module, name: str) -> dict[str, Tensor]:
    """The weights of a network without its last layer, for a data set with other classes.

    Args:
        model: the network.
        name: which model it is. One that reads the names of the classes has no layer that belongs to them: nothing is
            dropped.
    """
    weights = dict(model.state_dict())
    if MODELS.get(name).facts.get("named_classes"):
        return weights
    head = _head_names(model)
    return {key: value for key, value in weights.items() if key not in head}


def _head_names(model: nn.Module) -> set[str]:
    layers = list_layers(model)
    return {f"{name}.{key}" for name, module in layers[-1:][0] for key in module.state_dict()} if layers else set()


def load_first_weights(model: nn.Module, weights: Mapping[str, Tensor], config: TrainConfig) -> None:
    """Put the weights to begin with into a fresh model. Where those of the last layer are left out, it stays fresh.

    Raises:
        ConfigError: they are of another model, or a layer has another shape.
    """
    own = model.state_dict()
    for name, value in own.items():
        if name in weights and value.shape != weights[name].shape:
            message = N_("a network with the shape {wanted} at {name}; there it is {found}")
            shapes = {"wanted": _describe(value), "found": _describe(weights[name])}
            raise ConfigError("init", config.init, message, name=name, **shapes)
    missing, strange = own.keys() - weights.keys(), weights.keys() - own.keys()
    if strange or not missing <= _head_names(model):
        reason = ", ".join(sorted(strange or missing - _head_names(model))[:3])
        message = N_("weights that fit the model {model} ({reason})")
        raise ConfigError("init", config.init, message, model=config.model, reason=reason)
    model.load_state_dict(dict(weights), strict=False)


def _describe(tensor: Tensor) -> str:
    return " × ".join(map(str, tensor.shape)) or "1"

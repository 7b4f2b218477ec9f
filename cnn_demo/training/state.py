"""The state of any part of a training (optimizer, scaler, …) as tensors and plain data, and back."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

# What JSON has no word for is written as an object with one of these keys.
_TENSOR, _TUPLE, _ITEMS = "__tensor__", "__tuple__", "__items__"


def pack_state(value: Any, tensors: dict[str, Tensor], path: str = "") -> Any:
    """Take the tensors out of nested data.

    Args:
        value: dictionaries, lists, tuples, tensors, numbers, texts, None.
        tensors: the tensors are put here, under names that say where they were: ``optimizer.state.0.exp_avg``.
        path: where ``value`` itself is.

    Returns:
        What is left, ready for JSON; :func:`unpack_state` puts the tensors back.

    Raises:
        TypeError: there is something else in it, so that it could not be restored.
    """
    if isinstance(value, Tensor):
        tensors[path] = value
        return {_TENSOR: path}
    if isinstance(value, dict):
        items = [(key, pack_state(item, tensors, f"{path}.{key}" if path else str(key))) for key, item in value.items()]
        return dict(items) if all(isinstance(key, str) for key in value) else {_ITEMS: [list(item) for item in items]}
    if isinstance(value, list | tuple):
        packed = [pack_state(item, tensors, f"{path}.{i}") for i, item in enumerate(value)]
        return packed if isinstance(value, list) else {_TUPLE: packed}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"{path} is a {type(value).__name__}: a state may hold tensors, numbers, texts and containers")


def unpack_state(packed: Any, tensors: dict[str, Tensor]) -> Any:
    """Undo :func:`pack_state`.

    Raises:
        KeyError: a tensor is not there.
    """
    if isinstance(packed, list):
        return [unpack_state(item, tensors) for item in packed]
    if not isinstance(packed, dict):
        return packed
    if _TENSOR in packed:
        return tensors[packed[_TENSOR]]
    if _TUPLE in packed:
        return tuple(unpack_state(packed[_TUPLE], tensors))
    if _ITEMS in packed:
        return {key: unpack_state(item, tensors) for key, item in packed[_ITEMS]}
    return {key: unpack_state(item, tensors) for key, item in packed.items()}


def restore_optimizer(optimizer: Optimizer, state: dict[str, Any]) -> None:
    """Like ``optimizer.load_state_dict(state)``, exact for every optimizer, and with copies of the tensors.

    PyTorch turns whole numbers into floats on the way, and takes the memory layout of a stored tensor. Yet the fused
    kernels walk parameter and moments together: they must lie in memory alike (channels last, for instance).
    """
    optimizer.load_state_dict(state)  # also brings each tensor to its device
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    for number, stored in state["state"].items():
        parameter = parameters[number]
        optimizer.state[parameter] = _copy_like(parameter, stored, optimizer.state[parameter])


def _copy_like(parameter: Tensor, stored: Any, loaded: Any) -> Any:
    """A copy, each tensor on the device of the loaded one, and in the parameter's layout where it has its shape."""
    if isinstance(stored, Tensor):
        like = parameter if stored.shape == parameter.shape else stored
        return torch.empty_like(like, dtype=stored.dtype, device=loaded.device).copy_(stored)
    if isinstance(stored, dict):
        return {key: _copy_like(parameter, item, loaded[key]) for key, item in stored.items()}
    if isinstance(stored, list | tuple):
        return type(stored)(_copy_like(parameter, a, b) for a, b in zip(stored, loaded, strict=True))
    return stored

"""Which PyTorch function is which kind of layer, and what its positional arguments are called."""

from __future__ import annotations

from typing import Any

INPUT = "input"
KINDS: tuple[str, ...] = (
    INPUT,
    "conv",
    "norm",
    "activation",
    "pool",
    "linear",
    "attention",
    "add",
    "product",
    "concat",
    "dropout",
    "reshape",
    "other",
)

_BY_KIND = {
    "conv": "conv1d conv2d conv3d conv_transpose2d",
    "norm": "batch_norm group_norm layer_norm instance_norm local_response_norm rms_norm normalize",
    "activation": "relu relu6 leaky_relu prelu elu celu selu gelu silu mish sigmoid tanh logsigmoid hardtanh "
    "hardsigmoid hardswish softplus softsign softmax log_softmax threshold clamp clamp_min",
    "pool": "max_pool2d avg_pool2d adaptive_avg_pool2d adaptive_max_pool2d mean",
    "linear": "linear",
    "add": "add",
    "product": "mul",
    "concat": "cat concat",
    "dropout": "dropout dropout2d alpha_dropout feature_alpha_dropout feature_dropout",
    "reshape": "flatten view reshape squeeze unsqueeze permute transpose movedim unflatten view_as chunk split getitem",
}
KIND_OF: dict[str, str] = {op: kind for kind, names in _BY_KIND.items() for op in names.split()}

_POINTWISE = "add sub mul div truediv neg abs pow sqrt exp log maximum minimum where contiguous detach clone"
# Every output unit depends on the input unit at the same place only.
ELEMENTWISE: frozenset[str] = frozenset(
    [op for op, kind in KIND_OF.items() if kind in ("activation", "dropout") and not op.endswith("softmax")]
    + ["batch_norm"]
    + _POINTWISE.split()
)

_CONV = ("input", "weight", "bias", "stride", "padding", "dilation", "groups")
_SIGNATURES: dict[str, tuple[str, ...]] = {
    "conv2d": _CONV,
    "linear": ("input", "weight", "bias"),
    "batch_norm": ("input", "running_mean", "running_var", "weight", "bias", "training", "momentum", "eps"),
    "group_norm": ("input", "num_groups", "weight", "bias", "eps"),
    "layer_norm": ("input", "normalized_shape", "weight", "bias", "eps"),
    "max_pool2d": ("input", "kernel_size", "stride", "padding", "dilation", "ceil_mode", "return_indices"),
    "avg_pool2d": ("input", "kernel_size", "stride", "padding", "ceil_mode", "count_include_pad", "divisor_override"),
    "adaptive_avg_pool2d": ("input", "output_size"),
    "adaptive_max_pool2d": ("input", "output_size", "return_indices"),
    "normalize": ("input", "p", "dim", "eps"),
    "matmul": ("input", "other"),
    "add": ("input", "other"),
    "mul": ("input", "other"),
    "mean": ("input", "dim", "keepdim"),
    "softmax": ("input", "dim"),
    "log_softmax": ("input", "dim"),
    "pad": ("input", "pad", "mode", "value"),
    "prelu": ("input", "weight"),
    "flatten": ("input", "start_dim", "end_dim"),
    "cat": ("tensors", "dim"),
    "concat": ("tensors", "dim"),
}
_ALIASES = {
    **dict.fromkeys(("__add__", "__radd__", "__iadd__"), "add"),
    **dict.fromkeys(("__mul__", "__rmul__", "__imul__"), "mul"),
    "relu_": "relu",
    "special_softmax": "softmax",
}


def canonical(func: Any) -> tuple[str, bool]:
    """The plain name of a function that a ``TorchFunctionMode`` sees, and whether it writes into its input.

    ``torch.relu_``, ``Tensor.relu_`` and ``F.relu`` are all ``relu``; ``Tensor.__iadd__`` is ``add``.
    """
    name: str = getattr(func, "__name__", "other")
    in_place = (name.endswith("_") and not name.endswith("__")) or (name.startswith("__i") and name != "__invert__")
    if name in _ALIASES:
        return _ALIASES[name], in_place
    plain = name.strip("_")
    if name.startswith("__i") and name.endswith("__") and name != "__invert__":
        plain = plain[1:]
    return plain, in_place


def arguments(op: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """Positional and keyword arguments of a known operation under their names in the PyTorch documentation."""
    names = _SIGNATURES.get(op, ("input",))
    return {**dict(zip(names, args, strict=False)), **kwargs}


def pair(value: Any) -> tuple[int, int]:
    """A spatial setting as (height, width): ``3`` and ``[3]`` are ``(3, 3)``."""
    if isinstance(value, int):
        return value, value
    values = tuple(int(v) for v in value)
    return (values[0], values[0]) if len(values) == 1 else (values[0], values[1])

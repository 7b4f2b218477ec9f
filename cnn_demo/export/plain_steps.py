"""A network as a list of plain steps on its tensors, for a reader in another language than Python.

``torch.export`` follows the network once, for one image. What does not depend on the image (the captions of a CLIP, the
scale of a batch normalization) is worked out here; what is left are steps with PyTorch's names and arguments.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, fx, nn

# What ``browser/operators.js`` can do; a test holds both lists equal.
_OPERATORS = (
    "adaptive_avg_pool2d adaptive_max_pool2d add amax avg_pool2d cat clamp_min conv2d div expand gelu group_norm "
    "layer_norm leaky_relu linalg_vector_norm linear matmul max_pool2d mean mul pad permute relu reshape "
    "scale_and_shift sigmoid silu slice softmax sub tanh"
)
OPERATORS: frozenset[str] = frozenset(_OPERATORS.split())

_SAME_DATA = "view _unsafe_view reshape flatten unflatten squeeze unsqueeze clone contiguous alias detach dropout"
_RESHAPES = frozenset(_SAME_DATA.split())
_BATCH_NORMS = frozenset(("_native_batch_norm_legit_no_training", "batch_norm"))


class OperatorUnknown(ValueError):
    """A network has an operator that cannot be written down.

    Attributes:
        operator: its name in PyTorch.
    """

    def __init__(self, operator: str) -> None:
        super().__init__(f"the operator {operator} cannot be written down")
        self.operator = operator


@dataclass(frozen=True, slots=True)
class Step:
    """One operation.

    Attributes:
        op: one of :data:`OPERATORS`.
        settings: its arguments by PyTorch's names, as plain data. ``{"value": i}`` stands for what step i - 1 gave (0
            is the image), ``{"tensor": i}`` for a tensor of the network.
        shape: of what comes out, for one image.
    """

    op: str
    settings: dict[str, Any]
    shape: tuple[int, ...]


@dataclass(slots=True)
class StepList:
    """A network.

    Attributes:
        steps: in the order of computation.
        tensors: weights and whatever else does not depend on the image, float32.
        output: which value the logits are, counted as in :attr:`Step.settings`.
    """

    steps: list[Step] = field(default_factory=list)
    tensors: list[Tensor] = field(default_factory=list)
    output: int = 0

    @property
    def nbytes(self) -> int:
        """Bytes of all tensors."""
        return sum(tensor.numel() * 4 for tensor in self.tensors)


def list_steps(model: nn.Module, shape: tuple[int, ...]) -> StepList:
    """Write a network down as steps.

    Args:
        model: in eval mode, from images to logits; it is not changed.
        shape: ``(C, H, W)`` of an image.

    Raises:
        OperatorUnknown: one of its operators is not in :data:`OPERATORS`, or has a setting that is not supported.
    """
    with torch.no_grad():
        program = torch.export.export(model, (torch.zeros(1, *shape),), strict=False).run_decompositions({})
        return _Writer(program).write()


class _Writer:
    """Goes through the graph of an exported program once."""

    def __init__(self, program: torch.export.ExportedProgram) -> None:
        self.program = program
        self.found = StepList()
        self.values: dict[fx.Node, int] = {}  # nodes that depend on the image, by their number
        self.known: dict[fx.Node, Any] = {}  # all others, worked out
        self.placed: dict[fx.Node, int] = {}  # the numbers of weights that have their place already

    def write(self) -> StepList:
        signature = self.program.graph_signature
        tensors = {
            **self.program.state_dict,
            **self.program.constants,
            **dict(self.program.named_buffers()),  # also those that are no part of the weights
        }
        names = {
            **signature.inputs_to_parameters,
            **signature.inputs_to_buffers,
            **signature.inputs_to_lifted_tensor_constants,
        }
        for node in self.program.graph.nodes:
            if node.op == "placeholder":
                if node.name in names:
                    self.known[node] = tensors[names[node.name]]
                else:
                    self.values[node] = 0
            elif node.op == "call_function":
                self._take(node)
            elif node.op == "output":
                self.found.output = self.values[node.args[0][0]]
        return self.found

    def _take(self, node: fx.Node) -> None:
        sources = node.all_input_nodes
        if not any(source in self.values for source in sources):
            args, kwargs = fx.node.map_arg((node.args, node.kwargs), lambda n: self.known[n])
            self.known[node] = node.target(*args, **kwargs)  # type: ignore[operator]
            return
        if node.target is operator.getitem:  # the first of what a batch normalization gives
            self.values[node] = self.values[sources[0]]
            return
        name, settings = _name_arguments(node)
        op, settings, value = self._translate(name, settings, node)
        if op not in OPERATORS:
            raise OperatorUnknown(name)
        plain = {key: self._plain(argument, name) for key, argument in settings.items() if argument is not None}
        self.found.steps.append(Step(op, plain, tuple(value.shape)))
        self.values[node] = len(self.found.steps)

    def _translate(self, name: str, settings: dict[str, Any], node: fx.Node) -> tuple[str, dict[str, Any], Tensor]:
        """An operator in terms of :data:`OPERATORS`, its settings, and a tensor of the shape that comes out."""
        value = node.meta["val"]
        if name in _BATCH_NORMS:
            mean, variance = self.known[settings["running_mean"]], self.known[settings["running_var"]]
            scale = (variance + settings["eps"]).rsqrt()
            if settings["weight"] is not None:
                scale = scale * self.known[settings["weight"]]
            shift = -mean * scale
            if settings["bias"] is not None:
                shift = shift + self.known[settings["bias"]]
            value = value[0] if isinstance(value, tuple | list) else value
            return "scale_and_shift", {"input": settings["input"], "scale": scale, "shift": shift}, value
        source: Any = settings.get("self")
        if name in _RESHAPES:
            return "reshape", {"self": settings.get("input", source)}, value
        if name in ("transpose", "permute"):
            return "permute", {"self": source, "dims": _order(settings, value.dim())}, value
        if name in ("select", "slice"):
            before = source.meta["val"].shape
            dim = settings["dim"] % len(before)
            start = settings["index"] if name == "select" else settings["start"] or 0
            start = min(max(start + before[dim], 0) if start < 0 else start, before[dim])
            return "slice", {"self": source, "dim": dim, "start": start, "step": settings.get("step", 1)}, value
        unsupported = (
            isinstance(settings.get("padding"), str)
            or settings.get("divisor_override") is not None
            or settings.get("rounding_mode") is not None
            or settings.get("mode", "constant") != "constant"
            or (name == "linalg_vector_norm" and settings["ord"] != 2)
            or (name in ("max_pool2d", "avg_pool2d") and settings["ceil_mode"])
        )
        return (f"{name} with these settings" if unsupported else name), settings, value

    def _plain(self, argument: Any, name: str) -> Any:
        if isinstance(argument, fx.Node):
            if argument in self.values:
                return {"value": self.values[argument]}
            if argument not in self.placed:
                self.placed[argument] = self._place(self.known[argument], name)
            return {"tensor": self.placed[argument]}
        if isinstance(argument, Tensor):
            return {"tensor": self._place(argument, name)}
        if isinstance(argument, list | tuple):
            return [self._plain(one, name) for one in argument]
        if isinstance(argument, bool | int | float | str):
            return argument
        return None  # a dtype or a memory format

    def _place(self, value: Any, name: str) -> int:
        if not isinstance(value, Tensor) or not value.is_floating_point():
            raise OperatorUnknown(f"{name} with {type(value).__name__}")
        self.found.tensors.append(value.detach().float().contiguous())
        return len(self.found.tensors) - 1


def _name_arguments(node: fx.Node) -> tuple[str, dict[str, Any]]:
    """The operator's plain name, and its arguments by their names, with the defaults."""
    schema = node.target._schema  # type: ignore[union-attr]
    settings = {argument.name: argument.default_value for argument in schema.arguments}
    settings.update(zip(settings, node.args, strict=False))
    settings.update(node.kwargs)
    return schema.name.split("::")[-1], settings


def _order(settings: dict[str, Any], rank: int) -> list[int]:
    """The order of the dimensions after ``permute`` or ``transpose``."""
    if "dims" in settings:
        return [dim % rank for dim in settings["dims"]]
    order = list(range(rank))
    first, second = settings["dim0"] % rank, settings["dim1"] % rank
    order[first], order[second] = order[second], order[first]
    return order

"""A network as a list of layers: shape, parameters, multiply-adds, receptive field, memory."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from cnn_demo.inspect import ops
from cnn_demo.inspect.capture import Node, capture
from cnn_demo.inspect.receptive import ReceptiveField, receptive_fields
from cnn_demo.inspect.tokens import TokenGrid, find_token_grids


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer for the strip at the top of the page.

    Attributes:
        name: the node's name in ``capture``.
        kind: one of :data:`cnn_demo.inspect.ops.KINDS`.
        op: the PyTorch function.
        inputs: names of the layers it reads.
        shape: its output without the batch dimension: ``(C, H, W)``, ``(features,)``, or ``(T, D)`` for tokens.
        parameters: learned values it uses, frozen or not; a module that runs twice counts at its first use only.
        multiply_adds: multiplications of a convolution, linear layer or matrix product for one image, each with its
            addition; 0 for all other kinds, as is usual.
        field: its receptive field in the input.
        memory: bytes of its output for one image.
        kernel: its own window, (height, width), of a convolution or pooling, else None.
        tokens: how its tokens lie in the image, where it has such.
    """

    name: str
    kind: str
    op: str
    inputs: tuple[str, ...]
    shape: tuple[int, ...]
    parameters: int
    multiply_adds: int
    field: ReceptiveField
    memory: int
    kernel: tuple[int, int] | None
    tokens: TokenGrid | None = None

    @property
    def map_shape(self) -> tuple[int, ...]:
        """As it is drawn: ``(C, H, W)``, also for tokens with places, or ``(features,)``; other shapes are not."""
        return self.shape if self.tokens is None else self.tokens.map_shape

    @property
    def channels(self) -> int:
        """C of ``(C, H, W)``, or the number of features."""
        return self.map_shape[0] if self.shape else 1

    @property
    def spatial(self) -> bool:
        """Whether it is drawn as a stack of maps ``(C, H, W)``."""
        return len(self.map_shape) == 3


def layers(model: nn.Module, shape: tuple[int, int, int]) -> list[Layer]:
    """The layers of a model in the order of execution, from one forward pass over zeros.

    Args:
        model: as for :func:`cnn_demo.inspect.capture.capture`.
        shape: C, H, W of one input.
    """
    weight = next(model.parameters(), torch.empty(0))
    with capture(model, kinds=()) as maps:
        maps(torch.zeros(1, *shape, device=weight.device, dtype=weight.dtype))
    return describe(maps.nodes, weight.element_size())


def describe(nodes: Mapping[str, Node], element_size: int = 4) -> list[Layer]:
    """As :func:`layers`, from the nodes of a pass that was made already.

    Args:
        nodes: ``Captured.nodes`` after a forward pass.
        element_size: bytes of one activation.
    """
    fields = receptive_fields(nodes)
    tokens = find_token_grids(nodes)
    counted: set[int] = set()
    found = []
    for name, node in nodes.items():
        used = [t for t in _tensors(node.settings) if isinstance(t, nn.Parameter) and id(t) not in counted]
        counted.update(id(t) for t in used)
        values = math.prod(node.shape[1:])
        found.append(
            Layer(
                name=name,
                kind=node.kind,
                op=node.op,
                inputs=node.inputs,
                shape=node.shape[1:],
                parameters=sum(t.numel() for t in used),
                multiply_adds=_multiply_adds(nodes, node, values),
                field=fields[name],
                memory=values * element_size,
                kernel=_kernel(node),
                tokens=tokens.get(name),
            )
        )
    return found


def response(nodes: Mapping[str, Node], name: str) -> str:
    """The layer in which a convolution's answer is complete: the norm and activation that directly follow it.

    Args:
        nodes: ``Captured.nodes`` after a forward pass.
        name: a node of it.

    Returns:
        The last of the chain, or ``name`` itself. A chain ends where a value is read twice or paths meet.
    """
    while True:
        readers = [node for node in nodes.values() if name in node.inputs]
        if len(readers) != 1 or readers[0].kind not in ("norm", "activation") or readers[0].op.endswith("softmax"):
            return name
        name = readers[0].name
        if readers[0].kind == "activation":
            return name


def _tensors(settings: Mapping[str, object]) -> list[Tensor]:
    return [value for value in settings.values() if isinstance(value, Tensor)]


def _multiply_adds(nodes: Mapping[str, Node], node: Node, values: int) -> int:
    weight = node.settings.get("weight")
    if node.op == "conv2d" and isinstance(weight, Tensor):
        return values * math.prod(weight.shape[1:])  # (O, I / groups, kh, kw): one product per weight of a unit
    if node.op == "linear" and isinstance(weight, Tensor):
        return values * weight.shape[1]
    if node.op == "matmul":
        return values * nodes[node.inputs[0]].shape[-1]
    return 0


def _kernel(node: Node) -> tuple[int, int] | None:
    if node.op == "conv2d":
        return ops.pair(node.settings["weight"].shape[-2:])
    if node.op in ("max_pool2d", "avg_pool2d"):
        return ops.pair(node.settings["kernel_size"])
    return None

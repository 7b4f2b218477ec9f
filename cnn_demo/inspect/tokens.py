"""Layers of tokens: which of them have a place in the image, and the attention between them.

A transformer works on tokens ``(N, T, D)``. Where they were made from maps ``(N, C, H, W)``, each has a place, so its
numbers can be drawn as D maps again. The axis of the tokens is followed through the graph of executed operations.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch

from cnn_demo.inspect.capture import Captured, Node

_TOKENWISE = ("activation", "add", "product", "dropout")  # the same is done to every token, whatever its axis


@dataclass(frozen=True, slots=True)
class TokenGrid:
    """How a layer's tokens lie in the image.

    Attributes:
        shape: of the layer without the batch, such as ``(T, D)``, or ``(heads, T, d)`` within attention.
        axis: which of these counts the tokens.
        rows, cols: of the grid.
        extra: tokens in front of those of the grid, which have no place (a class token).
    """

    shape: tuple[int, ...]
    axis: int
    rows: int
    cols: int
    extra: int = 0

    @property
    def map_shape(self) -> tuple[int, int, int]:
        """Of the layer drawn as maps: (numbers of a token, rows, cols)."""
        return math.prod(self.shape) // self.shape[self.axis], self.rows, self.cols

    def to_maps(self, values: np.ndarray) -> np.ndarray:
        """Values of the layer as maps, ``(D, rows, cols)``; tokens without a place are left out."""
        last = np.moveaxis(values, self.axis, -1)[..., self.extra :]  # (..., rows · cols)
        return last.reshape(-1, self.rows, self.cols)

    def index(self, channel: int, y: int, x: int) -> tuple[int, ...]:
        """Where the layer has what the maps have at this place."""
        return self.index_of_token(channel, self.extra + y * self.cols + x)

    def index_of_token(self, channel: int, token: int) -> tuple[int, ...]:
        """Where the layer has one number of a token; those without a place come first."""
        others = self.shape[: self.axis] + self.shape[self.axis + 1 :]
        where = [int(i) for i in np.unravel_index(channel, others)]
        where.insert(self.axis, token)
        return tuple(where)

    def place(self, token: int) -> tuple[int, int] | None:
        """Row and column of a token; None for one without a place."""
        return divmod(token - self.extra, self.cols) if token >= self.extra else None


def find_token_grids(nodes: Mapping[str, Node]) -> dict[str, TokenGrid]:
    """The layers whose tokens have places, by name. Tokens may be put in front of them by padding.

    Args:
        nodes: ``Captured.nodes`` after a forward pass over ``(N, C, H, W)``.
    """
    grids: dict[str, TokenGrid] = {}
    maps: set[str] = set()  # stacks of maps, (N, C, H, W)
    for name, node in nodes.items():
        if len(node.shape) == 4 and node.kind != "reshape" and (not node.inputs or maps.intersection(node.inputs)):
            maps.add(name)
            continue
        sources = [source for source in node.inputs if source in grids]
        grid: TokenGrid | None = None
        plain = len(node.inputs) == 1 and node.parts == 1 and len(node.shape) > 2  # one channel flattened is no tokens
        if node.kind == "reshape" and node.apply is not None and plain:
            (source,) = node.inputs
            start = nodes[source].shape
            if source in maps:
                grid = _reshape(node, TokenGrid((start[1], start[2] * start[3]), 1, *start[2:]), start)
            elif source in grids:
                grid = _reshape(node, grids[source], start)
        elif node.op == "matmul":
            # A sum over tokens gives each query a token again; a product of queries and keys has two axes of tokens.
            if node.inputs[-1] in grids and grids[node.inputs[-1]].axis == len(node.shape) - 3:
                grid = grids[node.inputs[-1]]
        elif sources and (node.kind in (*_TOKENWISE, "linear") or node.op in ("layer_norm", "pad")):
            grid = _carry_on(node, grids[sources[0]])
        if grid is not None:
            grids[name] = replace(grid, shape=tuple(node.shape[1:]))
    return grids


def _reshape(node: Node, grid: TokenGrid, start: tuple[int, ...]) -> TokenGrid | None:
    """The grid behind a change of shape: each number is labeled with its token, and the labels are followed."""
    tokens = torch.arange(grid.shape[grid.axis])
    # (1, ..., T, ..., 1), then as the layer is: maps have their tokens over two axes
    labels = tokens.reshape([-1 if i == grid.axis else 1 for i in range(len(grid.shape))]).expand(grid.shape)
    assert node.apply is not None
    found = node.apply(labels.expand(start[0], *grid.shape).reshape(start))[0]
    for axis, length in enumerate(found.shape):
        view = [1] * found.dim()
        view[axis] = length
        if length == len(tokens) and torch.equal(found, tokens.reshape(view).expand_as(found)):
            return replace(grid, axis=axis)
    return None


def _carry_on(node: Node, grid: TokenGrid) -> TokenGrid | None:
    """The grid behind an operation that treats every token alike, or that puts tokens in front by padding."""
    shape = node.shape[1:]
    if len(shape) != len(grid.shape) or grid.rows * grid.cols + grid.extra > shape[grid.axis]:
        return None
    if node.op in ("linear", "layer_norm", "softmax", "log_softmax") and grid.axis == len(shape) - 1:
        return None
    more = shape[grid.axis] - grid.shape[grid.axis]
    if more and (node.op != "pad" or node.settings["pad"][-2:] != (more, 0)):
        return None
    return replace(grid, extra=grid.extra + more)


@dataclass(frozen=True, slots=True)
class AttentionLayer:
    """One softmax(q kᵀ / √d) v, by the names of its nodes.

    Attributes:
        weights: the softmax, ``(N, heads, T, T)``: each row belongs to a query and sums to 1.
        scores: what it is taken of.
        value: v, ``(N, heads, T, d)``.
        mixed: the weighted sum, ``(N, heads, T, d)``.
        module: the path of the module around the weighted sum.
        heads, tokens: how many there are.
        grid: how the tokens lie in the image; None where they have no places.
    """

    weights: str
    scores: str
    value: str
    mixed: str
    module: str
    heads: int
    tokens: int
    grid: TokenGrid | None


def find_attention(nodes: Mapping[str, Node]) -> list[AttentionLayer]:
    """The attention layers of a network in the order of execution.

    Args:
        nodes: ``Captured.nodes`` after a forward pass.
    """
    grids = find_token_grids(nodes)
    found = []
    for node in nodes.values():
        weights = nodes.get(node.inputs[0]) if node.op == "matmul" and len(node.inputs) == 2 else None
        if weights is None or weights.op != "softmax" or len(weights.shape) != 4:
            continue
        heads, tokens = weights.shape[1], weights.shape[-1]
        grid = grids.get(node.name)
        found.append(
            AttentionLayer(weights.name, weights.inputs[0], node.inputs[1], node.name, node.module, heads, tokens, grid)
        )
    return found


def attention_weights(maps: Captured, layer: AttentionLayer) -> np.ndarray:
    """The weights for the first image, ``(heads, T, T)`` float32: head, query, key."""
    return maps[layer.weights][0].detach().cpu().float().numpy()

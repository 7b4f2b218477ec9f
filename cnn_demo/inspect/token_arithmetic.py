"""The arithmetic of attention: the products of queries and keys, their softmax, and the weighted sum of values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from cnn_demo.inspect.capture import Captured, Node
from cnn_demo.inspect.steps import Step
from cnn_demo.inspect.tokens import TokenGrid, find_token_grids

Place = tuple[int, ...]  # (row, column) of a token, () for one without a place


@dataclass(frozen=True, slots=True, kw_only=True)
class DotStep(Step):
    """A row of one layer times a column of another, summed; the largest contributions by magnitude one by one.

    Attributes:
        left, right: the layers.
        index: numbers of the largest contributions, largest first.
        lefts, rights, products: of these.
        places: of the tokens that ``index`` counts; empty where it counts the numbers of a token.
        others: sum of all other products.
        count: how many others there are.
    """

    left: str
    right: str
    index: tuple[int, ...]
    lefts: np.ndarray
    rights: np.ndarray
    products: np.ndarray
    places: tuple[Place, ...]
    others: float
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AttentionStep(Step):
    """How much one token (the query) takes of another (the key): the softmax over a row of scores.

    Attributes:
        index: tokens with the largest weights, largest first, and the asked one.
        places: of these, where they have any.
        scores: of these: q · k / √d.
        exponentials: of these: e to the power of (score − largest).
        weights: of these.
        chosen: number of the asked token.
        largest: the largest score of the row, subtracted so that nothing overflows.
        total: sum of all exponentials of the row.
        count: how many tokens are not listed.
    """

    index: tuple[int, ...]
    places: tuple[Place, ...]
    scores: np.ndarray
    exponentials: np.ndarray
    weights: np.ndarray
    chosen: int
    largest: float
    total: float
    count: int


def trace_product(maps: Captured, node: Node, unit: tuple[int, ...], base: dict[str, Any], top: int) -> DotStep:
    """One unit of a matrix product ``(..., I, K) @ (..., K, J)``, the first image of the batch.

    Args:
        maps: activations of all kinds.
        node: the product.
        unit: its index without the batch.
        base: layer, op and PyTorch's value.
        top: how many contributions are listed one by one.
    """
    left, right = (maps[name][0].detach().cpu().double().numpy() for name in node.inputs)
    lefts, rights = left[unit[:-1]], right[unit[:-2]][:, unit[-1]]  # (K,) and (K,)
    products = lefts * rights
    order = np.argsort(-np.abs(products), kind="stable")[:top]
    grid = find_token_grids(maps.nodes).get(node.inputs[1])
    over_tokens = grid is not None and grid.axis == right.ndim - 2
    return DotStep(
        **base,
        value=float(products.sum()),
        left=node.inputs[0],
        right=node.inputs[1],
        index=tuple(int(i) for i in order),
        lefts=lefts[order],
        rights=rights[order],
        products=products[order],
        places=_places(grid, order) if over_tokens else (),
        others=float(np.delete(products, order).sum()),
        count=len(products) - len(order),
    )


def trace_attention(maps: Captured, node: Node, unit: tuple[int, ...], base: dict[str, Any], top: int) -> AttentionStep:
    """One weight of an attention ``(N, heads, T, T)``; arguments as for :func:`trace_product`."""
    scores = maps[node.inputs[0]][0].detach().cpu().double().numpy()[unit[:-1]]  # (T,)
    chosen, largest = unit[-1], float(scores.max())
    exponentials = np.exp(scores - largest)
    weights = exponentials / exponentials.sum()
    order = np.argsort(-weights, kind="stable")[:top]
    order = order if chosen in order else np.append(order[:-1], chosen)
    readers = [other for other in maps.nodes.values() if node.name in other.inputs and other.op == "matmul"]
    grid = find_token_grids(maps.nodes).get(readers[0].name) if readers else None
    return AttentionStep(
        **base,
        value=float(weights[chosen]),
        index=tuple(int(i) for i in order),
        places=_places(grid, order),
        scores=scores[order],
        exponentials=exponentials[order],
        weights=weights[order],
        chosen=chosen,
        largest=largest,
        total=float(exponentials.sum()),
        count=len(scores) - len(order),
    )


def _places(grid: TokenGrid | None, tokens: np.ndarray) -> tuple[Place, ...]:
    return () if grid is None else tuple(grid.place(int(token)) or () for token in tokens)

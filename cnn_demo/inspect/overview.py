"""A whole network for one image on one screen: columns of its strongest maps, and what feeds them.

A column is a layer, or several that are folded into one: a convolution with its normalization and activation, or a
whole block of a residual network. As much is folded as is needed for all to fit.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cnn_demo.inspect.architecture import Layer
from cnn_demo.inspect.contribution import list_feeds
from cnn_demo.inspect.scene import ArrayPacker, Scene, choose_colors, is_drawable, join_message
from cnn_demo.plots.tiles import DIVERGING, SEQUENTIAL, color_limits, color_table

MOST_COLUMNS = 12  # of 1,200 pixels, so that a map, its number and the lines before it have room
MOST_MAPS = 24  # of a column; a page shows as many as fit
_STRONGEST = 4  # channels that are named for each map as those that give it most


@dataclass(frozen=True)
class Column:
    """Layers that are drawn as one column.

    Attributes:
        layer: the one whose maps are drawn: the last.
        members: all of them by name, in the order of execution.
        block: the path of the residual block that they belong to, such as ``layer1.0``; "" where blocks are not folded.
    """

    layer: Layer
    members: tuple[str, ...]
    block: str = ""


def choose_columns(scene: Scene, unfolded: str = "") -> list[Column]:
    """The columns of a network, from the input to the logits: as detailed as fits.

    Args:
        scene: of any image.
        unfolded: the path of a block that is drawn layer by layer although the others are folded.
    """
    found: list[Column] = []
    for level in range(3):
        found = _group_layers(scene, level)
        if len(found) <= MOST_COLUMNS:
            return found
    return _fold_blocks(scene, _group_layers(scene, 1), unfolded)


def _group_layers(scene: Scene, level: int) -> list[Column]:
    """Layers that only carry on the channels of the one before join its column, the more of them the higher the level.

    Level 0 joins normalizations and what follows a linear layer or a sum, 1 every activation too, 2 poolings too.
    """
    columns: list[Column] = []
    for layer in scene.layers:
        if not is_drawable(layer) or layer.kind in ("reshape", "dropout", "other"):
            continue
        last = columns[-1] if columns else None
        head = scene.layer(last.members[0]).kind if last else ""
        joins = layer.kind == "norm" and _count_readers(scene, layer.inputs[0]) == 1  # not the norm that begins a block
        joins |= layer.kind == "pool" and level >= 2
        joins |= layer.kind == "activation" and (level >= 1 or head in ("linear", "add", "product"))
        if last and head != "input" and joins and _source(scene, layer) == last.layer.name:
            columns[-1] = Column(layer, (*last.members, layer.name))
        else:
            columns.append(Column(layer, (layer.name,)))
    return columns


def _count_readers(scene: Scene, name: str) -> int:
    return sum(name in node.inputs for node in scene.maps.nodes.values())


def _source(scene: Scene, layer: Layer) -> str | None:
    """The one layer whose channels this one carries on."""
    while len(layer.inputs) == 1:
        layer = scene.layer(layer.inputs[0])
        if layer.kind not in ("reshape", "dropout"):
            return layer.name
    return None


def _fold_blocks(scene: Scene, columns: list[Column], unfolded: str) -> list[Column]:
    """One column for each module that ends in a sum with its own input."""
    blocks = {node.module for node in scene.maps.nodes.values() if node.kind == "add" and node.module}
    block_of = {
        name: block
        for name, node in scene.maps.nodes.items()
        for block in blocks
        if node.module == block or node.module.startswith(f"{block}.")
    }
    folded: list[Column] = []
    for column in columns:
        block = block_of.get(column.members[0], "")
        if block and block != unfolded and folded[-1].block == block:
            folded[-1] = Column(column.layer, folded[-1].members + column.members, block)
        else:
            folded.append(replace(column, block=block))
    return folded


def rank_channels(scene: Scene, columns: list[Column]) -> list[np.ndarray]:
    """Channel numbers of each column, strongest first: by the mean size of their values.

    A layer that carries on the channels of the column before it lists them in the same order, which is that of the last
    of such columns: what a convolution computes stands in one row with what its activation and its pooling make of it.
    """
    orders: list[np.ndarray] = []
    for column in columns:
        values = np.abs(scene.values(column.layer.name))
        orders.append(np.argsort(-values.mean((1, 2)), kind="stable"))
    for i in range(len(columns) - 1, 0, -1):
        first = scene.layer(columns[i].members[0])
        if first.kind in ("activation", "pool", "norm") and _source(scene, first) == columns[i - 1].layer.name:
            orders[i - 1] = orders[i]
    return orders


def pack_overview(scene: Scene, probabilities: np.ndarray, unfolded: str = "", **more: Any) -> bytes:
    """Pack the overview for the browser, in the format of :func:`cnn_demo.inspect.scene.pack_scene`.

    Each column has its strongest maps as one byte a value (``low + byte / 255 · (high - low)``) and its feeds: the
    part that each drawn map of another column gives (``parts``, outputs × inputs), what the maps of that column give
    that are not drawn (``rest``), the sum of all parts without their signs (``size``) and the channels that give
    most (``top``).

    Args:
        scene: what the network made of the image.
        probabilities: ``(classes,)`` as the page gives them.
        unfolded: as for :func:`choose_columns`.
        more: further JSON for the header.
    """
    columns = choose_columns(scene, unfolded)
    orders = [order[:MOST_MAPS] for order in rank_channels(scene, columns)]
    if columns[-1].layer.name == scene.layers[-1].name:  # classes: the likeliest, in their usual order
        orders[-1] = np.sort(np.argsort(-probabilities, kind="stable")[:10])
    home = {name: column.layer.name for column in columns for name in column.members}
    index = {column.layer.name: i for i, column in enumerate(columns)}
    arrays = ArrayPacker()
    facts = []
    for column, order in zip(columns, orders, strict=True):
        fact = _pack_maps(scene, column, order, arrays)
        fact["feeds"] = [
            _pack_feed(feed.parts, index.get(feed.source or ""), feed.mixed, orders, arrays)
            for feed in (list_feeds(scene, column.layer.name, order, home.get) if column.layer.inputs else [])
        ]
        facts.append(fact)
    header = {
        "columns": facts,
        "probabilities": probabilities.tolist(),
        "image": arrays.add(scene.image),
        "image_shape": scene.image.shape,
        "unfolded": unfolded,
        "tables": {"sequential": arrays.add(color_table(SEQUENTIAL)), "diverging": arrays.add(color_table(DIVERGING))},
        **more,
    }
    return join_message(header, arrays)


def _pack_maps(scene: Scene, column: Column, order: np.ndarray, arrays: ArrayPacker) -> dict[str, Any]:
    layer = column.layer
    values = scene.values(layer.name)
    colors = choose_colors(layer)
    low, high = (float(end) for end in color_limits(values, colors, "layer")[0])
    if layer.kind == "input":
        low, high = float(values.min()), float(values.max())
    scaled = (values[order] - low) * (255 / (high - low or 1.0)) + 0.5
    return {
        "name": layer.name,
        "kind": layer.kind,
        "members": column.members,
        "kinds": [scene.layer(name).kind for name in column.members],
        "block": column.block,
        "shape": (*layer.map_shape, 1, 1)[:3],
        "features": not layer.spatial,
        "channels": order.tolist(),
        "colors": colors,
        "low": low,
        "high": high,
        "means": [round(float(v), 6) for v in values[order].mean((1, 2))],
        "maps": arrays.add(scaled.clip(0, 255).astype(np.uint8)),
    }


def _pack_feed(
    parts: np.ndarray | None, source: int | None, mixed: bool, orders: list[np.ndarray], arrays: ArrayPacker
) -> dict[str, Any]:
    """One feed; ``source`` is the number of a column, None for layers that are folded away."""
    if parts is None:
        return {"source": source, "kind": "mixed" if mixed else "same"}
    size = np.abs(parts).sum(1)
    if source is None:
        return {"source": None, "kind": "inside", "rest": arrays.add(parts[:, 0].astype(np.float32))}
    drawn = orders[source]
    top = np.argsort(-np.abs(parts), axis=1, kind="stable")[:, :_STRONGEST]
    return {
        "source": source,
        "kind": "sum",
        "parts": arrays.add(parts[:, drawn].astype(np.float32)),
        "rest": arrays.add((parts.sum(1) - parts[:, drawn].sum(1)).astype(np.float32)),
        "size": arrays.add(size.astype(np.float32)),
        "top": [
            [[int(i), float(f"{row[i]:.6g}")] for i in best if row[i]] for row, best in zip(parts, top, strict=True)
        ],
    }

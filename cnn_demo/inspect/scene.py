"""One image seen by one network, and the bytes in which a browser receives it."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from cnn_demo.inspect.architecture import Layer, describe, response
from cnn_demo.inspect.capture import Captured, Node, capture
from cnn_demo.inspect.influence import influence, order
from cnn_demo.inspect.receptive import window_settings
from cnn_demo.plots.tiles import DIVERGING, SEQUENTIAL, Colors, Scale, color_limits, color_table

EXACT_VALUES = 600_000  # as many values are sent as float32; where there are more, each is sent as one byte


@dataclass(frozen=True)
class Scene:
    """Everything the layers made of one image.

    Attributes:
        maps: the activations, first image of the batch.
        layers: in the order of execution.
        image: ``(C, H, W)`` uint8, the picture that the input stands for.
        probabilities: ``(classes,)`` float64, softmax of the logits.
    """

    maps: Captured
    layers: tuple[Layer, ...]
    image: np.ndarray
    probabilities: np.ndarray

    @property
    def prediction(self) -> int:
        """The class with the largest logit."""
        return int(self.probabilities.argmax())

    def layer(self, name: str) -> Layer:
        """A layer by name.

        Raises:
            KeyError: no such layer.
        """
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise KeyError(f"no layer named {name!r}; there are: {', '.join(layer.name for layer in self.layers)}")

    def values(self, name: str) -> np.ndarray:
        """Activations of a layer, ``(C, H, W)`` float32; features are maps of one unit, tokens lie in their grid."""
        found, tokens = self.maps[name][0].numpy(), self.layer(name).tokens
        if tokens is not None:
            return tokens.to_maps(found)
        return found.reshape(*found.shape, 1, 1) if found.ndim == 1 else found

    def means(self, name: str) -> np.ndarray:
        """Mean activation of each channel, ``(C,)``."""
        values = self.values(name)
        return values.reshape(len(values), -1).mean(1)

    def silent(self, name: str) -> np.ndarray:
        """Channels that are zero everywhere for this image, ``(C,)`` bool."""
        return np.asarray(~self.values(name).any((1, 2)))


def run_scene(model: nn.Module, image: np.ndarray, ready: Tensor) -> Scene:
    """Run a model on one image and keep what every layer made of it.

    Args:
        model: as for :func:`cnn_demo.inspect.capture.capture`; on the CPU.
        image: ``(C, H, W)`` uint8, for people.
        ready: the same, normalized for the model, ``(1, C, H, W)``.
    """
    with capture(model) as maps:
        logits = maps(ready)
    probabilities = torch.softmax(logits[0].double(), 0).numpy()
    return Scene(maps, tuple(describe(maps.nodes)), image, probabilities)


def order_channels(scene: Scene, model: nn.Module, by: str) -> dict[str, np.ndarray]:
    """Put the channels of every convolution in an order, and those of what directly follows it in the same.

    Args:
        scene: whose channels.
        model: what the scene was run with.
        by: "mean", the largest mean activation first; or "influence", the strongest in favor of the prediction first.

    Returns:
        By layer, channel numbers.
    """
    convs = [layer for layer in scene.layers if layer.kind == "conv"]
    answers = {layer.name: response(scene.maps.nodes, layer.name) for layer in convs}
    influences = {}
    if by == "influence":
        influences = influence(model, scene.maps["input"], answers, scene.prediction)
    orders: dict[str, np.ndarray] = {}
    for layer in convs:
        means = scene.means(answers[layer.name])
        found = order(layer.channels, by, means=means, influences=influences.get(layer.name))
        follower: str | None = layer.name
        while follower is not None:
            orders[follower] = found
            follower = _next_with_same_channels(scene, follower)
    return orders


def _next_with_same_channels(scene: Scene, name: str) -> str | None:
    readers = [layer for layer in scene.layers if name in layer.inputs]
    if len(readers) == 1 and readers[0].kind in ("norm", "activation", "pool"):
        return readers[0].name
    return None


def is_drawable(layer: Layer) -> bool:
    """Whether a layer can be shown as tiles: maps, tokens in a grid, or features as maps of one unit."""
    return len(layer.map_shape) in (1, 3)


def choose_colors(layer: Layer) -> Colors:
    """Sequential for what an activation or a pooling made, and for pixels; diverging for what has two signs."""
    return "sequential" if layer.kind in ("input", "activation", "pool") or layer.op == "softmax" else "diverging"


@dataclass(frozen=True)
class ViewOptions:
    """What a page wants to see of a scene.

    Attributes:
        kinds: kinds of layers that are shown as tiles; linear layers of features always are.
        scale: one color scale a layer or a channel.
        orders: channel numbers by layer in the order in which they are shown; by number where a layer is missing.
        dead: channels by layer that answer to nothing.
    """

    kinds: tuple[str, ...]
    scale: Scale = "layer"
    orders: Mapping[str, np.ndarray] = field(default_factory=dict)
    dead: Mapping[str, np.ndarray] = field(default_factory=dict)

    def shown_layers(self, scene: Scene) -> list[Layer]:
        """The layers that are shown, in the order of execution."""
        return [
            layer
            for layer in scene.layers
            if is_drawable(layer) and (layer.kind in self.kinds or (layer.kind == "linear" and not layer.spatial))
        ]


def pack_scene(scene: Scene, options: ViewOptions, **more: Any) -> bytes:
    """Pack a scene for the browser: a little-endian length, that much JSON, then the numbers that the JSON points to.

    The JSON holds every layer's facts, and for layers that are shown or read by one that is, where their values are:
    ``[offset, count, "f4" or "u1"]`` with offsets from the end of the JSON. Bytes stand for
    ``low + byte / 255 · (high - low)``; ``exact`` says that all values are float32.

    Args:
        scene: what to send.
        options: what the page wants to see of it.
        more: further JSON for the header (words, the pinned unit).
    """
    shown = [layer.name for layer in options.shown_layers(scene)]
    sent = _layers_to_send(scene, shown)
    exact = sum(int(np.prod(scene.layer(name).shape)) for name in sent) <= EXACT_VALUES
    arrays = ArrayPacker()
    facts = []
    for layer in scene.layers:
        fact = _describe_layer(layer)
        if layer.name in sent:
            fact.update(_pack_values(scene, layer, arrays, exact))
        if layer.name in shown:
            fact.update(_describe_display(scene, layer, options))
        facts.append(fact)
    header = {
        "layers": facts,
        "shown": shown,
        "exact": exact,
        "image": arrays.add(scene.image),
        "image_shape": scene.image.shape,
        "tables": {"sequential": arrays.add(color_table(SEQUENTIAL)), "diverging": arrays.add(color_table(DIVERGING))},
        **more,
    }
    return join_message(header, arrays)


def join_message(header: dict[str, Any], arrays: ArrayPacker) -> bytes:
    """A little-endian length, that much JSON, then the numbers that the JSON points to."""
    text = json.dumps(header, separators=(",", ":"), allow_nan=False).encode()
    text += b" " * (-len(text) % 4)  # what follows starts at a multiple of four
    return struct.pack("<I", len(text)) + text + arrays.joined()


def _layers_to_send(scene: Scene, shown: list[str]) -> set[str]:
    """The input, what is shown, and what that reads."""
    names = {"input", *shown}
    for name in shown:
        names.update(scene.maps.nodes[name].inputs)
    return {name for name in names if is_drawable(scene.layer(name))}


class ArrayPacker:
    """Arrays one behind the other, each at a multiple of four."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0

    def add(self, array: np.ndarray) -> list[Any]:
        """Append an array; where it is and what it is."""
        kind = "u1" if array.dtype == np.uint8 else "f4"
        data = np.ascontiguousarray(array, np.uint8 if kind == "u1" else np.dtype("<f4")).tobytes()
        place = [self._size, array.size, kind]
        data += b"\0" * (-len(data) % 4)
        self._parts.append(data)
        self._size += len(data)
        return place

    def joined(self) -> bytes:
        return b"".join(self._parts)


def _describe_layer(layer: Layer) -> dict[str, Any]:
    """What the strip of layers says, and the geometry."""
    return {
        "name": layer.name,
        "kind": layer.kind,
        "op": layer.op,
        "inputs": layer.inputs,
        "shape": layer.map_shape,
        "output": layer.shape,
        "tokens": layer.tokens is not None,
        "parameters": layer.parameters,
        "multiply_adds": layer.multiply_adds,
        "memory": layer.memory,
        "field": {"size": layer.field.size, "stride": layer.field.stride, "start": layer.field.start},
    }


def _pack_values(scene: Scene, layer: Layer, arrays: ArrayPacker, exact: bool) -> dict[str, Any]:
    values = scene.values(layer.name)
    low, high = float(values.min()), float(values.max())
    if not exact:
        values = ((values - low) * (255 / (high - low or 1.0)) + 0.5).astype(np.uint8)
    return {
        "values": arrays.add(values),
        "low": low,
        "high": high,
        "rows": layer.field.rows.bounds.tolist(),
        "cols": layer.field.cols.bounds.tolist(),
        **_describe_window(scene.maps.nodes[layer.name]),
    }


def _describe_window(node: Node) -> dict[str, Any]:
    """The window of a convolution or pooling, so that the browser can light up what a unit reads."""
    if node.op not in ("conv2d", "max_pool2d", "avg_pool2d"):
        return {}
    kernel, stride, padding, dilation = window_settings(node)
    groups = int(node.settings.get("groups", 1))
    return {"kernel": kernel, "stride": stride, "padding": padding, "dilation": dilation, "groups": groups}


def _describe_display(scene: Scene, layer: Layer, options: ViewOptions) -> dict[str, Any]:
    values = scene.values(layer.name)
    colors = choose_colors(layer)
    ends = color_limits(values, colors, options.scale)
    order = options.orders.get(layer.name)
    dead = options.dead.get(layer.name)
    return {
        "colors": colors,
        "limits": ends[:1].tolist() if options.scale == "layer" else ends.tolist(),
        "order": (np.arange(len(values)) if order is None else order).tolist(),
        "silent": np.flatnonzero(scene.silent(layer.name)).tolist(),
        "dead": [] if dead is None else np.flatnonzero(dead).tolist(),
    }

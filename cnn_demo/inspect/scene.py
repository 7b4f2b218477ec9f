"""One image seen by one network, and the bytes in which a browser receives it."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from cnn_demo.inspect.architecture import Layer, describe
from cnn_demo.inspect.capture import Captured, Node, capture
from cnn_demo.inspect.receptive import window_settings
from cnn_demo.inspect.trace import chain_of
from cnn_demo.plots.tiles import DIVERGING, SEQUENTIAL, Colors, Scale, limits, table

# What is sent as float32 and with weights, so that the browser can do the arithmetic itself. Beyond, maps are bytes.
WHOLE_VALUES = 600_000
WHOLE_WEIGHTS = 100_000
# What arithmetic.js can take apart.
_MIXING = ("input", "conv2d", "linear", "max_pool2d", "avg_pool2d", "add")
_SINGLE = ("batch_norm", "relu", "dropout", "sigmoid", "tanh")


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
        """Activations of a layer, ``(C, H, W)`` float32; features count as maps of one unit."""
        found = self.maps[name][0].numpy()
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


def drawable(layer: Layer) -> bool:
    """Whether a layer can be shown as tiles: maps, or features as maps of one unit."""
    return len(layer.shape) in (1, 3)


def colors_of(layer: Layer) -> Colors:
    """Sequential for what an activation or a pooling made, and for pixels; diverging for what has two signs."""
    return "sequential" if layer.kind in ("input", "activation", "pool") else "diverging"


@dataclass(frozen=True)
class Shown:
    """What a page wants to see of a scene.

    Attributes:
        kinds: kinds of layers that are shown as tiles; linear layers always are.
        scale: one color scale a layer or a channel.
        orders: channel numbers by layer in the order in which they are shown; by number where a layer is missing.
        dead: channels by layer that answer to nothing.
    """

    kinds: tuple[str, ...]
    scale: Scale = "layer"
    orders: Mapping[str, np.ndarray] = field(default_factory=dict)
    dead: Mapping[str, np.ndarray] = field(default_factory=dict)

    def layers(self, scene: Scene) -> list[Layer]:
        """The layers that are shown, in the order of execution."""
        kinds = (*self.kinds, "linear")
        return [layer for layer in scene.layers if layer.kind in kinds and drawable(layer)]


def pack(scene: Scene, shown: Shown, **more: Any) -> bytes:
    """A scene as bytes for the browser: a little-endian length, that much JSON, then the numbers it points into.

    The JSON holds every layer's facts, and for layers that are shown or read by one that is, where their values are:
    ``[offset, count, "f4" or "u1"]`` with offsets from the end of the JSON. Bytes stand for
    ``low + byte / 255 · (high - low)``. Where everything is small (``whole``), weights are sent too.

    Args:
        scene: what to send.
        shown: what the page wants to see of it.
        more: further JSON for the header (words, the pinned unit).
    """
    wanted = [layer.name for layer in shown.layers(scene)]
    needed = _read_by(scene, wanted)
    full = _full(scene, wanted)
    whole = sends_all(scene, shown)
    bag = _Bag()
    facts = []
    for layer in scene.layers:
        fact = _facts(layer)
        if layer.name in (full if whole else needed):
            fact.update(_values(scene, layer, bag, whole))
        if layer.name in wanted:
            fact.update(_display(scene, layer, shown), chain=chain_of(scene.maps.nodes, layer.name))
        if whole:
            fact.update(_weights(scene.maps.nodes[layer.name], bag))
        facts.append(fact)
    header = {
        "layers": facts,
        "shown": wanted,
        "whole": whole,
        "image": bag.add(scene.image),
        "image_shape": scene.image.shape,
        "probabilities": scene.probabilities.tolist(),
        "tables": {"sequential": bag.add(table(SEQUENTIAL)), "diverging": bag.add(table(DIVERGING))},
        **more,
    }
    text = json.dumps(header, separators=(",", ":"), allow_nan=False).encode()
    text += b" " * (-len(text) % 4)  # what follows starts at a multiple of four
    return struct.pack("<I", len(text)) + text + bag.bytes()


def sends_all(scene: Scene, shown: Shown) -> bool:
    """Whether everything that the arithmetic needs is small enough to be sent as it is."""
    names = _full(scene, [layer.name for layer in shown.layers(scene)])
    return sum(int(np.prod(scene.layer(name).shape)) for name in names) <= WHOLE_VALUES


def in_browser(scene: Scene, shown: Shown, name: str) -> bool:
    """Whether the browser can take the units of a layer apart with what :func:`pack` sends it."""
    if name not in [layer.name for layer in shown.layers(scene)] or not sends_all(scene, shown):
        return False
    for node in (scene.maps.nodes[link] for link in chain_of(scene.maps.nodes, name)):
        weight = node.settings.get("weight")
        heavy = isinstance(weight, Tensor) and weight.numel() > WHOLE_WEIGHTS
        unfit = node.op == "add" and len(node.inputs) != 2
        unfit |= node.op == "batch_norm" and node.settings.get("running_mean") is None
        if node.op not in _MIXING + _SINGLE or heavy or unfit:
            return False
    return True


def _read_by(scene: Scene, wanted: list[str]) -> dict[str, None]:
    """What is shown, and what that reads."""
    names = dict.fromkeys(["input", *wanted])
    for name in wanted:
        names.update(dict.fromkeys(scene.maps.nodes[name].inputs))
    return {name: None for name in names if drawable(scene.layer(name))}


def _full(scene: Scene, wanted: list[str]) -> dict[str, None]:
    """What the arithmetic of everything shown needs."""
    names = _read_by(scene, wanted)
    for name in wanted:
        chain = chain_of(scene.maps.nodes, name)
        names.update(dict.fromkeys([*chain, *scene.maps.nodes[chain[0]].inputs]))
    return {name: None for name in names if drawable(scene.layer(name))}


class _Bag:
    """Arrays one behind the other, each at a multiple of four."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0

    def add(self, array: np.ndarray) -> list[Any]:
        """Put an array in; where it is and what it is."""
        kind = "u1" if array.dtype == np.uint8 else "f4"
        data = np.ascontiguousarray(array, np.uint8 if kind == "u1" else np.dtype("<f4")).tobytes()
        place = [self._size, array.size, kind]
        data += b"\0" * (-len(data) % 4)
        self._parts.append(data)
        self._size += len(data)
        return place

    def bytes(self) -> bytes:
        return b"".join(self._parts)


def _facts(layer: Layer) -> dict[str, Any]:
    """What the ribbon says of a layer, and its geometry."""
    return {
        "name": layer.name,
        "kind": layer.kind,
        "op": layer.op,
        "inputs": layer.inputs,
        "shape": layer.shape,
        "parameters": layer.parameters,
        "multiply_adds": layer.multiply_adds,
        "memory": layer.memory,
        "field": {"size": layer.field.size, "stride": layer.field.stride, "start": layer.field.start},
    }


def _values(scene: Scene, layer: Layer, bag: _Bag, whole: bool) -> dict[str, Any]:
    values = scene.values(layer.name)
    found: dict[str, Any] = {
        "rows": layer.field.rows.bounds.tolist(),
        "cols": layer.field.cols.bounds.tolist(),
        **_window(scene.maps.nodes[layer.name]),
    }
    low, high = float(values.min()), float(values.max())
    if whole:
        return {**found, "values": bag.add(values), "low": low, "high": high}
    span = high - low or 1.0
    coded = ((values - low) * (255 / span) + 0.5).astype(np.uint8)
    return {**found, "values": bag.add(coded), "low": low, "high": high}


def _window(node: Node) -> dict[str, Any]:
    """The window of a convolution or pooling, so that the browser can light up what a unit reads."""
    if node.op not in ("conv2d", "max_pool2d", "avg_pool2d"):
        return {}
    kernel, stride, padding, dilation = window_settings(node)
    return {
        "kernel": kernel,
        "stride": stride,
        "padding": padding,
        "dilation": dilation,
        "groups": int(node.settings.get("groups", 1)),
        "inclusive": bool(node.settings.get("count_include_pad", True)),
        "divisor": node.settings.get("divisor_override"),
    }


def _display(scene: Scene, layer: Layer, shown: Shown) -> dict[str, Any]:
    values = scene.values(layer.name)
    colors = colors_of(layer)
    ends = limits(values, colors, shown.scale)
    order = shown.orders.get(layer.name)
    dead = shown.dead.get(layer.name)
    return {
        "colors": colors,
        "limits": ends[:1].tolist() if shown.scale == "layer" else ends.tolist(),
        "order": (np.arange(len(values)) if order is None else order).tolist(),
        "silent": np.flatnonzero(scene.silent(layer.name)).tolist(),
        "dead": [] if dead is None else np.flatnonzero(dead).tolist(),
    }


def _weights(node: Node, bag: _Bag) -> dict[str, Any]:
    """The numbers that the arithmetic of a layer needs, where they are few enough."""
    settings = node.settings
    found: dict[str, Any] = {}
    weight = settings.get("weight")
    if node.op in ("conv2d", "linear"):
        if not isinstance(weight, Tensor) or weight.numel() > WHOLE_WEIGHTS:
            return {}
        found = _tensors(settings, ("weight", "bias"), bag)
    elif node.op == "batch_norm" and settings.get("running_mean") is not None:
        found = _tensors(settings, ("running_mean", "running_var", "weight", "bias"), bag)
        found["eps"] = float(settings.get("eps", 1e-5))
    return {"weights": found} if found else {}


def _tensors(settings: Mapping[str, Any], names: Iterable[str], bag: _Bag) -> dict[str, Any]:
    return {n: bag.add(settings[n].detach().numpy()) for n in names if isinstance(settings.get(n), Tensor)}

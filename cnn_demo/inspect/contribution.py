"""Which channels a map rests on for one image, and by how much: exact parts of sums, no estimate.

A convolution adds up what each channel of its input gives. So does a linear layer over features, and a residual sum
over its terms. The part of one input channel in all units of one output channel is such a sum taken by itself; the
parts of all channels and the bias add up to what PyTorch computed. Behind a ReLU only units that answer count, and
behind a normalization each unit counts with its factor: the parts are those of what is seen in the map.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.grad import conv2d_weight

from cnn_demo.inspect.capture import Node
from cnn_demo.inspect.receptive import window_settings
from cnn_demo.inspect.scene import Scene

Home = Callable[[str], str | None]  # the column that shows a layer; None where none does

_KEEPS_CHANNELS = ("activation", "norm", "pool", "dropout", "reshape")


@dataclass(frozen=True)
class Feed:
    """What the channels of one layer get from those of another.

    Attributes:
        source: the layer that gives; None for what comes from layers that are folded away.
        parts: ``(outputs, inputs)`` float64, the part of each input channel in each output channel's sum; ``(outputs,
            1)`` where ``source`` is None. None where a channel reads the same channel of the source and nothing else.
        mixed: the operation is no sum over channels (attention): every channel of the source may count.
    """

    source: str | None
    parts: np.ndarray | None = None
    mixed: bool = False


def list_feeds(scene: Scene, name: str, outputs: np.ndarray, home: Home) -> list[Feed]:
    """What feeds the channels of a layer.

    Args:
        scene: what the network made of the image.
        name: the layer that is shown.
        outputs: channel numbers of it, ``(outputs,)``.
        home: which layer stands for another in the picture; layers of the same column as ``name`` have ``name``.

    Returns:
        One entry a source, in the order in which the layer reads them.
    """
    node = scene.maps.nodes[name]
    factors = np.ones_like(scene.values(name)[outputs], dtype=np.float64)  # (outputs, H, W): how much each unit counts
    while node.kind in _KEEPS_CHANNELS and len(node.inputs) == 1:
        (source,) = node.inputs
        found = home(source)
        if found is not None and found != name:
            return [Feed(found)]
        step = _factors_before(scene, node, outputs, factors)
        if step is None:
            break
        node, factors = scene.maps.nodes[source], step
    if node.op == "conv2d":
        return _label(scene, node, split_convolution(scene, node, outputs, factors), home, name)
    if node.op == "linear":
        return _label(scene, node, split_linear(scene, node, outputs, factors), home, name)
    if node.kind == "add" and node.settings.get("alpha", 1) == 1:
        return _split_sum(scene, node, outputs, factors, home, name)
    carriers = [carrier for source in node.inputs if (carrier := _carrier(scene, source, home, name))]
    return [Feed(source, mixed=True) for source in dict.fromkeys(carriers)]


def split_convolution(scene: Scene, node: Node, outputs: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """The part of each input channel in the sum over all units of each output channel.

    A unit is Σ over input channels of patch · kernel. Summed over units, each weight of a kernel meets the sum of what
    it is multiplied with, which is the gradient of that sum by the weight: one pass gives all parts.

    Args:
        scene: the activations.
        node: the convolution.
        outputs: channel numbers, ``(outputs,)``.
        factors: ``(outputs, H, W)``, how much each unit counts.

    Returns:
        ``(outputs, input channels)`` float64. With the bias times the sum of the factors they add up to the sum of
        ``factors`` times the layer's output, before normalization and activation.
    """
    weight: Tensor = node.settings["weight"].detach().double()  # (O, I / groups, kh, kw)
    source = scene.maps[node.inputs[0]][:1].detach().double()  # (1, I, H, W)
    kernel, stride, padding, dilation = window_settings(node)
    needed = [
        (n - 1) * s + d * (k - 1) + 1 for n, s, d, k in zip(node.shape[2:], stride, dilation, kernel, strict=True)
    ]
    below, right = (max(0, n - p - h) for n, p, h in zip(needed, padding, source.shape[2:], strict=True))
    source = torch.nn.functional.pad(source, (padding[1], right, padding[0], below))  # "same" may differ by side
    groups = int(node.settings.get("groups", 1))
    inputs, each = source.shape[1], weight.shape[1]
    parts = np.zeros((len(outputs), inputs))
    group_of = outputs // (len(weight) // groups)
    for group in np.unique(group_of):
        here = np.flatnonzero(group_of == group)
        own = weight[torch.from_numpy(outputs[here])]
        first = int(group) * each
        counts = torch.from_numpy(factors[here])[None]  # (1, outputs, H, W)
        met = conv2d_weight(source[:, first : first + each], own.shape, counts, stride=stride, dilation=dilation)
        parts[here, first : first + each] = (met * own).sum((2, 3)).numpy()  # (outputs, I / groups)
    return parts


def split_linear(scene: Scene, node: Node, outputs: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """The part of each input in each output of a linear layer; of tokens, summed over those that have a place.

    Args:
        scene, node, outputs, factors: as for :func:`split_convolution`.

    Returns:
        ``(outputs, inputs)`` float64.
    """
    weight = node.settings["weight"].detach().double().numpy()[outputs]  # (outputs, inputs)
    source = scene.values(node.inputs[0]).astype(np.float64)
    source = source.reshape(len(source), -1)  # (inputs, H, W) -> (inputs, units)
    counts = factors.reshape(len(outputs), -1)  # (outputs, units)
    met: np.ndarray = counts @ source.T
    return weight * met


def _label(scene: Scene, node: Node, parts: np.ndarray, home: Home, name: str) -> list[Feed]:
    """Parts of channels as the picture shows them: features that were flattened from maps are summed by map."""
    source = node.inputs[0]
    carrier = _carrier(scene, source, home, name)
    if carrier is None:
        return [Feed(None, parts.sum(1, keepdims=True))]
    channels = scene.layer(carrier).channels
    if parts.shape[1] != channels:
        if parts.shape[1] % channels:
            return [Feed(carrier, mixed=True)]
        parts = parts.reshape(len(parts), channels, -1).sum(2)  # (outputs, C · H · W) -> (outputs, C)
    return [Feed(carrier, parts)]


def _split_sum(scene: Scene, node: Node, outputs: np.ndarray, factors: np.ndarray, home: Home, name: str) -> list[Feed]:
    """A residual sum: each term gives its own channel; terms that are folded away are taken together."""
    feeds: list[Feed] = []
    inside: np.ndarray | None = None
    terms = list(node.inputs)
    for source in terms:
        term = scene.maps.nodes[source]
        if home(source) == name and term.kind == "add" and term.settings.get("alpha", 1) == 1:
            terms.extend(term.inputs)  # a sum within a sum, as in a block of a transformer
            continue
        values = scene.values(source)
        if values.shape[0] != scene.layer(node.name).channels:
            continue
        given = (np.broadcast_to(values[outputs], factors.shape) * factors).sum((1, 2))  # (outputs,)
        carrier = _carrier(scene, source, home, name)
        if carrier is None or scene.layer(carrier).channels != len(values):
            inside = given if inside is None else inside + given
            continue
        parts = np.zeros((len(outputs), len(values)))
        parts[np.arange(len(outputs)), outputs] = given
        feeds.append(Feed(carrier, parts))
    return feeds if inside is None else [*feeds, Feed(None, inside[:, None])]


def _carrier(scene: Scene, source: str, home: Home, name: str) -> str | None:
    """The column that shows the channels of a layer, perhaps before an operation that keeps them; None: folded away."""
    while True:
        found = home(source)
        if found is not None:
            return None if found == name else found
        node = scene.maps.nodes[source]
        passes = node.kind in _KEEPS_CHANNELS or node.op == "pad" or (node.kind == "add" and len(node.inputs) == 1)
        if not passes or len(node.inputs) != 1:
            return None
        source = node.inputs[0]


def _factors_before(scene: Scene, node: Node, outputs: np.ndarray, factors: np.ndarray) -> np.ndarray | None:
    """How much each unit before an operation counts, from how much each behind it does; None where it is no factor."""
    if node.kind == "activation":
        if node.op.endswith("softmax"):
            return None
        answers = scene.values(node.name)[outputs] > 0
        return factors * answers if node.op == "relu" else factors
    if node.kind == "norm":
        scale = _norm_factors(scene, node)
        return None if scale is None else factors * np.broadcast_to(scale, scene.values(node.name).shape)[outputs]
    if node.kind == "pool":  # a folded pooling: units count as before it
        whole = scene.values(node.inputs[0])
        return np.ones((len(outputs), *whole.shape[1:])) if len(whole) == scene.layer(node.name).channels else None
    before = scene.values(node.inputs[0]) if len(scene.layer(node.inputs[0]).map_shape) in (1, 3) else None
    return factors if before is not None and before.shape == scene.values(node.name).shape else None


def _norm_factors(scene: Scene, node: Node) -> np.ndarray | None:
    """What a normalization multiplies each unit by for this image, ``(C, 1 or H, 1 or W)``."""
    settings = node.settings
    weight = settings.get("weight")
    gain = 1.0 if weight is None else weight.detach().double().numpy()[:, None, None]
    before = scene.values(node.inputs[0]).astype(np.float64)
    if node.op == "batch_norm" and settings.get("running_var") is not None:
        variance = settings["running_var"].detach().double().numpy()[:, None, None]
        return np.asarray(gain / np.sqrt(variance + settings.get("eps", 1e-5)))
    if node.op == "group_norm":
        groups = before.reshape(int(settings["num_groups"]), -1)  # (C, H, W) -> (groups, C / groups · H · W)
        variance = groups.var(1).repeat(len(before) // len(groups))[:, None, None]
        return np.asarray(gain / np.sqrt(variance + settings.get("eps", 1e-5)))
    if node.op == "normalize" and settings.get("p", 2.0) == 2:  # features divided by their length
        return np.asarray(1 / np.sqrt((before**2).sum(0, keepdims=True)))
    if node.op == "layer_norm":
        return np.asarray(gain / np.sqrt(before.var(0, keepdims=True) + settings.get("eps", 1e-5)))
    return None

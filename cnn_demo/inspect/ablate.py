"""Switch channels off and see what the network can no longer do."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from cnn_demo.datasets.specs import DatasetSpec
from cnn_demo.datasets.splits import Split
from cnn_demo.inspect.architecture import response
from cnn_demo.inspect.capture import Captured, Node, capture
from cnn_demo.inspect.patches import normalize_channels_last

SAMPLES = 2000
_BATCH = 250

Key = tuple[str, str]  # Node.key


@dataclass(frozen=True, slots=True)
class ClassAccuracy:
    """How many images of each class were recognized.

    Attributes:
        correct: ``(K,)`` int64.
        n: ``(K,)`` int64, images of each class.
    """

    correct: np.ndarray
    n: np.ndarray

    @property
    def overall(self) -> float:
        """Share of all images, 0 to 1."""
        return float(self.correct.sum() / max(1, self.n.sum()))

    @property
    def by_class(self) -> np.ndarray:
        """Share of each class, ``(K,)``, 0 to 1; NaN for a class without images."""
        with np.errstate(invalid="ignore"):
            return self.correct / self.n


class Ablation:
    """One layer of one model, ready to be asked with any set of its channels switched off.

    A channel that is off answers zero everywhere. The zero is put behind the norm, activation and pooling that directly
    follow the layer. What lies before is computed once for the test images and kept (up to ``budget``), so that each
    question costs the rest of the network only.

    Attributes:
        layer: the layer whose channels can be switched off.
        channels: how many it has.
        baseline: accuracy with all channels on.
        kept: images of which the activations are kept; the others are computed from the start each time.
        n: images in all.
    """

    def __init__(
        self,
        model: nn.Module,
        split: Split,
        spec: DatasetSpec,
        layer: str,
        *,
        samples: int = SAMPLES,
        budget: int = 256 * 2**20,
    ) -> None:
        """Compute and keep what lies before the layer.

        Args:
            model: as for :func:`cnn_demo.inspect.capture.capture`.
            split: test images and labels; evenly spaced samples of it are used.
            spec: the data set, for mean, std and classes.
            layer: a node of the model with ``(N, C, H, W)`` or ``(N, C)``.
            samples: test images to use, at most.
            budget: bytes of activations to keep, at most.

        Raises:
            KeyError: no such layer.
        """
        self._model, self._spec, self.layer = model, spec, layer
        self._device = next(model.parameters()).device
        chosen = torch.linspace(0, len(split) - 1, min(samples, len(split))).round().long()
        self._images, self._labels = split.images[chosen], split.labels[chosen]
        self.n = len(chosen)
        self._kept: list[dict[Key, Tensor]] = []
        with capture(model, kinds=()) as maps:
            maps(self._batch(0)[:1])
            if layer not in maps.nodes:
                raise KeyError(f"no layer named {layer!r}; there are: {', '.join(maps.nodes)}")
            self._at = _last_of_answer(maps.nodes, layer)
            self.channels = maps.nodes[self._at].shape[1]
            keep = _frontier(maps.nodes, self._at)
            # Overwritten later in the pass, as a residual sum does; the layer itself is masked into a copy.
            self._written = {node.inputs[0] for node in maps.nodes.values() if node.writes}
            size = sum(math.prod(maps.nodes[name].shape) for name, _ in keep or ()) * 4 * _BATCH
            predictions = []
            for start in range(0, self.n, _BATCH):
                kept = keep is not None and size * (len(self._kept) + 1) <= budget
                predictions.append(self._first_pass(maps, start, keep or (), kept))
        self.baseline = self._count(predictions)
        self.kept = min(self.n, len(self._kept) * _BATCH)

    def accuracy(self, off: Iterable[int]) -> ClassAccuracy:
        """Accuracy on the same test images with some channels off.

        Raises:
            IndexError: a channel that the layer does not have.
        """
        mask = self._mask(off)
        predictions = []
        with capture(self._model, kinds=()) as maps:
            for i, start in enumerate(range(0, self.n, _BATCH)):
                kept = self._kept[i] if i < len(self._kept) else {}
                predictions.append(self._run(maps, self._batch(start), mask, kept).argmax(1))
        return self._count(predictions)

    def logits(self, image: Tensor, off: Iterable[int]) -> Tensor:
        """Logits ``(N, K)`` for normalized images ``(N, C, H, W)`` with some channels off."""
        with capture(self._model, kinds=()) as maps:
            return self._run(maps, image, self._mask(off), {})

    def _batch(self, start: int) -> Tensor:
        return normalize_channels_last(self._images[start : start + _BATCH].to(self._device), self._spec)

    def _mask(self, off: Iterable[int]) -> Tensor:
        mask = torch.ones(self.channels, device=self._device)
        for channel in off:
            if not 0 <= channel < self.channels:
                raise IndexError(f"channel {channel}: layer {self.layer!r} has channels 0 to {self.channels - 1}")
            mask[channel] = 0
        return mask

    def _run(self, maps: Captured, x: Tensor, mask: Tensor, kept: Mapping[Key, Tensor]) -> Tensor:
        def switch(value: Tensor) -> Tensor:
            return value * mask.view(-1, *[1] * (value.dim() - 2))

        ready = {key: value.clone() if key[0] in self._written - {self._at} else value for key, value in kept.items()}
        return maps(x, watch={self._at: switch}, replay=ready)

    def _first_pass(self, maps: Captured, start: int, keep: Sequence[Key], wanted: bool) -> Tensor:
        x = self._batch(start)
        found: dict[Key, Tensor] = {}

        def note(key: Key, value: Tensor) -> None:
            found[key] = value.clone() if key[0] in self._written else value

        watch = {key[0]: partial(note, key) for key in keep} if wanted else {}
        logits = maps(x, watch=watch)
        if wanted and len(self._kept) == start // _BATCH:
            kept = {**_placeholders(maps.nodes, self._at, x.device), **found}
            # A model that looks at its own activations, or writes in place, may not take this shortcut.
            if start or torch.equal(self._run(maps, x, self._mask(()), kept), logits):
                self._kept.append(kept)
        return logits.argmax(1)

    def _count(self, predictions: list[Tensor]) -> ClassAccuracy:
        classes = len(self._spec.classes)
        right = torch.cat(predictions).cpu() == self._labels
        correct = torch.bincount(self._labels[right], minlength=classes)
        return ClassAccuracy(correct.numpy(), torch.bincount(self._labels, minlength=classes).numpy())


def _last_of_answer(nodes: Mapping[str, Node], layer: str) -> str:
    """Behind norm, activation and pooling: zeros stay zeros there, and after pooling there is less to keep."""
    name = response(nodes, layer)
    while True:
        readers = [node for node in nodes.values() if name in node.inputs]
        if len(readers) != 1 or readers[0].kind != "pool":
            return name
        name = readers[0].name


def _before(nodes: Mapping[str, Node], at: str) -> list[str]:
    """Names up to and including ``at``, without the input."""
    order = list(nodes)
    return order[1 : order.index(at) + 1]


def _frontier(nodes: Mapping[str, Node], at: str) -> tuple[Key, ...] | None:
    """What the rest of the network reads of everything up to ``at``; None where this cannot be replayed."""
    before = _before(nodes, at)
    after = [node for name, node in nodes.items() if name not in before]
    read = [nodes[name] for name in before if name == at or any(name in node.inputs for node in after)]
    return None if any(node.parts > 1 for node in read) else tuple(node.key for node in read)


def _placeholders(nodes: Mapping[str, Node], at: str, device: torch.device) -> dict[Key, Tensor]:
    """Tensors of the right shape that take no memory, for what nobody reads any more."""
    blank = torch.zeros((), device=device)
    return {nodes[name].key: blank.expand(nodes[name].shape) for name in _before(nodes, at) if nodes[name].parts == 1}

"""Which channels a prediction rests on."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor, nn

from cnn_demo.inspect.architecture import response
from cnn_demo.inspect.capture import capture


def influence(model: nn.Module, image: Tensor, layers: Iterable[str], target: int) -> dict[str, np.ndarray]:
    """Gradient × activation of every channel, summed over its map.

    A first-order estimate of how far the logit would fall if the channel answered zero everywhere (Molchanov et al.,
    "Pruning Convolutional Neural Networks for Resource Efficient Inference", 2017, without their absolute value). It is
    exact where the rest of the network is linear.

    Args:
        model: as for :func:`cnn_demo.inspect.capture.capture`.
        image: one normalized image, ``(1, C, H, W)``.
        layers: names of convolutions; norm and activation that directly follow belong to the answer.
        target: the class.

    Returns:
        By layer, ``(channels,)`` float32: above zero speaks for the class, below zero against it.
    """
    with capture(model, kinds=()) as probe:
        probe(image)
        answers = {layer: response(probe.nodes, layer) for layer in layers}
    with capture(model, kinds=(), names=answers.values()) as maps:
        logits = maps(image, grad=True)
        values = [maps[answer] for answer in answers.values()]
        gradients = torch.autograd.grad(logits[0, target], values, allow_unused=True)
    found = {}
    for layer, value, gradient in zip(answers, values, gradients, strict=True):
        product = torch.zeros_like(value) if gradient is None else value.detach() * gradient
        found[layer] = product[0].flatten(1).sum(1).cpu().numpy()  # (1, C, H, W) -> (C,)
    return found


def exact_influence(model: nn.Module, image: Tensor, layer: str, target: int, *, batch: int = 64) -> np.ndarray:
    """How far the logit really falls when each channel of one layer, on its own, answers zero.

    Costs one forward pass for every channel; see :func:`influence` for the estimate.

    Returns:
        ``(channels,)`` float32.
    """
    with capture(model, kinds=()) as maps:
        whole = maps(image)[0, target]
        at = response(maps.nodes, layer)
        rank, channels = len(maps.nodes[at].shape), maps.nodes[at].shape[1]
        falls = []
        for start in range(0, channels, batch):
            off = torch.arange(start, min(start + batch, channels), device=image.device)
            mask = torch.ones(len(off), channels, device=image.device)
            mask[torch.arange(len(off)), off] = 0
            shaped = mask.view(len(off), channels, *[1] * (rank - 2))
            logits = maps(image.expand(len(off), -1, -1, -1), watch={at: shaped.mul})
            falls.append(whole - logits[:, target])
    return torch.cat(falls).cpu().numpy()


def order(
    channels: int, by: str, *, means: np.ndarray | None = None, influences: np.ndarray | None = None
) -> np.ndarray:
    """Channel numbers in the order in which a page shows them.

    Args:
        channels: how many there are.
        by: "index"; "mean", the largest mean activation first; or "influence", the strongest in favor first.
        means, influences: ``(channels,)``, as ``by`` needs.

    Raises:
        ValueError: another ``by``, or its numbers are missing.
    """
    keys = {"index": np.zeros(channels), "mean": means, "influence": influences}
    key = keys.get(by)
    if key is None:
        raise ValueError(f"by = {by!r}: expected index, mean (with means) or influence (with influences)")
    return np.argsort(-key, kind="stable")

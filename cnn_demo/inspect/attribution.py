"""Which pixels an answer depends on: four methods, three of them by Captum, at the network's resolution and the pad's.

At the pad's resolution the network is seen through its preparation: cropping, scaling and centering are linear once
the crop is held where it is, so they become the first layer (:class:`Preparation`) and every method works on the
pad's pixels directly. Only Grad-CAM, which has a late layer's resolution, is enlarged instead.

The model is copied for every call: Captum and ``capture`` register hooks in it, and the original is shared by all
visitors.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from cnn_demo.datasets.device_dataset import normalize
from cnn_demo.datasets.specs import DatasetSpec
from cnn_demo.drawing.prepare import Drawing
from cnn_demo.inspect.capture import Node, capture

METHODS: tuple[str, ...] = ("gradient", "integrated", "grad_cam", "occlusion")
IG_STEPS = 64
_PATCH = 5 / 28  # side of the patch that occlusion covers, as a part of the picture's
_BATCH = 64

Progress = Callable[[float], None]


@dataclass(frozen=True)
class Attribution:
    """Evidence for one class, pixel by pixel.

    Attributes:
        method: one of :data:`METHODS`.
        target: the class.
        values: ``(H, W)`` float32; positive speaks for the class, negative against it. Summed over colors.
        logit: of the class for the picture itself.
        baseline: of the class for black paper.
    """

    method: str
    target: int
    values: NDArray[np.float32]
    logit: float
    baseline: float


class Preparation(nn.Module):
    """The way from ink on the pad to a network's input, as a differentiable layer.

    Crop and centering stay where they were for the drawing it is made for; resizing is Pillow's antialiased bicubic
    filter. Maps ``(N, 1, H, W)`` ink in [0, 1] to ``(N, 1, size, size)`` normalized.

    Args:
        drawing: a digit that is not empty.
        spec: the data set of the network.

    Raises:
        ValueError: the drawing has no crop: it is empty, or the data set is not one of digits.
    """

    def __init__(self, drawing: Drawing, spec: DatasetSpec) -> None:
        super().__init__()
        if drawing.crop is None:
            raise ValueError("the drawing has no crop: only digits are cropped and centered")
        self.crop, self.spec = drawing.crop, spec
        box = drawing.stage("box").image
        self.box = box.shape
        self.top, self.left = _place(drawing.stage("centered").image, box)
        with torch.no_grad():
            strongest = float(self._scaled(torch.from_numpy(drawing.stage("ink").image)[None, None]).max())
        self.gain = 1 / max(strongest, 1e-6) if self.box != drawing.stage("crop").image.shape else 1.0

    def forward(self, ink: Tensor) -> Tensor:
        """Ink ``(N, 1, H, W)`` to input ``(N, 1, size, size)``."""
        small = self._scaled(ink) * self.gain
        height, width = self.box
        size = self.spec.size
        field = F.pad(small, (self.left, size - width - self.left, self.top, size - height - self.top))
        return normalize(field, self.spec)

    def _scaled(self, ink: Tensor) -> Tensor:
        top, left, bottom, right = self.crop
        crop = ink[:, :, top:bottom, left:right]
        if tuple(crop.shape[2:]) == self.box:
            return crop
        return F.interpolate(crop, self.box, mode="bicubic", antialias=True, align_corners=False).clamp(0, 1)


def _place(field: NDArray[np.float32], box: NDArray[np.float32]) -> tuple[int, int]:
    """Where the box lies in the field."""
    height, width = box.shape
    for top in range(field.shape[0] - height + 1):
        for left in range(field.shape[1] - width + 1):
            if np.array_equal(field[top : top + height, left : left + width], box):
                return top, left
    raise ValueError("the box is not in the field")


def attribute(
    model: nn.Module, picture: Tensor, black: Tensor, method: str, target: int, progress: Progress | None = None
) -> Attribution:
    """Attribute one logit to the pixels of a picture.

    * ``gradient``: the derivative of the logit (Simonyan, Vedaldi, Zisserman, "Deep inside convolutional networks",
      2014), with its sign.
    * ``integrated``: integrated gradients from black paper (Sundararajan, Taly, Yan, "Axiomatic attribution for deep
      networks", 2017); the values sum to ``logit - baseline`` up to the error of the midpoint-like sum.
    * ``grad_cam``: the activations of the last convolution (:func:`grad_cam_layer`), its channels weighted by their
      mean gradient and summed, and what is below zero cut off (Selvaraju et al., "Grad-CAM", 2017): only evidence for
      the class, at that layer's own resolution.
    * ``occlusion``: how much the logit falls when a patch is blackened (Zeiler and Fergus, "Visualizing and
      understanding convolutional networks", 2014), averaged over the patches that cover a pixel.

    Args:
        model: maps ``(N, C, H, W)`` to logits; may be ``nn.Sequential(Preparation(...), network)``. Not changed.
        picture: ``(1, C, H, W)``.
        black: a baseline of the same shape: black paper.
        method: one of :data:`METHODS`.
        target: the class.
        progress: told the part that is done, 0 to 1.

    Raises:
        ValueError: no such method, or a model without a convolution for ``grad_cam``.
    """
    if method not in METHODS:
        raise ValueError(f"method = {method!r}: expected one of {', '.join(METHODS)}")
    own = copy.deepcopy(model).eval().requires_grad_(False)
    picture, black = picture.detach().clone(), black.detach().clone()
    with torch.no_grad():
        logit, baseline = (float(value) for value in own(torch.cat([picture, black]))[:, target])
    values = _METHODS[method](own, picture, black, target, progress or (lambda _: None))
    return Attribution(method, target, values.detach()[0].sum(0).float().numpy(), logit, baseline)


def _gradient(model: nn.Module, picture: Tensor, black: Tensor, target: int, progress: Progress) -> Tensor:
    from captum.attr import Saliency

    return Saliency(model).attribute(picture.requires_grad_(), target=target, abs=False)


def _integrated(model: nn.Module, picture: Tensor, black: Tensor, target: int, progress: Progress) -> Tensor:
    from captum.attr import IntegratedGradients

    counted = _ProgressModel(model, IG_STEPS, progress)
    return IntegratedGradients(counted, multiply_by_inputs=True).attribute(
        picture, black, target=target, n_steps=IG_STEPS, internal_batch_size=8
    )


def _grad_cam(model: nn.Module, picture: Tensor, black: Tensor, target: int, progress: Progress) -> Tensor:
    with capture(model, kinds=()) as probe:
        probe(picture)
        layer = grad_cam_layer(probe.nodes)
    with capture(model, kinds=(), names=(layer,)) as maps:
        logit = maps(picture, grad=True)[0, target]
        (gradient,) = torch.autograd.grad(logit, maps[layer], allow_unused=True)
    if gradient is None:  # the logit does not depend on that layer
        return torch.zeros_like(maps[layer][:, :1])
    weights = gradient.mean((2, 3), keepdim=True)  # (1, C, H, W) -> (1, C, 1, 1)
    return (weights * maps[layer]).sum(1, keepdim=True).relu()  # (1, C, H, W) -> (1, 1, H, W)


def _occlusion(model: nn.Module, picture: Tensor, black: Tensor, target: int, progress: Progress) -> Tensor:
    from captum.attr import Occlusion

    channels, height, width = picture.shape[1:]
    side = [max(1, round(length * _PATCH)) for length in (height, width)]
    stride = [max(1, round(length / 28)) for length in (height, width)]
    rows, columns = (-(-(n - s) // t) + 1 for n, s, t in zip((height, width), side, stride, strict=True))
    counted = _ProgressModel(model, rows * columns, progress)
    with torch.no_grad():
        return Occlusion(counted).attribute(
            picture, (channels, *side), (channels, *stride), black, target, perturbations_per_eval=_BATCH
        )


_METHODS: dict[str, Callable[[nn.Module, Tensor, Tensor, int, Progress], Tensor]] = {
    "gradient": _gradient,
    "integrated": _integrated,
    "grad_cam": _grad_cam,
    "occlusion": _occlusion,
}


class _ProgressModel(nn.Module):
    """A model that tells how many of its expected pictures it has seen."""

    def __init__(self, model: nn.Module, expected: int, progress: Progress) -> None:
        super().__init__()
        self.model, self.expected, self.progress, self.seen = model, expected, progress, 0

    def forward(self, pictures: Tensor) -> Tensor:
        logits: Tensor = self.model(pictures)
        self.seen += len(pictures)
        self.progress(min(self.seen / self.expected, 1.0))
        return logits


def grad_cam_layer(nodes: Mapping[str, Node]) -> str:
    """The layer whose maps Grad-CAM weighs: where the answer of the last convolution is complete.

    That is behind its norm, the sum of its residual block, its gate and its activation function. Before a ReLU a
    channel has large negative numbers on empty paper, which say nothing about what the rest of the network gets.
    A convolution over maps of one pixel (the gate of squeeze-and-excitation) is a linear layer and does not count.

    Args:
        nodes: ``Captured.nodes`` after a forward pass.

    Raises:
        ValueError: there is no convolution.
    """
    convs = [node for node in nodes.values() if node.op == "conv2d" and math.prod(node.shape[2:]) > 1]
    convs = convs or [node for node in nodes.values() if node.op == "conv2d"]
    if not convs:
        raise ValueError("the model has no convolution")
    node = convs[-1]
    while node.kind != "activation":
        follow = [
            reader
            for reader in nodes.values()
            if node.name in reader.inputs
            and reader.shape == node.shape
            and reader.kind in ("norm", "activation", "add", "product")
        ]
        if not follow:
            break
        node = follow[-1]
    return node.name


def enlarge(values: NDArray[np.float32], drawing: Drawing, spec: DatasetSpec) -> NDArray[np.float32]:
    """Lay a map of the network's field over the pad: bilinear, and 0 where the network does not look.

    Args:
        values: ``(h, w)`` over the whole input of the network, at any resolution.
        drawing: which pad picture.
        spec: the data set of the network.

    Returns:
        ``(H, W)`` as the stage ``ink``, or as the first stage for data sets whose pictures are resized as a whole.
    """
    grid = torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))[None, None]
    if drawing.crop is None:
        shape = drawing.stages[0].image.shape[:2]
        return F.interpolate(grid, shape, mode="bilinear", align_corners=False)[0, 0].numpy()
    top, left, bottom, right = drawing.crop
    layer = Preparation(drawing, spec)
    height, width = drawing.stage("ink").image.shape
    # Pixel centers of the pad, in pixels of the field, then in grid_sample's units of -1 to 1.
    y = (torch.arange(height) + 0.5 - top) * (layer.box[0] / (bottom - top)) + layer.top
    x = (torch.arange(width) + 0.5 - left) * (layer.box[1] / (right - left)) + layer.left
    at_y, at_x = torch.meshgrid(y / spec.size * 2 - 1, x / spec.size * 2 - 1, indexing="ij")
    points = torch.stack([at_x, at_y], dim=-1)[None]  # (1, H, W, 2)
    laid = F.grid_sample(grid, points, mode="bilinear", padding_mode="border", align_corners=False)[0, 0]
    inside = (at_y.abs() <= 1) & (at_x.abs() <= 1)
    return (laid * inside).numpy()

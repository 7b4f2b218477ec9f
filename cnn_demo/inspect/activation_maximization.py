"""The image that activates a channel most: gradient ascent from noise.

After Erhan et al., "Visualizing Higher-Layer Features of a Deep Network", 2009, with the regularizers of Mordvintsev et
al. 2015 (jitter), Yosinski et al. 2015 (decay and blur) and Mahendran and Vedaldi 2015 (total variation).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cnn_demo.datasets.device_dataset import normalize
from cnn_demo.datasets.specs import DatasetSpec
from cnn_demo.inspect.capture import capture


@dataclass(frozen=True, slots=True)
class Ascent:
    """Settings of the ascent.

    Attributes:
        steps: of Adam.
        lr: step size, in units of the pixel range 0 to 1.
        jitter: the image is rolled by up to so many pixels before each step.
        blur: standard deviation in pixels of the Gaussian blur after every ``blur_every`` steps; 0 for none.
        blur_every: see ``blur``.
        decay: weight of the mean squared distance from black.
        variation: weight of the total variation.
        seed: decides the noise and the jitter; equal seeds give equal images on the CPU.
        report: a result is given every so many steps, and at the end.
    """

    steps: int = 96
    lr: float = 0.05
    jitter: int = 2
    blur: float = 0.5
    blur_every: int = 8
    decay: float = 0.3
    variation: float = 0.15
    seed: int = 0
    report: int = 8


@dataclass(frozen=True, slots=True)
class AscentProgress:
    """Where the ascent is.

    Attributes:
        step, steps: done and in all.
        image: ``(C, H, W)`` float32, 0 to 1; the most exciting one of all reports so far.
        excitation: what is maximized (:func:`measure_excitation`), for this image, without jitter. It never falls.
        start: the excitation of the noise at the start.
    """

    step: int
    steps: int
    image: np.ndarray
    excitation: float
    start: float


def measure_excitation(values: Tensor) -> Tensor:
    """What is maximized: the root mean square of what is above zero, a scalar.

    Squares, so that strong answers count most: the mean of a linear filter is largest for plain white or black. Where
    nothing is above zero, it is the plain mean, which leads to where something is. Of a logit it is the logit.

    Args:
        values: a channel's map ``(H, W)``, or a scalar.
    """
    return values.relu().square().mean().sqrt() if bool((values > 0).any()) else values.mean()


def maximize_activation(
    model: nn.Module, spec: DatasetSpec, layer: str, channel: int, ascent: Ascent | None = None
) -> Iterator[AscentProgress]:
    """Change an image step by step so that a channel's positive activations grow (:func:`measure_excitation`).

    Jitter, blur, decay and total variation hold the ascent back, so the excitation may also fall from step to step;
    what is given is the best of the reports so far.

    The best place to measure is before the activation function (a convolution or a norm): behind a ReLU that gives
    zero there is no gradient to follow.

    Args:
        model: as for :func:`cnn_demo.inspect.capture.capture`.
        spec: the data set, for shape, mean and std.
        layer, channel: what to excite; also a logit.
        ascent: settings.

    Yields:
        The start, then every ``report`` steps, then the end.
    """
    ascent = ascent or Ascent()
    device = next(model.parameters()).device
    generator = torch.Generator().manual_seed(ascent.seed)
    std = torch.tensor(spec.std, device=device).view(1, -1, 1, 1)
    pixels = torch.rand((1, spec.channels, spec.size, spec.size), generator=generator).mul_(0.5).to(device)
    optimizer = torch.optim.Adam([pixels], lr=ascent.lr)
    with capture(model, kinds=(), names=("input",)) as maps:

        def excitation() -> float:
            return float(measure_excitation(maps(normalize(pixels, spec), until=layer)[0, channel]))

        start = excitation()
        best = AscentProgress(0, ascent.steps, _to_image(pixels), start, start)
        yield best
        for step in range(1, ascent.steps + 1):
            dy, dx = torch.randint(-ascent.jitter, ascent.jitter + 1, (2,), generator=generator).tolist()
            moved = pixels.roll((dy, dx), (2, 3))
            seen = maps(normalize(moved, spec), grad=True, until=layer)[0, channel]
            with torch.enable_grad():
                excited = measure_excitation(seen)
            (uphill,) = torch.autograd.grad(excited, maps["input"])
            uphill = uphill.roll((-dy, -dx), (2, 3)) / std
            uphill = uphill / uphill.abs().mean().clamp(min=1e-12)  # so that the weights below mean the same anywhere
            pixels.grad = _penalty_gradient(pixels, ascent) - uphill
            optimizer.step()
            if ascent.blur > 0 and step % ascent.blur_every == 0:
                pixels.copy_(_blur(pixels, ascent.blur))
            pixels.clamp_(0, 1)
            if step % ascent.report == 0 or step == ascent.steps:
                now = excitation()
                if now > best.excitation:
                    best = replace(best, image=_to_image(pixels), excitation=now)
                best = replace(best, step=step)
                yield best


def _penalty_gradient(pixels: Tensor, ascent: Ascent) -> Tensor:
    """Gradient of decay and total variation, as large as the image's own: the sum over pixels, not the mean."""
    with torch.enable_grad():
        leaf = pixels.detach().clone().requires_grad_(True)
        down, right = leaf[..., 1:, :] - leaf[..., :-1, :], leaf[..., :, 1:] - leaf[..., :, :-1]
        loss = ascent.decay * leaf.square().sum() + ascent.variation * (down.abs().sum() + right.abs().sum())
        (gradient,) = torch.autograd.grad(loss, leaf)
    return gradient


def _blur(pixels: Tensor, sigma: float) -> Tensor:
    reach = max(1, round(3 * sigma))
    line = torch.exp(-(torch.arange(-reach, reach + 1, device=pixels.device) ** 2) / (2 * sigma**2))
    line = line / line.sum()
    channels = pixels.shape[1]
    padded = F.pad(pixels, (reach, reach, reach, reach), mode="replicate")
    rows = F.conv2d(padded, line.view(1, 1, -1, 1).expand(channels, 1, -1, 1), groups=channels)
    return F.conv2d(rows, line.view(1, 1, 1, -1).expand(channels, 1, 1, -1), groups=channels)


def _to_image(pixels: Tensor) -> np.ndarray:
    return pixels[0].detach().cpu().numpy().copy()

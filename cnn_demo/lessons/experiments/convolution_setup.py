"""What slides over what in the lesson on one convolution: by its controls, or as in a unit of the visitor's network."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from cnn_demo.lessons import convolution as conv
from cnn_demo.lessons.controls import Values
from cnn_demo.lessons.lesson import Subject, read_painting
from cnn_demo.lessons.panels import EMPTY, Bar, Bars
from cnn_demo.lessons.pinned_unit import PinnedUnit, find_pinned_unit
from cnn_demo.lessons.words import Words, say
from cnn_demo.locales import N_

_BARS = 6  # so many input channels are named


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What slides over what, and how: from the controls, or from a unit of the visitor's network.

    Then ``channels`` has what each of its input channels adds to it.
    """

    image: Tensor
    ink: tuple[float, float]
    kernel: Tensor
    bias: float
    stride: int
    dilation: int
    before: int = 0
    after: int = 0
    fill: str = "zeros"
    at: int | None = None
    title: Words = EMPTY
    channels: Bars | None = None


def set_up(subject: Subject, values: Values) -> Setup | None:
    """The setup at these values; None where a pinned unit is wanted and there is none."""
    if values["kernel"] == "unit":
        return _set_up_unit(find_pinned_unit(subject, values["rank"]))
    image, ink = find_input(subject, values)
    kernel, bias = find_kernel(subject, values)
    before = after = 0
    if values["padding"] == "same":
        before, after = conv.split_same_padding(kernel.shape[0], values["dilation"])
    elif values["padding"] == "n":
        before = after = values["n"]
    return Setup(
        image=image,
        ink=ink,
        kernel=kernel,
        bias=bias,
        stride=values["stride"],
        dilation=values["dilation"],
        before=before,
        after=after,
        fill=values["fill"] if values["padding"] != "valid" else "zeros",
        at=values["at"] or None,
    )


def _set_up_unit(unit: PinnedUnit | None) -> Setup | None:
    if unit is None:
        return None
    across, _lost = conv.count_outputs(
        unit.image.shape[1], unit.kernel.shape[1], 2 * unit.padding, unit.stride, unit.dilation
    )
    words = {
        "layer": unit.layer,
        "channel": unit.channel,
        "y": unit.row,
        "x": unit.column,
        "part": unit.part,
        "value": unit.value,
    }
    title = (
        say(
            N_("{layer}, channel {channel}, unit ({y}, {x}): {value}"),
            **{k: v for k, v in words.items() if k != "part"},
        )
        if unit.sources == 1
        else say(
            N_(
                "{layer}, channel {channel}, unit ({y}, {x}): of {n} input channels number {source} adds "
                "{part} to {value}"
            ),
            n=unit.sources,
            source=unit.source,
            **words,
        )
    )
    return Setup(
        image=unit.image,
        ink=(float(unit.image.min()), float(unit.image.max())),
        kernel=unit.kernel,
        bias=unit.bias if unit.sources == 1 else 0.0,
        stride=unit.stride,
        dilation=unit.dilation,
        before=unit.padding,
        after=unit.padding,
        at=unit.row * across + unit.column,
        title=title,
        channels=_draw_channels(unit) if unit.sources > 1 else None,
    )


def _draw_channels(unit: PinnedUnit) -> Bars:
    """What the strongest input channels add, the others together and the bias: the whole unit."""
    ranked = unit.rank_sources()
    named = ranked[:_BARS] if unit.source in ranked[:_BARS] else [*ranked[: _BARS - 1], unit.source]
    bars = [
        Bar(
            say(N_("channel {n}"), n=channel),
            float(unit.parts[channel - unit.first]),
            "second" if channel == unit.source else "first",
        )
        for channel in named
    ]
    others = unit.parts.sum() - sum(unit.parts[channel - unit.first] for channel in named)
    if len(ranked) > len(named):
        bars.append(Bar(say(N_("the other {n} together"), n=len(ranked) - len(named)), float(others), "faint"))
    bars += [Bar(say(N_("bias")), unit.bias, "faint"), Bar(say(N_("the unit")), unit.value, "third")]
    return Bars(name="channels", title=say(N_("What each input channel adds")), bars=bars)


def find_input(subject: Subject, values: Values) -> tuple[Tensor, tuple[float, float]]:
    """What the window slides over, ``(H, W)``: the painting or the image; and the values of black and white in it.

    For a learnt kernel these are the numbers that the network's first layer reads: normalized ones.
    """
    pixels = read_painting(values["painted"]) if values["painted"] else subject.gray
    if values["kernel"] != "learnt":
        return pixels, (0.0, 1.0)
    black, white = subject.normalize_gray(torch.tensor([[0.0, 1.0]]))[0].tolist()
    return subject.normalize_gray(pixels), (black, white)


def find_kernel(subject: Subject, values: Values) -> tuple[Tensor, float]:
    """The kernel ``(kh, kw)`` and its bias."""
    name = values["kernel"]
    if name == "own" and values["cells"]:
        return torch.tensor(values["cells"], dtype=torch.float32), 0.0
    if name == "learnt":
        layer = next(module for module in subject.network.model.modules() if isinstance(module, nn.Conv2d))
        channel = min(values["channel"], layer.out_channels - 1)
        bias = 0.0 if layer.bias is None else float(layer.bias[channel])
        return layer.weight[channel, 0].detach(), bias
    if name in ("blur", "identity"):
        side = values["size"]
        kernel = torch.full((side, side), 1 / side**2) if name == "blur" else torch.zeros(side, side)
        if name == "identity":
            kernel[(side - 1) // 2, (side - 1) // 2] = 1
        return kernel, 0.0
    return conv.KERNELS.get(name, conv.KERNELS["identity"]), 0.0

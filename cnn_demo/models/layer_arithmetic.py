"""The arithmetic of each kind of layer: what goes in and its settings -> the PyTorch call and what comes out.

One function for each entry of ``layer_list.LAYERS``; the settings are in the range of their descriptions already.
Imports no torch.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cnn_demo.locales import N_
from cnn_demo.models.reach import Reach

_BYTES = 4  # of a value in single precision


@dataclass(frozen=True, slots=True)
class Call:
    """A PyTorch module and what it is made with: a name of ``torch.nn``, or of :mod:`cnn_demo.models.layer_blocks`."""

    function: str
    args: tuple[Any, ...] = ()
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def __str__(self) -> str:
        return (
            f"{self.function}({', '.join([*map(repr, self.args), *(f'{k}={v!r}' for k, v in self.options.items())])})"
        )


@dataclass(frozen=True, slots=True)
class Signal:
    """What flows between two layers.

    Attributes:
        shape: ``(C, H, W)`` with H = W, or ``(features,)``.
        reach: what its units see of the image.
        next_kind: the kind of the layer behind the one that is planned; ``""`` at the end.
    """

    shape: tuple[int, ...]
    reach: Reach
    next_kind: str = ""

    @property
    def channels(self) -> int:
        return self.shape[0]

    @property
    def size(self) -> int:
        """Height and width of a map."""
        return self.shape[-1]


@dataclass(frozen=True, slots=True)
class Planned:
    """One layer that works.

    Attributes:
        name: of its module, such as ``conv2``.
        kind: its name in ``LAYERS``.
        call: what makes it in PyTorch.
        shape: its output for one image, ``(C, H, W)`` or ``(features,)``.
        parameters: learnt values.
        multiply_adds: multiplications of convolutions and linear layers for one image, each with its addition.
        reach: what its units see of the image along one axis.
        added: whether it is no layer of the list, but was added so that the end is one logit for each class.
    """

    name: str
    kind: str
    call: Call
    shape: tuple[int, ...]
    parameters: int
    multiply_adds: int
    reach: Reach
    added: bool = False

    @property
    def memory(self) -> int:
        """Bytes of its output for one image."""
        return math.prod(self.shape) * _BYTES


@dataclass(frozen=True, slots=True)
class Change:
    """What makes a layer work: another value of one of its settings, a layer put before it, or the layer taken out.

    Attributes:
        action: ``"set"``, ``"insert"`` or ``"remove"``.
        name: of the setting, or the kind of the layer to insert.
        value: of the setting.
    """

    action: str
    name: str = ""
    value: Any = None


class Misfit(Exception):
    """A layer that cannot work here.

    Attributes:
        message, values: as in :class:`Problem`.
        settings: settings of the layer, one of which may help; the first is tried first.
        change: what helps, where that is known at once.
    """

    def __init__(self, message: str, settings: Sequence[str] = (), change: Change | None = None, **values: Any) -> None:
        super().__init__(message)
        self.message, self.settings, self.change, self.values = message, settings, change, values


def _layer(signal: Signal, call: Call, shape: tuple[int, ...] | None = None, **more: Any) -> Planned:
    """A layer that learns nothing and changes no shape, but for what is given."""
    usual = {"parameters": 0, "multiply_adds": 0, "reach": signal.reach}
    return Planned(name="", kind="", call=call, shape=shape or signal.shape, **{**usual, **more})


def _require_maps(signal: Signal) -> None:
    if len(signal.shape) != 3:
        raise Misfit(N_("put before the maps are flattened: it works on maps only"), change=Change("remove"))


def _count_windows(signal: Signal, kernel: int, stride: int, padding: int, dilation: int = 1) -> int:
    """Height and width of the output.

    Raises:
        Misfit: the window is larger than the map with its padding.
    """
    extent, room = dilation * (kernel - 1) + 1, signal.size + 2 * padding
    if extent > room:
        message = N_(
            "a window that fits: it spans {extent} × {extent}, and the map with its padding is {room} × {room}"
        )
        raise Misfit(message, ("kernel", "dilation", "padding"), extent=extent, room=room)
    return (room - extent) // stride + 1


def plan_conv(
    signal: Signal,
    channels: int,
    kernel: int,
    stride: int,
    padding: int | None,
    dilation: int,
    groups: int,
    bias: bool | None,
) -> Planned:
    """A convolution."""
    _require_maps(signal)
    padding = dilation * (kernel - 1) // 2 if padding is None else padding
    bias = signal.next_kind != "batch-norm" if bias is None else bias
    if signal.channels % groups or channels % groups:
        message = N_("a number of groups that divides both {inputs} channels in and {outputs} out")
        raise Misfit(message, ("groups", "channels"), inputs=signal.channels, outputs=channels)
    count = _count_windows(signal, kernel, stride, padding, dilation)
    shape = (channels, count, count)
    weights = channels * (signal.channels // groups) * kernel**2
    usual = {"stride": 1, "padding": 0, "dilation": 1, "groups": 1, "bias": True}
    given = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups, "bias": bias}
    options = {"kernel_size": kernel, **{name: value for name, value in given.items() if value != usual[name]}}
    return _layer(
        signal,
        Call("Conv2d", (signal.channels, channels), options),
        shape,
        parameters=weights + channels * bias,
        multiply_adds=weights * count**2,
        reach=signal.reach.through_window(kernel, stride, padding, dilation, count),
    )


def plan_batch_norm(signal: Signal) -> Planned:
    """Batch normalization of each channel, or of each value where they are flat."""
    function = "BatchNorm2d" if len(signal.shape) == 3 else "BatchNorm1d"
    return _layer(signal, Call(function, (signal.channels,)), parameters=2 * signal.channels)


def plan_group_norm(signal: Signal, groups: int) -> Planned:
    """Group normalization; PyTorch wants at least two values in a group."""
    if signal.channels % groups or math.prod(signal.shape) // groups < 2:
        message = N_("a number of groups that divides {channels} channels and leaves two values or more in each")
        raise Misfit(message, ("groups",), channels=signal.channels)
    call = Call("GroupNorm", (groups, signal.channels))
    return _layer(signal, call, parameters=2 * signal.channels, reach=signal.reach.mixed())


def plan_relu(signal: Signal) -> Planned:
    """max(0, x)."""
    return _layer(signal, Call("ReLU"))


def plan_leaky_relu(signal: Signal) -> Planned:
    """x, or 0.01 x where it is negative."""
    return _layer(signal, Call("LeakyReLU"))


def plan_silu(signal: Signal) -> Planned:
    """x · sigmoid(x)."""
    return _layer(signal, Call("SiLU"))


def plan_gelu(signal: Signal) -> Planned:
    """x · Φ(x), with the distribution function of the normal distribution."""
    return _layer(signal, Call("GELU"))


def plan_tanh(signal: Signal) -> Planned:
    """The hyperbolic tangent."""
    return _layer(signal, Call("Tanh"))


def plan_sigmoid(signal: Signal) -> Planned:
    """1 / (1 + exp(−x))."""
    return _layer(signal, Call("Sigmoid"))


def plan_max_pool(signal: Signal, kernel: int, stride: int | None, padding: int) -> Planned:
    """The largest value of each window."""
    return _plan_pool("MaxPool2d", signal, kernel, stride, padding)


def plan_avg_pool(signal: Signal, kernel: int, stride: int | None, padding: int) -> Planned:
    """The mean of each window, zeros of the padding included, as PyTorch counts them."""
    return _plan_pool("AvgPool2d", signal, kernel, stride, padding)


def _plan_pool(function: str, signal: Signal, kernel: int, stride: int | None, padding: int) -> Planned:
    _require_maps(signal)
    if padding > kernel // 2:
        message = N_("a pooling whose padding is at most half its window: {limit}")
        raise Misfit(message, ("padding",), limit=kernel // 2)
    stride = kernel if stride is None else stride
    count = _count_windows(signal, kernel, stride, padding)
    options = {
        name: value for name, value, usual in (("stride", stride, kernel), ("padding", padding, 0)) if value != usual
    }
    reach = signal.reach.through_window(kernel, stride, padding, 1, count)
    return _layer(signal, Call(function, (kernel,), options), (signal.channels, count, count), reach=reach)


def plan_global_pool(signal: Signal) -> Planned:
    """The mean of each map."""
    _require_maps(signal)
    reach = signal.reach.through_window(signal.size, signal.size, 0, 1, 1)
    return _layer(signal, Call("AdaptiveAvgPool2d", (1,)), (signal.channels, 1, 1), reach=reach)


def plan_dropout(signal: Signal, rate: float) -> Planned:
    """Zeros instead of some values, in training only."""
    return _layer(signal, Call("Dropout", (rate,)))


def plan_residual(signal: Signal, channels: int | None, stride: int) -> Planned:
    """Two 3 × 3 convolutions with batch norm, and their input added (He, Zhang, Ren and Sun, 2016)."""
    _require_maps(signal)
    inputs, channels = signal.channels, channels or signal.channels
    count = (signal.size - 1) // stride + 1
    first, second = channels * inputs * 9, channels * channels * 9
    changes = stride != 1 or channels != inputs
    shortcut = channels * inputs if changes else 0
    path = signal.reach.through_window(3, stride, 1, 1, count).through_window(3, 1, 1, 1, count)
    around = signal.reach.through_window(1, stride, 0, 1, count)
    return _layer(
        signal,
        Call("ResidualBlock", (inputs, channels), {"stride": stride} if stride != 1 else {}),
        (channels, count, count),
        parameters=first + second + shortcut + 2 * channels * (3 if changes else 2),
        multiply_adds=(first + second + shortcut) * count**2,
        reach=path.union(around),
    )


def plan_se(signal: Signal, reduction: int) -> Planned:
    """Squeeze and excitation: each map times a gate that all maps decide (Hu, Shen and Sun, 2018)."""
    _require_maps(signal)
    channels, hidden = signal.channels, max(signal.channels // reduction, 1)
    gate = signal.reach.through_window(signal.size, signal.size, 0, 1, 1)
    return _layer(
        signal,
        Call("SEBlock", (channels, hidden)),
        parameters=2 * channels * hidden + hidden + channels,
        multiply_adds=2 * channels * hidden,
        reach=signal.reach.union(gate),
    )


def plan_flatten(signal: Signal) -> Planned:
    """(C, H, W) -> (C · H · W)."""
    reach = signal.reach.joined() if len(signal.shape) == 3 else signal.reach
    return _layer(signal, Call("Flatten"), (math.prod(signal.shape),), reach=reach)


def plan_linear(signal: Signal, width: int, bias: bool | None) -> Planned:
    """A linear layer on flat values."""
    if len(signal.shape) == 3:
        shape = " × ".join(map(str, signal.shape))
        message = N_("behind a Flatten: it works on flat values, and here are maps of {shape}")
        raise Misfit(message, change=Change("insert", "flatten"), shape=shape)
    bias = signal.next_kind != "batch-norm" if bias is None else bias
    weights = signal.channels * width
    call = Call("Linear", (signal.channels, width), {} if bias else {"bias": False})
    return _layer(signal, call, (width,), parameters=weights + width * bias, multiply_adds=weights)

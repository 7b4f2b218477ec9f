"""What a list of layers makes of an image, layer by layer, worked out without building anything. Imports no torch.

For each layer: the PyTorch call that makes it, the shape that comes out, its parameters, multiply-adds, receptive
field and memory. The first layer that cannot work is explained, with the nearest value that works.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cnn_demo.datasets.specs import get_spec
from cnn_demo.locales import N_
from cnn_demo.models.layer_arithmetic import Change, Misfit, Planned, Signal
from cnn_demo.models.layer_list import LAYERS, MAX_ROWS, OPTION, Row, parse_rows
from cnn_demo.models.reach import Reach
from cnn_demo.settings.description import Flag, Real, Setting, Whole
from cnn_demo.settings.errors import ConfigError

if TYPE_CHECKING:
    from cnn_demo.settings.config import TrainConfig

MAX_PARAMETERS = 20_000_000
MAX_MULTIPLY_ADDS = 1_000_000_000  # of one image; twice those of ResNet-18 on small images
MAX_VALUES = 4_000_000  # of all layers for one image: 16 MB, times the batch while it trains


@dataclass(frozen=True, slots=True)
class Problem:
    """The first layer that cannot work.

    Attributes:
        row: its place in the list, from 0; the length of the list for what is added behind it.
        text: the layer as it is written.
        message: what it must be instead, in English for translation, as in ``ConfigError``.
        values: what fills the message.
        change: the nearest that works, or None where nobody knows.
    """

    row: int
    text: str
    message: str
    values: Mapping[str, Any]
    change: Change | None

    def to_error(self) -> ConfigError:
        """The same as an error of the option."""
        return ConfigError(OPTION, f"{self.row + 1}: {self.text}", self.message, **self.values)


@dataclass(frozen=True, slots=True)
class Plan:
    """A list of layers on images of one shape.

    Attributes:
        layers: in the order of computation, as far as they work; the last ones may be added ones.
        problem: the first layer that cannot work, or None.
    """

    layers: tuple[Planned, ...]
    problem: Problem | None

    @property
    def parameters(self) -> int:
        return sum(layer.parameters for layer in self.layers)

    @property
    def multiply_adds(self) -> int:
        """Of one image."""
        return sum(layer.multiply_adds for layer in self.layers)

    @property
    def memory(self) -> int:
        """Bytes of all outputs for one image."""
        return sum(layer.memory for layer in self.layers)


def plan_rows(rows: Sequence[Row], channels: int, size: int, classes: int) -> Plan:
    """Work out every layer of a list.

    The end must be one logit for each class. A last linear layer of that width is it; otherwise a linear layer is
    added, and a flatten before it where there are still maps.

    Args:
        rows: the layers, unchecked.
        channels, size, classes: of the data set.
    """
    layers: list[Planned] = []
    signal = Signal((channels, size, size), Reach.of_pixels(size))
    counts: dict[str, int] = {}
    last = rows[-1] if rows else None
    ends = last is not None and last.kind == "linear" and _fill(last).get("width") == classes
    tail = [] if ends else [Row("flatten", {}), Row("linear", {"width": classes})]
    for place, row in enumerate([*rows, *tail]):
        added = place >= len(rows)
        if added and row.kind == "flatten" and len(signal.shape) == 1:
            continue
        behind = rows[place + 1].kind if place + 1 < len(rows) else ""
        signal = dataclasses.replace(signal, next_kind=behind)
        try:
            if place >= MAX_ROWS and not added:
                raise Misfit(N_("one of at most {limit} layers"), change=Change("remove"), limit=MAX_ROWS)
            layer = _plan_row(row, signal, layers)
        except Misfit as misfit:
            nearest = misfit.change or _find_nearest(row, misfit.settings, signal, layers)
            nearest = nearest or (None if added else Change("remove"))
            problem = Problem(min(place, len(rows)), str(row), misfit.message, misfit.values, nearest)
            return Plan(tuple(layers), problem)
        final = place == len(rows) + len(tail) - 1
        layers.append(dataclasses.replace(layer, name=_name(row.kind, counts, final), added=added))
        signal = Signal(layer.shape, layer.reach)
    return Plan(tuple(layers), None)


def check_layers(config: TrainConfig) -> None:
    """Refuse layers that cannot work on the images of the config's data set.

    Raises:
        ConfigError: it names the layer, and what it must be.
    """
    spec = get_spec(config.dataset)
    rows = parse_rows(config.option(OPTION))
    if problem := plan_rows(rows, spec.channels, spec.size, len(spec.classes)).problem:
        raise problem.to_error()


def plan_figures(channels: int, size: int, classes: int, layers: str) -> dict[str, int]:
    """Parameters and multiply-adds of layers that work, by the names of ``facts.json``."""
    plan = plan_rows(parse_rows(layers), channels, size, classes)
    return {"parameters": plan.parameters, "multiply_adds": plan.multiply_adds}


_NAMES = {
    "batch-norm": "norm",
    "group-norm": "norm",
    "leaky-relu": "relu",
    "max-pool": "pool",
    "avg-pool": "pool",
    "global-pool": "global_pool",
    "residual": "block",
}


def _name(kind: str, counts: dict[str, int], final: bool) -> str:
    if final:
        return "logits"
    stem = _NAMES.get(kind, kind)
    counts[stem] = counts.get(stem, 0) + 1
    return f"{stem}{counts[stem]}"


def _fill(row: Row) -> dict[str, Any]:
    """All settings of a layer, the defaults included."""
    return {option.name: row.values.get(option.name, option.default) for option in LAYERS.get(row.kind).options}


def _plan_row(row: Row, signal: Signal, before: Sequence[Planned]) -> Planned:
    """One layer behind others.

    Raises:
        Misfit: it cannot work.
    """
    for option in LAYERS.get(row.kind).options:
        value = row.values.get(option.name, option.default)
        if value is not None and not option.kind.accepts(value):
            message, values = option.kind.expected()
            change = Change("set", option.name, _clamp(option, value))
            raise Misfit(message, change=change, **values)
    plan: Callable[..., Planned] = LAYERS.get(row.kind).load()
    layer = plan(signal, **_fill(row))
    width = ("channels", "width", "stride")
    for limit, total, message in (
        (MAX_PARAMETERS, sum(p.parameters for p in [*before, layer]), N_("small: at most {limit} parameters in all")),
        (
            MAX_MULTIPLY_ADDS,
            sum(p.multiply_adds for p in [*before, layer]),
            N_("small: at most {limit} multiply-adds an image in all"),
        ),
        (
            MAX_VALUES,
            sum(math.prod(p.shape) for p in [*before, layer]),
            N_("small: at most {limit} values an image in all layers"),
        ),
    ):
        if total > limit:
            raise Misfit(message, width, limit=f"{limit:,}")
    return dataclasses.replace(layer, kind=row.kind)


def _clamp(option: Setting, value: Any) -> Any:
    """The nearest value in the range of a setting; its default for what is no number."""
    kind = option.kind
    if isinstance(kind, Whole | Real) and isinstance(value, int | float) and math.isfinite(value):
        near = min(max(value, kind.low), kind.high)
        return round(near) if isinstance(kind, Whole) else float(near)
    return option.default


def _find_nearest(row: Row, settings: Sequence[str], signal: Signal, before: Sequence[Planned]) -> Change | None:
    """The value next to the present one with which the layer works; of the first setting that has one."""
    for option in LAYERS.get(row.kind).options:
        if option.name not in settings or isinstance(option.kind, Flag) or not isinstance(option.kind, Whole):
            continue
        now = row.values.get(option.name, option.default) or 0
        for value in sorted(range(option.kind.low, option.kind.high + 1), key=lambda v: abs(v - now)):
            try:
                _plan_row(Row(row.kind, {**row.values, option.name: value}), signal, before)
            except Misfit:
                continue
            return Change("set", option.name, value)
    return None

"""The layers that a visitor can put together, and the text that keeps a list of them. Imports no torch.

The text is a version and then one layer after the other, ``v1; conv channels=32 kernel=5; relu; max-pool``. A setting
that is left out has its default. The text is data: nothing in it is ever run.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cnn_demo.locales import N_
from cnn_demo.settings.description import Flag, Kind, Real, Setting, Whole
from cnn_demo.settings.errors import ConfigError
from cnn_demo.settings.registry import Registry

OPTION = "layers"  # the option of the model ``builder`` that holds the text
VERSION = "v1"
MAX_ROWS = 40
MAX_TEXT = 4000

CHANNELS = Setting("channels", 32, Whole(1, 1024), N_("Channels"), help=N_("How many maps come out."))
KERNEL = Setting("kernel", 3, Whole(1, 31), N_("Kernel"), help=N_("Height and width of the window."))
STRIDE = Setting("stride", 1, Whole(1, 16), N_("Stride"), help=N_("How far the window moves from unit to unit."))
# A default of None follows from the other settings and from the layers around it.
PADDING = Setting(
    "padding",
    None,
    Whole(0, 64),
    N_("Padding"),
    help=N_("Zeros around the map. Empty: as many as keep its size at stride 1."),
)
DILATION = Setting("dilation", 1, Whole(1, 16), N_("Dilation"), help=N_("Distance between the window's values."))
GROUPS = Setting(
    "groups", 1, Whole(1, 1024), N_("Groups"), help=N_("Each group of channels is convolved apart from the others.")
)
BIAS = Setting(
    "bias", None, Flag(), N_("Bias"), help=N_("Empty: yes, but not directly before a batch norm, which would undo it.")
)
WINDOW = Setting("kernel", 2, Whole(1, 31), N_("Window"), help=KERNEL.help)
WINDOW_STRIDE = Setting(
    "stride",
    None,
    Whole(1, 16),
    N_("Stride"),
    help=N_("Empty: as large as the window, so that windows do not overlap."),
)
WINDOW_PADDING = Setting("padding", 0, Whole(0, 15), N_("Padding"), help=N_("At most half the window."))
NORM_GROUPS = Setting(
    "groups",
    8,
    Whole(1, 1024),
    N_("Groups"),
    help=N_("Groups of channels that share a mean and a variance; 1 takes all channels, as a layer norm does."),
)
RATE = Setting("rate", 0.5, Real(0, 0.95), N_("Rate"), help=N_("The part of the values that a training step drops."))
BLOCK_CHANNELS = Setting(
    "channels", None, Whole(1, 1024), N_("Channels"), help=N_("How many maps come out. Empty: as many as go in.")
)
REDUCTION = Setting(
    "reduction", 4, Whole(1, 64), N_("Reduction"), help=N_("The gate is computed from so many times fewer values.")
)
WIDTH = Setting("width", 128, Whole(1, 4096), N_("Width"), help=N_("How many values come out."))

_ARITHMETIC = "cnn_demo.models.layer_arithmetic:"

_POOL = (WINDOW, WINDOW_STRIDE, WINDOW_PADDING)

LAYERS = Registry("layer")
LAYERS.add(
    "conv",
    N_("Convolution"),
    _ARITHMETIC + "plan_conv",
    options=(CHANNELS, KERNEL, STRIDE, PADDING, DILATION, GROUPS, BIAS),
)
# Ioffe and Szegedy, "Batch normalization", 2015. Wu and He, "Group normalization", 2018.
LAYERS.add("batch-norm", N_("Batch norm"), _ARITHMETIC + "plan_batch_norm")
LAYERS.add("group-norm", N_("Group norm"), _ARITHMETIC + "plan_group_norm", options=(NORM_GROUPS,))
LAYERS.add("relu", N_("ReLU"), _ARITHMETIC + "plan_relu")
LAYERS.add("leaky-relu", N_("Leaky ReLU"), _ARITHMETIC + "plan_leaky_relu")
LAYERS.add("silu", N_("SiLU"), _ARITHMETIC + "plan_silu")
LAYERS.add("gelu", N_("GELU"), _ARITHMETIC + "plan_gelu")
LAYERS.add("tanh", N_("Tanh"), _ARITHMETIC + "plan_tanh")
LAYERS.add("sigmoid", N_("Sigmoid"), _ARITHMETIC + "plan_sigmoid")
LAYERS.add(
    "max-pool", N_("Max pooling"), _ARITHMETIC + "plan_max_pool", options=(WINDOW, WINDOW_STRIDE, WINDOW_PADDING)
)
LAYERS.add(
    "avg-pool", N_("Mean pooling"), _ARITHMETIC + "plan_avg_pool", options=(WINDOW, WINDOW_STRIDE, WINDOW_PADDING)
)
LAYERS.add("global-pool", N_("Global mean pooling"), _ARITHMETIC + "plan_global_pool")
LAYERS.add("dropout", N_("Dropout"), _ARITHMETIC + "plan_dropout", options=(RATE,))
LAYERS.add("residual", N_("Residual block"), _ARITHMETIC + "plan_residual", options=(BLOCK_CHANNELS, STRIDE))
LAYERS.add("se", N_("SE block"), _ARITHMETIC + "plan_se", options=(REDUCTION,))
LAYERS.add("flatten", N_("Flatten"), _ARITHMETIC + "plan_flatten")
LAYERS.add("linear", N_("Linear"), _ARITHMETIC + "plan_linear", options=(WIDTH, BIAS))

DEFAULT_TEXT = (
    "v1; conv channels=16; batch-norm; relu; max-pool; conv; batch-norm; relu; max-pool; "
    "conv channels=64; batch-norm; relu; global-pool; flatten; dropout rate=0.2"
)


@dataclass(frozen=True, slots=True)
class Row:
    """One layer as it was written down, not checked yet.

    Attributes:
        kind: its name in :data:`LAYERS`.
        values: the settings that were given, by name.
    """

    kind: str
    values: Mapping[str, Any]

    def __str__(self) -> str:
        """As the text has it; what is at its default is left out."""
        defaults = {option.name: option.default for option in LAYERS.get(self.kind).options}
        given = [f"{name}={_write(value)}" for name, value in self.values.items() if value != defaults.get(name)]
        return " ".join([self.kind, *given])


@dataclass(frozen=True, slots=True)
class LayerText(Kind):
    """A text that lists layers. Whether they fit depends on the images: ``layer_plan.check_layers`` says it."""

    def accepts(self, value: object) -> bool:
        return isinstance(value, str) and len(value) <= MAX_TEXT

    def expected(self) -> tuple[str, dict[str, Any]]:
        return N_("a list of layers of at most {limit} characters"), {"limit": MAX_TEXT}


LAYER_LIST = Setting(
    OPTION,
    DEFAULT_TEXT,
    LayerText(),
    N_("Layers"),
    help=N_('The layers in their order, as in "v1; conv channels=32; relu; max-pool"; the classes\' logits are added.'),
    group="model",
    place="in sight",
)


def parse_rows(text: str) -> tuple[Row, ...]:
    """The layers that a text lists. Lines may stand for semicolons.

    Raises:
        ConfigError: what is written there is no list of layers; it names the place.
    """
    version, *parts = [part.strip() for part in re.split(r"[;\n]", text) if part.strip()] or [""]
    if version != VERSION:
        raise ConfigError(
            OPTION,
            version[:80],
            N_('a list that begins with its version, as in "{example}"'),
            example="v1; conv channels=32; relu; max-pool",
        )
    return tuple(_parse_row(number, part) for number, part in enumerate(parts, 1))


def format_rows(rows: Sequence[Row]) -> str:
    """The text of a list of layers; :func:`parse_rows` reads it."""
    return "; ".join([VERSION, *map(str, rows)])


def _parse_row(number: int, part: str) -> Row:
    kind, *words = part.split()
    if kind not in LAYERS:
        choices = ", ".join(LAYERS.names)
        raise ConfigError(OPTION, f"{number}: {kind[:80]}", N_("one of {choices}"), choices=choices)
    options = {option.name: option for option in LAYERS.get(kind).options}
    values = {}
    for word in words:
        name, _, value = word.partition("=")
        if name not in options or name in values or not value:
            message = N_("a layer with settings as NAME=VALUE, each once; {kind} has: {names}")
            raise ConfigError(OPTION, f"{number}: {part[:80]}", message, kind=kind, names=", ".join(options) or "–")
        values[name] = _read(options[name], value)
    return Row(kind, values)


def _read(option: Setting, text: str) -> Any:
    """The value that a text means; one that means none stays a text, and is refused with its row later."""
    if isinstance(option.kind, Flag):
        return {"yes": True, "no": False}.get(text, text)
    try:
        return option.kind.parse(text)
    except ValueError:
        return text


def _write(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)

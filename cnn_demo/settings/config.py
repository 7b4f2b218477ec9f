"""What a training run is told: one flat frozen dataclass whose fields carry their description.

To add a setting, add one field here: its check, its widget in the form, its flag on the command line and its place in
summaries follow from the description. This module imports nothing heavy, so a page can check a form before PyTorch is
loaded; a setting that is chosen from a registry names the registry by a dotted path.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from cnn_demo.locales import N_
from cnn_demo.settings.description import Choice, FirstWeights, Flag, Kind, Real, Setting, Text, Whole
from cnn_demo.settings.errors import ConfigError as ConfigError

COLLECTION_NAME = re.compile(r"[a-z0-9]{8,32}")
# A run keeps the rules that it was started with.
# 1: made by commit 953c0f6 or before, with another validation split.
# 2: weight decay acts on every parameter.
# 3: weight decay leaves biases and the scales of normalization alone.
VERSION = 3


def describe(default: Any, kind: Kind, title: str, **more: Any) -> Any:
    """A field of :class:`TrainConfig` with its :class:`Setting`; ``more`` are the setting's other attributes."""
    setting = {"default": default, "kind": kind, "title": title, **more}
    return field(default=default, compare=more.get("group") != "remark", repr=not more.get("secret"), metadata=setting)


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """Everything that decides a training run; two equal configs on one device and version give equal weights.

    Each field but the last two is described by its :class:`Setting` in :data:`SETTINGS`.

    Attributes:
        options: the values of the settings that the chosen entries have of their own, such as SGD's momentum, by name.
            What is left out is filled in with its default.
        version: by which rules the run computes, see :data:`VERSION`.

    Raises:
        ConfigError: a value that cannot be used.
    """

    dataset: str = describe(
        "mnist-mini",
        Choice("cnn_demo.datasets.specs:DATASETS"),
        N_("Data set"),
        help=N_("The images that it learns from and is tested on."),
        group="data",
        place="in sight",
        brief="{value}",
    )
    model: str = describe(
        "cnn",
        Choice("cnn_demo.models.registry:MODELS"),
        N_("Model"),
        help=N_("The architecture of the network."),
        group="model",
        place="in sight",
        brief="{title}",
    )
    epochs: int = describe(
        10,
        Whole(1, 1000),
        N_("Epochs"),
        help=N_("Passes over the training images."),
        place="in sight",
        brief=N_("epochs {value}"),
    )
    batch_size: int = describe(
        128, Whole(1, 65_536, step=32), N_("Batch size"), help=N_("Samples per step."), brief=N_("batch {value}")
    )
    optimizer: str = describe(
        "adamw",
        Choice("cnn_demo.training.optimizers:OPTIMIZERS"),
        N_("Optimizer"),
        help=N_("The rule by which a step changes the weights."),
        brief="{title}",
    )
    lr: float = describe(
        1e-3,
        Real(0, 10, open_low=True, step=0.0005),
        N_("Learning rate"),
        help=N_("The optimizer's step size at the start. It can be changed while it trains."),
        brief=N_("learning rate {value}"),
    )
    # Cosine: Loshchilov and Hutter, "SGDR", 2017, without restarts.
    schedule: str = describe(
        "constant",
        Choice("cnn_demo.training.schedules:SCHEDULES"),
        N_("Schedule"),
        help=N_("How the learning rate changes during the run."),
    )
    # Loshchilov and Hutter, "Decoupled weight decay regularization", 2019.
    weight_decay: float = describe(
        0.0,
        Real(0, 1),
        N_("Weight decay"),
        help=N_(
            "Each step shrinks the weights by this much, times the learning rate; 0 leaves them. Biases and the scales "
            "of normalization are left alone."
        ),
    )
    grad_clip: float = describe(
        0.0,
        Real(0, 1000, step=1.0),
        N_("Gradient clipping"),
        help=N_(
            "A gradient that is longer is shortened to this length, so that one bad batch does not throw the weights "
            "far; 0 leaves it. The run's page shows how long the gradients are."
        ),
        metavar="LENGTH",
    )
    # Szegedy et al., "Rethinking the Inception architecture", 2016, section 7.
    label_smoothing: float = describe(
        0.0,
        Real(0, 0.9, step=0.05),
        N_("Label smoothing"),
        help=N_(
            "This part of each training target is spread evenly over all classes, so that the network is not driven "
            "to be certain; 0 leaves the labels as they are. Validation and test keep the plain labels."
        ),
    )
    device: str = describe(
        "auto",
        Text(r"auto|cpu|mps|cuda(:[0-9]+)?", N_("auto, cpu, mps, cuda or cuda:N")),
        N_("Device"),
        help=N_("Where it is trained; auto takes a free GPU where there is one."),
        group="compute",
        brief="{value}",
    )
    precision: str = describe(
        "fp32",
        Choice(
            (
                ("fp32", N_("fp32: single precision")),
                ("bf16", N_("bf16: mixed with bfloat16")),
                ("fp16", N_("fp16: mixed with half, CUDA only")),
            )
        ),
        N_("Precision"),
        help=N_("The number format of the factors of all products; the weights themselves stay in fp32."),
        group="compute",
    )
    compile: str = describe(
        "auto",
        Choice((("auto", N_("Automatic")), ("on", N_("On")), ("off", N_("Off")))),
        N_("Compile"),
        help=N_("torch.compile, with CUDA graphs where they help."),
        group="compute",
    )
    seed: int = describe(
        0,
        Whole(0, 2**32 - 1),
        N_("Seed"),
        help=N_("Same seed, settings and device: the same weights, bit for bit on the CPU."),
        group="compute",
        brief=N_("seed {value}"),
    )
    val_fraction: float = describe(
        0.0,
        Real(0, 0.5, step=0.05),
        N_("Validation fraction"),
        help=N_(
            "Part of the training images held out to choose by. The test images are never used to choose anything."
        ),
        group="data",
    )
    patience: int = describe(
        0,
        Whole(0, 1000),
        N_("Patience"),
        help=N_("Stop when the validation loss has not improved for so many epochs; 0 never stops early."),
        group="data",
    )
    augment: str = describe(
        "none",
        Choice("cnn_demo.training.augmentations:AUGMENTATIONS"),
        N_("Augmentation"),
        help=N_(
            "Change the training images a little, differently in every epoch. For digits it also adds strokes of "
            "real and synthetic pens, and signs that are no digit, so that the network learns to doubt. The "
            "training accuracy counts a sign as right when no digit is given half the probability."
        ),
        group="data",
    )
    ema: float = describe(
        0.0,
        Real(0, 0.99999, step=0.999),
        N_("Running mean of the weights"),
        help=N_(
            "Judge and keep a running mean of the weights instead of the last step's: 0.999 remembers about the "
            "last thousand steps, 0 keeps none. It often does better on images it has not seen."
        ),
        group="model",
        metavar="DECAY",
    )
    channels_last: bool = describe(
        True,
        Flag(),
        N_("Channels last"),
        help=N_("The memory format of images and weights."),
        group="compute",
        place="hidden",
    )
    init: str = describe(
        "",
        FirstWeights(),
        N_("Initial weights"),
        help=N_("Fine-tune from shipped, RUN, RUN@STEP or RUN@best instead of fresh weights."),
        group="model",
        place="hidden",
        metavar="FROM",
    )
    freeze: int = describe(
        0,
        Whole(0, 200),
        N_("Frozen layers"),
        help=N_(
            "So many of the first layers keep the weights that they begin with, the statistics of their normalization "
            "included. Of use with initial weights from another network."
        ),
        group="model",
    )
    collection: str = describe(
        "",
        Text(rf"|{COLLECTION_NAME.pattern}", N_("the name of a collection: 8 to 32 letters and digits")),
        N_("Collection of drawings"),
        help=N_("Mix in the drawings that were corrected on the Draw page; the name is in the page's link."),
        group="data",
        place="hidden",
        metavar="NAME",
        secret=True,
    )
    comment: str = describe(
        "", Text(), N_("Comment"), help=N_("Free words for people."), group="remark", place="hidden", metavar="TEXT"
    )
    options: Mapping[str, Any] = field(default_factory=dict, hash=False)
    version: int = VERSION

    def __post_init__(self) -> None:
        for name, setting in SETTINGS.items():
            setting.check(getattr(self, name))
        if self.patience and not self.val_fraction:
            raise ConfigError(
                "patience", self.patience, N_("0, or a validation fraction (val_fraction) above 0 to decide by")
            )
        if self.version not in range(1, VERSION + 1):
            raise ConfigError("version", self.version, N_("from 1 to {newest}"), newest=VERSION)
        object.__setattr__(self, "options", self._check_options())
        for name, setting in SETTINGS.items():
            entry = setting.kind.find(getattr(self, name)) if isinstance(setting.kind, Choice) else None
            check = entry.load_fact("check") if entry else None
            if check:
                check(self)

    def _check_options(self) -> dict[str, Any]:
        if not isinstance(self.options, Mapping):
            raise ConfigError("options", self.options, N_("a table of names and values"))
        described = {name: setting for name, setting in self.described().items() if name not in SETTINGS}
        for name, value in self.options.items():
            if name not in described:
                raise ConfigError(name, value, N_("left out: nothing that is chosen has this setting"))
            described[name].check(value)
        return {name: self.options.get(name, setting.default) for name, setting in described.items()}

    def described(self) -> dict[str, Setting]:
        """The settings of this run and their options by name, each option behind the choice that it belongs to."""
        return list_settings({name: getattr(self, name) for name in SETTINGS})

    def values(self) -> dict[str, Any]:
        """The values of all settings and options by name, as :meth:`from_values` takes them."""
        return {**{name: getattr(self, name) for name in SETTINGS}, **self.options}

    def option(self, name: str) -> Any:
        """The value of an option of a chosen entry, or its default.

        Raises:
            KeyError: no chosen entry has such an option.
        """
        return self.options[name]

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> TrainConfig:
        """A config from settings and options by name; what is left out has its default.

        Raises:
            ConfigError: an unknown name, or a value that cannot be used.
        """
        fields, options = _split(values)
        return cls(**fields, options=options)

    def replace(self, **changes: Any) -> TrainConfig:
        """A copy with some settings or options changed, checked again. Options of what is no longer chosen go.

        Raises:
            ConfigError: an unknown name, or a value that cannot be used.
        """
        fields, options = _split(changes)
        chosen = list_settings({**self.values(), **fields})
        kept = {name: value for name, value in self.options.items() if name in chosen}
        return dataclasses.replace(self, **{"options": {**kept, **options}, **fields})

    def to_dict(self) -> dict[str, Any]:
        """The config as plain data for JSON, with its version."""
        return {**{name: getattr(self, name) for name in FIELDS}, "options": dict(self.options)}

    def public_dict(self) -> dict[str, Any]:
        """The same without secrets: what may be shown and handed out."""
        return {name: value for name, value in self.to_dict().items() if name not in SECRETS}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> TrainConfig:
        """Rebuild a config from :meth:`to_dict`, also from one of an older version.

        Raises:
            ConfigError: an unknown setting, or a value that cannot be used.
        """
        migrated = migrate(data)
        for name, value in migrated.items():
            if name not in FIELDS:
                raise ConfigError(name, value, N_("a known setting: {known}"), known=", ".join(sorted(FIELDS)))
        return cls(**migrated)


FIELDS: tuple[str, ...] = tuple(f.name for f in dataclasses.fields(TrainConfig))
SETTINGS: dict[str, Setting] = {
    f.name: Setting(f.name, **f.metadata) for f in dataclasses.fields(TrainConfig) if f.metadata
}
SECRETS = frozenset(name for name, setting in SETTINGS.items() if setting.secret)


def list_settings(values: Mapping[str, Any]) -> dict[str, Setting]:
    """All settings by name, with the options of what is chosen, each behind the choice that it belongs to.

    Args:
        values: values by name; a choice that is not among them brings no options.

    Raises:
        ValueError: an option has the name of another setting, so that their values could not be told apart.
    """
    found: dict[str, Setting] = {}
    for name, setting in SETTINGS.items():
        found[name] = setting
        for option in setting.options(values.get(name)):
            if option.name in FIELDS or option.name in found:
                raise ValueError(f"{name} {values[name]!r}: its option {option.name!r} has the name of another setting")
            found[option.name] = option
    return found


def list_every_setting() -> Iterator[tuple[Setting, dict[str, Any]]]:
    """All settings and all options of whatever can be chosen, each name once.

    Yields:
        The setting, and for an option the choices that have it with its default there, such as ``{"sgd": 0.9}``.
    """
    seen = set(FIELDS)
    for setting in SETTINGS.values():
        yield setting, {}
        entries = setting.kind.entries() if isinstance(setting.kind, Choice) else ()
        first: dict[str, Setting] = {}
        owners: dict[str, dict[str, Any]] = {}
        for entry in entries:
            for option in entry.options:
                first.setdefault(option.name, option)
                owners.setdefault(option.name, {})[entry.name] = option.default
        yield from ((option, owners[name]) for name, option in first.items() if name not in seen)
        seen.update(first)


def find_setting(name: str) -> Setting | None:
    """The description of a setting or an option, or None where this version knows none of that name."""
    return next((setting for setting, _owners in list_every_setting() if setting.name == name), None)


def _split(values: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Fields and options apart."""
    fields = {name: value for name, value in values.items() if name in FIELDS}
    return fields, {name: value for name, value in values.items() if name not in FIELDS}


def migrate(data: Mapping[str, Any]) -> dict[str, Any]:
    """The plain data of any version in the names of this one; the version stays what it was."""
    migrated = {"version": 1, **data}
    if "notes" in migrated:
        migrated["comment"] = migrated.pop("notes")
    return migrated

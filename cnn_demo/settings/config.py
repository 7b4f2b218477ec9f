"""What a training run is told: frozen dataclasses with validation that names the field.

This module imports nothing of ours and nothing heavy, so a page can build and check a form before torch is loaded.
"""

from __future__ import annotations

import dataclasses
import math
import re
from dataclasses import dataclass, field
from typing import Any

PRECISIONS: tuple[str, ...] = ("fp32", "bf16", "fp16")
SCHEDULES: tuple[str, ...] = ("constant", "cosine")
AUGMENTATIONS: tuple[str, ...] = ("none", "handwriting")
CHECKPOINT_STEPS: tuple[int, ...] = (0, 10, 30, 100, 300)
MAX_SEED = 2**32 - 1
MAX_EMA = 0.99999

_DEVICE = re.compile(r"auto|cpu|mps|cuda(:\d+)?")
_INIT = re.compile(r"|shipped|[A-Za-z0-9_-]{1,40}(@\d+)?")
COLLECTION_NAME = re.compile(r"[a-z0-9]{8,32}")


class ConfigError(ValueError):
    """A setting that cannot be used.

    Attributes:
        field: the name of the setting, as in :class:`TrainConfig`.
        value: the value that was given.
        expected: what would have been accepted, in words.
    """

    def __init__(self, field: str, value: object, expected: str) -> None:
        super().__init__(f"{field} = {value!r}: expected {expected}")
        self.field, self.value, self.expected = field, value, expected


def _whole(name: str, value: object, low: int, high: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ConfigError(name, value, f"a whole number from {low} to {high}")


def _real(name: str, value: object, low: float, high: float, *, above: bool = False) -> None:
    ok = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not ok or not (low < value if above else low <= value) or not value <= high:  # type: ignore[operator]
        raise ConfigError(name, value, f"a number {'above' if above else 'from'} {low:g} and at most {high:g}")


def _one_of(name: str, value: object, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ConfigError(name, value, "one of " + ", ".join(choices))


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """Everything that decides a training run; two equal configs on one device and version give equal weights.

    Attributes:
        dataset: name of a data set of ``cnn_demo.datasets.specs``.
        model: name of a model in ``cnn_demo.models``.
        epochs: passes over the training split, 1 to 1000.
        batch_size: samples per step, 1 to 65,536. The last batch of an epoch may be smaller.
        lr: Adam's learning rate at the start, above 0 and at most 10.
        schedule: ``constant``, or ``cosine`` (one half cosine from ``lr`` to 0 over all steps, after Loshchilov and
            Hutter, "SGDR", 2017, without restarts).
        weight_decay: what each step takes from the weights, times the learning rate, 0 to 1; decoupled from the
            gradient (Loshchilov and Hutter, "Decoupled weight decay regularization" (AdamW), 2019).
        ema: decay of a running mean of the weights, 0 to 0.99999; 0 keeps none. Where there is one, it is what is
            evaluated and what a checkpoint holds as the model (``cnn_demo.training.ema``).
        augment: ``none``, or ``handwriting`` (geometric augmentation; for digits also strokes of real and synthetic
            pens, and signs that are no digit, see ``cnn_demo.training.handwriting``).
        device: ``auto``, ``cpu``, ``mps``, ``cuda`` or ``cuda:N``.
        precision: ``fp32`` (TF32 on CUDA), ``bf16`` (autocast), or ``fp16`` (autocast with a gradient scaler, CUDA
            only).
        seed: seeds initial weights, order of samples, dropout and augmentation.
        val_fraction: part of the *training* set held out for validation, 0 to 0.5. Only this split is ever used to
            choose anything; the test set never is.
        patience: stop when the validation loss has not improved for so many epochs; 0 never stops early.
        channels_last: memory format of images and weights.
        compile: ``auto`` compiles with CUDA graphs on a CUDA device where the run is long enough to repay it, ``on``
            asks for it anywhere, ``off`` never.
        init: where the weights come from: ``""`` for a fresh start from ``seed``; ``shipped``, a run id (its last
            checkpoint) or ``id@step`` to fine-tune.
        collection: name of a collection of labeled drawings (``cnn_demo.runs.collection``) to mix into the training
            samples; ``""`` for none. They are repeated until they make up a fixed share of an epoch.
        notes: free words for people; no part of the computation.
    """

    dataset: str = "mnist-mini"
    model: str = "cnn"
    epochs: int = 10
    batch_size: int = 128
    lr: float = 1e-3
    schedule: str = "constant"
    weight_decay: float = 0.0
    ema: float = 0.0
    augment: str = "none"
    device: str = "auto"
    precision: str = "fp32"
    seed: int = 0
    val_fraction: float = 0.0
    patience: int = 0
    channels_last: bool = True
    compile: str = "auto"
    init: str = ""
    collection: str = ""
    notes: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        for name in ("dataset", "model", "init", "collection", "notes"):
            if not isinstance(getattr(self, name), str):
                raise ConfigError(name, getattr(self, name), "a text")
        if not self.dataset:
            raise ConfigError("dataset", self.dataset, "the name of a data set")
        if not self.model:
            raise ConfigError("model", self.model, "the name of a model")
        _whole("epochs", self.epochs, 1, 1000)
        _whole("batch_size", self.batch_size, 1, 65_536)
        _real("lr", self.lr, 0, 10, above=True)
        _one_of("schedule", self.schedule, SCHEDULES)
        _real("weight_decay", self.weight_decay, 0, 1)
        _real("ema", self.ema, 0, MAX_EMA)
        _one_of("augment", self.augment, AUGMENTATIONS)
        if not isinstance(self.device, str) or not _DEVICE.fullmatch(self.device):
            raise ConfigError("device", self.device, "auto, cpu, mps, cuda or cuda:N")
        _one_of("precision", self.precision, PRECISIONS)
        _whole("seed", self.seed, 0, MAX_SEED)
        _real("val_fraction", self.val_fraction, 0, 0.5)
        _whole("patience", self.patience, 0, 1000)
        if self.patience and not self.val_fraction:
            raise ConfigError("patience", self.patience, "0, or a val_fraction above 0 to decide by")
        _one_of("compile", self.compile, ("auto", "on", "off"))
        if not _INIT.fullmatch(self.init):
            raise ConfigError("init", self.init, "nothing, shipped, a run id, or a run id and a step as id@step")
        if self.collection and not COLLECTION_NAME.fullmatch(self.collection):
            raise ConfigError("collection", self.collection, "the name of a collection: 8 to 32 letters and digits")

    def to_dict(self) -> dict[str, Any]:
        """The config as plain data for JSON."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> TrainConfig:
        """Rebuild a config from :meth:`to_dict`.

        Raises:
            ConfigError: an unknown field, or a value that is not allowed.
        """
        known = {f.name for f in dataclasses.fields(cls)}
        for name, value in data.items():
            if name not in known:
                raise ConfigError(name, value, "a known setting: " + ", ".join(sorted(known)))
        return cls(**data)

    def replace(self, **changes: Any) -> TrainConfig:
        """A copy with some fields changed, validated again."""
        return dataclasses.replace(self, **changes)

"""Which samples a run trains on, and which it keeps for validation."""

from __future__ import annotations

import functools

import torch

from cnn_demo.datasets.load import Dataset
from cnn_demo.datasets.specs import DatasetSpec
from cnn_demo.datasets.splits import VERSION, Split, stratified_split
from cnn_demo.locales import N_
from cnn_demo.settings.config import ConfigError, TrainConfig
from cnn_demo.training.augmentations import Augmentation
from cnn_demo.training.events import Preparing, say_nothing

EXTRA_SHARE = 0.2  # of an epoch's samples, where extra ones are given; the rest is the data set


def prepare_samples(
    config: TrainConfig,
    data: Dataset,
    augmentation: Augmentation | None,
    extra: Split | None,
    preparing: Preparing = say_nothing,
) -> tuple[Split, Split | None]:
    """The training split with everything that is added to it, and the validation split where there is one.

    Args:
        config: its ``val_fraction`` of the training split is held out.
        data: the data set.
        augmentation: may add samples of its own.
        extra: samples to mix in, repeated until they make up :data:`EXTRA_SHARE` of an epoch.
        preparing: is told how far the augmentation's own samples are.

    A class that the model holds out (its option ``held_out``) is in neither of them.

    Raises:
        ConfigError: there is no such class to hold out.
        ValueError: there is nothing to train on.
    """
    train, held_out = data.train, None
    if config.val_fraction:
        rule = min(config.version, VERSION)  # later versions of the settings hold out the same samples
        train, held_out = stratified_split(data.train, config.val_fraction, config.seed, rule)
    if augmentation is not None:
        added = augmentation.extra_samples(train, functools.partial(preparing, "samples"))
        train = train if added is None else train.join(added)
    if extra is not None and len(extra):
        train = train.join(repeat_samples(extra, len(train)))
    if (left_out := find_held_out(config, data.spec)) is not None:
        train = train.take(train.labels != left_out)
        held_out = held_out.take(held_out.labels != left_out) if held_out is not None else None
    if not len(train):
        raise ValueError(f"data set {config.dataset!r} has no training samples")
    return train, held_out


def find_held_out(config: TrainConfig, spec: DatasetSpec) -> int | None:
    """The class that a run never sees, neither its images nor its captions; None where it sees all.

    Raises:
        ConfigError: the data set has no such class.
    """
    label: int = config.options.get("held_out", -1)
    last = len(spec.classes) - 1
    if label > last:
        raise ConfigError(
            "held_out", label, N_("-1 for none, or a class of {dataset} from 0 to {last}"), dataset=spec.name, last=last
        )
    return label if label >= 0 else None


def repeat_samples(few: Split, beside: int) -> Split:
    """Samples repeated in turn, so that beside ``beside`` others they make up :data:`EXTRA_SHARE` of an epoch.

    A few drawings among thousands of images would otherwise hardly ever be seen. There are at least as many as given.
    """
    count = max(len(few), round(beside * EXTRA_SHARE / (1 - EXTRA_SHARE)))
    return few.take(torch.arange(count) % len(few))

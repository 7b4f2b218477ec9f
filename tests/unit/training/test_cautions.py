"""Where a change turns one class into another, a word of warning says so; elsewhere there is none."""

from __future__ import annotations

from typing import Any

import pytest

from cnn_demo.datasets.specs import get_spec
from cnn_demo.settings.config import TrainConfig
from cnn_demo.training.cautions import find_cautions


def cautions(dataset: str = "mnist", augment: str = "random", **options: Any) -> list[str]:
    config = TrainConfig(dataset=dataset, augment=augment, options=options)
    return [caution.message.format(**caution.values) for caution in find_cautions(config, get_spec(dataset))]


def test_what_everybody_uses_needs_no_warning() -> None:
    for dataset in ("mnist", "mnist-mini", "kmnist", "fashion-mnist", "cifar10"):
        assert cautions(dataset) == []
        assert cautions(dataset, augment="handwriting") == []
    assert cautions("cifar10", flip=0.5) == []
    assert cautions("fashion-mnist", rotation=180.0) == []


@pytest.mark.parametrize(
    ("dataset", "options", "words"),
    [
        ("mnist", {"rotation": 180.0}, "up to 180°, a 6 becomes a 9"),
        ("mnist", {"rotation": 91.0}, "up to 91°"),
        ("kmnist", {"rotation": 120.0}, "one character can become another"),
        ("mnist-mini", {"flip": 0.5}, "mirrored 2"),
        ("kmnist", {"flip": 1.0}, "mirrored character"),
        ("mnist", {"translation": 15.0}, "15 pixels of 28"),
        ("cifar10", {"erasing": 0.9}, "90%"),
    ],
)
def test_what_spoils_a_target_is_said(dataset: str, options: dict[str, Any], words: str) -> None:
    (text,) = cautions(dataset, **options)
    assert words in text


def test_a_quarter_turn_is_the_limit() -> None:
    assert cautions("mnist", rotation=90.0) == []

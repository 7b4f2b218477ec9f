"""Options that models share: one name means one thing, and a default is each model's own."""

from __future__ import annotations

import pytest

from cnn_demo.models.options import ACTIVATION, DEPTH, WIDTH
from cnn_demo.models.registry import MODELS
from cnn_demo.settings.config import ConfigError, TrainConfig


def test_a_default_is_checked_and_changes_nothing_else() -> None:
    wide = WIDTH(64)
    assert (wide.name, wide.default, wide.kind) == ("width", 64, WIDTH.setting.kind)
    with pytest.raises(ConfigError, match="activation = 'step': must be one of relu, leaky_relu, silu, gelu, tanh"):
        ACTIVATION("step")


def test_one_name_has_one_kind() -> None:
    kinds = {option.name: option.kind for entry in MODELS for option in entry.options}
    for entry in MODELS:
        for option in entry.options:
            assert option.kind == kinds[option.name], (entry.name, option.name)


@pytest.mark.parametrize("model", ["cnn", "cnn-bn", "cnn-strided"])
def test_more_blocks_than_an_image_can_be_halved_are_refused_before_a_run_is_launched(model: str) -> None:
    with pytest.raises(ConfigError, match="depth = 5: must be at most 4 for images of 28 × 28 pixels"):
        TrainConfig(model=model, options={"depth": 5})
    assert TrainConfig(model=model, dataset="cifar10", options={"depth": 5}).option("depth") == 5
    assert TrainConfig(model="resnet-small", options={"depth": 9}).option("depth") == DEPTH(9).default

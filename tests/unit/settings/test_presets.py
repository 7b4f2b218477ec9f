"""Presets are valid, different, and change only what the form shows."""

from __future__ import annotations

import pytest

from cnn_demo.settings.config import SETTINGS, TrainConfig
from cnn_demo.settings.presets import PRESETS, Preset


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.name)
def test_presets_are_valid_and_reachable(preset: Preset) -> None:
    config = TrainConfig.from_values(preset.changes)
    for name in preset.changes:
        assert config.described()[name].place != "hidden"
        assert config.values()[name] != SETTINGS[name].default


def test_presets_differ() -> None:
    assert len({TrainConfig.from_values(preset.changes) for preset in PRESETS}) == len(PRESETS)
    assert len({preset.name for preset in PRESETS}) == len(PRESETS)

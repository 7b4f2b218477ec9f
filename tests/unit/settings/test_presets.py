"""Presets are valid, different, and change only what the form shows."""

from __future__ import annotations

import pytest
import torch

from cnn_demo.datasets.specs import get_spec
from cnn_demo.models.registry import count_parameters, create_configured_model
from cnn_demo.settings.config import TrainConfig
from cnn_demo.settings.presets import PRESETS, Preset
from cnn_demo.training.events import EpochEnd
from cnn_demo.training.loop import fit


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.name)
def test_presets_are_valid_and_reachable(preset: Preset) -> None:
    config = TrainConfig.from_values(preset.changes)
    for name in preset.changes:
        assert config.described()[name].place != "hidden"
        assert config.values()[name] != config.described()[name].default


def test_presets_differ() -> None:
    assert len({TrainConfig.from_values(preset.changes) for preset in PRESETS}) == len(PRESETS)
    assert len({preset.name for preset in PRESETS}) == len(PRESETS)


def test_race_learns_digits_in_one_pass_over_a_few() -> None:
    race = next(preset for preset in PRESETS if preset.name == "race")
    config = TrainConfig.from_values({**race.changes, "dataset": "mnist-mini", "epochs": 1, "device": "cpu"})
    last = [event for event in fit(config) if isinstance(event, EpochEnd)][-1]
    assert last.test.n == 2000
    assert last.test.accuracy > 0.93


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.name)
def test_the_network_of_a_preset_fits_its_images(preset: Preset) -> None:
    config = TrainConfig.from_values(preset.changes)
    spec = get_spec(config.dataset)
    model = create_configured_model(config, spec)
    assert model(torch.zeros(2, spec.channels, spec.size, spec.size)).shape == (2, len(spec.classes))
    assert 4 * count_parameters(model) <= 7e6  # what a student downloads

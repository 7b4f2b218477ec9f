"""The pinned unit against PyTorch's own convolution."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from cnn_demo.datasets.load import load_dataset
from cnn_demo.lessons.contents import load_lesson
from cnn_demo.lessons.controls import read_values
from cnn_demo.lessons.lesson import Subject
from cnn_demo.lessons.panels import Bars, Grid, Window
from cnn_demo.lessons.pinned_unit import find_pinned_unit
from cnn_demo.prediction.load import load_model
from cnn_demo.runs.store import Store
from cnn_demo.settings.reference import ModelRef


@pytest.fixture(scope="module")
def subject(tmp_path_factory: pytest.TempPathFactory) -> Subject:
    network = load_model(ModelRef.parse("untrained:cnn"), Store(tmp_path_factory.mktemp("pinned")))
    return Subject(image=load_dataset("mnist-mini", download=False).test.images[5], network=network)


@pytest.mark.parametrize(
    ("layer", "channel", "row", "column"), [("conv1", 3, 0, 27), ("conv1", 5, 14, 13), ("conv2", 20, 6, 9)]
)
def test_its_part_and_its_value(subject: Subject, layer: str, channel: int, row: int, column: int) -> None:
    pinned = dataclasses.replace(subject, unit=(layer, channel, row, column))
    unit = find_pinned_unit(pinned)
    assert unit is not None
    model = subject.network.model
    with torch.no_grad():
        read = subject.batch if layer == "conv1" else F.max_pool2d(F.relu(model.conv1(subject.batch)), 2)  # type: ignore[operator]
        module = getattr(model, layer)
        assert isinstance(module, nn.Conv2d)
        assert unit.value == pytest.approx(module(read)[0, channel, row, column].item(), abs=1e-5)
        parts = F.conv2d(
            read.transpose(0, 1), module.weight[channel][:, None][unit.source : unit.source + 1], padding=1
        )
        assert unit.part == pytest.approx(parts[unit.source, 0, row, column].item(), abs=1e-5)
        every = [
            F.conv2d(read[:, c : c + 1], module.weight[channel : channel + 1, c : c + 1], padding=1)[0, 0, row, column]
            for c in range(unit.sources)
        ]
        assert abs(unit.part) == pytest.approx(max(abs(part.item()) for part in every), abs=1e-5)
    values, _wrong = read_values(load_lesson("convolution").controls, {"kernel": "unit"})
    panels = load_lesson("convolution").show(pinned, values).panels
    [grid] = [panel for panel in panels if isinstance(panel, Grid) and panel.name == "input"]
    assert grid.edit == ""  # what one painted would not be what the unit read
    window = next(panel for panel in panels if isinstance(panel, Window))
    assert window.running[window.at][-1] == pytest.approx(unit.part, abs=1e-5)


@pytest.mark.parametrize("rank", [1, 2, 5, 32, 64])
def test_any_of_its_input_channels_can_be_looked_at(subject: Subject, rank: int) -> None:
    pinned = dataclasses.replace(subject, unit=("conv2", 20, 6, 9))
    model = subject.network.model
    with torch.no_grad():
        read = F.max_pool2d(F.relu(model.conv1(subject.batch)), 2)[0, :, 5:8, 8:11]  # type: ignore[operator]
        module = model.conv2
        assert isinstance(module, nn.Conv2d)
        parts = (read * module.weight[20]).sum((1, 2))
        whole = float(parts.sum() + module.bias[20])  # type: ignore[index]
    expected = sorted(range(32), key=lambda channel: -abs(float(parts[channel])))[min(rank, 32) - 1]
    unit = find_pinned_unit(pinned, rank)
    assert unit is not None
    assert (unit.source, unit.part) == (expected, pytest.approx(float(parts[expected]), abs=1e-6))
    assert torch.equal(unit.kernel, module.weight[20, expected])
    values, _wrong = read_values(load_lesson("convolution").controls, {"kernel": "unit", "rank": str(rank)})
    panels = {panel.name: panel for panel in load_lesson("convolution").show(pinned, values).panels}
    bars = panels["channels"]
    assert isinstance(bars, Bars)
    *summands, total = bars.bars
    assert total.value == pytest.approx(whole, abs=1e-5)
    assert sum(bar.value for bar in summands) == pytest.approx(whole, abs=1e-5)
    assert [bar.value for bar in bars.bars if bar.role == "second"] == [unit.part]


def test_settings_that_a_pinned_unit_brings_along_are_not_asked_for() -> None:
    controls = load_lesson("convolution").controls
    values, _wrong = read_values(controls, {"kernel": "unit", "padding": "n"})
    assert {c.name for c in controls if c.is_shown(values)} == {
        "kernel",
        "rank",
        "transposed",
        "cells",
        "painted",
        "at",
    }
    values["kernel"] = "blur"
    assert {"stride", "padding", "n", "fill", "dilation"} <= {c.name for c in controls if c.is_shown(values)}


@pytest.mark.parametrize("unit", [None, ("relu1", 0, 0, 0), ("conv1", 99, 0, 0), ("nothing", 0, 0, 0)])
def test_what_is_no_unit_of_a_convolution_is_none(subject: Subject, unit: tuple[str, int, int, int] | None) -> None:
    pinned = dataclasses.replace(subject, unit=unit)
    assert find_pinned_unit(pinned) is None
    values, _wrong = read_values(load_lesson("convolution").controls, {"kernel": "unit"})
    assert [panel.name for panel in load_lesson("convolution").show(pinned, values).panels] == ["none"]

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
from cnn_demo.lessons.panels import Window
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
    window = next(
        panel for panel in load_lesson("convolution").show(pinned, values).panels if isinstance(panel, Window)
    )
    assert window.running[window.at][-1] == pytest.approx(unit.part, abs=1e-5)


@pytest.mark.parametrize("unit", [None, ("relu1", 0, 0, 0), ("conv1", 99, 0, 0), ("nothing", 0, 0, 0)])
def test_what_is_no_unit_of_a_convolution_is_none(subject: Subject, unit: tuple[str, int, int, int] | None) -> None:
    pinned = dataclasses.replace(subject, unit=unit)
    assert find_pinned_unit(pinned) is None
    values, _wrong = read_values(load_lesson("convolution").controls, {"kernel": "unit"})
    assert [panel.name for panel in load_lesson("convolution").show(pinned, values).panels] == ["none"]

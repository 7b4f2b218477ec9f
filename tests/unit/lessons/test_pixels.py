"""The pixels first: means, histograms and faults against torchvision and numpy."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision import transforms

from cnn_demo.datasets.load import load_dataset
from cnn_demo.datasets.specs import get_spec
from cnn_demo.lessons import pixels
from cnn_demo.lessons.exercises.pixels import ask_questions
from cnn_demo.prediction.load import load_model
from cnn_demo.runs.store import Store
from cnn_demo.settings.reference import SHIPPED_REF


def test_mean_and_deviation_are_those_of_numpy() -> None:
    images = torch.randint(0, 256, (7, 3, 5, 6), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    mean, std = pixels.measure_pixels(images)
    plain = images.numpy().astype(np.float64) / 255
    assert mean.numpy() == pytest.approx(plain.mean((0, 2, 3)), rel=1e-6)
    assert std.numpy() == pytest.approx(plain.std((0, 2, 3)), rel=1e-6)


def test_the_shipped_digits_have_the_well_known_statistics() -> None:
    mean, std = pixels.measure_pixels(load_dataset("mnist-mini", download=False).train.images)
    assert float(mean) == pytest.approx(0.1307, abs=0.002)
    assert float(std) == pytest.approx(0.3081, abs=0.002)


def test_bins_are_those_of_numpy() -> None:
    values = torch.randn(1000, generator=torch.Generator().manual_seed(2))
    low, high = float(values.min()), float(values.max())
    expected = np.histogram(values.numpy(), 40, (low, high))[0] / 1000
    assert pixels.count_bins(values, low, high, 40).numpy() == pytest.approx(expected, abs=2e-3)  # an edge may round


def test_faults_are_what_torchvision_makes_of_them() -> None:
    spec = get_spec("mnist")
    image = torch.randint(0, 256, (1, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(3))
    to_tensor, normalize = transforms.ToTensor(), transforms.Normalize(spec.mean, spec.std)
    unit = to_tensor(image[0].numpy())
    wanted = {
        "none": normalize(unit),
        "unit": unit,
        "bytes": unit * 255,
        "twice": normalize(normalize(unit)),
        "inverted": normalize(to_tensor(255 - image[0].numpy())),
    }
    for fault, expected in wanted.items():
        assert torch.allclose(pixels.prepare_wrongly(image, spec, fault)[0], expected, atol=1e-4), fault


def test_a_network_that_gets_dark_on_light_cannot_read(tmp_path: Path) -> None:
    network = load_model(SHIPPED_REF, Store(tmp_path))
    test = load_dataset("mnist-mini", download=False).test
    right = {
        fault: pixels.count_correct(network.model, test.images[:100], test.labels[:100], network.spec, fault)
        for fault in ("none", "inverted")
    }
    assert right["none"] >= 97
    assert right["inverted"] < 70


@pytest.mark.parametrize("seed", range(100))
def test_questions_have_the_right_answers(seed: int) -> None:
    forward, back, forgotten = ask_questions(random.Random(seed))
    values = forward.text.values
    assert forward.is_right((values["byte"] / 255 - values["mean"]) / values["std"])
    values = back.text.values
    assert back.is_right(round((values["value"] * values["std"] + values["mean"]) * 255))
    white = forgotten.text.values["shade"].text == "white"
    assert forgotten.answer == ("smaller" if white else "larger")

"""Variations of a digit against plain array operations, and readings against the model itself."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from cnn_demo.datasets.load import load_dataset
from cnn_demo.datasets.specs import get_spec
from cnn_demo.drawing.prepare import prepare, stage_inputs
from cnn_demo.inspect.motion import Motion, move_image
from cnn_demo.inspect.variations import ANGLES, Variation, probabilities, vary
from cnn_demo.models.registry import create_model
from cnn_demo.prediction.calibration import Calibration
from cnn_demo.prediction.predictor import predict_drawing

SPEC = get_spec("mnist-mini")


@pytest.fixture(scope="module")
def digit() -> torch.Tensor:
    return load_dataset("mnist-mini").test.images[1234].float() / 255  # (1, 28, 28)


@pytest.fixture(scope="module")
def model() -> nn.Module:
    torch.manual_seed(5)
    return create_model("cnn").eval().requires_grad_(False)


def test_quarter_turns_and_whole_shifts_are_exact(digit: torch.Tensor) -> None:
    still, quarter, half, shifted = vary(
        digit, [Variation(), Variation(angle=90), Variation(angle=180), Variation(right=2, down=-3)]
    )
    assert torch.equal(still, digit)
    assert torch.allclose(quarter, torch.rot90(digit, 1, (1, 2)), atol=1e-4)  # counter-clockwise
    assert torch.allclose(half, torch.rot90(digit, 2, (1, 2)), atol=1e-4)
    expected = torch.zeros_like(digit)
    expected[:, :25, 2:] = digit[:, 3:, :26]
    assert torch.allclose(shifted, expected, atol=1e-4)


def test_it_moves_as_the_feature_maps_page_does(digit: torch.Tensor) -> None:
    ours = vary(digit, [Variation(angle=25, right=1.5, down=-2, scale=1.3)])[0]
    theirs = move_image((digit * 255).to(torch.uint8), Motion(angle=25, right=1.5, down=-2, scale=1.3)).float() / 255
    assert (ours - theirs).abs().max() <= 1 / 255


def test_thickness_is_dilation_and_erosion(digit: torch.Tensor) -> None:
    def filtered(picture: np.ndarray, function: object) -> np.ndarray:
        padded = np.pad(picture, 1, constant_values=0 if function is np.max else 9)
        windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3))
        return function(windows, axis=(2, 3))  # type: ignore[operator]

    plain = digit[0].numpy()
    one, two, half, thin = vary(digit, [Variation(thickness=t) for t in (1, 2, 0.5, -1)])
    assert np.allclose(one[0], filtered(plain, np.max))
    assert np.allclose(two[0], filtered(filtered(plain, np.max), np.max))
    assert np.allclose(half[0], (plain + filtered(plain, np.max)) / 2, atol=1e-6)
    assert np.allclose(thin[0], filtered(plain, np.min), atol=1e-6)


def test_a_scale_of_nothing_is_refused(digit: torch.Tensor) -> None:
    with pytest.raises(ValueError, match="scale"):
        vary(digit, [Variation(scale=0)])


def test_one_batch_says_what_single_passes_say(model: nn.Module, digit: torch.Tensor) -> None:
    drawing = prepare((digit[0] * 255).to(torch.uint8).numpy(), SPEC)
    turns = [Variation(angle=angle) for angle in ANGLES]
    batch = probabilities(model, drawing, SPEC, turns, temperature=2.0)
    assert batch.shape == (len(ANGLES), 10)
    assert torch.allclose(batch.sum(1), torch.ones(len(ANGLES), dtype=torch.float64))
    assert torch.allclose(batch[ANGLES.index(0)], (model(drawing.input).double() / 2).softmax(1)[0], atol=1e-7)
    for angle in (-180, -35, 90):
        picture = vary(torch.from_numpy(drawing.stages[-1].image)[None], [Variation(angle=angle)])
        single = (model((picture - SPEC.mean[0]) / SPEC.std[0]).double() / 2).softmax(1)[0]
        assert torch.allclose(batch[ANGLES.index(angle)], single, atol=1e-5)


def test_a_reading_is_the_models_own_answer_at_every_stage(model: nn.Module, digit: torch.Tensor) -> None:
    pad = np.kron((digit[0] * 255).to(torch.uint8).numpy(), np.ones((10, 10), np.uint8))
    drawing = prepare(pad, SPEC)
    calibration = Calibration(temperature=1.7, threshold=-100, digits=1, false_alarms=0)
    reading = predict_drawing(model, drawing, SPEC, calibration)
    inputs = stage_inputs(drawing, SPEC)
    assert len(reading.stages) == len(drawing.stages)
    for picture, said in zip(inputs, reading.stages, strict=True):
        p = (model(picture[None]).double() / 1.7).softmax(1)[0]
        assert said.top == int(p.argmax())
        assert said.probability == pytest.approx(float(p.max()), abs=1e-6)
    assert reading.stages[-1].top == reading.verdict.top
    assert reading.verdict.probabilities[reading.verdict.top] == pytest.approx(reading.stages[-1].probability, abs=1e-6)


def test_an_empty_pad_is_no_digit(model: nn.Module) -> None:
    reading = predict_drawing(model, prepare(np.zeros((280, 280, 4), np.uint8), SPEC), SPEC)
    assert reading.verdict.kind == "empty"
    assert reading.stages == ()

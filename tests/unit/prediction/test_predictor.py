"""What a predictor says, against the model called by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from cnn_demo.datasets.load import load_dataset
from cnn_demo.datasets.specs import get_spec
from cnn_demo.drawing.pictures import DrawingError
from cnn_demo.drawing.prepare import prepare, stage_inputs
from cnn_demo.inspect.variations import Variation, varied_inputs
from cnn_demo.models.registry import create_model
from cnn_demo.prediction.calibration import Calibration
from cnn_demo.prediction.predictor import Predictor
from tests.made_networks import as_loaded

SPEC = get_spec("mnist-mini")
WARM = Calibration(temperature=1.7, threshold=-100, digits=1, false_alarms=0)


@pytest.fixture(scope="module")
def model() -> nn.Module:
    torch.manual_seed(5)
    return create_model("cnn").eval().requires_grad_(False)


def pads(count: int) -> list[np.ndarray]:
    """Digits as they stand on the pad."""
    images = load_dataset("mnist-mini").test.images[:count, 0].numpy()
    return [np.kron(image, np.ones((10, 10), np.uint8)) for image in images]


def test_the_answer_at_every_stage_is_the_models_own(model: nn.Module) -> None:
    predictor = Predictor(as_loaded(model), WARM)
    drawing = predictor.prepare(pads(1)[0])
    (prediction,) = predictor.predict_drawings([drawing], stages=True)
    assert len(prediction.stages) == len(drawing.stages)
    for picture, said in zip(stage_inputs(drawing, SPEC), prediction.stages, strict=True):
        p = (model(picture[None]).double() / 1.7).softmax(1)[0]
        assert said.top == int(p.argmax())
        assert said.probability == pytest.approx(float(p.max()), abs=1e-6)
    verdict = prediction.verdict
    assert prediction.stages[-1].top == verdict.top
    assert verdict.probabilities[verdict.top] == pytest.approx(prediction.stages[-1].probability, abs=1e-6)
    assert prediction.drawing is drawing


def test_many_pictures_are_answered_as_one_by_one(model: nn.Module, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cnn_demo.prediction.logits.BATCH", 3)
    predictor = Predictor(as_loaded(model), WARM)
    pictures = [*pads(6), np.zeros((280, 280, 4), np.uint8), pads(1)[0]]
    together = predictor.predict(pictures)
    assert len(together) == 8
    for picture, prediction in zip(pictures, together, strict=True):
        logits = model(prepare(picture, SPEC).input)
        assert prediction.probabilities == pytest.approx((logits.double() / 1.7).softmax(1)[0].tolist(), abs=1e-6)
        assert prediction.stages == ()
    assert [p.verdict.kind == "empty" for p in together] == [False] * 6 + [True, False]
    assert predictor.predict([]) == []


def test_an_empty_pad_has_no_stages(model: nn.Module) -> None:
    predictor = Predictor(as_loaded(model))
    (prediction,) = predictor.predict_drawings([predictor.prepare(np.zeros((280, 280, 4), np.uint8))], stages=True)
    assert prediction.verdict.kind == "empty"
    assert prediction.stages == ()


def test_one_rule_applies_the_temperature(model: nn.Module) -> None:
    predictor = Predictor(as_loaded(model), WARM)
    (prediction,) = predictor.predict(pads(1))
    images = load_dataset("mnist-mini").test.images[:1]
    from_bytes, from_input = predictor.probabilities(images), predictor.probabilities(prediction.drawing.input)
    assert from_input[0].tolist() == pytest.approx(prediction.probabilities)
    logits = model(prediction.drawing.input)
    assert predictor.probabilities_of(logits)[0].tolist() == pytest.approx(prediction.probabilities)
    by_hand = model((images / 255 - SPEC.mean[0]) / SPEC.std[0])
    assert from_bytes[0].tolist() == pytest.approx((by_hand.double() / 1.7).softmax(1)[0].tolist(), abs=1e-6)


def test_without_a_calibration_probabilities_are_raw_and_nothing_is_no_digit(model: nn.Module) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (28, 28), dtype=np.uint8)
    (prediction,) = Predictor(as_loaded(model)).predict([noise])
    raw = model(prediction.drawing.input).double().softmax(1)[0]
    assert prediction.probabilities == pytest.approx(raw.tolist(), abs=1e-6)
    assert prediction.verdict.kind in ("sure", "torn", "unsure")
    strict = Calibration(temperature=1, threshold=1e9, digits=1, false_alarms=0)
    assert Predictor(as_loaded(model), strict).predict([noise])[0].verdict.kind == "not_a_digit"


def test_a_dot_is_no_digit_however_sure_the_network_is(model: nn.Module) -> None:
    """The app once said "Sure: 0 (98.4%)" of a dot, and "This is a dot, not a digit" below it."""
    y, x = np.mgrid[:280, :280]
    dot = np.where((y - 140) ** 2 + (x - 140) ** 2 < 12**2, 255, 0).astype(np.uint8)
    for predictor in (Predictor(as_loaded(model)), Predictor(as_loaded(model), WARM)):
        (prediction,) = predictor.predict([dot])
        assert "dot" in prediction.drawing.warnings
        assert prediction.verdict.kind == "not_a_digit"
        turned = varied_inputs(prediction.drawing, SPEC, [Variation(angle=30)])
        assert [v.kind for v in predictor.judge_variations(prediction.drawing, turned)] == ["not_a_digit"]


def test_few_real_digits_are_dots() -> None:
    images = load_dataset("mnist-mini").test.images[:500, 0].numpy()
    assert not [i for i, image in enumerate(images) if "dot" in prepare(image, SPEC).warnings]


def test_variations_are_judged_like_drawings(model: nn.Module) -> None:
    """Probabilities by hand, and the verdict against the threshold: what is no digit does not become one of 41%."""
    drawing = prepare(pads(1)[0], SPEC)
    inputs = varied_inputs(drawing, SPEC, [Variation(angle=angle) for angle in (0, 90, 180)])
    logits = model(inputs).double()
    energies = logits.logsumexp(1)
    middle = Calibration(temperature=2, threshold=float(energies.median()) + 1e-6, digits=1, false_alarms=0)
    found = Predictor(as_loaded(model), middle).judge_variations(drawing, inputs)
    assert [v.kind == "not_a_digit" for v in found] == (energies < middle.threshold).tolist()
    for verdict, row in zip(found, (logits / 2).softmax(1), strict=True):
        assert verdict.probabilities == pytest.approx(row.tolist(), abs=1e-6)
        assert verdict.top == int(row.argmax())


def test_a_picture_that_cannot_be_used_is_refused(model: nn.Module) -> None:
    with pytest.raises(DrawingError, match="shape"):
        Predictor(as_loaded(model)).predict([np.zeros((3, 3, 7), np.uint8)])


def test_a_model_in_training_mode_stays_in_it(model: nn.Module) -> None:
    own = create_model("cnn").train()
    Predictor(as_loaded(own)).predict(pads(1))
    assert own.training

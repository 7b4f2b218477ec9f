"""The verdict of a bundle against that of the Draw page."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from cnn_demo.export.bundled import verdict
from cnn_demo.prediction.calibration import Calibration, judge


@pytest.mark.parametrize("weights", [(), tuple(np.random.default_rng(1).normal(0, 0.3, 22))], ids=["energy", "fitted"])
def test_verdicts_and_probabilities_are_the_pages(weights: tuple[float, ...]) -> None:
    calibration = Calibration(0.8, 2.0 if not weights else 0.0, 100, 0.02, weights=weights)
    plain = dataclasses.asdict(calibration)
    generator = torch.Generator().manual_seed(2)
    kinds = set()
    for logits in torch.randn(300, 10, generator=generator) * torch.linspace(0.1, 5, 300)[:, None]:
        wanted = judge(logits, calibration)
        kind, probabilities = verdict.judge(logits.numpy(), plain, [])
        assert kind == wanted.kind
        assert np.allclose(probabilities, wanted.probabilities, atol=1e-12)
        kinds.add(kind)
    assert kinds == {"sure", "torn", "unsure", "not_a_digit"}


def test_an_empty_pad_and_a_dot() -> None:
    logits = np.array([9.0, 0, 0], dtype=np.float32)
    assert verdict.judge(logits, None, ["empty"])[0] == "empty"
    assert verdict.judge(logits, None, ["dot"])[0] == "not_a_digit"
    assert verdict.judge(logits, None, ["thin"])[0] == "sure"

"""What to say about logits: probabilities by the calibration's temperature, and a verdict; on NumPy alone.

The same as ``cnn_demo.prediction``; a test holds them equal.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

SURE = 0.9  # a calibrated probability from which one answer stands
TORN = 0.9  # two answers that together have this much are the two it is torn between


def judge(
    logits: NDArray[np.float32], calibration: dict[str, Any] | None, warnings: Sequence[str]
) -> tuple[str, NDArray[np.float64]]:
    """The verdict on one picture, and the probability of each class.

    Args:
        logits: ``(classes,)``.
        calibration: ``temperature``, ``threshold`` and ``weights``; without one the probabilities are raw, and only a
            dot is called no digit.
        warnings: of the preparation.

    Returns:
        ``sure``, ``torn``, ``unsure``, ``not_a_digit`` or ``empty``, and ``(classes,)``.
    """
    z = logits.astype(np.float64)
    powers = np.exp((z - z.max()) / (calibration["temperature"] if calibration else 1.0))
    probabilities = powers / powers.sum()
    first, second = np.sort(probabilities)[::-1][:2]
    if "empty" in warnings:
        return "empty", probabilities
    strange = calibration is not None and _score(z, calibration["weights"]) < calibration["threshold"]
    if strange or "dot" in warnings:
        return "not_a_digit", probabilities
    if first >= SURE:
        return "sure", probabilities
    return ("torn" if first + second >= TORN else "unsure"), probabilities


def _score(z: NDArray[np.float64], weights: Sequence[float]) -> float:
    """How much logits look like one of the classes: their energy, or what was fitted."""
    energy = z.max() + np.log(np.exp(z - z.max()).sum())
    if not weights:
        return float(energy)
    return float(np.concatenate([z, np.sort(z)[::-1], [energy, 1.0]]) @ np.array(weights))

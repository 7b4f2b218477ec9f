"""The random keys of the first validation splits: SplitMix64. Kept so that old runs resume with the split they had."""

from __future__ import annotations

import numpy as np

_STEP = np.uint64(0x9E3779B97F4A7C15)


def splitmix64_keys(count: int, seed: int) -> np.ndarray:
    """One uint64 for each of 0..count-1, by SplitMix64 (Steele, Lea, Flood 2014): ``(count,)``."""
    with np.errstate(over="ignore"):
        state = np.array([seed], dtype=np.uint64)
        for _ in range(2):  # nearby seeds must not give shifted copies of one sequence
            state = _mix_bits(state + _STEP)
        return _mix_bits(state + np.arange(1, count + 1, dtype=np.uint64) * _STEP)


def _mix_bits(z: np.ndarray) -> np.ndarray:
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))

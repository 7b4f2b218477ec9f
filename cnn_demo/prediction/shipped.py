"""Where the model that ships lies, and what was measured of it. Imports no torch."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

SHIPPED = Path(__file__).resolve().parents[1] / "assets" / "models" / "cnn-mnist"


@dataclass(frozen=True, slots=True)
class ShippedTest:
    """How well the model that ships did on ``n`` test images of a data set; accuracy 0 to 1."""

    dataset: str
    accuracy: float
    n: int


def has_shipped_model() -> bool:
    """Whether this checkout has the model that ships."""
    return (SHIPPED / "checkpoint.json").is_file()


def read_shipped_test() -> ShippedTest | None:
    """The test result of the model that ships; None without the model, or where it was never measured."""
    if not has_shipped_model():
        return None
    test = json.loads((SHIPPED / "checkpoint.json").read_text("utf-8")).get("test")
    return ShippedTest(test["dataset"], test["accuracy"], test["n"]) if test else None

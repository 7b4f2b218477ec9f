"""Write ``facts.json``, parameters and multiply-adds of every model on every shape of input, and ``sequences.json``.

The second has the layers of every model that is a plain sequence, for the builder to start from. A page shows both
before torch is loaded. Run ``python -m scripts.make_facts`` after adding a model or a data
set; a test compares the files with the models.
"""

from __future__ import annotations

import json
from pathlib import Path

from cnn_demo.datasets.specs import list_specs
from cnn_demo.models.cost import measure_cost
from cnn_demo.models.layer_list import format_rows
from cnn_demo.models.plain_sequence import NotPlain, list_rows
from cnn_demo.models.registry import MODELS, create_model


def list_shapes() -> list[tuple[int, int, int]]:
    """Channels, size and number of classes of all data sets."""
    return sorted({(s.channels, s.size, len(s.classes)) for s in list_specs()})


def compute_facts() -> dict[str, dict[str, dict[str, int]]]:
    """``{model: {"CxSxK": {"parameters": ..., "multiply_adds": ...}}}`` for one (C, S, S) image and K classes."""
    facts: dict[str, dict[str, dict[str, int]]] = {}
    for spec in MODELS:
        for channels, size, classes in list_shapes():
            cost = measure_cost(spec.name, channels, size, classes, {})
            facts.setdefault(spec.name, {})[f"{channels}x{size}x{classes}"] = cost
    return facts


def compute_sequences() -> dict[str, dict[str, str]]:
    """``{model: {"CxSxK": layers}}`` as the option ``layers`` has them, for models that are plain sequences."""
    found: dict[str, dict[str, str]] = {}
    for entry in MODELS:
        for channels, size, classes in list_shapes():
            model = create_model(entry.name, channels=channels, size=size, classes=classes)
            try:
                text = format_rows(list_rows(model, classes))
            except NotPlain:
                continue
            found.setdefault(entry.name, {})[f"{channels}x{size}x{classes}"] = text
    return found


if __name__ == "__main__":
    folder = Path(__file__).resolve().parents[1] / "cnn_demo" / "models"
    for name, made in (("facts", compute_facts()), ("sequences", compute_sequences())):
        (folder / f"{name}.json").write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")

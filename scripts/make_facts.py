"""Write ``facts.json``: parameters and multiply-adds of every model on every shape of input.

A page shows them before torch is loaded. Run ``python -m scripts.make_facts`` after adding a model or a data
set; a test compares the file with the models.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode

from cnn_demo.datasets.specs import list_specs
from cnn_demo.models.registry import MODELS, count_parameters, create_model


def compute_facts() -> dict[str, dict[str, dict[str, int]]]:
    """``{model: {"CxSxK": {"parameters": ..., "multiply_adds": ...}}}`` for one (C, S, S) image and K classes."""
    shapes = sorted({(s.channels, s.size, len(s.classes)) for s in list_specs()})
    facts: dict[str, dict[str, dict[str, int]]] = {}
    for spec in MODELS:
        for channels, size, classes in shapes:
            model = create_model(spec.name, channels=channels, size=size, classes=classes).eval()
            with torch.no_grad(), FlopCounterMode(display=False) as counter:
                model(torch.zeros(1, channels, size, size))
            facts.setdefault(spec.name, {})[f"{channels}x{size}x{classes}"] = {
                "parameters": count_parameters(model),
                "multiply_adds": counter.get_total_flops() // 2,
            }
    return facts


if __name__ == "__main__":
    path = Path(__file__).resolve().parents[1] / "cnn_demo" / "models" / "facts.json"
    path.write_text(json.dumps(compute_facts(), indent=1) + "\n", encoding="utf-8")

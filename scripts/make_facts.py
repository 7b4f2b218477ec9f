"""Write ``facts.json``: parameters and multiply-adds of every model on every shape of input.

A page shows them before torch is loaded. Run ``python -m scripts.make_facts`` after adding a model or a data
set; a test compares the file with the models.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
from torch import Tensor, nn
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
            once, twice = (_count_flops(model, torch.zeros(n, channels, size, size)) for n in (1, 2))
            facts.setdefault(spec.name, {})[f"{channels}x{size}x{classes}"] = {
                "parameters": count_parameters(model),
                "multiply_adds": (twice - once) // 2,  # of one image more: what a batch computes once is left out
            }
    return facts


def _count_flops(model: nn.Module, images: Tensor) -> int:
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(images)
    return int(counter.get_total_flops())


if __name__ == "__main__":
    path = Path(__file__).resolve().parents[1] / "cnn_demo" / "models" / "facts.json"
    path.write_text(json.dumps(compute_facts(), indent=1) + "\n", encoding="utf-8")

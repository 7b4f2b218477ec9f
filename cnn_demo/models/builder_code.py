"""The PyTorch code of a list of layers, complete, so that it runs where nothing but PyTorch is. Imports no torch."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

from cnn_demo.models.layer_plan import Plan

_HEAD = """\
# {channels} × {size} × {size} images to {classes} logits: {parameters:,} parameters, {multiply_adds:,} multiply-adds.
from collections import OrderedDict

import torch
from torch import Tensor, nn
"""
_TAIL = """
if __name__ == "__main__":
    torch.manual_seed(0)
    model = build_model().eval()
    images = torch.randn(2, {channels}, {size}, {size})
    print(tuple(model(images).shape))  # (2, {classes})
"""


def write_code(plan: Plan, channels: int, size: int, classes: int) -> str:
    """Python source with a function ``build_model`` that makes the same modules with the same names.

    With one seed of PyTorch it makes the same weights as the model that is trained here.

    Args:
        plan: without a problem.
        channels, size, classes: what it was made for.
    """
    blocks = read_blocks()
    used = [name for name in blocks if any(layer.call.function == name for layer in plan.layers)]
    facts = {"channels": channels, "size": size, "classes": classes}
    head = _HEAD.format(parameters=plan.parameters, multiply_adds=plan.multiply_adds, **facts)
    lines = ["def build_model() -> nn.Sequential:", "    layers: list[tuple[str, nn.Module]] = ["]
    for layer in plan.layers:
        home = "" if layer.call.function in blocks else "nn."
        shape = " × ".join(map(str, layer.shape))
        lines.append(f'        ("{layer.name}", {home}{layer.call}),  # -> {shape}')
    lines += ["    ]", "    return nn.Sequential(OrderedDict(layers))", ""]
    return "\n\n".join([head, *(blocks[name] + "\n" for name in used), "\n".join(lines) + _TAIL.format(**facts)])


@cache
def read_blocks() -> dict[str, str]:
    """The source of each class in ``layer_blocks``, read as text, so that PyTorch is not loaded."""
    text = Path(__file__).with_name("layer_blocks.py").read_text("utf-8")
    classes = [node for node in ast.parse(text).body if isinstance(node, ast.ClassDef)]
    return {node.name: ast.get_source_segment(text, node) or "" for node in classes}

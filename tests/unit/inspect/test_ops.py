"""PyTorch functions under one name each, as the dispatcher really calls them."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from cnn_demo.inspect import ops


@pytest.mark.parametrize(
    ("func", "expected"),
    [
        (F.relu, ("relu", False)),
        (torch.relu_, ("relu", True)),
        (Tensor.relu_, ("relu", True)),
        (Tensor.__iadd__, ("add", True)),
        (Tensor.__add__, ("add", False)),
        (Tensor.__invert__, ("invert", False)),
        (torch.conv2d, ("conv2d", False)),
    ],
)
def test_one_name_for_each_operation(func: Any, expected: tuple[str, bool]) -> None:
    assert ops.canonical(func) == expected


def test_every_operation_has_one_kind() -> None:
    assert set(ops.KIND_OF.values()) == set(ops.KINDS) - {ops.INPUT, "attention", "other"}
    assert "relu" in ops.ELEMENTWISE
    assert not {"softmax", "conv2d", "max_pool2d"} & ops.ELEMENTWISE


def test_arguments_under_the_names_of_the_documentation() -> None:
    weight = torch.zeros(2, 1, 3, 3)
    found = ops.arguments("conv2d", ("x", weight, None, 2), {"padding": 1})
    assert found == {"input": "x", "weight": weight, "bias": None, "stride": 2, "padding": 1}
    assert ops.arguments("unheard_of", ("x", 5), {}) == {"input": "x"}


@pytest.mark.parametrize(
    ("value", "expected"), [(3, (3, 3)), ([3], (3, 3)), ((2, 5), (2, 5)), (torch.Size([4, 1]), (4, 1))]
)
def test_pairs(value: Any, expected: tuple[int, int]) -> None:
    assert ops.pair(value) == expected

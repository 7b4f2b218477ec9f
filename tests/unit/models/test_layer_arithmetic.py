"""What single layers make of a signal, by hand."""

from __future__ import annotations

import pytest

from cnn_demo.models.layer_arithmetic import Call, Misfit, Signal, plan_conv, plan_max_pool, plan_residual
from cnn_demo.models.reach import Reach

SIGNAL = Signal((8, 14, 14), Reach.of_pixels(14))


def test_a_call_is_written_as_python() -> None:
    assert str(Call("Conv2d", (1, 8), {"kernel_size": 3, "bias": False})) == "Conv2d(1, 8, kernel_size=3, bias=False)"


def test_a_convolution_by_hand() -> None:
    made = plan_conv(SIGNAL, 12, 3, 2, None, 1, 4, None)
    assert made.call == Call("Conv2d", (8, 12), {"kernel_size": 3, "stride": 2, "padding": 1, "groups": 4})
    assert made.shape == (12, 7, 7)
    assert made.parameters == 12 * 2 * 9 + 12
    assert made.multiply_adds == 12 * 2 * 9 * 49
    assert made.memory == 12 * 49 * 4


def test_a_residual_block_projects_its_input_only_where_the_shape_changes() -> None:
    same, changed = plan_residual(SIGNAL, None, 1), plan_residual(SIGNAL, 16, 2)
    assert same.parameters == 2 * (8 * 8 * 9 + 2 * 8)
    assert changed.parameters == 8 * 16 * 9 + 16 * 16 * 9 + 8 * 16 + 3 * 2 * 16
    assert (same.shape, changed.shape) == ((8, 14, 14), (16, 7, 7))
    assert same.reach.size == 5


def test_a_window_may_be_as_large_as_the_map_and_no_larger() -> None:
    assert plan_max_pool(SIGNAL, 14, None, 0).shape == (8, 1, 1)
    with pytest.raises(Misfit, match="a window that fits") as caught:
        plan_max_pool(SIGNAL, 15, None, 0)
    assert caught.value.values == {"extent": 15, "room": 14}

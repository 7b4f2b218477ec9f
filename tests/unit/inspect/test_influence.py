"""What channels are worth for a prediction, against switching them off one by one."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from cnn_demo.inspect.influence import exact_influence, influence, order


def test_influence_is_exact_where_the_rest_is_linear() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(6 * 9, 4)
    )
    image = torch.randn(1, 1, 8, 8)
    estimate = influence(model, image, ["0"], 2)["0"]
    truth = exact_influence(model, image, "0", 2, batch=4)
    assert np.allclose(estimate, truth, atol=1e-5)
    assert not np.allclose(estimate, influence(model, image, ["0"], 1)["0"])
    assert all(parameter.grad is None for parameter in model.parameters())
    with torch.no_grad():
        model.eval()
        features = model[:3](image)
        features[:, 4] = 0
        fall = model(image)[0, 2] - model[3:](features)[0, 2]
    assert truth[4] == pytest.approx(float(fall), abs=1e-5)


def test_order() -> None:
    means = np.array([0.0, 3.0, 1.0, 3.0])
    assert order(4, "index").tolist() == [0, 1, 2, 3]
    assert order(4, "mean", means=means).tolist() == [1, 3, 2, 0]
    assert order(4, "influence", influences=-means).tolist() == [0, 2, 1, 3]
    with pytest.raises(ValueError, match="influence"):
        order(4, "influence", means=means)
    with pytest.raises(ValueError, match="beauty"):
        order(4, "beauty")

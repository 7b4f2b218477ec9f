"""Gradient ascent: finds a known pattern, repeats by seed, and leaves the model alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from cnn_demo.datasets.specs import get_spec
from cnn_demo.inspect.activation_maximization import Ascent, maximize_activation, measure_excitation
from cnn_demo.models.registry import create_model
from cnn_demo.prediction.load import load_folder
from cnn_demo.prediction.shipped import SHIPPED

SPEC = get_spec("mnist-mini")


@pytest.fixture
def model() -> nn.Module:
    torch.manual_seed(0)
    return create_model("cnn").eval()


def test_maximize_finds_the_matched_pattern() -> None:
    """One linear filter: the best image is white where the weights are positive and black elsewhere."""
    model = nn.Sequential(nn.Conv2d(1, 2, 28))
    with torch.no_grad():
        weight = model.get_parameter("0.weight")
        weight.fill_(-1.0)
        weight[1, 0, 6:20, 8:16] = 1.0
    plain = Ascent(steps=40, jitter=0, blur=0, decay=0, variation=0)
    *_, last = maximize_activation(model, SPEC, "0", 1, plain)
    assert (last.step, last.steps) == (40, 40)
    assert np.array_equal(last.image[0] > 0.5, (weight[1, 0] > 0).numpy())


def test_maximize_climbs_repeats_and_leaves_the_model(model: nn.Module) -> None:
    state = {key: value.clone() for key, value in model.state_dict().items()}
    found = list(maximize_activation(model, SPEC, "conv2", 3, Ascent(steps=24, seed=7)))
    assert [part.step for part in found] == [0, 8, 16, 24]
    assert found[-1].excitation > found[0].excitation == found[0].start == found[-1].start
    assert found[-1].image.shape == (1, 28, 28)
    assert 0 <= found[-1].image.min() <= found[-1].image.max() <= 1
    again = list(maximize_activation(model, SPEC, "conv2", 3, Ascent(steps=24, seed=7)))
    assert np.array_equal(found[-1].image, again[-1].image)
    other = list(maximize_activation(model, SPEC, "conv2", 3, Ascent(steps=24, seed=8)))
    assert not np.array_equal(found[-1].image, other[-1].image)
    assert all(torch.equal(value, state[key]) for key, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
    (*_, logit) = maximize_activation(model, SPEC, "fc2", 5, Ascent(steps=8))
    with torch.no_grad():
        x = (torch.from_numpy(logit.image)[None] - SPEC.mean[0]) / SPEC.std[0]
        assert logit.excitation == pytest.approx(float(model(x)[0, 5]), abs=1e-4)


def test_what_is_reported_is_what_climbs() -> None:
    """The model that ships: in no channel of its last convolution does the number fall, and it is that of the image.

    The mean before the ReLU, which was reported once, fell in a quarter of these channels.
    """
    network = load_folder(SHIPPED)
    for channel in range(0, 64, 5):
        found = list(maximize_activation(network.model, network.spec, "conv2", channel, Ascent(steps=32)))
        values = [part.excitation for part in found]
        assert values == sorted(values)
        assert values[-1] > values[0]
        x = (torch.from_numpy(found[-1].image)[None] - SPEC.mean[0]) / SPEC.std[0]
        with torch.no_grad():
            first = nn.functional.max_pool2d(network.model.get_submodule("conv1")(x).relu(), 2)
            answer = network.model.get_submodule("conv2")(first)[0, channel].numpy()  # (14, 14)
        above = np.maximum(answer, 0)
        expected = np.sqrt((above**2).mean()) if above.any() else answer.mean()
        assert values[-1] == pytest.approx(float(expected), rel=1e-4)


def test_excitation_by_hand() -> None:
    assert float(measure_excitation(torch.tensor([[3.0, -9.0], [0.0, 4.0]]))) == pytest.approx(2.5)  # √(25 / 4)
    assert float(measure_excitation(torch.tensor([[-3.0, -1.0]]))) == -2
    assert float(measure_excitation(torch.tensor(-7.5))) == -7.5

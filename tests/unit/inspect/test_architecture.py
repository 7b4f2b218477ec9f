"""The layers as a table: shapes, parameters and multiply-adds against numbers that others published."""

from __future__ import annotations

import pytest
import torch
from torchvision.models import resnet18

from cnn_demo.inspect.architecture import layers, response
from cnn_demo.inspect.capture import capture
from cnn_demo.models.registry import MODELS, count_parameters, create_model


def test_numbers_of_the_plain_cnn() -> None:
    found = {layer.name: layer for layer in layers(create_model("cnn"), (1, 28, 28))}
    assert found["conv2"].shape == (64, 14, 14)
    assert found["conv2"].multiply_adds == 64 * 14 * 14 * 32 * 9
    assert found["fc1"].multiply_adds == 3136 * 512
    assert found["conv1"].memory == 32 * 28 * 28 * 4
    assert sum(layer.parameters for layer in found.values()) == 1_630_090


def test_published_numbers_of_resnet18() -> None:
    found = layers(resnet18(), (3, 224, 224))
    assert sum(layer.parameters for layer in found) == 11_689_512
    assert sum(layer.kind == "conv" for layer in found) == 20
    # torchvision states 1.814 GFLOPS, which counts multiply-adds once.
    assert sum(layer.multiply_adds for layer in found) / 1e9 == pytest.approx(1.814, abs=0.001)


# Parameters that never meet the image, and so are those of no layer.
NOT_OF_THE_IMAGE = {"clip-small": ("text.", "log_scale")}


@pytest.mark.parametrize("name", [spec.name for spec in MODELS])
def test_every_parameter_is_counted_once(name: str) -> None:
    model = create_model(name, channels=3, size=32)
    elsewhere = [p for key, p in model.named_parameters() if key.startswith(NOT_OF_THE_IMAGE.get(name, ("no such",)))]
    expected = count_parameters(model) - sum(p.numel() for p in elsewhere)
    model.requires_grad_(False)  # as models come out of a checkpoint
    assert sum(layer.parameters for layer in layers(model, (3, 32, 32))) == expected


def test_response_follows_norm_and_activation() -> None:
    with capture(resnet18(), kinds=()) as maps:
        maps(torch.zeros(1, 3, 32, 32))
    assert response(maps.nodes, "layer1.0.conv1") == "layer1.0.relu"
    assert response(maps.nodes, "layer1.0.conv2") == "layer1.0.bn2"  # the residual sum comes before the activation
    assert response(maps.nodes, "fc") == "fc"

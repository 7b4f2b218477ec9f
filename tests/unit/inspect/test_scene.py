"""What a browser receives: the bytes decoded again and compared with PyTorch."""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from cnn_demo.inspect.scene import Scene, Shown, colors_of, in_browser, pack, run_scene
from cnn_demo.models.registry import create_model

ALL = ("conv", "norm", "activation", "pool", "add")


def unpack(data: bytes) -> tuple[dict[str, Any], Any]:
    (length,) = struct.unpack_from("<I", data)
    assert length % 4 == 0
    header = json.loads(data[4 : 4 + length])
    body = data[4 + length :]

    def array(place: list[Any]) -> np.ndarray:
        offset, count, kind = place
        return np.frombuffer(body, np.uint8 if kind == "u1" else "<f4", count, offset)

    return header, array


@pytest.fixture
def model() -> nn.Module:
    torch.manual_seed(0)
    return create_model("cnn").eval()


@pytest.fixture
def scene(model: nn.Module) -> Scene:
    image = np.random.default_rng(0).integers(0, 256, (1, 28, 28), dtype=np.uint8)
    return run_scene(model, image, torch.from_numpy(image)[None] / 255)


def test_everything_of_a_small_network_is_sent_as_it_is(model: nn.Module, scene: Scene) -> None:
    header, array = unpack(pack(scene, Shown(ALL), pin=None, id="x"))
    layers = {layer["name"]: layer for layer in header["layers"]}
    assert header["shown"] == ["conv1", "relu1", "pool1", "conv2", "relu2", "pool2", "fc1", "relu3", "fc2"]
    assert header["whole"]
    assert header["id"] == "x"
    with torch.no_grad():
        first = F.conv2d(torch.from_numpy(scene.image)[None] / 255, model.conv1.weight, model.conv1.bias, padding=1)
        second = F.conv2d(F.max_pool2d(first.relu(), 2), model.conv2.weight, model.conv2.bias, padding=1)
        logits = model(torch.from_numpy(scene.image)[None] / 255)
    assert np.allclose(array(layers["conv1"]["values"]).reshape(32, 28, 28), first[0], atol=1e-6)
    assert np.allclose(array(layers["conv2"]["values"]).reshape(64, 14, 14), second[0], atol=1e-5)
    assert np.array_equal(array(layers["conv2"]["weights"]["weight"]), model.conv2.weight.detach().flatten())
    assert "weights" not in layers["fc1"]  # 1.6 million are too many
    assert np.array_equal(array(header["image"]).reshape(1, 28, 28), scene.image)
    assert header["probabilities"] == pytest.approx(torch.softmax(logits[0].double(), 0).tolist(), abs=1e-6)
    assert layers["conv2"]["rows"][0] == [0, 5]
    assert layers["conv2"]["field"] == {"size": [8, 8], "stride": [2, 2], "start": [-3, -3]}
    assert (layers["conv2"]["kernel"], layers["conv2"]["padding"], layers["conv2"]["groups"]) == ([3, 3], [1, 1], 1)
    assert layers["conv2"]["chain"] == ["conv2", "relu2"]


def test_large_networks_travel_as_bytes() -> None:
    torch.manual_seed(0)
    model = create_model("resnet18").eval()
    image = np.random.default_rng(0).integers(0, 256, (1, 28, 28), dtype=np.uint8)
    scene = run_scene(model, image, torch.from_numpy(image)[None] / 255)
    data = pack(scene, Shown(("conv",)))
    header, array = unpack(data)
    assert not header["whole"]
    assert sum(layer["kind"] == "conv" and "order" in layer for layer in header["layers"]) == 20
    for layer in header["layers"]:
        if "values" in layer:
            span = layer["high"] - layer["low"]
            shown = layer["low"] + array(layer["values"]) / 255 * span
            assert np.abs(shown - scene.values(layer["name"]).ravel()).max() <= span / 255
        assert "weights" not in layer
    assert len(data) < 1.5e6


def test_who_does_the_arithmetic(scene: Scene) -> None:
    shown = Shown(ALL)
    local = {layer.name: in_browser(scene, shown, layer.name) for layer in shown.layers(scene)}
    assert local.pop("fc1") is False
    assert local.pop("relu3") is False  # its chain begins at fc1
    assert all(local.values())
    assert not in_browser(scene, Shown(("pool",)), "conv1")  # not shown, not sent


def test_orders_scales_dead_and_silent(scene: Scene) -> None:
    dead = np.zeros(64, bool)
    dead[5] = True
    order = np.arange(64)[::-1]
    header, _array = unpack(pack(scene, Shown(ALL, "channel", {"conv2": order}, {"relu2": dead})))
    layers = {layer["name"]: layer for layer in header["layers"]}
    assert layers["conv2"]["order"] == order.tolist()
    assert layers["conv1"]["order"] == list(range(32))
    assert layers["relu2"]["dead"] == [5]
    maps = scene.values("relu2")
    assert layers["relu2"]["silent"] == [i for i in range(64) if not maps[i].any()]
    assert np.allclose(np.array(layers["relu2"]["limits"])[:, 1], maps.max((1, 2)))
    high = np.abs(scene.values("conv2")).max((1, 2))
    assert np.allclose(layers["conv2"]["limits"], np.stack([-high, high], 1))
    assert [colors_of(scene.layer(name)) for name in ("conv1", "relu1", "pool1", "fc2")] == [
        "diverging",
        "sequential",
        "sequential",
        "diverging",
    ]


def test_means_and_names(scene: Scene) -> None:
    assert np.allclose(scene.means("conv1"), scene.values("conv1").mean((1, 2)))
    assert scene.values("fc2").shape == (10, 1, 1)
    with pytest.raises(KeyError, match="conv9"):
        scene.layer("conv9")

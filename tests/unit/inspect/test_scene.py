"""What a browser receives: the bytes decoded again and compared with PyTorch."""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from cnn_demo.inspect.influence import influence
from cnn_demo.inspect.scene import Scene, ViewOptions, choose_colors, order_channels, pack_scene, run_scene
from cnn_demo.models.cnn import CNN
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
def model() -> CNN:
    torch.manual_seed(0)
    return CNN().eval()


@pytest.fixture
def scene(model: CNN) -> Scene:
    image = np.random.default_rng(0).integers(0, 256, (1, 28, 28), dtype=np.uint8)
    return run_scene(model, image, torch.from_numpy(image)[None] / 255)


def test_values_of_a_small_network_are_sent_exactly(model: CNN, scene: Scene) -> None:
    header, array = unpack(pack_scene(scene, ViewOptions(ALL), pin=None, id="x"))
    layers = {layer["name"]: layer for layer in header["layers"]}
    assert header["shown"] == ["conv1", "relu1", "pool1", "conv2", "relu2", "pool2", "fc1", "relu3", "fc2"]
    assert header["exact"]
    assert header["id"] == "x"
    with torch.no_grad():
        first = F.conv2d(torch.from_numpy(scene.image)[None] / 255, model.conv1.weight, model.conv1.bias, padding=1)
        second = F.conv2d(F.max_pool2d(first.relu(), 2), model.conv2.weight, model.conv2.bias, padding=1)
        logits = model(torch.from_numpy(scene.image)[None] / 255)
    assert np.allclose(array(layers["conv1"]["values"]).reshape(32, 28, 28), first[0], atol=1e-6)
    assert np.allclose(array(layers["conv2"]["values"]).reshape(64, 14, 14), second[0], atol=1e-5)
    assert np.array_equal(array(header["image"]).reshape(1, 28, 28), scene.image)
    assert scene.probabilities == pytest.approx(torch.softmax(logits[0].double(), 0).numpy(), abs=1e-6)
    assert layers["conv2"]["rows"][0] == [0, 5]
    assert layers["conv2"]["field"] == {"size": [8, 8], "stride": [2, 2], "start": [-3, -3]}
    assert (layers["conv2"]["kernel"], layers["conv2"]["padding"], layers["conv2"]["groups"]) == ([3, 3], [1, 1], 1)


def test_what_is_not_shown_nor_read_is_not_sent(scene: Scene) -> None:
    header, _array = unpack(pack_scene(scene, ViewOptions(("pool",))))
    sent = [layer["name"] for layer in header["layers"] if "values" in layer]
    assert header["shown"] == ["pool1", "pool2", "fc1", "fc2"]
    # What the shown layers read: relu1 and relu2, the flattened maps, dropped out where the network does so.
    readers = {name for shown in header["shown"] for name in scene.layer(shown).inputs}
    assert set(sent) == {"input", *header["shown"], *readers}
    assert "conv1" not in sent


def test_large_networks_travel_as_bytes() -> None:
    torch.manual_seed(0)
    model = create_model("resnet18").eval()
    image = np.random.default_rng(0).integers(0, 256, (1, 28, 28), dtype=np.uint8)
    scene = run_scene(model, image, torch.from_numpy(image)[None] / 255)
    data = pack_scene(scene, ViewOptions(("conv",)))
    header, array = unpack(data)
    assert not header["exact"]
    assert sum(layer["kind"] == "conv" and "order" in layer for layer in header["layers"]) == 20
    for layer in header["layers"]:
        if "values" in layer:
            span = layer["high"] - layer["low"]
            shown = layer["low"] + array(layer["values"]) / 255 * span
            assert np.abs(shown - scene.values(layer["name"]).ravel()).max() <= span / 255
    assert len(data) < 1.5e6


def test_orders_scales_dead_and_silent(scene: Scene) -> None:
    dead = np.zeros(64, bool)
    dead[5] = True
    order = np.arange(64)[::-1]
    header, _array = unpack(pack_scene(scene, ViewOptions(ALL, "channel", {"conv2": order}, {"relu2": dead})))
    layers = {layer["name"]: layer for layer in header["layers"]}
    assert layers["conv2"]["order"] == order.tolist()
    assert layers["conv1"]["order"] == list(range(32))
    assert layers["relu2"]["dead"] == [5]
    maps = scene.values("relu2")
    assert layers["relu2"]["silent"] == [i for i in range(64) if not maps[i].any()]
    assert np.allclose(np.array(layers["relu2"]["limits"])[:, 1], maps.max((1, 2)))
    high = np.abs(scene.values("conv2")).max((1, 2))
    assert np.allclose(layers["conv2"]["limits"], np.stack([-high, high], 1))
    assert [choose_colors(scene.layer(name)) for name in ("conv1", "relu1", "pool1", "fc2")] == [
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


def test_channels_in_order_and_what_follows_in_the_same(model: CNN, scene: Scene) -> None:
    found = order_channels(scene, model, "mean")
    assert set(found) == {"conv1", "relu1", "pool1", "conv2", "relu2", "pool2"}
    means = scene.values("relu2").mean((1, 2))  # the answer is complete behind the activation
    assert np.array_equal(found["conv2"], np.argsort(-means, kind="stable"))
    assert found["pool2"] is found["conv2"]
    worth = influence(model, scene.maps["input"], ["conv1"], scene.prediction)["conv1"]
    assert np.array_equal(order_channels(scene, model, "influence")["relu1"], np.argsort(-worth, kind="stable"))


def test_tokens_are_packed_as_maps() -> None:
    torch.manual_seed(0)
    model = create_model("vit-hybrid").eval().requires_grad_(False)
    scene = run_scene(model, np.zeros((1, 28, 28), np.uint8), torch.randn(1, 1, 28, 28))
    norm = scene.maps["norm"][0].numpy()  # (T, D), the class token first
    np.testing.assert_array_equal(scene.values("norm"), norm[1:].T.reshape(64, 7, 7))
    assert scene.layer("norm").shape == (50, 64)
    assert scene.layer("norm").map_shape == (64, 7, 7)
    weights = scene.maps["blocks.0.attention.weights"][0].numpy()
    np.testing.assert_array_equal(scene.values("blocks.0.attention.weights"), weights)

    names = [layer.name for layer in ViewOptions(("attention",)).shown_layers(scene)]
    assert names[-1] == "head"  # features are always shown, linear layers of tokens when they are asked for
    assert names[:3] == [f"blocks.0.attention.{part}" for part in ("matmul", "weights", "matmul:2")]
    assert len(names) == 3 * 3 + 1
    both = [layer.name for layer in ViewOptions(("attention", "linear")).shown_layers(scene)]
    assert "blocks.0.attention.query" in both

    header, array = unpack(pack_scene(scene, ViewOptions(("norm",)), pin=None, id="x"))
    facts = {layer["name"]: layer for layer in header["layers"]}
    assert (facts["norm"]["shape"], facts["norm"]["output"]) == ([64, 7, 7], [50, 64])
    np.testing.assert_array_equal(array(facts["norm"]["values"]).reshape(64, 7, 7), scene.values("norm"))

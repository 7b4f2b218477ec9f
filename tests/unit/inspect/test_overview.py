"""The columns of a network, their order and the bytes in which a browser receives them."""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np
import pytest
import torch

from cnn_demo.inspect.overview import MOST_COLUMNS, choose_columns, pack_overview, rank_channels
from cnn_demo.inspect.scene import Scene, run_scene
from cnn_demo.models.registry import MODELS, create_model


def run(name: str) -> Scene:
    torch.manual_seed(0)
    model = create_model(name).eval()
    return run_scene(model, np.zeros((1, 28, 28), np.uint8), torch.randn(1, 1, 28, 28))


def unpack(data: bytes) -> tuple[dict[str, Any], Any]:
    (length,) = struct.unpack_from("<I", data)
    header = json.loads(data[4 : 4 + length])
    body = data[4 + length :]

    def array(place: list[Any]) -> np.ndarray:
        offset, count, kind = place
        return np.frombuffer(body, np.uint8 if kind == "u1" else "<f4", count, offset)

    return header, array


@pytest.mark.parametrize("name", [entry.name for entry in MODELS])
def test_every_network_fits_and_every_column_says_what_feeds_it(name: str) -> None:
    scene = run(name)
    header, array = unpack(pack_overview(scene, scene.probabilities))
    columns = header["columns"]
    assert 3 <= len(columns) <= MOST_COLUMNS
    assert columns[0]["name"] == "input"
    assert columns[-1]["name"] == scene.layers[-1].name
    assert columns[-1]["channels"] == list(range(10))
    for i, column in enumerate(columns[1:], 1):
        n = len(column["channels"])
        assert column["feeds"], column["name"]
        assert array(column["maps"]).size == n * column["shape"][1] * column["shape"][2]
        for feed in column["feeds"]:
            if feed["source"] is None:
                assert array(feed["rest"]).size == n
                continue
            assert feed["source"] < i
            source = columns[feed["source"]]
            if feed["kind"] == "same":
                assert source["shape"][0] == column["shape"][0]
            if feed["kind"] == "sum":
                assert array(feed["parts"]).size == n * len(source["channels"])
                assert all(0 <= channel < source["shape"][0] for best in feed["top"] for channel, _ in best)


def test_a_small_network_is_drawn_layer_by_layer() -> None:
    names = [column.layer.name for column in choose_columns(run("cnn"))]
    assert names == ["input", "conv1", "relu1", "pool1", "conv2", "relu2", "pool2", "relu3", "fc2"]


def test_a_block_of_a_large_one_is_unfolded_and_the_others_stay_folded() -> None:
    scene = run("resnet18")
    folded = choose_columns(scene)
    assert sum(column.block != "" for column in folded) == 8
    assert [column.members[-1] for column in folded if column.block == "layer2.0"] == ["layer2.0.relu:2"]
    names = [column.layer.name for column in choose_columns(scene, "layer2.0")]
    assert len(names) == len(folded) + 3
    assert [name for name in names if name.startswith("layer2.0")] == [
        "layer2.0.relu",
        "layer2.0.bn2",
        "layer2.0.downsample.1",
        "layer2.0.relu:2",
    ]
    header, _array = unpack(pack_overview(scene, scene.probabilities, "layer2.0"))
    last = next(column for column in header["columns"] if column["name"] == "layer2.0.relu:2")
    assert [header["columns"][feed["source"]]["name"] for feed in last["feeds"]] == [
        "layer2.0.bn2",
        "layer2.0.downsample.1",
    ]


def test_what_carries_on_a_channel_stands_in_its_row_and_the_strongest_first() -> None:
    scene = run("cnn")
    columns = choose_columns(scene)
    orders = dict(zip([column.layer.name for column in columns], rank_channels(scene, columns), strict=True))
    assert orders["conv1"].tolist() == orders["relu1"].tolist() == orders["pool1"].tolist()
    means = scene.maps["pool1"][0].abs().mean((1, 2))
    assert orders["pool1"].tolist() == means.argsort(descending=True, stable=True).tolist()
    assert orders["pool2"].tolist() != orders["pool1"].tolist()


def test_what_is_not_drawn_is_in_the_rest() -> None:
    scene = run("cnn")
    header, array = unpack(pack_overview(scene, scene.probabilities))
    column = next(column for column in header["columns"] if column["name"] == "conv2")
    (feed,) = column["feeds"]
    parts = array(feed["parts"]).reshape(len(column["channels"]), -1)
    bias = scene.maps.nodes["conv2"].settings["bias"].detach().numpy()[column["channels"]]
    whole = scene.values("conv2")[column["channels"]].sum((1, 2))
    np.testing.assert_allclose(parts.sum(1) + array(feed["rest"]) + bias * 14 * 14, whole, atol=1e-2)
    assert (np.abs(parts).sum(1) <= array(feed["size"]) + 1e-4).all()


def test_bytes_stand_for_the_values_of_the_maps() -> None:
    scene = run("lenet5")
    header, array = unpack(pack_overview(scene, scene.probabilities))
    column = next(column for column in header["columns"] if column["name"] == "act2")
    maps = column["low"] + array(column["maps"]).astype(float) / 255 * (column["high"] - column["low"])
    truth = scene.values("act2")[column["channels"]]
    np.testing.assert_allclose(maps.reshape(truth.shape), truth, atol=(column["high"] - column["low"]) / 255)

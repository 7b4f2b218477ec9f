"""The maps of step three against PyTorch's own functions."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional

from cnn_demo.datasets.load import load_dataset
from cnn_demo.datasets.specs import get_spec
from cnn_demo.drawing.prepare import prepare
from cnn_demo.plots.tiles import tile_maps
from cnn_demo.prediction.load import load_model
from cnn_demo.runs.store import Store
from cnn_demo.ui.start.inside import find_layer_maps
from cnn_demo.ui.start.reading import UNTRAINED


def test_the_maps_are_those_of_the_convolutions_strongest_first(store: Store) -> None:
    image = load_dataset("mnist-mini").test.images[3, 0].numpy()
    layers = find_layer_maps(UNTRAINED, image)
    assert [(layer.number, layer.channels, layer.side) for layer in layers] == [(1, 16, 14), (2, 32, 14), (3, 64, 7)]

    model = load_model(UNTRAINED, store).model
    weights = model.state_dict()
    norm = [weights[f"norm1.{name}"] for name in ("running_mean", "running_var", "weight", "bias")]
    with torch.no_grad():
        x = prepare(image, get_spec("mnist-mini")).input
        x = functional.conv2d(x, weights["conv1.weight"], stride=2, padding=2)
        x = functional.batch_norm(x, *norm)
        maps = functional.relu(x)[0].numpy()  # (16, 14, 14)
    order = np.argsort(-maps.mean((1, 2)), kind="stable")[:4]
    whole = tile_maps(maps, order=order).picture
    assert len(layers[0].pictures) == 4
    for picture, place in zip(layers[0].pictures, range(4), strict=True):
        assert picture.shape == (14, 14, 3)
        single = tile_maps(maps, order=order).corner(place)
        assert np.array_equal(picture, whole[single[0] : single[0] + 14, single[1] : single[1] + 14])

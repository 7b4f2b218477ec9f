"""Which tokens lie where, and attention, against indexing and softmax by hand."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cnn_demo.inspect.architecture import layers
from cnn_demo.inspect.capture import capture
from cnn_demo.inspect.tokens import TokenGrid, attention_weights, find_attention, find_token_grids
from cnn_demo.models.cnn import CNN
from cnn_demo.models.vit_hybrid import VitHybrid


def test_a_grid_draws_what_its_indices_name() -> None:
    values = np.arange(2 * 13 * 5).reshape(2, 13, 5)  # (heads, T, d) with one token in front of 3 × 4
    grid = TokenGrid(values.shape, axis=1, rows=3, cols=4, extra=1)
    maps = grid.to_maps(values)
    assert maps.shape == grid.map_shape == (10, 3, 4)
    for channel, y, x in ((0, 0, 0), (7, 2, 1), (9, 2, 3)):
        assert grid.index(channel, y, x) == (channel // 5, 1 + 4 * y + x, channel % 5)
        assert maps[channel, y, x] == values[grid.index(channel, y, x)]
    assert (grid.place(0), grid.place(1), grid.place(12)) == (None, (0, 0), (2, 3))


def test_tokens_keep_their_places_from_the_patches_to_the_end() -> None:
    torch.manual_seed(0)
    model = VitHybrid(1, 28, 10).eval()
    with capture(model) as maps:
        maps(torch.randn(1, 1, 28, 28))
    grids = find_token_grids(maps.nodes)
    patches = maps["conv2"][0].numpy()
    for name in ("flatten", "transpose", "pad"):
        np.testing.assert_array_equal(grids[name].to_maps(maps[name][0].numpy()), patches)
    query = maps["blocks.1.attention.query"][0].numpy()  # (T, D)
    split = "blocks.1.attention.transpose"  # (heads, T, d)
    assert grids[split].axis == 1
    drawn = grids[split].to_maps(maps[split][0].numpy())
    np.testing.assert_array_equal(drawn, query[1:].T.reshape(64, 7, 7))
    assert "blocks.1.attention.matmul" not in grids  # a row for each query and a column for each key
    assert "blocks.1.attention.weights" not in grids
    assert grids["blocks.2.attention.matmul:2"].map_shape == (64, 7, 7)
    assert grids["norm"] == TokenGrid((50, 64), 0, 7, 7, 1)
    assert grids["norm"].index_of_token(9, 0) == (0, 9)  # the class token
    assert grids[split].index_of_token(20, 0) == (
        20 // (64 // maps[split].shape[1]),
        0,
        20 % (64 // maps[split].shape[1]),
    )
    assert "getitem" not in grids
    assert "head" not in grids


def test_networks_without_tokens_have_none() -> None:
    with capture(CNN()) as maps:
        maps(torch.randn(1, 1, 28, 28))
    assert find_token_grids(maps.nodes) == {}
    assert find_attention(maps.nodes) == []


class Shuffled(nn.Module):
    """Tokens whose order is lost, and a mean over them."""

    def forward(self, x: Tensor) -> Tensor:
        tokens = x.flatten(2).transpose(1, 2)  # (N, C, H, W) -> (N, H·W, C)
        return torch.relu(tokens.flip(1)).mean(1) + torch.relu(tokens.reshape(len(x), -1))[:, :3]


def test_a_lost_order_is_noticed() -> None:
    with capture(Shuffled()) as maps:
        maps(torch.randn(1, 3, 4, 5))
    assert set(find_token_grids(maps.nodes)) == {"flatten", "transpose"}


def test_attention_is_the_softmax_of_queries_with_keys() -> None:
    torch.manual_seed(0)
    model = VitHybrid(1, 28, 10, depth=2, heads=2).double().eval()
    with capture(model) as maps:
        maps(torch.randn(1, 1, 28, 28, dtype=torch.float64))
    found = find_attention(maps.nodes)
    assert [layer.module for layer in found] == ["blocks.0.attention", "blocks.1.attention"]
    layer = found[1]
    assert (layer.heads, layer.tokens) == (2, 50)
    assert layer.grid is not None
    assert (layer.grid.rows, layer.grid.cols, layer.grid.extra) == (7, 7, 1)
    q, k, v = (
        maps[f"blocks.1.attention.{part}"][0].reshape(50, 2, 16).transpose(0, 1) for part in ("query", "key", "value")
    )
    weights = torch.softmax(q @ k.mT / math.sqrt(16), -1)
    torch.testing.assert_close(torch.from_numpy(attention_weights(maps, layer)), weights.float())
    torch.testing.assert_close(maps[layer.mixed][0], F.scaled_dot_product_attention(q, k, v), rtol=0, atol=1e-14)


def test_what_tokens_see_and_what_they_cost() -> None:
    found = {layer.name: layer for layer in layers(VitHybrid(), (1, 28, 28))}
    first = found["blocks.0.attention.value"].field
    assert (first.size, first.stride, first.start) == ((10, 10), (4, 4), (-3, -3))
    assert first.inside(6, 0) == (21, 0, 28, 7)
    assert found["blocks.0.attention.matmul:2"].field.inside(6, 0) == (0, 0, 28, 28)
    assert found["blocks.0.attention.matmul"].multiply_adds == 4 * 50 * 50 * 16
    assert found["blocks.0.attention.query"].multiply_adds == 50 * 64 * 64


def test_a_single_map_that_is_flattened_has_no_tokens() -> None:
    model = nn.Sequential(nn.Conv2d(1, 1, 3), nn.Flatten(), nn.Linear(36, 10))
    with capture(model, kinds=()) as maps:
        maps(torch.zeros(1, 1, 8, 8))
        assert find_token_grids(maps.nodes) == {}

"""Parts of sums, each computed again by PyTorch with all other channels set to zero."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cnn_demo.inspect.contribution import Feed, list_feeds, split_convolution
from cnn_demo.inspect.scene import Scene, run_scene
from cnn_demo.models.registry import create_model


def run(model: nn.Module, channels: int = 1, size: int = 28) -> tuple[Scene, Tensor]:
    torch.manual_seed(1)
    x = torch.randn(1, channels, size, size)
    return run_scene(model.eval(), np.zeros((channels, size, size), np.uint8), x), x


def only(x: Tensor, channel: int) -> Tensor:
    """A batch in which all channels but one are zero."""
    kept = torch.zeros_like(x)
    kept[:, channel] = x[:, channel]
    return kept


def one_feed(feeds: list[Feed]) -> np.ndarray:
    (feed,) = feeds
    assert feed.parts is not None
    return feed.parts


@pytest.mark.parametrize(
    "options",
    [
        {"kernel_size": 3, "padding": 1},
        {"kernel_size": (3, 5), "stride": (2, 1), "padding": (0, 2)},
        {"kernel_size": 3, "dilation": 2, "padding": 1, "stride": 3},
        {"kernel_size": 4, "padding": "same"},
        {"kernel_size": 3, "padding": 1, "groups": 3},
        {"kernel_size": 3, "groups": 3, "stride": 2, "bias": False},
        {"kernel_size": 2, "stride": 3},
    ],
)
def test_a_channel_gives_what_the_convolution_makes_of_it_alone(options: dict[str, object]) -> None:
    torch.manual_seed(0)
    conv = nn.Conv2d(6, 9, **options)  # type: ignore[arg-type]
    scene, x = run(nn.Sequential(conv, nn.Flatten(), nn.LazyLinear(3)), 6, 14)
    node = next(node for node in scene.maps.nodes.values() if node.op == "conv2d")
    outputs = np.array([7, 0, 4])
    shape = scene.values(node.name)[outputs].shape
    factors = np.random.default_rng(0).uniform(0, 1, shape)
    parts = split_convolution(scene, node, outputs, factors)
    bias = torch.zeros(9) if conv.bias is None else conv.bias.detach()
    with torch.no_grad():
        for channel in range(6):
            alone = (conv(only(x, channel))[0] - bias[:, None, None]).numpy()[outputs]
            np.testing.assert_allclose(parts[:, channel], (alone * factors).sum((1, 2)), atol=1e-4)
        whole = (conv(x)[0].numpy()[outputs] * factors).sum((1, 2))
    total = parts.sum(1) + bias.numpy()[outputs] * factors.sum((1, 2))
    np.testing.assert_allclose(total, whole, atol=1e-4)


def test_behind_a_relu_only_units_that_answer_count_with_the_factor_of_the_norm() -> None:
    torch.manual_seed(0)
    conv, norm = nn.Conv2d(4, 5, 3, padding=1), nn.BatchNorm2d(5)
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    norm.running_mean, norm.running_var = torch.randn(5), torch.rand(5) + 0.3
    scene, x = run(nn.Sequential(conv, norm, nn.ReLU(), nn.Flatten(), nn.LazyLinear(3)), 4, 10)
    column = {"0": "2", "1": "2", "2": "2", "input": "input"}
    parts = one_feed(list_feeds(scene, "2", np.arange(5), column.get))
    with torch.no_grad():
        before = norm(conv(x))
        answers = before > 0
        for channel in range(4):
            # The affine map of the norm, without its constant part: what it makes of the part minus what it makes of 0.
            part = conv(only(x, channel)) - conv(torch.zeros_like(x))
            given = ((norm(part) - norm(torch.zeros_like(part))) * answers).sum((0, 2, 3))
            np.testing.assert_allclose(parts[:, channel], given.numpy(), atol=1e-4)
        constant = (norm(conv(torch.zeros_like(x) * 0)) * answers)[0]
        # Padding adds nothing to the constant, so it is the same in every unit: bias through the norm.
        whole = F.relu(before).sum((0, 2, 3)).numpy()
    np.testing.assert_allclose(parts.sum(1) + constant.sum((1, 2)).numpy(), whole, atol=1e-3)


def test_features_flattened_from_maps_are_summed_by_map() -> None:
    torch.manual_seed(0)
    model = create_model("cnn").eval()
    scene, _x = run(model)
    outputs = np.array([3, 500, 77])
    column = {"pool2": "pool2", "fc1": "relu3", "relu3": "relu3"}
    parts = one_feed(list_feeds(scene, "relu3", outputs, column.get))
    assert parts.shape == (3, 64)
    pooled, fc1 = scene.maps["pool2"], model.get_submodule("fc1")
    assert isinstance(fc1, nn.Linear)
    answers = scene.maps["relu3"][0, outputs] > 0
    for channel in (0, 9, 63):
        with torch.no_grad():
            given = F.linear(only(pooled, channel).flatten(1), fc1.weight)[0, outputs]
        np.testing.assert_allclose(parts[:, channel], (given * answers).numpy(), atol=1e-5)


def test_a_residual_sum_takes_each_channel_from_the_skip_and_the_rest_from_the_block() -> None:
    torch.manual_seed(0)
    scene, _x = run(create_model("resnet-small"))
    block = [name for name in scene.maps.nodes if name.startswith("stage1.0.")]
    column = {"act": "act", **dict.fromkeys(block, "stage1.0.act2")}
    outputs = np.array([5, 2])
    skip, inside = list_feeds(scene, "stage1.0.act2", outputs, column.get)
    assert (skip.source, inside.source) == ("act", None)
    answers = scene.values("stage1.0.act2")[outputs] > 0
    assert skip.parts is not None
    assert inside.parts is not None
    given = (scene.values("act")[outputs] * answers).sum((1, 2))
    np.testing.assert_allclose(skip.parts[np.arange(2), outputs], given, rtol=1e-5)
    assert np.count_nonzero(skip.parts) == np.count_nonzero(given)
    whole = scene.values("stage1.0.act2")[outputs].sum((1, 2))
    np.testing.assert_allclose(skip.parts.sum(1) + inside.parts[:, 0], whole, rtol=1e-4)


def test_a_pooling_reads_the_same_channel() -> None:
    scene, _x = run(create_model("cnn"))
    column = {name: name for name in scene.maps.nodes}
    assert list_feeds(scene, "pool1", np.arange(3), column.get) == [Feed("relu1")]


def test_features_brought_to_length_one_count_with_one_over_their_length() -> None:
    torch.manual_seed(0)
    scene, _x = run(create_model("clip-small"))
    column = {"image.norm2": "image.norm2", "image.project": "normalize", "normalize": "normalize"}
    parts = one_feed(list_feeds(scene, "normalize", np.arange(64), column.get))
    length = float(scene.maps["image.project"].norm())
    bias = scene.maps.nodes["image.project"].settings.get("bias")
    constant = 0 if bias is None else bias.detach().numpy() / length
    np.testing.assert_allclose(parts.sum(1) + constant, scene.maps["normalize"][0].numpy(), atol=1e-5)


def test_attention_is_no_sum_over_channels() -> None:
    scene, _x = run(create_model("vit-hybrid"))
    mixed = next(name for name, node in scene.maps.nodes.items() if node.op == "matmul")
    column = {name: name for name in scene.maps.nodes}
    feeds = list_feeds(scene, mixed, np.arange(2), column.get)
    assert feeds
    assert all(feed.mixed and feed.parts is None for feed in feeds)


def test_sums_within_a_block_of_a_transformer_lead_back_to_what_enters_it() -> None:
    torch.manual_seed(0)
    scene, _x = run(create_model("vit-hybrid"))
    block = [name for name in scene.maps.nodes if name.startswith("blocks.0.")]
    column = {"add": "add", **dict.fromkeys(block, "blocks.0.add:2")}
    skip, inside = list_feeds(scene, "blocks.0.add:2", np.array([4, 9]), column.get)
    assert skip.parts is not None
    assert inside.parts is not None
    np.testing.assert_allclose(skip.parts[[0, 1], [4, 9]], scene.values("add")[[4, 9]].sum((1, 2)), atol=1e-4)
    whole = scene.values("blocks.0.add:2")[[4, 9]].sum((1, 2))
    np.testing.assert_allclose(skip.parts.sum(1) + inside.parts[:, 0], whole, atol=1e-3)

"""What channels answer to a data set, what they are worth, and the image they like: against plain PyTorch."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torchvision.models import shufflenet_v2_x0_5

from cnn_demo.datasets.device_dataset import normalize
from cnn_demo.datasets.specs import get_spec
from cnn_demo.datasets.splits import Split
from cnn_demo.inspect import patches
from cnn_demo.inspect.ablate import Ablation
from cnn_demo.inspect.activation_maximization import Ascent, maximize_activation
from cnn_demo.inspect.architecture import layers
from cnn_demo.inspect.influence import exact_influence, influence, order
from cnn_demo.inspect.patches import cached_statistics, channel_statistics, crop, fingerprint
from cnn_demo.models.registry import create_model

SPEC = get_spec("mnist-mini")


@pytest.fixture
def split() -> Split:
    generator = torch.Generator().manual_seed(5)
    images = torch.randint(0, 256, (60, 1, 28, 28), generator=generator, dtype=torch.uint8)
    images[:, :, :, 14:] = 0
    return Split(images, torch.randint(0, 10, (60,), generator=generator))


@pytest.fixture
def model() -> nn.Module:
    torch.manual_seed(0)
    model = create_model("cnn").eval()
    with torch.no_grad():
        model.conv2.bias[11] = -1e4  # never above zero again
    return model


def test_statistics_equal_sorting_everything(model: nn.Module, split: Split, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patches, "_BATCH_BYTES", 1)  # batches of 16: the merge is at work
    steps: list[tuple[int, int]] = []
    found = channel_statistics(model, split, SPEC, progress=lambda done, all_: steps.append((done, all_)))
    assert steps == [(16, 60), (32, 60), (48, 60), (60, 60)]
    assert list(found.layers) == ["conv1", "conv2"]
    with torch.no_grad():
        first = model.relu1(model.conv1(normalize(split.images, SPEC)))
        second = model.relu2(model.conv2(model.pool1(first)))
    for layer, maps in (("conv1", first), ("conv2", second)):
        part = found.layers[layer]
        best = maps.flatten(2).amax(2).T.sort(1, descending=True).values[:, :9]  # (C, 9)
        assert np.allclose(part.values, best, atol=1e-5)
        for channel in range(maps.shape[1]):
            for k in range(9):
                unit = maps[part.images[channel, k], channel, part.rows[channel, k], part.cols[channel, k]]
                assert float(unit) == pytest.approx(float(part.values[channel, k]), abs=1e-5)
            assert len(set(part.images[channel].tolist())) == 9
        for label in range(10):
            chosen = maps[split.labels == label]
            expected = chosen.mean((0, 2, 3)) if len(chosen) else torch.zeros(maps.shape[1])
            assert np.allclose(part.by_class[:, label], expected, atol=1e-5)
        assert part.dead.tolist() == (maps == 0).all(3).all(2).all(0).tolist()
    assert found.layers["conv2"].dead[11]
    assert found.sample == found.n == 60


def test_statistics_are_kept_by_weights(model: nn.Module, split: Split, tmp_path: Path) -> None:
    first = cached_statistics(tmp_path, model, split, SPEC)
    (file,) = tmp_path.iterdir()

    def refuse(done: int, total: int) -> None:
        raise AssertionError("computed again")

    again = cached_statistics(tmp_path, model, split, SPEC, progress=refuse)
    for layer, part in first.layers.items():
        for name in ("values", "images", "rows", "cols", "by_class", "dead"):
            assert np.array_equal(getattr(part, name), getattr(again.layers[layer], name))
    assert (again.n, again.sample) == (60, 60)
    file.write_bytes(file.read_bytes()[:300])
    cached_statistics(tmp_path, model, split, SPEC)
    assert cached_statistics(tmp_path, model, split, SPEC, progress=refuse).n == 60
    before = fingerprint(model, SPEC, 60)
    with torch.no_grad():
        model.fc2.bias[0] += 1
    assert fingerprint(model, SPEC, 60) != before
    with pytest.raises(AssertionError, match="again"):
        cached_statistics(tmp_path, model, split, SPEC, progress=refuse)
    assert [p.name for p in tmp_path.iterdir()] == [file.name]  # the search that was broken off left nothing


def test_fewer_images_than_places(model: nn.Module, split: Split) -> None:
    found = channel_statistics(model, split.take(torch.arange(4)), SPEC, layers=["conv1"])
    assert (found.layers["conv1"].images[:, 4:] == -1).all()
    assert (np.sort(found.layers["conv1"].images[:, :4], 1) == np.arange(4)).all()
    with pytest.raises(KeyError, match="conv7"):
        channel_statistics(model, split, SPEC, layers=["conv7"])


def test_patch_is_what_the_unit_sees(model: nn.Module, split: Split) -> None:
    """Nothing outside the crop matters: put it into an empty image, and the unit answers the same."""
    part = channel_statistics(model, split, SPEC, layers=["conv2"]).layers["conv2"]
    field = next(layer.field for layer in layers(model, (1, 28, 28)) if layer.name == "conv2")
    for channel in (0, 9, 33):
        y, x = int(part.rows[channel, 0]), int(part.cols[channel, 0])
        window = field.window(y, x)
        patch, inside = crop(split.images[part.images[channel, 0]].numpy(), window)
        assert patch.shape == (1, 8, 8)
        top, left, bottom, right = field.inside(y, x)
        assert inside.sum() == (bottom - top) * (right - left)
        alone = np.random.default_rng(0).integers(0, 256, (1, 28, 28), dtype=np.uint8)
        alone[:, top:bottom, left:right] = patch[:, inside].reshape(1, bottom - top, right - left)
        with torch.no_grad():
            image = normalize(torch.from_numpy(alone)[None], SPEC)
            answer = model.relu2(model.conv2(model.pool1(model.relu1(model.conv1(image)))))[0, channel, y, x]
        assert float(answer) == pytest.approx(float(part.values[channel, 0]), rel=1e-4, abs=1e-5)


def test_crop_over_the_edge() -> None:
    image = np.arange(12, dtype=np.uint8).reshape(1, 3, 4)
    patch, inside = crop(image, (-1, 2, 2, 6))
    assert patch.tolist() == [[[0, 0, 0, 0], [2, 3, 0, 0], [6, 7, 0, 0]]]
    assert inside.tolist() == [[False] * 4, [True, True, False, False], [True, True, False, False]]
    assert not crop(image, (5, 5, 8, 8))[1].any()


@pytest.mark.parametrize(("name", "layer"), [("cnn", "conv1"), ("cnn", "fc1"), ("resnet18", "layer3.0.conv1")])
def test_ablation_equals_zeroed_weights(name: str, layer: str, split: Split) -> None:
    torch.manual_seed(0)
    model = create_model(name).eval()
    small = split.take(torch.arange(12))
    ablation = Ablation(model, small, SPEC, layer)
    off = [1, 5, 30]
    with torch.no_grad():
        x = normalize(small.images, SPEC)
        whole = model(x).argmax(1)
        target = {"conv1": "conv1", "fc1": "fc1", "layer3.0.conv1": "layer3.0.bn1"}[layer]  # what the answer hangs on
        module = model.get_submodule(target)
        for channel in off:
            module.weight[channel] = 0
            module.bias[channel] = 0
        logits = model(x)
    assert ablation.baseline.correct.sum() == int((whole == small.labels).sum())
    fresh = create_model(name)  # the answer must not come from the weights that were just changed
    torch.manual_seed(0)
    fresh = create_model(name).eval()
    ablation = Ablation(fresh, small, SPEC, layer)
    assert torch.allclose(ablation.logits(x, off), logits, atol=1e-4)
    expected = logits.argmax(1) == small.labels
    found = ablation.accuracy(off)
    assert found.correct.tolist() == torch.bincount(small.labels[expected], minlength=10).tolist()
    assert found.n.sum() == 12
    assert ablation.accuracy([]).correct.tolist() == ablation.baseline.correct.tolist()
    with pytest.raises(IndexError, match="channel 999"):
        ablation.accuracy([999])


def test_kept_activations_change_nothing(split: Split) -> None:
    torch.manual_seed(0)
    spec = dataclasses.replace(get_spec("cifar10"), classes=tuple("abcdefghij"))
    images = split.images.expand(-1, 3, -1, -1).repeat(1, 1, 2, 2)[:16, :, :32, :32].contiguous()
    color = Split(images, split.labels[:16])
    shuffle = shufflenet_v2_x0_5(num_classes=10).eval()  # chunks and concatenations: some of it cannot be replayed
    for model, layer in ((create_model("resnet18", channels=3, size=32), "layer2.0.conv2"), (shuffle, "conv1.0")):
        kept, fresh = Ablation(model, color, spec, layer), Ablation(model, color, spec, layer, budget=0)
        assert fresh.kept == 0
        assert kept.kept == 16
        assert kept.accuracy([0, 3]).correct.tolist() == fresh.accuracy([0, 3]).correct.tolist()
    assert Ablation(shuffle, color, spec, "stage2.1.branch2.0").accuracy([2]).n.sum() == 16


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


def test_maximize_finds_the_matched_pattern() -> None:
    """One linear filter: the best image is white where the weights are positive and black elsewhere."""
    model = nn.Sequential(nn.Conv2d(1, 2, 28))
    with torch.no_grad():
        model[0].weight.fill_(-1.0)
        model[0].weight[1, 0, 6:20, 8:16] = 1.0
    plain = Ascent(steps=40, jitter=0, blur=0, decay=0, variation=0)
    *_, last = maximize_activation(model, SPEC, "0", 1, plain)
    assert (last.step, last.steps) == (40, 40)
    assert np.array_equal(last.image[0] > 0.5, (model[0].weight[1, 0] > 0).numpy())


def test_maximize_climbs_repeats_and_leaves_the_model(model: nn.Module) -> None:
    state = {key: value.clone() for key, value in model.state_dict().items()}
    found = list(maximize_activation(model, SPEC, "conv2", 3, Ascent(steps=24, seed=7)))
    assert [part.step for part in found] == [0, 8, 16, 24]
    assert found[-1].activation > found[0].activation
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
        assert logit.activation == pytest.approx(float(model(x)[0, 5]), abs=1e-4)

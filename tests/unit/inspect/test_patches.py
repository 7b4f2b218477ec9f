"""What excites channels in a data set, against sorting every activation with plain PyTorch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from cnn_demo.datasets.device_dataset import normalize
from cnn_demo.datasets.specs import get_spec
from cnn_demo.datasets.splits import Split
from cnn_demo.inspect import patches
from cnn_demo.inspect.architecture import layers
from cnn_demo.inspect.patches import cached_statistics, channel_statistics, crop, fingerprint, group_patches
from cnn_demo.models.cnn import CNN

SPEC = get_spec("mnist-mini")


@pytest.fixture
def split() -> Split:
    generator = torch.Generator().manual_seed(5)
    images = torch.randint(0, 256, (60, 1, 28, 28), generator=generator, dtype=torch.uint8)
    images[:, :, :, 14:] = 0
    return Split(images, torch.randint(0, 10, (60,), generator=generator))


@pytest.fixture
def model() -> CNN:
    torch.manual_seed(0)
    model = CNN().eval()
    with torch.no_grad():
        model.get_parameter("conv2.bias")[11] = -1e4  # never above zero again
    return model


def test_statistics_equal_sorting_everything(model: CNN, split: Split, monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_statistics_are_kept_by_weights(model: CNN, split: Split, tmp_path: Path) -> None:
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
        model.get_parameter("fc2.bias")[0] += 1
    assert fingerprint(model, SPEC, 60) != before
    with pytest.raises(AssertionError, match="again"):
        cached_statistics(tmp_path, model, split, SPEC, progress=refuse)
    assert [p.name for p in tmp_path.iterdir()] == [file.name]  # the search that was broken off left nothing


def test_fewer_images_than_places(model: CNN, split: Split) -> None:
    found = channel_statistics(model, split.take(torch.arange(4)), SPEC, layers=["conv1"])
    assert (found.layers["conv1"].images[:, 4:] == -1).all()
    assert (np.sort(found.layers["conv1"].images[:, :4], 1) == np.arange(4)).all()
    with pytest.raises(KeyError, match="conv7"):
        channel_statistics(model, split, SPEC, layers=["conv7"])


def test_patch_is_what_the_unit_sees(model: CNN, split: Split) -> None:
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


def test_patches_that_look_the_same_are_one_group() -> None:
    """Nine images, one channel that sums a 2 × 2 window: most see white, somewhere."""
    images = torch.zeros(9, 1, 6, 6, dtype=torch.uint8)
    for number in range(8):
        images[number, 0, 1 : 3 + number % 3, 1 + number % 3 : 4] = 255
    images[7, 0][images[7, 0] > 0] = 250  # looks the same
    images[8, 0, 2:4, 2:4] = 90
    model = nn.Sequential(nn.Conv2d(1, 2, 2), nn.ReLU(), nn.Flatten(), nn.Linear(2 * 5 * 5, 10))
    with torch.no_grad():
        model.get_parameter("0.weight")[:] = torch.tensor([1.0, -1.0])[:, None, None, None]
        model.get_parameter("0.bias")[:] = torch.tensor([0.0, -9.0])
    part = channel_statistics(model.eval(), Split(images, torch.zeros(9, dtype=torch.int64)), SPEC).layers["0"]
    field = layers(model, (1, 6, 6))[1].field
    groups = group_patches(part, 0, images, field)
    assert [len(group.images) for group in groups] == [6, 2, 1]  # white squares, white lines, a gray square
    assert [int(group.pixels.max()) for group in groups] == [255, 255, 90]
    for group in groups:
        for number, (top, left, bottom, right) in zip(group.images, group.windows, strict=True):
            seen = images[number].numpy()[:, top:bottom, left:right].astype(int)
            assert np.abs(seen - group.pixels).max() <= 8
    assert sorted(n for group in groups for n in group.images) == list(range(9))
    assert group_patches(part, 1, images, field) == []  # never above zero

"""Tiles, colors, motions, photographs."""

from __future__ import annotations

from urllib.error import URLError

import matplotlib as mpl
import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.models import ResNet18_Weights

from cnn_demo.inspect.motion import Motion, move_image
from cnn_demo.models.imagenet import WeightsUnavailable, photo_model
from cnn_demo.plots.tiles import SEQUENTIAL, color, limits, tile, tile_color


@pytest.mark.parametrize("shape", [(32, 28, 28), (64, 14, 14), (512, 1, 1), (7, 5, 9), (1, 3, 3), (96, 7, 7)])
def test_every_unit_is_one_pixel(shape: tuple[int, int, int]) -> None:
    maps = np.random.default_rng(0).random(shape, np.float32)
    order = np.random.default_rng(1).permutation(shape[0])
    made = tile(maps, order=order)
    lut = (mpl.colormaps[SEQUENTIAL](np.arange(256))[:, :3] * 255).round().astype(np.uint8)
    span = maps.max()
    for place, channel in enumerate(order):
        top, left = made.corner(place)
        shown = made.picture[top : top + shape[1], left : left + shape[2]]
        index = np.floor(maps[channel] / span * 255 + 0.5).astype(int)
        assert np.abs(shown.astype(int) - lut[index]).max() <= 6  # one step of the table, for rounding
    assert made.enlarged.shape == (made.picture.shape[0] * made.zoom, made.picture.shape[1] * made.zoom, 3)
    assert (made.enlarged[:: made.zoom, :: made.zoom] == made.picture).all()


def test_scales() -> None:
    maps = np.stack([np.linspace(0, 1, 4).reshape(2, 2), np.linspace(-2, 8, 4).reshape(2, 2)]).astype(np.float32)
    assert limits(maps, "sequential", "layer").tolist() == [[-2, 8], [-2, 8]]
    assert limits(maps, "sequential", "channel").tolist() == [[0, 1], [-2, 8]]
    assert limits(maps, "diverging", "channel").tolist() == [[-1, 1], [-8, 8]]


def test_zero_is_the_middle_of_a_diverging_scale() -> None:
    ends = np.array([-4.0, 4.0])
    colors = color(np.array([-4.0, 0.0, 4.0, np.nan]), ends, "diverging").astype(int)
    assert colors[0][2] > colors[0][0] + 50  # blue
    assert colors[2][0] > colors[2][2] + 50  # red
    assert colors[1].min() > 240
    assert colors[3].tolist() == [128, 128, 128]
    flat = color(np.zeros(3), np.zeros((3, 2)), "diverging")
    assert flat.min() > 240


def test_kernels_in_color() -> None:
    kernels = np.zeros((5, 3, 2, 2), np.float32)
    kernels[3, 0] = 2.0  # red only
    kernels[4] = -2.0
    made = tile_color(kernels)
    colors = [made.picture[made.corner(k)].tolist() for k in range(5)]
    assert colors == [[128, 128, 128]] * 3 + [[255, 128, 128], [0, 0, 0]]


def test_moves_are_exact_for_whole_steps() -> None:
    image = torch.randint(0, 256, (1, 28, 28), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    moved = move_image(image, Motion(right=3, down=-2)).int()
    assert (moved[:, :-2, 3:] - image[:, 2:, :-3].int()).abs().max() <= 1
    assert not moved[:, -2:].any()
    assert not moved[:, :, :3].any()
    assert (move_image(image, Motion(angle=90)).int() - image.rot90(1, (1, 2)).int()).abs().max() <= 1
    assert move_image(image, Motion()) is image
    block = torch.zeros(1, 28, 28, dtype=torch.uint8)
    block[:, 10:18, 10:18] = 255
    assert int((move_image(block, Motion(scale=2)) > 127).sum()) == 16 * 16
    wide = torch.zeros(1, 10, 20, dtype=torch.uint8)
    wide[:, 4:6, 2:18] = 255
    turned = move_image(wide, Motion(angle=90))
    assert (turned[0] > 127).nonzero().tolist() == [[y, x] for y in range(10) for x in (9, 10)]


def test_noise_repeats_by_seed() -> None:
    image = torch.full((1, 64, 64), 128, dtype=torch.uint8)
    first = move_image(image, Motion(noise=0.1, seed=1)).float()
    assert torch.equal(first, move_image(image, Motion(noise=0.1, seed=1)).float())
    assert not torch.equal(first, move_image(image, Motion(noise=0.1, seed=2)).float())
    assert float(first.std()) == pytest.approx(25.5, rel=0.1)
    with pytest.raises(ValueError, match="scale = 0"):
        move_image(image, Motion(scale=0))


def test_photograph_with_random_weights() -> None:
    net = photo_model(pretrained=False)
    assert not net.pretrained
    assert not net.model.training
    assert len(net.classes) == 1000
    assert net.classes[207] == "golden retriever"
    photo = Image.fromarray(np.random.default_rng(0).integers(0, 256, (300, 500, 3), dtype=np.uint8))
    seen, ready = net.prepare(photo)
    expected = ResNet18_Weights.DEFAULT.transforms()(photo)
    assert ready.shape == (1, 3, 224, 224)
    assert torch.allclose(ready[0], expected, atol=0.02)  # the resize of tensors and of PIL images differ by a rounding
    back = (torch.from_numpy(seen) / 255 - torch.tensor(net.mean).view(3, 1, 1)) / torch.tensor(net.std).view(3, 1, 1)
    assert torch.allclose(back, ready[0], atol=0.02)
    again = photo_model(pretrained=False)
    assert torch.equal(again.model(ready), net.model(ready))
    assert net.prepare(photo.convert("L"))[1].shape == (1, 3, 224, 224)


def test_weights_that_cannot_be_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*_args: object, **_kwargs: object) -> None:
        raise URLError("no route to host")

    monkeypatch.setattr("torch.hub.load_state_dict_from_url", offline)
    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", offline)
    with pytest.raises(WeightsUnavailable, match="no route to host") as caught:
        photo_model()
    assert caught.value.url.startswith("https://")
    assert "random weights" in str(caught.value)

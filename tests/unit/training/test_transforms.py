"""Random changes: geometry read off simple pictures, SciPy's Beta distribution, shares counted in pixels."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import beta, kstest
from torch import Tensor

from cnn_demo.datasets.load import Dataset, load_dataset
from cnn_demo.datasets.specs import get_spec
from cnn_demo.settings.config import TrainConfig
from cnn_demo.training.augmentations import RANDOM_CHANGES, create_augmentation
from cnn_demo.training.events import CheckpointDue, Snapshot
from cnn_demo.training.loop import fit
from cnn_demo.training.transforms import RandomChanges, cut_rectangles, make_beta_quantiles, take_quantile

STRONG: dict[str, Any] = {
    "rotation": 20.0,
    "scale": 0.2,
    "translation": 3.0,
    "shear": 10.0,
    "elastic": 0.5,
    "flip": 0.5,
    "brightness": 0.3,
    "contrast": 0.3,
    "noise": 0.2,
    "erasing": 0.3,
    "mixup": 0.4,
    "cutmix": 1.0,
}


def dice(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def change(images: Tensor, seed: int = 0, dataset: str = "mnist-mini", **strengths: float) -> Tensor:
    return RandomChanges(get_spec(dataset), 0, False, **strengths)(images, one_hot(len(images)), dice(seed))[0]


def one_hot(count: int) -> Tensor:
    """Every sample has a class of its own, so that a target says whom it was mixed with."""
    return torch.eye(count)


@pytest.fixture(scope="module")
def digits() -> Tensor:
    return load_dataset("mnist-mini").test.images[:64].float() / 255


def bar(count: int = 300) -> Tensor:
    """A horizontal bar in the middle, ``(count, 1, 28, 28)``."""
    images = torch.zeros(count, 1, 28, 28)
    images[:, :, 13:15, 7:21] = 1
    return images


def covariances(images: Tensor) -> np.ndarray:
    """Of x and y over the ink of each picture, ``(N, 2, 2)``."""
    y, x = np.mgrid[:28, :28]
    points = np.stack([x.ravel(), y.ravel()])
    return np.array([np.cov(points, aweights=image.ravel()) for image in images.double().numpy()])


def centers(images: Tensor) -> np.ndarray:
    """The center of mass from the middle, ``(N, 2)`` x and y in pixels."""
    places = torch.arange(28) - 13.5
    mass = images.sum(dim=(1, 2, 3))
    sums = (images.sum(dim=(1, 2)) @ places, images.sum(dim=(1, 3)) @ places)
    return torch.stack([s / mass for s in sums], dim=1).numpy()


def test_every_strength_is_an_option_and_zero_changes_nothing(digits: Tensor) -> None:
    assert [setting.name for setting in RANDOM_CHANGES] == list(STRONG)
    still = RandomChanges(get_spec("mnist-mini"), 0, False, **dict.fromkeys(STRONG, 0.0))
    targets = one_hot(64)
    images, same = still(digits, targets, dice())
    assert images is digits
    assert same is targets
    assert still.extra_samples(None, print) is None  # type: ignore[arg-type]


@pytest.mark.parametrize("name", list(STRONG))
def test_each_change_changes_and_stays_in_range(name: str, digits: Tensor) -> None:
    before = digits.clone()
    changed = change(digits, **{name: STRONG[name]})
    assert changed.shape == digits.shape
    assert (changed != digits).flatten(1).any(dim=1).float().mean() > 0.3
    assert changed.min() >= 0
    assert changed.max() <= 1 + 1e-6
    assert torch.equal(digits, before)


def test_rotation_turns_by_at_most_so_many_degrees() -> None:
    found = covariances(change(bar(), rotation=30))
    angles = np.degrees(0.5 * np.arctan2(2 * found[:, 0, 1], found[:, 0, 0] - found[:, 1, 1]))
    assert 28 < np.abs(angles).max() < 30.5
    assert kstest(angles, "uniform", args=(-30, 60)).pvalue > 0.01


def test_scale_lies_between_its_two_factors_and_is_even_in_logarithms() -> None:
    lengths = np.sqrt(covariances(change(bar(), scale=0.5))[:, 0, 0] / covariances(bar(1))[0, 0, 0])
    assert 1 / 1.52 < lengths.min() < 1 / 1.42
    assert 1.45 < lengths.max() < 1.52
    assert abs(np.log(lengths).mean()) < 0.04


def test_translation_shifts_by_at_most_so_many_pixels_along_both_axes() -> None:
    found = centers(change(bar(), translation=3))
    assert (np.abs(found).max(axis=0) <= 3.01).all()
    assert (np.ptp(found, axis=0) > 5.8).all()
    assert abs(np.corrcoef(found.T)[0, 1]) < 0.15


def test_shear_slants_by_at_most_so_many_degrees() -> None:
    found = covariances(change(bar().transpose(2, 3), shear=20))
    slants = np.degrees(np.arctan(found[:, 0, 1] / found[:, 1, 1]))
    assert 18 < np.abs(slants).max() < 20.5


def test_flip_mirrors_its_part_of_the_pictures(digits: Tensor) -> None:
    torch.testing.assert_close(change(digits, flip=1.0), digits.flip(3), atol=1e-4, rtol=0)
    many = digits[:1].expand(1000, -1, -1, -1)
    part = (change(many, flip=0.3) - many.flip(3)).abs().amax(dim=(1, 2, 3)) < 1e-4
    assert 0.25 < part.float().mean() < 0.35


def test_brightness_multiplies_and_contrast_keeps_the_mean() -> None:
    gray = torch.full((400, 1, 4, 4), 0.5)
    gray[:, :, :2] = 0.25
    bright = change(gray, brightness=0.4)
    torch.testing.assert_close(bright[:, :, 0], bright[:, :, 2] / 2)
    assert 0.3 <= bright[:, 0, 3, 0].min() < 0.31
    assert 0.69 < bright[:, 0, 3, 0].max() <= 0.7
    hard = change(gray, contrast=0.5)
    torch.testing.assert_close(hard.mean(dim=(1, 2, 3)), gray.mean(dim=(1, 2, 3)))
    factor = (hard[:, 0, 3, 0] - hard[:, 0, 0, 0]) / 0.25
    assert 0.5 <= factor.min() < 0.52
    assert 1.48 < factor.max() <= 1.5


def test_noise_has_at_most_its_standard_deviation() -> None:
    deviations = change(torch.full((200, 1, 28, 28), 0.5), noise=0.1).std(dim=(1, 2, 3))
    assert deviations.min() < 0.01
    assert 0.09 < deviations.max() < 0.107


@pytest.mark.parametrize("dataset", ["mnist-mini", "cifar10"])
def test_erasing_covers_half_of_the_pictures_with_the_mean(dataset: str) -> None:
    spec = get_spec(dataset)
    images = torch.ones(1000, spec.channels, spec.size, spec.size)
    changed = change(images, dataset=dataset, erasing=0.25)
    parts = (changed != 1).any(dim=1).float().mean(dim=(1, 2))
    assert 0.4 < (parts > 0).float().mean() < 0.52
    assert 0.2 < parts.max() < 0.28  # whole pixels
    for value, mean in zip(changed.amin(dim=(0, 2, 3)).tolist(), spec.mean, strict=True):
        assert value == pytest.approx(mean)


def test_rectangles_are_those_of_plain_loops() -> None:
    draws = torch.rand(4, 50, generator=dice())
    masks = cut_rectangles(draws[0], draws[1], draws[2], draws[3], 7, 9)
    assert masks.shape == (50, 1, 7, 9)
    for mask, (wide, tall, x, y) in zip(masks, draws.T.tolist(), strict=True):
        wanted = np.zeros((7, 9), bool)
        top, bottom = (max(0, round((y + sign * tall / 2) * 7)) for sign in (-1, 1))
        left, right = (max(0, round((x + sign * wide / 2) * 9)) for sign in (-1, 1))
        wanted[top:bottom, left:right] = True
        assert np.array_equal(mask[0].numpy(), wanted)


@pytest.mark.parametrize("alpha", [0.1, 0.4, 1.0, 2.0, 10.0])
def test_quantiles_are_those_of_the_beta_distribution(alpha: float) -> None:
    quantiles = make_beta_quantiles(alpha)
    wanted = beta(alpha, alpha).ppf(np.linspace(0, 1, len(quantiles)))
    np.testing.assert_allclose(quantiles, wanted, atol=2e-3)


@pytest.mark.parametrize("alpha", [0.4, 2.0])
def test_shares_follow_the_beta_distribution(alpha: float) -> None:
    quantiles = make_beta_quantiles(alpha)
    drawn = take_quantile(quantiles, torch.rand(2000, generator=dice()))
    assert kstest(drawn.numpy(), beta(alpha, alpha).cdf).pvalue > 0.01


def test_mixup_blends_picture_and_target_in_equal_shares() -> None:
    images = torch.rand(32, 3, 8, 8, generator=dice(1))
    mixed, targets = RandomChanges(get_spec("cifar10"), 0, False, mixup=1.0)(images, one_hot(32), dice())
    torch.testing.assert_close(mixed, torch.einsum("nm,mchw->nchw", targets, images))
    torch.testing.assert_close(targets.sum(dim=1), torch.ones(32))
    assert ((targets > 0).sum(dim=1) == 2).all()
    assert targets.diagonal().min() >= 0.5  # its own picture is the stronger one
    assert targets.diagonal().std() > 0.1


def test_the_target_of_cutmix_is_the_share_of_pixels() -> None:
    images = torch.arange(32.0).view(32, 1, 1, 1).expand(32, 1, 28, 28) / 32  # each sample has its own gray
    mixed, targets = RandomChanges(get_spec("mnist-mini"), 0, False, cutmix=1.0)(images, one_hot(32), dice())
    for i in range(32):
        own = (mixed[i] == i / 32).float().mean()
        other = (mixed[i] == (i - 1) % 32 / 32).float().mean()
        assert own + other == 1
        assert targets[i, i] == pytest.approx(float(own), abs=1e-6)
        assert targets[i, (i - 1) % 32] == pytest.approx(float(other), abs=1e-6)
    assert targets.diagonal().std() > 0.15


def test_with_both_every_sample_gets_one_of_the_two() -> None:
    images = (torch.arange(200.0) % 2).view(200, 1, 1, 1).expand(200, 1, 28, 28)
    mixed, _ = RandomChanges(get_spec("mnist-mini"), 0, False, mixup=1.0, cutmix=1.0)(images, one_hot(200), dice())
    is_flat = (mixed == mixed[:, :, :1, :1]).flatten(1).all(dim=1)  # MixUp leaves an even gray
    assert 0.4 < is_flat.float().mean() < 0.65


def test_switching_one_change_on_leaves_the_others_alone(digits: Tensor) -> None:
    alone = change(digits, rotation=20)
    with_shear = change(digits, rotation=20, brightness=1e-9, elastic=1e-9)
    torch.testing.assert_close(alone, with_shear, atol=1e-5, rtol=0)


def test_beside_a_gray_picture_is_black_and_a_photo_is_reflected() -> None:
    assert change(torch.ones(8, 1, 28, 28), translation=8).amin() == 0
    assert change(torch.ones(8, 3, 32, 32), dataset="cifar10", translation=8).amin() > 0.99


def test_equal_generators_give_equal_batches_and_the_global_one_is_left_alone(digits: Tensor) -> None:
    before = torch.get_rng_state()
    first = change(digits, seed=3, **STRONG)
    assert torch.equal(first, change(digits, seed=3, **STRONG))
    assert not torch.equal(first, change(digits, seed=4, **STRONG))
    assert torch.equal(before, torch.get_rng_state())
    last = change(digits.contiguous(memory_format=torch.channels_last), seed=3, **STRONG)
    torch.testing.assert_close(last, first, atol=1e-5, rtol=0)


def test_a_batch_of_one_is_mixed_with_itself(digits: Tensor) -> None:
    torch.testing.assert_close(change(digits[:1], mixup=1.0, cutmix=1.0), digits[:1])


def test_a_resumed_run_goes_on_bit_for_bit() -> None:
    full = load_dataset("mnist-mini")
    data = Dataset(full.spec, full.train.take(torch.arange(100)), full.test.take(torch.arange(20)))
    config = TrainConfig(augment="random", batch_size=25, epochs=2, device="cpu", options=STRONG)
    assert isinstance(create_augmentation(config, full.spec), RandomChanges)

    def train(resume: Snapshot | None = None) -> dict[int, Snapshot]:
        events = fit(config, dataset=data, resume=resume, checkpoint_steps=(3,))
        return {e.step: copy.deepcopy(e.capture()) for e in events if isinstance(e, CheckpointDue)}

    whole = train()
    again = train(whole[3])
    for name, value in whole[8].weights.items():
        assert torch.equal(value, again[8].weights[name]), name

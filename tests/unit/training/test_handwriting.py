"""Augmentation: NumPy and geometry as oracles, and what a resumed run relies on."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from cnn_demo.datasets.load import load_dataset
from cnn_demo.datasets.specs import get_spec
from cnn_demo.datasets.splits import Split
from cnn_demo.training.handwriting import DIGITS, OTHERS, Handwriting, Ranges, augment

STILL = Ranges(rotation=0, scale=0, aspect=0, shear=0, translation=0, elastic=0, thinner=0, thicker=0, untouched=0)


def only(**changes: float) -> Ranges:
    return Ranges(**{**{n: getattr(STILL, n) for n in STILL.__slots__}, **changes})


def dice(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def digits() -> torch.Tensor:
    return load_dataset("mnist-mini").test.images[:64].float() / 255


def bar(count: int = 200) -> torch.Tensor:
    """A horizontal bar in the middle, ``(count, 1, 28, 28)``."""
    images = torch.zeros(count, 1, 28, 28)
    images[:, :, 13:15, 4:24] = 1
    return images


def moments(images: torch.Tensor) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Center of mass, ``(N, 2)`` x and y from the middle, and covariance ``(N, 2, 2)`` of each picture."""
    y, x = np.mgrid[:28, :28] - 13.5
    means, covariances = [], []
    for image in images[:, 0].numpy().astype(np.float64):
        points, weights = np.stack([x.ravel(), y.ravel()]), image.ravel()
        means.append(np.average(points, axis=1, weights=weights))
        covariances.append(np.cov(points, aweights=weights))
    masses = images.sum(dim=(1, 2, 3)).numpy()
    return np.array(means), np.array(covariances), masses


def test_no_range_no_change(digits: torch.Tensor) -> None:
    torch.testing.assert_close(augment(digits, STILL, dice()), digits, atol=1e-5, rtol=0)


def test_rotation_turns_by_at_most_the_range() -> None:
    _, covariance, _ = moments(augment(bar(), only(rotation=30), dice()))
    angles = np.degrees(0.5 * np.arctan2(2 * covariance[:, 0, 1], covariance[:, 0, 0] - covariance[:, 1, 1]))
    assert np.abs(angles).max() <= 30.5
    assert angles.max() > 25
    assert angles.min() < -25
    assert abs(angles.mean()) < 4


def test_translation_moves_by_at_most_the_range() -> None:
    mean, covariance, mass = moments(augment(bar(), only(translation=3), dice()))
    assert np.abs(mean).max() <= 3.01
    assert (np.ptp(mean, axis=0) > 5).all()
    np.testing.assert_allclose(mass, 40, atol=0.01)
    np.testing.assert_allclose(covariance[:, 0, 0], covariance[0, 0, 0], rtol=0.02)


def test_scale_and_aspect_change_length_and_width() -> None:
    _, covariance, _ = moments(augment(bar(), only(scale=0.2), dice()))
    lengths = np.sqrt(covariance[:, 0, 0] / moments(bar(1))[1][0, 0, 0])
    assert 0.8 < lengths.min() < 0.87
    assert 1.15 < lengths.max() < 1.24
    upright = augment(bar().transpose(2, 3), only(aspect=0.4), dice())
    flat = augment(bar(), only(aspect=0.4), dice())
    tall, wide = moments(upright)[1][:, 1, 1], moments(flat)[1][:, 0, 0]
    assert np.corrcoef(tall, wide)[0, 1] < -0.95


def test_shear_slants_a_stem_and_leaves_its_height() -> None:
    _, covariance, _ = moments(augment(bar().transpose(2, 3), only(shear=0.3), dice()))
    slants = covariance[:, 0, 1] / covariance[:, 1, 1]
    assert 0.25 < np.abs(slants).max() <= 0.31
    np.testing.assert_allclose(covariance[:, 1, 1], covariance[:, 1, 1].mean(), rtol=0.03)


def test_thickness_only_adds_or_only_takes_ink(digits: torch.Tensor) -> None:
    thick = augment(digits, only(thicker=1), dice())
    assert (thick >= digits - 1e-5).all()
    assert (thick.sum(dim=(1, 2, 3)) > 1.2 * digits.sum(dim=(1, 2, 3))).any()
    thin = augment(digits, only(thinner=0.9), dice())
    shares = thin.gt(0.5).sum(dim=(1, 2, 3)) / digits.gt(0.5).sum(dim=(1, 2, 3))
    assert shares.min() < 0.9
    assert shares.max() <= 1
    assert (thin.amax(dim=(1, 2, 3)) > 0.65).all()


def test_the_elastic_field_is_smooth_and_as_large_as_asked() -> None:
    # A ramp in x reads the displacement off: the value at a pixel is where it came from.
    ramp = torch.linspace(0, 1, 28).expand(400, 1, 28, 28)
    moved = (augment(ramp, only(elastic=1), dice()) - ramp)[:, 0, 4:24, 4:24] * 27
    assert 0.5 < moved.std() < 1.1
    assert moved.diff(dim=2).abs().mean() < 0.5 * moved.std()
    assert abs(float(moved.mean())) < 0.1


def test_some_samples_stay(digits: torch.Tensor) -> None:
    many = digits.repeat(16, 1, 1, 1)  # (1024, 1, 28, 28)
    same = (augment(many, only(rotation=20, elastic=2, thicker=1, untouched=0.25), dice()) - many).abs().amax((1, 2, 3))
    assert 0.2 < (same < 1e-4).float().mean() < 0.3


def test_equal_generators_give_equal_batches(digits: torch.Tensor) -> None:
    first = augment(digits, DIGITS, dice(3))
    assert torch.equal(first, augment(digits, DIGITS, dice(3)))
    assert not torch.equal(first, augment(digits, DIGITS, dice(4)))
    generator = dice(3)
    augment(digits, DIGITS, generator)
    second = augment(digits, DIGITS, generator)
    resumed = dice(0)
    other = dice(3)
    augment(digits, DIGITS, other)
    resumed.set_state(other.get_state())
    assert torch.equal(second, augment(digits, DIGITS, resumed))


def test_the_global_generator_is_left_alone(digits: torch.Tensor) -> None:
    before = torch.get_rng_state()
    augment(digits, DIGITS, dice())
    assert torch.equal(before, torch.get_rng_state())


def test_range_layout_and_input_are_kept(digits: torch.Tensor) -> None:
    copy = digits.clone()
    result = augment(digits, DIGITS, dice())
    assert torch.equal(digits, copy)
    assert result.min() >= 0
    assert result.max() <= 1 + 1e-5
    last = augment(digits.contiguous(memory_format=torch.channels_last), DIGITS, dice())
    torch.testing.assert_close(last, result)
    assert torch.isfinite(augment(torch.zeros(2, 1, 28, 28), DIGITS, dice())).all()
    assert augment(torch.rand(3, 3, 32, 32), OTHERS, dice()).shape == (3, 3, 32, 32)


def test_digits_are_changed_more_than_clothes() -> None:
    assert Handwriting(get_spec("mnist-mini"), 0, False).ranges is DIGITS
    clothes = Handwriting(get_spec("fashion-mnist"), 0, False)
    assert clothes.ranges is OTHERS
    images = torch.rand(4, 1, 28, 28)
    targets = torch.eye(10)[:4]
    changed, same = clothes(images, targets, dice())
    assert torch.equal(changed, augment(images, OTHERS, dice()))
    assert torch.equal(same, targets)


@pytest.mark.parametrize("validated", [False, True])
def test_styles_kept_for_validation_are_learned_only_without_one(
    validated: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cnn_demo.handwriting import samples

    asked = []
    monkeypatch.setattr(samples, "extra_samples", lambda *args, **options: asked.append((args, options)))
    train = Split(torch.zeros(3, 1, 28, 28, dtype=torch.uint8), torch.zeros(3).long())
    assert Handwriting(get_spec("mnist-mini"), 5, validated).extra_samples(train, print) is None
    assert asked == [((get_spec("mnist-mini"), train, 5), {"all_styles": not validated, "progress": print})]


@pytest.mark.cuda
def test_cuda_gives_what_the_cpu_gives_for_the_same_numbers(digits: torch.Tensor) -> None:
    host = augment(digits, DIGITS, dice())
    torch.testing.assert_close(augment(digits.cuda(), DIGITS, dice()).cpu(), host, atol=1e-4, rtol=0)

"""A preview is what a training step sees; pictures with nothing left in them are counted."""

from __future__ import annotations

import pytest
import torch

from cnn_demo.datasets.load import load_dataset
from cnn_demo.datasets.specs import get_spec
from cnn_demo.datasets.splits import Split
from cnn_demo.settings.config import TrainConfig
from cnn_demo.training.augmentations import create_augmentation
from cnn_demo.training.preview import make_preview

SPEC = get_spec("mnist-mini")
STILL = {"rotation": 0.0, "scale": 0.0, "translation": 0.0}


@pytest.fixture(scope="module")
def samples() -> Split:
    return load_dataset("mnist-mini").train.take(torch.arange(64))


def test_without_changes_it_shows_the_images_with_their_classes(samples: Split) -> None:
    preview = make_preview(TrainConfig(augment="random", options=STILL), SPEC, samples, 0)
    assert torch.equal(preview.images.mul(255).round().byte().sum(), samples.images.sum())
    assert torch.equal(preview.targets.argmax(dim=1), preview.labels)
    assert torch.equal(preview.labels.bincount(minlength=10), samples.labels.bincount(minlength=10))
    assert preview.emptied == 0
    assert make_preview(TrainConfig(), SPEC, samples, 0).emptied == 0


def test_it_shows_what_the_augmentation_gives(samples: Split) -> None:
    config = TrainConfig(augment="random", options={"mixup": 1.0, "rotation": 30.0})
    preview = make_preview(config, SPEC, samples, 5)
    generator = torch.Generator().manual_seed(5)
    batch = samples.take(torch.randperm(64, generator=generator))
    augmentation = create_augmentation(config, SPEC)
    assert augmentation is not None
    images, targets = augmentation(batch.images / 255, torch.eye(10)[batch.labels], generator)
    torch.testing.assert_close(preview.images, images)
    torch.testing.assert_close(preview.targets, targets)
    assert not torch.equal(preview.images, make_preview(config, SPEC, samples, 6).images)


def test_pictures_that_leave_the_frame_are_counted(samples: Split) -> None:
    config = TrainConfig(augment="random", options={**STILL, "translation": 32.0})
    preview = make_preview(config, SPEC, samples, 0)
    blank = int((preview.images.amax(dim=(1, 2, 3)) == 0).sum())
    assert 10 < blank <= preview.emptied < 64
    assert make_preview(config.replace(translation=2.0), SPEC, samples, 0).emptied == 0

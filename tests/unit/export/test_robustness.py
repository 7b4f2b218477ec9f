"""Disturbed test images: moved and turned as is said, and counted."""

from __future__ import annotations

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor, nn

from cnn_demo.datasets.splits import Split
from cnn_demo.export import robustness
from cnn_demo.export.robustness import MOST_IMAGES, measure_robustness
from tests.made_networks import as_loaded


class Quadrant(nn.Module):
    """Logits are the light of each of ten columns, 2.8 pixels wide: it tells where a bar stands."""

    def __init__(self) -> None:
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.adaptive_avg_pool2d(x, (1, 10)).flatten(1)


def test_images_are_moved_by_whole_pixels() -> None:
    image = torch.zeros(1, 1, 6, 6)
    image[0, 0, 2, 3] = 1
    assert robustness._shift(image, 2, 0)[0, 0].nonzero().tolist() == [[2, 5]]
    assert robustness._shift(image, 0, -2)[0, 0].nonzero().tolist() == [[0, 3]]
    assert robustness._shift(image, 3, 0).sum() == 0


def test_images_are_turned_as_scipy_turns_them() -> None:
    rng = np.random.default_rng(0)
    image = ndimage.gaussian_filter(rng.random((28, 28)), 2).astype(np.float32)
    image[:5], image[-5:], image[:, :5], image[:, -5:] = 0, 0, 0, 0
    turned = robustness._rotate(torch.from_numpy(image)[None, None], 15.0)[0, 0].numpy()
    wanted = ndimage.rotate(image, 15.0, reshape=False, order=1)
    assert np.abs(turned - wanted).max() < 1e-3


def test_right_answers_are_counted_for_each_disturbance() -> None:
    labels = torch.arange(MOST_IMAGES + 5) % 10
    images = torch.zeros(len(labels), 1, 28, 28, dtype=torch.uint8)
    for i, label in enumerate(labels.tolist()):
        left = round(2.8 * label)
        images[i, 0, :, left : left + 3] = 255
    found = {row.what: row for row in measure_robustness(as_loaded(Quadrant().eval()), Split(images, labels))}
    assert {row.n for row in found.values()} == {MOST_IMAGES}
    assert found["as they are"].correct == MOST_IMAGES
    assert found["moved two pixels down"].correct == MOST_IMAGES
    assert found["at half the contrast"].correct == MOST_IMAGES
    assert found["moved two pixels to the right"].correct < 0.2 * MOST_IMAGES

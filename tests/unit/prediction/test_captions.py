"""Captions against an image: what the embeddings say, and how captions classify."""

from __future__ import annotations

import dataclasses

import pytest
import torch
import torch.nn.functional as F

from cnn_demo.datasets.load import load_dataset
from cnn_demo.datasets.splits import Split
from cnn_demo.models.captions import CaptionError
from cnn_demo.models.clip_small import ClipSmall
from cnn_demo.models.registry import create_model
from cnn_demo.prediction.captions import (
    HeldOutFigure,
    compare_captions,
    count_found_by_captions,
    find_scale,
    measure_held_out,
    reads_captions,
)
from cnn_demo.prediction.load import LoadedModel
from tests.made_networks import as_loaded


@pytest.fixture
def loaded() -> LoadedModel:
    torch.manual_seed(3)
    return as_loaded(create_model("clip-small", held_out=6).eval().requires_grad_(False))


@pytest.fixture
def split() -> Split:
    return load_dataset("mnist-mini").test.take(torch.arange(0, 2000, 20))


def test_scores_are_cosines_and_their_softmax(loaded: LoadedModel, split: Split) -> None:
    assert isinstance(loaded.model, ClipSmall)
    x = loaded.normalize(split.images[0].numpy())
    captions = ["a handwritten three", "手写的七", "a cat", "a handwritten three"]
    scores = compare_captions(loaded, x, captions)
    assert [score.caption for score in scores] == captions
    cosines = F.cosine_similarity(loaded.model.image(x), loaded.model.embed_captions(captions))
    assert [score.cosine for score in scores] == pytest.approx(cosines.tolist(), abs=1e-5)
    shares = (cosines / 0.07).softmax(0)
    assert [score.probability for score in scores] == pytest.approx(shares.tolist(), abs=1e-4)
    assert find_scale(loaded) == pytest.approx(1 / 0.07)
    (alone,) = compare_captions(loaded, x, ["anything"])
    assert alone.probability == pytest.approx(1)


def test_captions_that_cannot_be_read_are_refused(loaded: LoadedModel, split: Split) -> None:
    x = loaded.normalize(split.images[0].numpy())
    with pytest.raises(CaptionError, match="10,000 bytes"):
        compare_captions(loaded, x, ["fine", "x" * 10_000])
    with pytest.raises(CaptionError, match="empty"):
        compare_captions(loaded, x, ["fine", ""])
    with pytest.raises(ValueError, match="expected 10, one for each class, got 2"):
        count_found_by_captions(loaded, split, ["zero", "one"])


def test_a_network_without_a_text_encoder_is_told_apart(loaded: LoadedModel, split: Split) -> None:
    plain = as_loaded(create_model("cnn").eval())
    assert reads_captions(loaded)
    assert not reads_captions(plain)
    assert measure_held_out(plain, split) is None
    with pytest.raises(TypeError, match="reads no captions"):
        compare_captions(plain, plain.normalize(split.images[0].numpy()), ["three"])


def test_captions_classify_image_by_image(loaded: LoadedModel, split: Split) -> None:
    captions = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
    by_hand = 0
    for image, label in zip(split.images, split.labels.tolist(), strict=True):
        scores = compare_captions(loaded, loaded.normalize(image.numpy()), captions)
        by_hand += max(range(10), key=lambda k: scores[k].cosine) == label
    assert count_found_by_captions(loaded, split, captions) == by_hand


def test_the_held_out_class_is_asked_about_among_all_classes(loaded: LoadedModel, split: Split) -> None:
    found = measure_held_out(loaded, split)
    best = torch.cat([loaded.model(loaded.normalize(image.numpy())) for image in split.images]).argmax(1)
    of_it = split.labels == 6
    assert found == HeldOutFigure(
        label=6,
        n=int(of_it.sum()),
        found=int(((best == 6) & of_it).sum()),
        others_n=100 - int(of_it.sum()),
        others_right=int(((best == split.labels) & ~of_it).sum()),
        others_taken=int(((best == 6) & ~of_it).sum()),
    )
    assert found.n > 0
    torch.manual_seed(3)
    shown_all = dataclasses.replace(loaded, model=create_model("clip-small").eval())
    assert measure_held_out(shown_all, split) is None

"""The small CLIP against torch.nn.functional, and what it promises to the rest of the house."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from cnn_demo.datasets.specs import get_spec
from cnn_demo.models.captions import WORDINGS, CaptionError
from cnn_demo.models.clip_small import ClipSmall, Similarities, tokenize
from cnn_demo.models.registry import create_configured_model
from cnn_demo.settings.config import TrainConfig


@pytest.fixture
def model() -> ClipSmall:
    torch.manual_seed(0)
    model = create_configured_model(TrainConfig(model="clip-small"), get_spec("mnist-mini")).eval()
    assert isinstance(model, ClipSmall)
    with torch.no_grad():  # statistics that do something
        for norm in (model.image.norm1, model.image.norm2, model.text.norm):
            norm.running_mean.uniform_(-0.5, 0.5)  # type: ignore[union-attr]
            norm.running_var.uniform_(0.5, 2)  # type: ignore[union-attr]
    return model


def images(count: int = 4) -> Tensor:
    return torch.randn(count, 1, 28, 28, generator=torch.Generator().manual_seed(1))


def embed_by_hand(model: ClipSmall, caption: str) -> Tensor:
    """The embedding ``(D,)`` of a caption alone, without padding."""
    w = {name: value.detach() for name, value in model.state_dict().items()}
    x = w["text.embed.weight"][[byte + 1 for byte in caption.encode()]].T  # (L, 32) -> (32, L)
    x = F.conv1d(x, w["text.conv1.weight"], w["text.conv1.bias"], padding=2).clamp(min=0)
    x = F.conv1d(x, w["text.conv2.weight"], w["text.conv2.bias"], padding=1).clamp(min=0)
    best = x.max(dim=1).values
    best = (best - w["text.norm.running_mean"]) / (w["text.norm.running_var"] + 1e-5).sqrt()
    best = best * w["text.norm.weight"] + w["text.norm.bias"]
    z = w["text.project.weight"] @ best + w["text.project.bias"]
    return z / z.norm()


def test_captions_are_embedded_one_by_one_whatever_stands_beside_them(model: ClipSmall) -> None:
    together = model.embed_captions(["3", "手写的三", "a picture of the number three"])
    for caption, found in zip(("3", "手写的三", "a picture of the number three"), together, strict=True):
        torch.testing.assert_close(found, embed_by_hand(model, caption), atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(model.embed_captions([caption])[0], found, atol=1e-6, rtol=1e-5)


def test_logits_are_scaled_cosines_with_the_mean_of_the_prompts(model: ClipSmall) -> None:
    x = images()
    w, image = dict(model.named_parameters()), model.image
    h = F.conv2d(x, w["image.conv1.weight"], padding=1)
    h = F.batch_norm(h, image.norm1.running_mean, image.norm1.running_var, image.norm1.weight, image.norm1.bias)
    h = F.max_pool2d(h.clamp(min=0), 2)
    h = F.max_pool2d(F.conv2d(h, w["image.conv2.weight"], w["image.conv2.bias"], padding=1).clamp(min=0), 2)
    h = F.batch_norm(h, image.norm2.running_mean, image.norm2.running_var, image.norm2.weight, image.norm2.bias)
    z = F.linear(h.reshape(4, 64 * 7 * 7), w["image.project.weight"], w["image.project.bias"])
    threes = torch.stack(
        [
            embed_by_hand(model, caption)
            for caption in (
                "3",
                "three",
                "the digit 3",
                "a handwritten three",
                "a picture of the number three",
                "三",
                "数字3",
                "手写的三",
            )
        ]
    )
    cosine = F.cosine_similarity(z, threes.mean(0)[None])
    logits = model(x)
    assert logits.shape == (4, 10)
    torch.testing.assert_close(logits[:, 3], cosine / 0.07, atol=1e-4, rtol=1e-4)


def test_training_gives_every_caption_of_the_classes_that_are_not_held_out() -> None:
    torch.manual_seed(0)
    config = TrainConfig(model="clip-small", options={"held_out": 7})
    model = create_configured_model(config, get_spec("mnist-mini")).train()
    found = model(images())
    assert isinstance(found, Similarities)
    assert found.values.shape == (4, 9, WORDINGS)
    assert found.classes.tolist() == [0, 1, 2, 3, 4, 5, 6, 8, 9]
    assert model.eval()(images()).shape == (4, 10)  # its caption is among those that are asked about


def test_the_text_encoder_is_among_the_weights_and_the_captions_are_not(model: ClipSmall) -> None:
    names = set(model.state_dict())
    assert {"text.embed.weight", "text.conv1.weight", "text.project.weight", "log_scale"} <= names
    assert not names & {"tokens", "seen"}
    # So the weights of one data set can be tried on the classes of another.
    other = create_configured_model(TrainConfig(model="clip-small"), get_spec("fashion-mnist")).eval()
    other.load_state_dict(model.state_dict())
    assert not torch.equal(other(images()), model(images()))


def test_the_scale_ends_at_a_hundred(model: ClipSmall) -> None:
    assert model.scale.item() == pytest.approx(1 / 0.07)
    with torch.no_grad():
        model.log_scale.fill_(math.log(1000))
    assert model.scale.item() == pytest.approx(100, rel=1e-5)


def test_tokens_are_bytes_plus_one_and_zeros() -> None:
    assert tokenize(["Ab", "三"]).tolist() == [[98, 99, 0], [229, 185, 138]]  # 三 is e4 b8 89
    with pytest.raises(CaptionError):
        tokenize(["a", " "])


def test_numbers_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="expected 10, got 2"):
        ClipSmall(1, 28, 10, ("a", "b"))
    with pytest.raises(ValueError, match="held_out = 10: expected -1 for none, or a class from 0 to 9"):
        ClipSmall(1, 28, 10, held_out=10)
    with pytest.raises(ValueError, match="size = 3"):
        ClipSmall(1, 3, 10)

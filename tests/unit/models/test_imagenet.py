"""The network for photographs, with random weights: its preparation is torchvision's."""

from __future__ import annotations

from urllib.error import URLError

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.models import ResNet18_Weights

from cnn_demo.models.imagenet import WeightsUnavailable, photo_model


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

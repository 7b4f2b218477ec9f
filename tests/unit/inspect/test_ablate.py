"""Channels switched off: the same as weights set to zero in plain PyTorch."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torchvision.models import shufflenet_v2_x0_5

from cnn_demo.datasets.device_dataset import normalize
from cnn_demo.datasets.specs import get_spec
from cnn_demo.datasets.splits import Split
from cnn_demo.inspect.ablate import Ablation
from cnn_demo.models.registry import create_model

SPEC = get_spec("mnist-mini")


@pytest.fixture
def split() -> Split:
    generator = torch.Generator().manual_seed(5)
    images = torch.randint(0, 256, (60, 1, 28, 28), generator=generator, dtype=torch.uint8)
    images[:, :, :, 14:] = 0
    return Split(images, torch.randint(0, 10, (60,), generator=generator))


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
            module.get_parameter("weight")[channel] = 0
            module.get_parameter("bias")[channel] = 0
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

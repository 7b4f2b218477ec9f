"""evaluate() against torch.nn.functional on the whole split at once."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from cnn_demo.datasets.device_dataset import DeviceDataset
from cnn_demo.datasets.load import load_dataset
from cnn_demo.datasets.specs import DatasetSpec
from cnn_demo.datasets.splits import Split
from cnn_demo.models.cnn import CNN
from cnn_demo.training.classification import Classification
from cnn_demo.training.evaluate import evaluate


@pytest.fixture(scope="module")
def setting() -> tuple[CNN, Split, DatasetSpec]:
    torch.manual_seed(0)
    data = load_dataset("mnist-mini")
    split = Split(data.test.images[:233], data.test.labels[:233])
    return CNN(), split, data.spec


def test_loss_and_accuracy_agree_with_functional(setting: tuple[CNN, Split, DatasetSpec]) -> None:
    model, split, spec = setting
    result = evaluate(model, DeviceDataset(split, spec, "cpu"), Classification(spec, "cpu"), batch_size=50)
    x = (split.images.float() / 255 - 0.1307) / 0.3081
    with torch.no_grad():
        model.eval()
        logits = model(x)
        model.train()
    assert result.n == 233
    assert result.loss == pytest.approx(F.cross_entropy(logits, split.labels).item(), rel=1e-5)
    assert result.accuracy == (logits.argmax(1) == split.labels).sum().item() / 233


def test_mode_is_restored_also_after_an_error(setting: tuple[CNN, Split, DatasetSpec]) -> None:
    model, split, spec = setting
    model.train()
    evaluate(model, DeviceDataset(split, spec, "cpu"), Classification(spec, "cpu"))
    assert model.training

    class Broken(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.p = torch.nn.Parameter(torch.zeros(1))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            raise RuntimeError("broken")

    broken = Broken().train()
    with pytest.raises(RuntimeError, match="broken"):
        evaluate(broken, DeviceDataset(split, spec, "cpu"), Classification(spec, "cpu"))
    assert broken.training


def test_an_empty_split_is_refused(setting: tuple[CNN, Split, DatasetSpec]) -> None:
    model, split, spec = setting
    with pytest.raises(ValueError, match="empty"):
        evaluate(model, DeviceDataset(split.take(torch.arange(0)), spec, "cpu"), Classification(spec, "cpu"))


def test_progress_reaches_the_end(setting: tuple[CNN, Split, DatasetSpec]) -> None:
    model, split, spec = setting
    told = []
    evaluate(
        model,
        DeviceDataset(split, spec, "cpu"),
        Classification(spec, "cpu"),
        batch_size=100,
        progress=lambda done, total: told.append((done, total)),
    )
    assert told == [(100, 233), (200, 233), (233, 233)]

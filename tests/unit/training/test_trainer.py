"""The trainer: its step against PyTorch written out, memory, compilation, and snapshots that do not fit."""

from __future__ import annotations

import copy
import weakref
from collections.abc import Iterator

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from cnn_demo.datasets.load import Dataset, load_dataset
from cnn_demo.models.registry import MODELS
from cnn_demo.settings.config import TrainConfig
from cnn_demo.training.errors import OutOfMemory, ResumeError
from cnn_demo.training.events import CheckpointDue, Snapshot, Started
from cnn_demo.training.loop import fit
from cnn_demo.training.trainer import Trainer, find_fitting_batch

CONFIG = TrainConfig(epochs=2, device="cpu", seed=3)


@pytest.fixture(scope="module")
def tiny() -> Dataset:
    full = load_dataset("mnist-mini")
    return Dataset(full.spec, full.train.take(torch.arange(300)), full.test.take(torch.arange(120)))


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_a_step_is_forward_loss_backward_step(tiny: Dataset, optimizer: str) -> None:
    trainer = Trainer(CONFIG.replace(optimizer=optimizer, weight_decay=0.1), tiny)
    model = copy.deepcopy(trainer.model)
    build = {"sgd": torch.optim.SGD, "adamw": torch.optim.AdamW}[optimizer]
    more = {"momentum": 0.9} if optimizer == "sgd" else {}
    groups = [{"params": [p for n, p in model.named_parameters() if n.endswith("weight")], "weight_decay": 0.1}]
    groups.append({"params": [p for n, p in model.named_parameters() if n.endswith("bias")], "weight_decay": 0.0})
    reference = build(groups, lr=1.0, fused=True, **more)
    images = (tiny.train.images.float() / 255 - 0.1307) / 0.3081
    for number, index in enumerate(torch.arange(300).split(128), start=1):
        loss, correct = trainer.step(number, index, 0.01 / number, seed=number)
        torch.manual_seed(number)
        for group in reference.param_groups:
            group["lr"] = 0.01 / number
        reference.zero_grad()
        logits = model(images[index])
        expected = F.cross_entropy(logits, tiny.train.labels[index])
        expected.backward()
        reference.step()
        torch.testing.assert_close(loss, expected.detach(), rtol=2e-4, atol=1e-5)
        assert abs(int(correct) - int((logits.argmax(1) == tiny.train.labels[index]).sum())) <= 1
    for name, value in model.state_dict().items():
        # Adam divides by the root of tiny second moments, which magnifies rounding; the three steps move by 2e-2.
        torch.testing.assert_close(trainer.model.state_dict()[name], value, rtol=2e-3, atol=2e-3)


def test_smoothed_labels_give_the_gradient_of_pytorchs_own(tiny: Dataset) -> None:
    trainer = Trainer(CONFIG.replace(label_smoothing=0.2, optimizer="sgd"), tiny)
    model, index = copy.deepcopy(trainer.model), torch.arange(64)
    trainer.step(1, index, 0.0, seed=1)
    torch.manual_seed(1)
    images = (tiny.train.images[index].float() / 255 - 0.1307) / 0.3081
    F.cross_entropy(model(images), tiny.train.labels[index], label_smoothing=0.2).backward()
    for mine, reference in zip(trainer.model.parameters(), model.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, reference.grad, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("bound", [0.0, 0.1, 1000.0])
def test_the_gradient_is_measured_and_shortened_to_the_bound(tiny: Dataset, bound: float) -> None:
    trainer, free = (Trainer(CONFIG.replace(grad_clip=clip, optimizer="sgd"), tiny) for clip in (bound, 0.0))
    for each in (trainer, free):
        each.step(1, torch.arange(64), 0.0, seed=1)
    whole = torch.cat([p.grad.flatten() for p in free.model.parameters() if p.grad is not None])
    assert float(trainer.grad_norm) == pytest.approx(float(whole.norm()), rel=1e-4)
    clipped = torch.cat([p.grad.flatten() for p in trainer.model.parameters() if p.grad is not None])
    factor = min(1.0, bound / float(whole.norm())) if bound else 1.0
    torch.testing.assert_close(clipped, whole * factor, rtol=1e-4, atol=1e-7)


class Hungry(nn.Sequential):
    """Wants memory for more than 20 samples at once."""

    def __init__(self, channels: int, size: int, classes: int) -> None:
        super().__init__(nn.Flatten(), nn.Linear(channels * size * size, classes))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if len(x) > 20:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return super().forward(x)


@pytest.fixture
def hungry() -> Iterator[None]:
    MODELS.add("hungry", "Hungry", Hungry)
    yield
    MODELS.remove("hungry")


@pytest.mark.usefixtures("hungry")
def test_out_of_memory_says_which_batch_fits(tiny: Dataset) -> None:
    with pytest.raises(OutOfMemory, match="a batch of 16 fits") as caught:
        list(fit(CONFIG.replace(model="hungry"), dataset=tiny))
    assert (caught.value.batch_size, caught.value.fits) == (128, 16)


@pytest.mark.usefixtures("hungry")
def test_smaller_batches_are_tried_when_the_failed_step_is_gone(tiny: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception keeps what its frames hold: on a GPU the activations of the batch that was too large."""
    held: list[weakref.ref[torch.Tensor]] = []
    forward = Hungry.forward

    def remember(self: Hungry, x: torch.Tensor) -> torch.Tensor:
        activations = x + 1
        held.append(weakref.ref(activations))
        return forward(self, activations)

    def look(*_: object) -> int:
        assert [reference() for reference in held] == [None]
        return 7

    monkeypatch.setattr(Hungry, "forward", remember)
    monkeypatch.setattr("cnn_demo.training.loop.find_fitting_batch", look)
    with pytest.raises(OutOfMemory, match="a batch of 7 fits"):
        list(fit(CONFIG.replace(model="hungry"), dataset=tiny))


@pytest.mark.usefixtures("hungry")
def test_the_batch_is_tried_with_the_parts_of_the_run(tiny: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []
    step = Trainer.step

    def note(self: Trainer, number: int, index: torch.Tensor, lr: float, seed: int) -> object:
        tried.append((len(index), type(self.optimizer).__name__, self.ema is not None))
        return step(self, number, index, lr, seed)

    monkeypatch.setattr(Trainer, "step", note)
    config = CONFIG.replace(model="hungry", optimizer="sgd", ema=0.9, val_fraction=0.1, patience=2)
    assert find_fitting_batch(config, tiny.spec, 64) == 16
    assert tried == [(64, "SGD", True), (32, "SGD", True), (16, "SGD", True)]
    assert find_fitting_batch(config, tiny.spec, 0) is None


def test_a_foreign_snapshot_is_refused(tiny: Dataset) -> None:
    def last_snapshot(config: TrainConfig) -> Snapshot:
        return [e for e in fit(config, dataset=tiny) if isinstance(e, CheckpointDue)][-1].capture()

    plain = last_snapshot(CONFIG)
    small = Dataset(tiny.spec, tiny.train.take(torch.arange(200)), tiny.test)
    with pytest.raises(ResumeError, match="300 training samples"):
        list(fit(CONFIG, dataset=small, resume=plain))
    with pytest.raises(ResumeError, match="resnet18"):
        list(fit(CONFIG.replace(model="resnet18"), dataset=tiny, resume=plain))
    with pytest.raises(ResumeError, match="it has the state of optimizer, scaler; this run needs"):
        list(fit(CONFIG.replace(ema=0.9), dataset=tiny, resume=plain))
    with pytest.raises(ResumeError, match="raw_weights"):  # the weights of the mean are not those that were trained
        list(fit(CONFIG, dataset=tiny, resume=last_snapshot(CONFIG.replace(ema=0.9))))


def test_compile_failure_is_quiet(
    tiny: Dataset, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_args: object, **_options: object) -> None:
        raise RuntimeError("no compiler on this machine")

    monkeypatch.setattr(torch, "compile", broken)
    started = next(fit(CONFIG.replace(compile="on"), dataset=tiny))
    assert isinstance(started, Started)
    assert started.compiled is False
    assert "no compiler on this machine" in caplog.text
    trainers = [Trainer(CONFIG.replace(compile=compile_), tiny) for compile_ in ("on", "off")]
    for trainer in trainers:
        trainer.step(1, torch.arange(128), 1e-3, seed=0)
    assert torch.equal(*(trainer.model.get_parameter("fc2.weight") for trainer in trainers))

"""What only a CUDA device can show, as tests; ``make gpu`` runs them with longer checks. Skipped without a GPU."""

from __future__ import annotations

import copy

import pytest
import torch

from cnn_demo.datasets.load import Dataset, load_dataset
from cnn_demo.settings.config import TrainConfig
from cnn_demo.training.device import available_devices
from cnn_demo.training.errors import OutOfMemory
from cnn_demo.training.events import CheckpointDue, EpochEnd, Snapshot, Started
from cnn_demo.training.loop import fit
from cnn_demo.training.trainer import Trainer

pytestmark = pytest.mark.cuda


@pytest.fixture(scope="module")
def small() -> Dataset:
    full = load_dataset("mnist-mini")
    return Dataset(full.spec, full.train.take(torch.arange(512)), full.test.take(torch.arange(100)))


CONFIG = TrainConfig(
    model="resnet-small", epochs=2, batch_size=128, device="cuda", compile="off", options={"width": 8, "depth": 1}
)


def test_cuda_is_what_automatic_means(small: Dataset) -> None:
    assert available_devices()[0] == "cuda:0"
    started = next(fit(CONFIG.replace(device="auto"), dataset=small))
    assert isinstance(started, Started)
    assert started.device == "cuda:0"


@pytest.mark.parametrize(("precision", "tolerance"), [("fp32", 1e-2), ("fp16", 3e-2), ("bf16", 5e-2)])
def test_the_first_loss_is_that_of_the_cpu(small: Dataset, precision: str, tolerance: float) -> None:
    index = torch.arange(128)
    host = Trainer(CONFIG.replace(device="cpu"), small).step(1, index, 1e-3, 0)[0]
    trainer = Trainer(CONFIG.replace(precision=precision), small)
    loss = trainer.step(1, index.to(trainer.index_device), 1e-3, 0)[0]
    torch.testing.assert_close(loss.cpu(), host, rtol=tolerance, atol=0)


@pytest.mark.parametrize("precision", ["fp32", "fp16", "bf16"])
def test_no_step_waits_for_the_device(small: Dataset, precision: str) -> None:
    trainer = Trainer(CONFIG.replace(precision=precision, ema=0.9), small)
    index = torch.arange(128, device=trainer.index_device)
    trainer.step(1, index, 1e-3, 1)
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        for number in range(2, 6):
            trainer.step(number, index, 1e-3, number)
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_a_run_resumes_where_it_was(small: Dataset, precision: str) -> None:
    config, kept = CONFIG.replace(precision=precision), {}
    for event in fit(config, dataset=small, checkpoint_steps=(3,)):
        if isinstance(event, CheckpointDue):
            taken = event.capture()
            parts = copy.deepcopy((taken.weights, taken.state, taken.meta))
            kept[event.step] = Snapshot(taken.step, taken.epoch, *parts)
    last = max(kept)
    ends = [e.capture() for e in fit(config, dataset=small, resume=kept[3]) if isinstance(e, CheckpointDue)]
    assert ends[-1].step == last
    for name, value in kept[last].weights.items():
        torch.testing.assert_close(ends[-1].weights[name], value, rtol=1e-3, atol=1e-3)


def test_a_compiled_run_learns_what_an_eager_one_learns(small: Dataset) -> None:
    losses = {}
    for mode in ("off", "on"):
        config = TrainConfig(epochs=1, device="cuda", compile=mode, options={"dropout": 0.0})
        losses[mode] = [e.train.loss for e in fit(config, dataset=small) if isinstance(e, EpochEnd)]
    assert losses["on"] == pytest.approx(losses["off"], rel=0.02)


def test_too_large_a_batch_is_answered_with_one_that_fits() -> None:
    data = load_dataset("mnist-mini")
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(2**30 / torch.cuda.get_device_properties(0).total_memory)
    try:
        with pytest.raises(OutOfMemory) as caught:
            list(fit(CONFIG.replace(batch_size=8000, options={"width": 32, "depth": 2}), dataset=data))
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert caught.value.fits

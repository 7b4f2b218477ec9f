"""The meter: means over samples, time that counts, losses that are no numbers."""

from __future__ import annotations

import pytest
import torch

from cnn_demo.training import meter as module
from cnn_demo.training.errors import TrainingDiverged
from cnn_demo.training.meter import Meter


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(module.time, "perf_counter", lambda: now[0])
    return now


def test_means_are_over_samples_and_time_runs_from_start_to_flush(clock: list[float]) -> None:
    meter = Meter(torch.device("cpu"), steps_per_epoch=4)
    assert meter.flush() is None
    clock[0] += 50  # somebody else's time
    meter.start()
    meter.add(1, torch.tensor(2.0), torch.tensor(3), 4, 0.1, torch.tensor(0.5))
    meter.add(2, torch.tensor(1.0), torch.tensor(1), 1, 0.2, torch.tensor(0.25))
    clock[0] += 2
    assert meter.seconds == 2
    told = meter.flush()
    assert told is not None
    assert [(m.step, m.epoch, m.loss, m.accuracy, m.n, m.lr, m.grad_norm) for m in told.steps] == [
        (1, 0.25, 2.0, 0.75, 4, 0.1, 0.5),
        (2, 0.5, 1.0, 1.0, 1, 0.2, 0.25),
    ]
    assert (told.samples_per_second, told.train_seconds) == (2.5, 2)
    mean = meter.end_epoch()
    assert (mean.loss, mean.accuracy, mean.n, mean.seconds) == (9 / 5, 4 / 5, 5, 2)
    assert meter.sums == (0.0, 0, 0, 0.0)
    assert meter.train_seconds == 2


def test_the_first_step_without_a_finite_loss_is_named() -> None:
    meter = Meter(torch.device("cpu"), steps_per_epoch=4)
    for step, loss in enumerate((1.0, float("nan"), float("inf")), start=1):
        meter.add(step, torch.tensor(loss), torch.tensor(0), 1, step / 10, torch.tensor(1.0))
    with pytest.raises(TrainingDiverged, match="step 2") as caught:
        meter.flush()
    assert (caught.value.step, caught.value.lr) == (2, 0.2)

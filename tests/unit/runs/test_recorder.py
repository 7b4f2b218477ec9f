"""What a worker reports, and what reaches it."""

from __future__ import annotations

import math

import pytest

from cnn_demo.runs.recorder import Recorder, StoreControl
from cnn_demo.runs.records import RunState
from cnn_demo.runs.store import Store
from cnn_demo.settings.config import TrainConfig
from cnn_demo.training.events import EpochEnd, EvalResult, Progress, Snapshot, Started, StepMetrics
from tests.unit.runs.made_events import epoch_end, steps


def test_stop_pause_resume_and_rate_reach_the_loop(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cnn_demo.runs.recorder.REQUEST_SECONDS", 0.0)
    run = store.create(TrainConfig())
    with store.lock(run.id):
        claimed = store.claim_own(["cpu"], run.id)
        assert claimed is not None
        recorder, control = Recorder(store, claimed), StoreControl(store, run.id)
        recorder.started(Started(0, 8, 4, 99, "cpu", 40), {"torch": "x"})
        assert store.get(run.id).state is RunState.RUNNING
        store.pause(run.id)
        control.refresh()
        assert control.paused
        recorder.state(RunState.PAUSED)
        store.set_lr(run.id, 0.25)
        store.resume(run.id)
        control.refresh()
        assert (control.paused, control.take_lr(), control.take_lr()) == (False, 0.25, None)
        control.refresh()
        assert control.take_lr() is None, "a request is carried out once"
        store.stop(run.id)
        control.refresh()
        assert control.stopping
        recorder.state(RunState.RUNNING)
        assert store.get(run.id).state is RunState.STOPPING, "a late event must not hide the stop"
        recorder.end(RunState.STOPPED)
    assert store.get(run.id).state is RunState.STOPPED


def test_rewind_forgets_what_will_be_made_again(store: Store) -> None:

    run = store.create(TrainConfig())
    recorder = Recorder(store, run)
    recorder.progress(steps(1, 10))
    recorder.epoch_end(epoch_end(1, 4))
    recorder.epoch_end(epoch_end(2, 8))
    recorder.mark("lr", 3, 0.75, 0.5)
    recorder.mark("lr", 6, 1.5, 0.1)
    plan = recorder.rewind(Snapshot(5, 1.25, {}, {}))
    assert plan == [(6, 0.1)]
    assert store.steps(run.id).step == [1, 2, 3, 4, 5]
    assert [e.epoch for e in store.epochs(run.id)] == [1]
    assert store.get(run.id).step == 5
    assert len(store.marks(run.id)) == 2, "what happened stays on the record"


def test_a_rate_set_after_a_resume_takes_the_place_of_later_ones(store: Store) -> None:
    run = store.create(TrainConfig())
    recorder = Recorder(store, run)
    recorder.mark("lr", 20, 2.0, 0.3)
    recorder.mark("lr", 60, 6.0, 0.5)
    recorder.mark("crash", 70, 7.0)
    recorder.mark("lr", 40, 4.0, 1e-4)  # resumed from step 30, and changed at 40
    assert [(m.kind, m.step, m.value) for m in store.marks(run.id)] == [
        ("lr", 20, 0.3),
        ("crash", 70, None),
        ("lr", 40, 1e-4),
    ]
    assert store.rewind(run.id, 30, 3.0) == [(40, 1e-4)]


def test_marks_keep_their_order_when_the_clock_jumps(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    run = store.create(TrainConfig())
    for step, now in ((1, 2e9), (2, 1e9), (3, 1.5e9)):
        monkeypatch.setattr("time.time", lambda now=now: now)
        Recorder(store, run).mark("restart", step, 0.1)
    assert [mark.step for mark in store.marks(run.id)] == [1, 2, 3]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_recorded_all_the_same(store: Store, value: float) -> None:
    run = store.create(TrainConfig())
    recorder = Recorder(store, run)
    made = (StepMetrics(1, 0.25, 2.0, 0.5, 10, 1e-3), StepMetrics(2, 0.5, value, 0.5, 10, 1e-3))
    recorder.progress(Progress(made, 1.0, 1.0, 0))
    bad = EvalResult(value, 0.1, 40)
    recorder.epoch_end(EpochEnd(1, 2, bad, bad, bad, 1e-3, 1000.0))
    assert store.steps(run.id).loss == [2.0]
    (row,) = store.epochs(run.id)
    assert math.isnan(row.train_loss)
    assert math.isnan(row.test_loss)
    assert row.val_loss is not None
    assert math.isnan(row.val_loss)
    found = store.get(run.id)
    assert (found.test_accuracy, found.val_n) == (0.1, 40)
    assert len(store.metrics_csv(run.id).splitlines()) == 3


def test_without_validation_there_is_none(store: Store) -> None:
    run = store.create(TrainConfig())
    Recorder(store, run).epoch_end(epoch_end(1, 4))
    assert store.epochs(run.id)[0].val_loss is None
    assert store.get(run.id).val_loss is None

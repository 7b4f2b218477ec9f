"""Where a run goes on when its newest checkpoints are damaged: never from step 0 by itself, and nothing is deleted."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from cnn_demo.datasets.load import Dataset, load_dataset
from cnn_demo.prediction.load import load_folder
from cnn_demo.runs import recovery
from cnn_demo.runs.records import Run, RunState
from cnn_demo.runs.store import Store
from cnn_demo.settings.config import TrainConfig
from cnn_demo.training.events import EpochEnd, Event, Progress
from tests.unit.runs.processes import train_here

pytestmark = pytest.mark.usefixtures("small_data")
CONFIG = TrainConfig(batch_size=25, epochs=4, device="cpu", seed=3)  # 16 steps an epoch


@pytest.fixture
def stopped(store: Store) -> Run:
    """A run with the checkpoints 0, 10, 16, 30, 32; the last two can be gone on from exactly."""

    def stop(event: object) -> None:
        if isinstance(event, EpochEnd) and event.epoch == 2:
            store.stop(run_id)

    run_id = store.create(CONFIG).id
    run = train_here(store, on_event=stop)
    assert (run.state, run.step) == (RunState.STOPPED, 32)
    assert [c.step for c in store.checkpoints(run_id)] == [0, 10, 16, 30, 32]
    return run


def damage(store: Store, run_id: str, *steps: int, file: str = "weights.safetensors") -> None:
    for checkpoint in store.checkpoints(run_id):
        if checkpoint.step in steps:
            path = checkpoint.path / file
            path.write_bytes(path.read_bytes()[:-1] + b"?")


def resume(store: Store, run_id: str, on_event: Callable[[object], None] | None = None) -> Run:
    store.resume(run_id)
    return train_here(store, on_event=on_event)


def weights_of(path: Path) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in load_folder(path).model.state_dict().items()}


def test_one_damaged_checkpoint_costs_only_time(store: Store, stopped: Run) -> None:
    damage(store, stopped.id, 32)
    run = resume(store, stopped.id)
    assert run.state is RunState.FINISHED, run.error
    assert [(m.kind, m.step) for m in store.marks(run.id)] == [("checkpoint_lost", 32), ("restart", 30)]
    whole_id = store.create(CONFIG).id
    train_here(store)
    expected, found = (weights_of(store.checkpoints(i)[-1].path) for i in (whole_id, run.id))
    assert all(torch.equal(value, found[name]) for name, value in expected.items())


@pytest.mark.parametrize("file", ["weights.safetensors", "state.safetensors"])
def test_two_damaged_checkpoints_ask_and_go_on_from_the_weights_between(store: Store, stopped: Run, file: str) -> None:
    damage(store, stopped.id, 30, 32, file=file)
    newest = 16 if file == "weights.safetensors" else 32
    before = store.metrics_csv(stopped.id)
    failed = resume(store, stopped.id)
    assert (failed.state, failed.error_kind) == (RunState.FAILED, "checkpoint_unreadable")
    assert failed.hint[recovery.FRESH_STATE] == newest
    assert f"step {newest}" in failed.error
    assert store.metrics_csv(failed.id) == before, "nothing was deleted while a person decides"
    assert resume(store, failed.id).state is RunState.FAILED, "it asks again"
    asked = weights_of(next(c.path for c in store.checkpoints(failed.id) if c.step == newest))

    seen: list[int] = []
    recovery.go_on_from_weights(store, failed.id)

    def note(event: Event) -> None:
        if isinstance(event, Progress):
            seen.append(event.steps[0].step)

    done = train_here(store, on_event=note)
    assert done.state is RunState.FINISHED, done.error
    assert seen[0] == newest + 1
    assert (recovery.FRESH_STATE, newest) in [(m.kind, m.step) for m in store.marks(done.id)]
    kept = next(c.path for c in store.checkpoints(done.id) if c.step == newest)
    assert all(torch.equal(value, weights_of(kept)[name]) for name, value in asked.items())
    if newest < 32:
        (aside,) = recovery.find_earlier(store, done.id)
        assert (aside / "metrics.csv").read_bytes() == before.encode()
        assert sorted(path.name for path in aside.glob("step-*")) == ["step-00000030", "step-00000032"]


def test_everything_newer_than_step_0_damaged_asks_before_it_begins_again(store: Store, stopped: Run) -> None:
    damage(store, stopped.id, 10, 16, 30, 32)
    failed = resume(store, stopped.id)
    assert (failed.error_kind, failed.hint[recovery.FRESH_STATE]) == ("checkpoint_unreadable", 0)
    assert failed.step == 32
    recovery.go_on_from_weights(store, failed.id)
    done = train_here(store)
    assert done.state is RunState.FINISHED
    rows = list(csv.DictReader((recovery.find_earlier(store, done.id)[0] / "metrics.csv").open()))
    assert len(rows) == 32


def test_an_old_choice_is_not_taken_for_a_new_one(store: Store, stopped: Run) -> None:
    damage(store, stopped.id, 30, 32)
    failed = resume(store, stopped.id)
    recovery.go_on_from_weights(store, failed.id)

    def stop(event: object) -> None:
        if isinstance(event, EpochEnd) and event.epoch == 3:
            store.stop(failed.id)

    again = train_here(store, on_event=stop)
    assert (again.state, again.step) == (RunState.STOPPED, 48)
    damage(store, again.id, 32, 48)
    asked = resume(store, again.id)
    assert asked.hint[recovery.FRESH_STATE] == 30, "not 16, the choice of the first time"


def test_a_full_disk_while_it_is_set_aside_loses_nothing(
    store: Store, stopped: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    damage(store, stopped.id, 32)
    before = store.metrics_csv(stopped.id)
    with monkeypatch.context() as patch:
        patch.setattr(recovery, "set_aside", full)
        assert resume(store, stopped.id).error_kind == "disk_full"
    assert store.metrics_csv(stopped.id) == before
    assert resume(store, stopped.id).state is RunState.FINISHED


def test_going_on_twice_is_going_on_once(store: Store, stopped: Run) -> None:
    damage(store, stopped.id, 30, 32)
    failed = resume(store, stopped.id)
    for _ in range(2):  # a double click
        assert recovery.go_on_from_weights(store, failed.id).state is RunState.QUEUED
    assert [m.kind for m in store.marks(failed.id)].count(recovery.FRESH_STATE) == 1


def test_a_checkpoint_of_other_data_is_named(store: Store, stopped: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = load_dataset("mnist-mini")
    fewer = Dataset(whole.spec, whole.train.take(np.arange(300)), whole.test.take(np.arange(50)))
    monkeypatch.setattr("cnn_demo.datasets.load.load_dataset", lambda *_, **__: fewer)
    failed = resume(store, stopped.id)
    assert (failed.state, failed.error_kind) == (RunState.FAILED, "checkpoint_misfit")
    assert "400 training samples" in failed.error
    assert len(store.steps(failed.id)) == 32

"""Metrics, checkpoints and what a picker offers."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable

import pytest

from cnn_demo.runs.recorder import Recorder
from cnn_demo.runs.records import Run, RunNotFound
from cnn_demo.runs.store import Store
from cnn_demo.settings.config import TrainConfig
from tests.unit.runs.made_events import epoch_end, statements_of, steps


def test_csv_has_a_line_a_step_and_the_test_figures_at_epoch_ends(store: Store) -> None:
    run = store.create(TrainConfig())
    recorder = Recorder(store, run)
    recorder.progress(steps(1, 4))
    recorder.epoch_end(epoch_end(1, 4, accuracy=0.75))
    rows = list(csv.DictReader(io.StringIO(store.metrics_csv(run.id))))
    assert [row["step"] for row in rows] == ["1", "2", "3", "4"]
    assert (rows[3]["test_accuracy"], rows[3]["test_n"], rows[2]["test_accuracy"]) == ("0.75", "20", "")
    with pytest.raises(RunNotFound):
        store.metrics_csv("nosuch")


def put_files(store: Store, run: Run, step: int, epoch: float) -> None:
    folder = store.folder(run.id) / f"checkpoints/{step}"
    folder.mkdir(parents=True)
    (folder / "weights.safetensors").touch()
    Recorder(store, run).checkpoint(step, epoch, f"checkpoints/{step}")


@pytest.fixture
def validated(store: Store, make_run: Callable[..., Run]) -> Run:
    """Three epochs of 20 steps; the validation loss was lowest after the second."""
    run = make_run("stopped", epochs=3)
    for epoch, best in ((1, True), (2, True), (3, False)):
        metrics = {"test_accuracy": 0.5 + epoch / 10, "test_n": 100, "val_loss": 1.0, "val_n": 50}
        store.add_epoch(run.id, epoch, 20 * epoch, metrics, best=best)
        put_files(store, run, 20 * epoch, epoch)
    put_files(store, run, 65, 3.25)
    return run


def test_newest_best_and_one_of_a_step(store: Store, validated: Run) -> None:
    newest, best = store.newest_checkpoint(validated.id), store.best_checkpoint(validated.id)
    assert newest is not None
    assert best is not None
    assert (newest.step, newest.best, newest.test_accuracy) == (65, False, None)
    assert (best.step, best.best, best.test_accuracy, best.test_n) == (40, True, 0.7, 100)
    assert store.checkpoint_at(validated.id, 40) == best
    assert store.checkpoint_at(validated.id, 41) is None
    assert [(c.step, c.best) for c in store.checkpoints(validated.id)] == [
        (20, False),
        (40, True),
        (60, False),
        (65, False),
    ]


def test_a_checkpoint_without_files_is_none(store: Store, validated: Run) -> None:
    for step in (40, 65):
        (store.folder(validated.id) / f"checkpoints/{step}/weights.safetensors").unlink()
    newest = store.newest_checkpoint(validated.id)
    assert newest is not None
    assert newest.step == 60
    assert store.best_checkpoint(validated.id) is None
    assert [c.step for c in store.checkpoints(validated.id)] == [20, 60]


def test_no_run_no_checkpoint(store: Store) -> None:
    run = store.create(TrainConfig())
    assert store.newest_checkpoint(run.id) is store.best_checkpoint(run.id) is None
    for ask in (store.newest_checkpoint, store.best_checkpoint, lambda run_id: store.checkpoint_at(run_id, 1)):
        with pytest.raises(RunNotFound):
            ask("nosuch")


def test_a_rewind_changes_what_is_best(store: Store, validated: Run) -> None:
    store.rewind(validated.id, 20, 1.0)
    best = store.best_checkpoint(validated.id)
    assert best is not None
    assert best.step == 20


def test_a_picker_asks_once_whatever_there_is(store: Store, validated: Run, make_run: Callable[..., Run]) -> None:
    waiting = store.create(TrainConfig())
    make_run("failed", epochs=0)
    without_best = make_run("finished", epochs=1)
    put_files(store, without_best, 20, 1.0)
    with statements_of(store) as said:
        choices = store.runs_with_checkpoints()
    assert len(said) == 1
    assert [(c.run.id, c.newest_step, c.best_step) for c in choices] == [
        (without_best.id, 20, None),
        (waiting.id, None, None),
        (validated.id, 65, 40),
    ]
    assert [c.run.id for c in store.runs_with_checkpoints(limit=1)] == [without_best.id]


def test_speeds_are_found_by_key_and_device(store: Store) -> None:
    assert store.find_speed("a") is None
    store.add_speed("cpu", "a", 10.0)
    store.add_speed("cuda:1", "a", 99.0)
    store.add_speed("cuda:1", "a", 100.0)
    store.add_speed("cuda_1", "b", 5.0)
    assert store.find_speed("a", "cuda") == 100.0
    assert store.find_speed("a", "cpu") == 10.0
    assert store.find_speed("a") in (10.0, 100.0)
    assert store.find_speed("b", "cuda:") is None

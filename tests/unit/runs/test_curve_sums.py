"""Curves from sums that are kept: right, small, and not read again."""

from __future__ import annotations

import math
import random

import pytest
from sqlalchemy import update

from cnn_demo.runs.curve_sums import MAX_POINTS, CurveSums
from cnn_demo.runs.recorder import Recorder
from cnn_demo.runs.step_blocks import add_block
from cnn_demo.runs.store import Store
from cnn_demo.runs.tables import step_blocks
from cnn_demo.settings.config import TrainConfig
from cnn_demo.training.events import Progress, StepMetrics
from tests.unit.runs.made_events import statements_of, steps


def test_curve_buckets_are_sample_weighted_means(store: Store) -> None:
    run = store.create(TrainConfig())
    made = [
        StepMetrics(1, 0.25, 4.0, 0.0, 30, 1e-3),
        StepMetrics(2, 0.5, 1.0, 1.0, 10, 1e-3),
        StepMetrics(3, 0.75, 2.0, 0.5, 10, 5e-4),
    ]
    Recorder(store, run).progress(Progress(tuple(made), 1.0, 1.0, 0))
    curve = store.steps(run.id, points=2)
    assert curve.step == [2, 3]
    assert curve.epoch == [0.5, 0.75]
    assert curve.loss == pytest.approx([(4 * 30 + 1 * 10) / 40, 2.0])
    assert curve.accuracy == pytest.approx([0.25, 0.5])
    assert len(store.steps(run.id)) == 3


def test_the_gradients_length_is_the_mean_of_the_steps_that_have_one(store: Store) -> None:
    run = store.create(TrainConfig())
    norms = [3.0, 1.0, None, 5.0, math.inf]
    made = [StepMetrics(i, i / 4, 1.0, 0.5, 10, 1e-3, norm) for i, norm in enumerate(norms, start=1)]
    Recorder(store, run).progress(Progress(tuple(made), 1.0, 1.0, 0))
    curve = store.steps(run.id, points=3)
    assert curve.grad_norm[:2] == [2.0, 5.0]
    assert math.isnan(curve.grad_norm[2])
    assert curve.loss == [1.0] * 3


def test_blocks_of_before_there_was_a_gradient_are_drawn(store: Store) -> None:
    run = store.create(TrainConfig())
    with store.db.transaction() as connection:
        names = ("step", "epoch", "lr", "n", "loss", "accuracy")
        rows = ([1.0, 2.0], [0.5, 1.0], [0.1, 0.1], [4.0, 4.0], [2.0, 1.0], [0.0, 1.0])
        add_block(connection, run.id, dict(zip(names, rows, strict=True)))
    curve = store.steps(run.id)
    assert (curve.loss, [math.isnan(norm) for norm in curve.grad_norm]) == ([2.0, 1.0], [True, True])
    assert store.metrics_csv(run.id).splitlines()[1].startswith("1,0.5,0.1,4,2.0,0.0,,")


@pytest.mark.parametrize("count", [1, 499, 500, 501, 1003])
def test_curve_never_has_more_points_than_asked(store: Store, count: int) -> None:
    run = store.create(TrainConfig())
    Recorder(store, run).progress(steps(1, count))
    curve = store.steps(run.id, points=500)
    assert len(curve) <= 500
    assert curve.step[-1] == count
    assert len(curve) >= min(count, 250)


def test_sums_that_grow_give_what_one_look_gives(store: Store) -> None:
    run = store.create(TrainConfig())
    recorder, watched = Recorder(store, run), Store(store.home)
    dice, last = random.Random(3), 0
    while last < 6000:
        count = dice.choice((1, 7, 300, 900))
        recorder.progress(steps(last + 1, last + count))
        last += count
        points = dice.choice((1, 2, 100, 500, MAX_POINTS))
        grown, fresh = watched.steps(run.id, points=points), Store(store.home).steps(run.id, points=points)
        assert (grown.step, grown.epoch) == (fresh.step, fresh.epoch)
        for name in ("loss", "accuracy", "lr"):
            assert getattr(grown, name) == pytest.approx(getattr(fresh, name))
        assert len(grown) <= points


def test_only_new_steps_are_read(store: Store) -> None:
    run = store.create(TrainConfig())
    recorder = Recorder(store, run)
    recorder.progress(steps(1, 50))
    store.steps(run.id)
    # Changed behind the back of the sums: whoever read all steps again would see it.
    with store.db.transaction() as connection:
        connection.execute(update(step_blocks).values(data=b""))
    recorder.progress(steps(51, 60))
    curve = store.steps(run.id)
    assert len(curve) == 60
    assert curve.loss[0] == 1.0


def test_a_rewind_voids_the_sums(store: Store) -> None:
    run = store.create(TrainConfig())
    recorder, other = Recorder(store, run), Store(store.home)
    recorder.progress(steps(1, 20))
    assert len(other.steps(run.id)) == 20
    recorder.rewind(None)
    again = [StepMetrics(i, i / 4, 7.0, 0.5, 10, 1e-3) for i in range(1, 26)]
    recorder.progress(Progress(tuple(again), 1.0, 1.0, 0))
    assert other.steps(run.id).loss == [7.0] * 25


def test_a_look_is_two_statements(store: Store) -> None:
    run = store.create(TrainConfig())
    Recorder(store, run).progress(steps(1, 3000))
    with statements_of(store) as said:
        store.steps(run.id)
        store.steps(run.id)
    assert len(said) == 4


def test_memory_is_bounded(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cnn_demo.runs.curve_sums._MAX_RUNS", 2)
    monkeypatch.setattr("cnn_demo.runs.curve_sums._MAX_BUCKETS", 8)
    sums = CurveSums()
    ids = [store.create(TrainConfig()).id for _ in range(3)]
    for run_id in ids:
        Recorder(store, store.get(run_id)).progress(steps(1, 1000))
        with store.db.read() as connection:
            assert len(sums.read_curve(connection, run_id, 8)) == 8
    assert list(sums._runs) == ids[1:]
    assert all(len(kept.buckets) <= 8 for kept in sums._runs.values())


@pytest.mark.parametrize("points", [0, -1, MAX_POINTS + 1])
def test_too_many_points_are_refused(store: Store, points: int) -> None:
    run = store.create(TrainConfig())
    with pytest.raises(ValueError, match=str(points)):
        store.steps(run.id, points=points)


def test_a_run_that_is_gone_has_no_curve(store: Store) -> None:
    curve = store.steps("nosuch")
    assert (len(curve), curve.loss) == (0, [])

"""The store: wishes, states, metrics, and what several processes may do at once."""

from __future__ import annotations

import csv
import dataclasses
import io
import multiprocessing
import shutil
from pathlib import Path

import pytest

from cnn_demo.runs.home import runs_home
from cnn_demo.runs.recorder import Recorder, StoreControl
from cnn_demo.runs.records import RunBusy, RunNotFound, RunNotResumable, RunState
from cnn_demo.runs.store import Store
from cnn_demo.settings.config import ConfigError, TrainConfig
from cnn_demo.training.events import EpochEnd, EvalResult, Progress, Started, StepMetrics


def steps(first: int, last: int, per_epoch: int = 4) -> Progress:
    made = tuple(StepMetrics(i, i / per_epoch, 1 / i, i / 100, 10, 1e-3) for i in range(first, last + 1))
    return Progress(made, 1000.0, last * 0.1, 2**20)


def epoch_end(epoch: int, step: int, accuracy: float = 0.9) -> EpochEnd:
    return EpochEnd(epoch, step, EvalResult(0.5, 0.8, 40, 0.4), EvalResult(0.4, accuracy, 20), None, 1e-3, 1000.0)


def test_home_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CNN_DEMO_HOME", str(tmp_path / "x"))
    assert runs_home() == tmp_path / "x"
    monkeypatch.delenv("CNN_DEMO_HOME")
    assert runs_home().name == "runs"
    assert (runs_home().parent / "app.py").name == "app.py"


def test_a_run_is_found_again_by_another_process(store: Store) -> None:
    run = store.create(TrainConfig(lr=0.5), name="mine")
    other = Store(store.home).get(run.id)
    assert (other.config.lr, other.name, other.state, other.queue_position) == (0.5, "mine", RunState.QUEUED, 1)
    assert other.title == "mine"
    assert store.rename(run.id, "  ").title == "cnn · mnist-mini · 1"


def test_one_token_is_one_run(store: Store) -> None:
    first, second = store.create(TrainConfig(), token="click"), store.create(TrainConfig(), token="click")
    third = store.create(TrainConfig(), token="another click")
    assert first.id == second.id != third.id
    assert len(store.list()) == 2


def _create(home: str, results: multiprocessing.Queue) -> None:  # type: ignore[type-arg]
    results.put(Store(Path(home)).create(TrainConfig(), token="one click").id)


def test_one_token_is_one_run_across_processes(store: Store) -> None:
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    workers = [context.Process(target=_create, args=(str(store.home), results)) for _ in range(6)]
    for worker in workers:
        worker.start()
    ids = {results.get(timeout=60) for _ in workers}
    for worker in workers:
        worker.join()
    assert len(ids) == 1
    assert len(store.list()) == 1


def test_one_active_run_a_device_and_the_queue_moves_by_itself(store: Store) -> None:
    first, second = store.create(TrainConfig(device="cpu")), store.create(TrainConfig())
    gpu = store.create(TrainConfig(device="cuda:0"))
    assert [store.get(r.id).queue_position for r in (first, second, gpu)] == [1, 2, 3]
    taken, lock = store.claim(["cpu"])
    assert (taken.id, taken.state, taken.device) == (first.id, RunState.STARTING, "cpu")
    # The second waits for the CPU; the third is not held up by it (and will fail in words, for there is no GPU).
    other, other_lock = store.claim(["cpu"])
    assert (other.id, other.device) == (gpu.id, "cuda:0")
    assert store.claim(["cpu"]) is None
    Recorder(store, taken).end(RunState.FINISHED)
    lock.release()
    third, third_lock = store.claim(["cpu"])
    assert third.id == second.id
    other_lock.release()
    third_lock.release()


def test_auto_spreads_over_gpus_of_one_kind_only(store: Store) -> None:
    for _ in range(3):
        store.create(TrainConfig(device="auto"))
    devices = ["cuda:0", "cuda:1", "cpu"]
    (a, lock_a), (b, lock_b) = store.claim(devices), store.claim(devices)
    assert {a.device, b.device} == {"cuda:0", "cuda:1"}
    assert store.claim(devices) is None
    lock_a.release()
    lock_b.release()


def test_dead_worker_is_found_by_its_lock(store: Store) -> None:
    store.create(TrainConfig())
    run, lock = store.claim(["cpu"])
    assert store.get(run.id).state is RunState.STARTING
    lock.release()
    found = store.get(run.id)
    assert (found.state, found.error_kind) == (RunState.CRASHED, "killed")
    assert store.marks(run.id) == [], "reading does not write"
    store.maintain()
    assert store.get(run.id) == dataclasses.replace(found, ended=store.get(run.id).ended, version=found.version + 1)
    assert [m.kind for m in store.marks(run.id)] == ["crash"]
    with pytest.raises(RunNotFound):
        Store(store.home).get("nosuch")


def test_deleted_folder_is_said_and_the_rest_lives(store: Store) -> None:
    other = store.create(TrainConfig(), name="bystander")
    store.stop(other.id)
    store.create(TrainConfig())
    run, lock = store.claim(["cpu"])
    shutil.rmtree(store.folder(run.id))
    found = store.get(run.id)
    assert (found.state, found.error_kind) == (RunState.CRASHED, "folder_missing")
    assert store.get(other.id).name == "bystander"
    lock.release()


def test_command_line_run_that_died_waiting_is_found(store: Store) -> None:
    run_id = store.new_id()
    store.folder(run_id).mkdir()
    with store.lock(run_id):
        store.create(TrainConfig(), owned=True, run_id=run_id)
        assert store.get(run_id).state is RunState.QUEUED
        assert store.claim(["cpu"]) is None, "a worker must leave it alone"
    assert store.get(run_id).state is RunState.CRASHED


def test_stop_pause_resume_and_rate_reach_the_loop(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cnn_demo.runs.recorder.REQUEST_SECONDS", 0.0)
    run = store.create(TrainConfig())
    with store.lock(run.id):
        claimed = store.claim_own(["cpu"], run.id)
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
        assert control.take_lr() is None, "a wish is granted once"
        store.stop(run.id)
        control.refresh()
        assert control.stopping
        recorder.state(RunState.RUNNING)
        assert store.get(run.id).state is RunState.STOPPING, "a late event must not hide the stop"
        recorder.end(RunState.STOPPED)
    assert store.get(run.id).state is RunState.STOPPED


def test_queued_run_stops_at_once_and_ended_ones_ignore_wishes(store: Store) -> None:
    run = store.create(TrainConfig())
    assert store.stop(run.id).state is RunState.STOPPED
    assert store.pause(run.id).state is RunState.STOPPED
    assert store.resume(run.id).state is RunState.QUEUED


def test_finished_cannot_be_resumed_and_active_cannot_be_deleted(store: Store, make_run) -> None:
    finished = make_run("finished")
    with pytest.raises(RunNotResumable, match="finished"):
        store.resume(finished.id)
    running = make_run("running", epochs=1)
    with pytest.raises(RunBusy, match="stop it first"):
        store.delete(running.id)
    store.delete(finished.id)
    assert not store.folder(finished.id).exists()
    assert [r.id for r in store.list()] == [running.id]
    assert store.steps(finished.id).step == []


@pytest.mark.parametrize("lr", [0.0, -1.0, 20.0, float("nan")])
def test_bad_rate_is_refused(store: Store, lr: float) -> None:
    run = store.create(TrainConfig())
    with pytest.raises(ConfigError, match="lr"):
        store.set_lr(run.id, lr)


def test_too_long_a_name_is_refused(store: Store) -> None:
    run = store.create(TrainConfig())
    assert store.rename(run.id, " two   words ").name == "two words"
    with pytest.raises(ConfigError, match="80"):
        store.rename(run.id, "x" * 81)


def test_version_moves_with_every_change(store: Store) -> None:
    run = store.create(TrainConfig())
    seen = {(store.version(run.id), store.version())}
    recorder = Recorder(store, run)
    for change in (
        lambda: recorder.progress(steps(1, 2)),
        lambda: recorder.epoch_end(epoch_end(1, 4)),
        lambda: recorder.mark("lr", 2, 0.5, 0.1),
        lambda: recorder.checkpoint(4, 1.0, "checkpoints/x"),
        lambda: store.rename(run.id, "new"),
        lambda: store.stop(run.id),
    ):
        change()
        seen.add((store.version(run.id), store.version()))
    assert len({a for a, _ in seen}) == len({b for _, b in seen}) == 7
    assert store.version("nosuch") == 0
    assert store.version() == Store(store.home).version()


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


@pytest.mark.parametrize("count", [1, 499, 500, 501, 1003])
def test_curve_never_has_more_points_than_asked(store: Store, count: int) -> None:
    run = store.create(TrainConfig())
    Recorder(store, run).progress(steps(1, count))
    curve = store.steps(run.id, points=500)
    assert len(curve) <= 500
    assert curve.step[-1] == count
    assert len(curve) >= min(count, 250)


def test_rewind_forgets_what_will_be_made_again(store: Store) -> None:
    from types import SimpleNamespace

    run = store.create(TrainConfig())
    recorder = Recorder(store, run)
    recorder.progress(steps(1, 10))
    recorder.epoch_end(epoch_end(1, 4))
    recorder.epoch_end(epoch_end(2, 8))
    recorder.mark("lr", 3, 0.75, 0.5)
    recorder.mark("lr", 6, 1.5, 0.1)
    plan = recorder.rewind(SimpleNamespace(step=5, epoch=1.25))
    assert plan == [(6, 0.1)]
    assert store.steps(run.id).step == [1, 2, 3, 4, 5]
    assert [e.epoch for e in store.epochs(run.id)] == [1]
    assert store.get(run.id).step == 5
    assert len(store.marks(run.id)) == 2, "what happened stays on the record"


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


def test_only_one_may_start_a_worker_at_a_time(store: Store) -> None:
    assert store.take_turn("spawn", 60)
    assert not Store(store.home).take_turn("spawn", 60)
    store.end_turn("spawn")
    assert store.take_turn("spawn", 60)
    assert store.take_turn("spawn", 0), "an old turn has passed"

"""Worker processes: real ones, killed, starved and misled."""

from __future__ import annotations

import errno
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from cnn_demo.datasets.download import DatasetUnavailable
from cnn_demo.runs import launcher, worker
from cnn_demo.runs.recorder import Recorder
from cnn_demo.runs.records import Run, RunState
from cnn_demo.runs.store import Store
from cnn_demo.settings.config import TrainConfig
from cnn_demo.training import snapshot
from cnn_demo.training.events import EpochEnd, EvalResult, Event
from cnn_demo.training.snapshot import load_snapshot
from tests.unit.runs.processes import ended, kill_workers, train_here, wait_for

pytestmark = pytest.mark.usefixtures("quick_workers")
CONFIG = TrainConfig(batch_size=250, epochs=2, device="cpu", schedule="cosine")  # 32 steps an epoch


def final_weights(store: Store, run_id: str) -> dict[str, torch.Tensor]:
    # Copies: the tensors of a safetensors file are a window on the file, which a test may spoil.
    weights = load_snapshot(store.checkpoints(run_id)[-1].path).weights
    return {name: value.clone() for name, value in weights.items()}


def test_killed_again_and_again_ends_bit_for_bit_the_same(store: Store) -> None:
    whole = launcher.launch(store, CONFIG)
    assert wait_for(store, whole.id, ended).state is RunState.FINISHED

    run = launcher.launch(store, CONFIG)
    for moment in (
        lambda r: r.state is RunState.STARTING,
        lambda r: r.state is RunState.RUNNING and r.step >= 3,
        lambda r: r.step >= 21,
        lambda r: r.step >= 45,
    ):
        wait_for(store, run.id, moment)
        kill_workers(store)
        found = wait_for(store, run.id, ended)
        assert (found.state, found.error_kind) == (RunState.CRASHED, "killed")
        store.resume(run.id)
        launcher.ensure_worker(store)
    assert wait_for(store, run.id, ended).state is RunState.FINISHED

    expected, got = final_weights(store, whole.id), final_weights(store, run.id)
    assert all(torch.equal(expected[name], got[name]) for name in expected)
    # The record of the run is the same as well, though parts of it were written twice.
    assert store.steps(run.id) == store.steps(whole.id)
    key = lambda rows: [(r.epoch, r.step, r.train_loss, r.test_loss, r.test_accuracy) for r in rows]
    assert key(store.epochs(run.id)) == key(store.epochs(whole.id))
    assert [m.kind for m in store.marks(run.id)].count("crash") == 4


def test_learning_rate_set_before_the_kill_counts_after_it(store: Store) -> None:
    slow = CONFIG.replace(epochs=3)
    run = launcher.launch(store, slow)
    wait_for(store, run.id, lambda r: r.step >= 11)
    store.set_lr(run.id, 1e-4)
    wait_for(store, run.id, lambda _: any(m.kind == "lr" for m in store.marks(run.id)))
    mark = next(m for m in store.marks(run.id) if m.kind == "lr")
    kill_workers(store)
    wait_for(store, run.id, ended)
    store.resume(run.id)
    launcher.ensure_worker(store)
    assert wait_for(store, run.id, ended).state is RunState.FINISHED
    curve = store.steps(run.id)
    base = [
        lr / (0.5 * (1 + torch.cos(torch.tensor(torch.pi * (s - 1) / 96)).item()))
        for s, lr in zip(curve.step, curve.lr, strict=True)
    ]
    expected = [1e-3 if s <= mark.step else 1e-4 for s in curve.step]
    assert base[:90] == pytest.approx(expected[:90], rel=1e-3)


def test_pause_resume_stop_and_the_next_in_line(store: Store) -> None:
    first = launcher.launch(store, CONFIG.replace(epochs=50))
    second = launcher.launch(store, CONFIG.replace(epochs=1))
    wait_for(store, first.id, lambda r: r.step >= 1)
    store.pause(first.id)
    paused = wait_for(store, first.id, lambda r: r.state is RunState.PAUSED)
    assert store.checkpoints(first.id)[-1].step == paused.step
    assert store.get(second.id).state is RunState.QUEUED
    store.resume(first.id)
    wait_for(store, first.id, lambda r: r.state is RunState.RUNNING and r.step > paused.step)
    store.stop(first.id)
    stopped = wait_for(store, first.id, ended)
    assert stopped.state is RunState.STOPPED
    assert store.checkpoints(first.id)[-1].step == stopped.step
    # Nobody looks after the queue here: the second run starts by itself.
    assert wait_for(store, second.id, ended).state is RunState.FINISHED


# -- faults inside a run, in this process --------------------------------------------------------------------------


def run_here(store: Store, config: TrainConfig = CONFIG) -> Run:
    store.create(config)
    return train_here(store)


def test_what_takes_long_before_the_first_step_is_told_and_can_be_stopped(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[dict[str, Any]] = []
    tell = Recorder.activity

    def note(self: Recorder, **what: Any) -> None:
        told.append(what)
        tell(self, **what)
        if what["doing"] == "samples":
            store.stop(self.run.id)
            monkeypatch.setattr(worker.time, "monotonic", lambda: float(len(told) + 1e6))  # the next word is due

    monkeypatch.setattr(Recorder, "activity", note)
    run = run_here(store, CONFIG.replace(augment="handwriting"))
    assert run.state is RunState.STOPPED
    assert run.step == 0
    assert [what["doing"] for what in told] == ["load", "samples"]
    assert 0 < told[-1]["done"] < 0.5
    assert run.activity == {}


def test_full_disk_fails_the_run_and_nothing_else(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    good = run_here(store, CONFIG.replace(epochs=1))
    real = snapshot.save_file
    monkeypatch.setattr(snapshot, "save_file", lambda *a: _raise(OSError(errno.ENOSPC, "No space left on device")))
    run = run_here(store)
    assert (run.state, run.error_kind) == (RunState.FAILED, "disk_full")
    assert str(store.home) in run.error
    monkeypatch.setattr(snapshot, "save_file", real)
    store.resume(run.id)
    assert train_here(store).state is RunState.FINISHED
    assert store.get(good.id).state is RunState.FINISHED
    assert len(store.checkpoints(good.id)) == 4


def test_a_really_full_disk(small_disk: Callable[[int], Path]) -> None:
    disk = small_disk(100)
    store, filler = Store(disk / "home"), disk / "filler"
    filler.write_bytes(bytes(75 * 2**20))
    run = run_here(store, CONFIG.replace(epochs=1))
    assert (run.state, run.error_kind) == (RunState.FAILED, "disk_full")
    history = store.metrics_csv(run.id)
    assert [r.id for r in store.list()] == [run.id]
    filler.unlink()
    store.resume(run.id)
    assert train_here(store).state is RunState.FINISHED
    assert store.metrics_csv(run.id).startswith(history[:200])


def _raise(error: BaseException) -> None:
    raise error


def test_damaged_checkpoint_falls_back_to_the_one_before(store: Store) -> None:
    run = run_here(store, CONFIG.replace(epochs=1))
    expected = final_weights(store, run.id)
    store.change_run(run.id, state="stopped")
    last = store.checkpoints(run.id)[-1]
    (last.path / "weights.safetensors").write_bytes(b"rubbish")
    store.resume(run.id)
    assert train_here(store).state is RunState.FINISHED
    assert [(m.kind, m.step) for m in store.marks(run.id)] == [("checkpoint_lost", 32), ("restart", 30)]
    got = final_weights(store, run.id)
    assert all(torch.equal(expected[name], got[name]) for name in expected)


def test_no_readable_checkpoint_is_said_not_started_over(store: Store) -> None:
    run = run_here(store, CONFIG.replace(epochs=1))
    store.change_run(run.id, state="crashed")
    for checkpoint in store.checkpoints(run.id):
        (checkpoint.path / "checkpoint.json").write_text("{")
    store.resume(run.id)
    failed = train_here(store)
    assert (failed.state, failed.error_kind) == (RunState.FAILED, "checkpoint_unreadable")
    assert len(store.epochs(run.id)) == 1, "the record of the run is still there"


def test_folder_deleted_in_mid_run(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    from cnn_demo.training.events import Progress

    run = store.create(CONFIG)

    def delete_folder(event: Event) -> None:
        if isinstance(event, Progress):
            shutil.rmtree(store.folder(run.id), ignore_errors=True)

    done = train_here(store, delete_folder)
    assert done.state in (RunState.FAILED, RunState.CRASHED)
    assert done.error_kind == "folder_missing"


def test_missing_data_set_carries_the_way_out(store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CNN_DEMO_DATA", str(tmp_path / "nothing"))

    def no_network(*_args: object, **_options: object) -> None:
        raise DatasetUnavailable("mnist", "network", "no mirror answered", root=tmp_path / "nothing")

    monkeypatch.setattr("cnn_demo.datasets.load.load_dataset", no_network, raising=False)
    run = run_here(store, CONFIG.replace(dataset="mnist"))
    assert (run.state, run.error_kind) == (RunState.FAILED, "dataset_unavailable")
    assert run.hint["files"]
    assert str(tmp_path / "nothing") in run.hint["folder"]


@pytest.mark.parametrize(
    ("config", "kind"),
    [
        (CONFIG.replace(device="cuda:3"), "config"),
        (CONFIG.replace(precision="fp16"), "config"),
    ],
)
def test_what_cannot_be_trained_says_why(store: Store, config: TrainConfig, kind: str) -> None:
    failed = run_here(store, config)
    assert (failed.state, failed.error_kind) == (RunState.FAILED, kind)
    assert any(word in failed.error for word in ("cuda:3", "fp16"))


def test_a_run_declared_dead_is_let_go(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cnn_demo.runs.recorder.REQUEST_SECONDS", 0.0)
    run = store.create(CONFIG)

    def declare_dead(_event: object) -> None:
        store.change_run(run.id, state="crashed")

    assert train_here(store, declare_dead).state is RunState.CRASHED


def test_queue_is_counted_without_owned_runs(store: Store) -> None:
    store.create(CONFIG)
    run_id = store.new_id()
    store.folder(run_id).mkdir()
    with store.lock(run_id):
        store.create(CONFIG, owned=True, run_id=run_id)
        assert store.count_queued() == 1


# -- how a run ends -------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("small_data")
def test_an_early_stopped_run_killed_before_it_could_say_so_trains_no_more(store: Store) -> None:
    """From the second epoch on the learning rate is so high that the network gets worse."""
    run_id = store.create(TrainConfig(batch_size=25, epochs=9, device="cpu", val_fraction=0.5, patience=1)).id

    def raise_rate(event: Event) -> None:
        if isinstance(event, EpochEnd):
            store.set_lr(run_id, 0.5)

    early = train_here(store, raise_rate)
    assert early.state is RunState.FINISHED, early.error
    assert early.step < early.total_steps, "the test needs a run that stopped early"
    epochs = store.epochs(early.id)
    store.change_run(early.id, state="crashed")  # as after kill -9 between the last checkpoint and the end
    store.resume(early.id)
    again = train_here(store)
    assert (again.state, again.step) == (RunState.FINISHED, early.step)
    assert store.epochs(early.id) == epochs


@pytest.mark.usefixtures("small_data")
def test_a_loss_in_evaluation_that_is_no_number_is_called_diverged(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cnn_demo.training.loop.evaluate", lambda *_: EvalResult(float("nan"), 0.1, 100))
    failed = run_here(store, TrainConfig(batch_size=100, epochs=1, device="cpu"))
    assert (failed.state, failed.error_kind) == (RunState.FAILED, "diverged")
    assert failed.hint == {"lr": 1e-4}


@pytest.mark.usefixtures("small_data")
def test_the_name_of_a_collection_is_in_no_error(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "abcdefghjkmn"
    empty = run_here(store, TrainConfig(device="cpu", collection=name))

    def locked(*_: object) -> None:
        raise OSError(f"The file lock {store.home / 'collection' / name} could not be acquired.")

    monkeypatch.setattr("cnn_demo.runs.collection.Collection.split", locked)
    broken = run_here(store, TrainConfig(device="cpu", collection=name))
    for run in (empty, broken):
        assert run.state is RunState.FAILED
        assert name not in run.error + run.error_detail + str(run.hint)


def test_a_standby_worker_has_loaded_what_the_first_step_needs() -> None:
    code = """
import itertools, sys
from cnn_demo.runs import worker
from cnn_demo.settings.config import TrainConfig
worker._warm_up()
known = set(sys.modules)
from cnn_demo.runs import finetune, recorder
from cnn_demo.training.loop import fit
list(itertools.islice(fit(TrainConfig(device="cpu")), 3))
late = [name for name in sys.modules if name.startswith("cnn_demo") and name not in known]
assert not late, late
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120, cwd=Path(__file__).parents[3])

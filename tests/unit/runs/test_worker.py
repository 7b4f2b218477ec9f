"""Worker processes: real ones, killed, starved and misled."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import torch

from cnn_demo.datasets.download import DatasetUnavailable
from cnn_demo.runs import launcher, queue, worker
from cnn_demo.runs.recorder import claim
from cnn_demo.runs.records import Run, RunState
from cnn_demo.runs.store import Store
from cnn_demo.settings.config import TrainConfig
from cnn_demo.training.snapshot import load_snapshot

CONFIG = TrainConfig(batch_size=250, epochs=2, device="cpu", schedule="cosine")  # 32 steps an epoch
PATIENCE = 120.0


@pytest.fixture(autouse=True)
def _one_thread_and_no_lingering(monkeypatch: pytest.MonkeyPatch, store: Store) -> Iterator[None]:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("CNN_DEMO_STANDBY", "3")
    yield
    for process in workers(store):
        process.kill()


def workers(store: Store) -> list[psutil.Process]:
    """The live worker processes of a store."""
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        line = process.info["cmdline"] or []
        if (
            "cnn_demo.runs.worker" in line
            and str(store.home) in line
            and process.info["status"] != psutil.STATUS_ZOMBIE
        ):
            found.append(process)
    return found


def wait_for(store: Store, run_id: str, condition: Callable[[Run], bool]) -> Run:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        run = store.get(run_id)
        if condition(run):
            return run
        time.sleep(0.02)
    raise AssertionError(f"not reached: {run}\n{(store.home / 'worker.log').read_text()[-2000:]}")


def ended(run: Run) -> bool:
    return run.state.ended


def final_weights(store: Store, run_id: str) -> dict[str, torch.Tensor]:
    # Copies: the tensors of a safetensors file are a window on the file, which a test may spoil.
    weights = load_snapshot(store.checkpoints(run_id)[-1].path).weights
    return {name: value.clone() for name, value in weights.items()}


def kill_all(store: Store) -> None:
    for process in workers(store):
        os.kill(process.pid, signal.SIGKILL)
        process.wait(timeout=20)


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
        kill_all(store)
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
    kill_all(store)
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


def test_the_launching_process_may_die(store: Store) -> None:
    code = (
        "from cnn_demo.runs import launcher; from cnn_demo.runs.store import Store;"
        "from cnn_demo.settings.config import TrainConfig;"
        "print(launcher.launch(Store(), TrainConfig(batch_size=500, epochs=1, device='cpu')).id)"
    )
    run_id = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert wait_for(store, run_id, ended).state is RunState.FINISHED


def test_worker_that_dies_at_import_is_reported(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "sitecustomize.py").write_text(
        "import sys\nsys.modules['torch'] = None  # as after half an installation\n", encoding="utf-8"
    )
    monkeypatch.setenv("PYTHONPATH", str(broken))
    run = launcher.launch(store, CONFIG)
    failed = wait_for(store, run.id, ended)
    assert (failed.state, failed.error_kind) == (RunState.FAILED, "import")
    assert "torch" in failed.error
    assert "Traceback" in failed.error_detail


def test_worker_that_dies_without_a_word_is_not_replaced_for_ever(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    spawned = []
    monkeypatch.setattr(launcher, "_spawn", spawned.append)
    monkeypatch.setattr(launcher, "_GRACE_SECONDS", 0.0)
    run = launcher.launch(store, CONFIG)
    for _ in range(5):
        launcher.ensure_worker(store)
    assert len(spawned) == 3
    assert (store.get(run.id).state, store.get(run.id).error_kind) == (RunState.FAILED, "import")


def test_standby_waits_is_single_and_leaves(store: Store) -> None:
    launcher.warm(store)
    launcher.warm(store)
    end = time.monotonic() + PATIENCE
    while not launcher.standby_alive(store):
        assert time.monotonic() < end
        time.sleep(0.05)
    assert len(workers(store)) == 1
    worker.wait_and_work(store, idle_seconds=0)  # a second one sees the first and leaves
    while workers(store):
        assert time.monotonic() < end, "the standby should have left after its idle time"
        time.sleep(0.1)


def test_no_standby_is_started_beside_a_training_run(store: Store, make_run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launcher, "_spawn", lambda _: pytest.fail("started"))
    make_run("running", epochs=1)
    launcher.warm(store)


# -- faults inside a run, in this process --------------------------------------------------------------------------


def work(store: Store, on_event: Callable[[object], None] | None = None) -> Run:
    """Be the worker for the run at the head of the queue."""
    run, lock = claim(store, ["cpu"])
    try:
        return worker.execute(store, run, on_event)
    finally:
        lock.release()


def run_here(store: Store, config: TrainConfig = CONFIG) -> Run:
    store.create(config)
    return work(store)


def test_full_disk_fails_the_run_and_nothing_else(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    from cnn_demo.runs import checkpoints

    good = run_here(store, CONFIG.replace(epochs=1))
    real = checkpoints.save_file
    monkeypatch.setattr(checkpoints, "save_file", lambda *a: _raise(OSError(errno.ENOSPC, "No space left on device")))
    run = run_here(store)
    assert (run.state, run.error_kind) == (RunState.FAILED, "disk_full")
    assert str(store.home) in run.error
    monkeypatch.setattr(checkpoints, "save_file", real)
    store.resume(run.id)
    assert work(store).state is RunState.FINISHED
    assert store.get(good.id).state is RunState.FINISHED
    assert len(store.checkpoints(good.id)) == 4


def _raise(error: BaseException) -> None:
    raise error


def test_damaged_checkpoint_falls_back_to_the_one_before(store: Store) -> None:
    run = run_here(store, CONFIG.replace(epochs=1))
    expected = final_weights(store, run.id)
    with store.db.transaction() as db:
        db.execute("UPDATE runs SET state = 'stopped' WHERE id = ?", (run.id,))
    last = store.checkpoints(run.id)[-1]
    (last.path / "weights.safetensors").write_bytes(b"rubbish")
    store.resume(run.id)
    assert work(store).state is RunState.FINISHED
    assert [(m.kind, m.step) for m in store.marks(run.id)] == [("checkpoint_lost", 32), ("restart", 30)]
    got = final_weights(store, run.id)
    assert all(torch.equal(expected[name], got[name]) for name in expected)


def test_no_readable_checkpoint_is_said_not_started_over(store: Store) -> None:
    run = run_here(store, CONFIG.replace(epochs=1))
    with store.db.transaction() as db:
        db.execute("UPDATE runs SET state = 'crashed' WHERE id = ?", (run.id,))
    for checkpoint in store.checkpoints(run.id):
        (checkpoint.path / "checkpoint.json").write_text("{")
    store.resume(run.id)
    failed = work(store)
    assert (failed.state, failed.error_kind) == (RunState.FAILED, "checkpoint_unreadable")
    assert len(store.epochs(run.id)) == 1, "the record of the run is still there"


def test_folder_deleted_in_mid_run(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    from cnn_demo.training.events import Progress

    run = store.create(CONFIG)
    done = work(store, lambda e: isinstance(e, Progress) and shutil.rmtree(store.folder(run.id), ignore_errors=True))
    assert done.state in (RunState.FAILED, RunState.CRASHED)
    assert done.error_kind == "folder_missing"


def test_missing_data_set_carries_the_way_out(store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CNN_DEMO_DATA", str(tmp_path / "nothing"))

    def no_network(*_args, **_options):
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
        (CONFIG.replace(model="lenet"), "error"),
    ],
)
def test_what_cannot_be_trained_says_why(store: Store, config: TrainConfig, kind: str) -> None:
    failed = run_here(store, config)
    assert (failed.state, failed.error_kind) == (RunState.FAILED, kind)
    assert any(word in failed.error for word in ("cuda:3", "fp16", "lenet"))


def test_a_run_declared_dead_is_let_go(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cnn_demo.runs.recorder.WISH_SECONDS", 0.0)
    run = store.create(CONFIG)

    def declare_dead(_event: object) -> None:
        with store.db.transaction() as db:
            db.execute("UPDATE runs SET state = 'crashed' WHERE id = ?", (run.id,))

    assert work(store, declare_dead).state is RunState.CRASHED


def test_queue_is_counted_without_owned_runs(store: Store) -> None:
    store.create(CONFIG)
    run_id = store.new_id()
    store.folder(run_id).mkdir()
    with store.lock(run_id):
        store.create(CONFIG, owned=True, run_id=run_id)
        assert queue.count_queued(store) == 1

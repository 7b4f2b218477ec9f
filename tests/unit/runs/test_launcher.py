"""Launching: the queue moves though nobody looks, whoever dies."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

from cnn_demo.runs import launcher, worker
from cnn_demo.runs.records import Run, RunState
from cnn_demo.runs.store import Store
from cnn_demo.settings.config import TrainConfig
from tests.unit.runs.processes import PATIENCE, ended, kill_workers, wait_for, wait_until, workers

pytestmark = pytest.mark.usefixtures("quick_workers")
CONFIG = TrainConfig(batch_size=500, epochs=1, device="cpu")
LONG = [sys.executable, "-m", "cnn_demo", "train", "--epochs", "500", "--device", "cpu"]


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


def test_worker_that_dies_at_once_is_replaced_a_few_times_only(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    spawned: list[Store] = []
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


def test_no_standby_is_started_beside_a_training_run(
    store: Store, make_run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launcher, "_spawn", lambda _: pytest.fail("started"))
    make_run("running", epochs=1)
    launcher.warm(store)


def test_a_look_at_the_standby_lock_never_sends_a_worker_away(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker comes in the very moment in which a page looks whether there is one."""
    looking, go_on = threading.Event(), threading.Event()
    release = FileLock.release

    def hold_long(lock: FileLock, force: bool = False) -> None:
        if Path(lock.lock_file).name == "standby.lock" and threading.current_thread().name == "page":
            looking.set()
            go_on.wait(PATIENCE)
        release(lock, force)

    monkeypatch.setattr(FileLock, "release", hold_long)
    came: list[bool] = []
    monkeypatch.setattr(worker, "_await_claim", lambda *_: came.append(True))
    page = threading.Thread(target=launcher.standby_alive, args=(store,), name="page")
    page.start()
    assert looking.wait(PATIENCE)
    coming = threading.Thread(target=worker.wait_and_work, args=(store,))
    coming.start()
    coming.join(0.3)  # with the fault it has left by now
    go_on.set()
    page.join()
    coming.join()
    assert came == [True]


def test_a_worker_killed_at_its_start_is_replaced_without_viewers(store: Store) -> None:
    code = (
        "from cnn_demo.runs import launcher; from cnn_demo.runs.store import Store;"
        "from cnn_demo.settings.config import TrainConfig;"
        "print(launcher.launch(Store(), TrainConfig(batch_size=500, epochs=1, device='cpu')).id)"
    )
    run_id = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    wait_until(lambda: workers(store), "a worker")
    kill_workers(store)
    assert wait_for(store, run_id, ended).state is RunState.FINISHED


def test_a_worker_killed_while_it_trains_hands_the_queue_over(store: Store) -> None:
    first = launcher.launch(store, CONFIG.replace(epochs=500))
    wait_for(store, first.id, lambda run: run.step >= 1)
    second = store.create(CONFIG)  # whoever should have started a worker for it was killed
    kill_workers(store)
    assert wait_for(store, second.id, ended).state is RunState.FINISHED
    assert store.get(first.id).error_kind == "killed"


def start_training(store: Store) -> subprocess.Popen[str]:
    """A long run on the command line that holds the device."""
    process = subprocess.Popen(LONG, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_until(lambda: store.list() and store.list()[0].step >= 1, "the first step")
    return process


@pytest.mark.parametrize("how", ["killed", "interrupted twice"])
def test_a_run_in_the_queue_starts_when_train_on_the_command_line_is(store: Store, how: str) -> None:
    process = start_training(store)
    waits = store.create(CONFIG)
    if how == "killed":
        process.kill()
    else:
        while process.poll() is None:
            process.send_signal(signal.SIGINT)
            time.sleep(0.005)
    process.communicate(timeout=60)
    assert wait_for(store, waits.id, ended).state is RunState.FINISHED


def test_a_waiting_train_goes_on_when_the_one_before_is_killed(store: Store) -> None:
    first = start_training(store)
    for watchdog in workers(store, "cnn_demo.runs.watchdog"):
        watchdog.kill()
    command = [sys.executable, "-m", "cnn_demo", "train", "--epochs", "1", "--batch-size", "1000", "--device", "cpu"]
    second = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert "waiting" in (second.stderr.readline() if second.stderr else "")
    first.kill()
    first.communicate()
    out, err = second.communicate(timeout=PATIENCE)
    assert second.returncode == 0, err
    assert "finished" in out


def test_all_runs_in_the_queue_are_failed_when_no_worker_can_start(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The head of the queue fails after three workers; the next must not wait for a viewer to fail, too."""
    monkeypatch.setattr(launcher, "_spawn", lambda _: store.end_turn("spawn"))
    runs = [store.create(CONFIG) for _ in range(2)]
    for _ in range(7):
        launcher.ensure_worker(store)
    assert [store.get(run.id).error_kind for run in runs] == ["import", "import"]


def test_the_clock_may_be_set_back(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    spawned: list[Store] = []
    monkeypatch.setattr(launcher, "_spawn", spawned.append)
    launcher.launch(store, CONFIG)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now - 86_400)
    launcher.ensure_worker(store)
    assert len(spawned) == 2, "the turn taken in what is now the future has passed"

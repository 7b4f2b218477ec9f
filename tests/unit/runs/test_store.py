"""The store: requests, states, metrics, and what several processes may do at once."""

from __future__ import annotations

import dataclasses
import errno
import multiprocessing
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Connection, event

from cnn_demo.runs import launcher
from cnn_demo.runs.home import runs_home
from cnn_demo.runs.recorder import Recorder
from cnn_demo.runs.records import Run, RunBusy, RunNotFound, RunNotResumable, RunState, StoreUnavailable
from cnn_demo.runs.store import Store
from cnn_demo.settings.config import ConfigError, TrainConfig
from tests.unit.runs.made_events import claim_next, epoch_end, statements_of, steps


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


def _create(home: str, results: multiprocessing.Queue[str]) -> None:
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


def test_dead_worker_is_found_by_its_lock(store: Store) -> None:
    store.create(TrainConfig())
    run, lock = claim_next(store, ["cpu"])
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
    run, lock = claim_next(store, ["cpu"])
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


def test_queued_run_stops_at_once_and_ended_ones_ignore_requests(store: Store) -> None:
    run = store.create(TrainConfig())
    assert store.stop(run.id).state is RunState.STOPPED
    assert store.pause(run.id).state is RunState.STOPPED
    assert store.resume(run.id).state is RunState.QUEUED


def test_finished_cannot_be_resumed_and_active_cannot_be_deleted(store: Store, make_run: Callable[..., Run]) -> None:
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


# -- what is read costs little, and writes nothing


def test_a_look_at_the_list_is_the_same_work_with_many_runs(store: Store) -> None:
    def look() -> tuple[int, int]:
        with statements_of(store) as said:
            shown = store.list(limit=3)
            store.any_active()
            store.count()
        return len(said), len(shown)

    for _ in range(4):
        store.create(TrainConfig())
    few = look()
    for _ in range(60):
        store.create(TrainConfig())
    assert look() == few == (6, 3)
    assert [run.queue_position for run in store.list(limit=2, offset=60)] == [4, 3]
    assert store.count() == 64


def test_the_list_is_paged(store: Store) -> None:
    ids = [store.create(TrainConfig()).id for _ in range(5)][::-1]
    assert [run.id for run in store.list()] == ids
    assert [run.id for run in store.list(limit=2)] == ids[:2]
    assert [run.id for run in store.list(limit=2, offset=3)] == ids[3:]
    assert store.list(offset=5) == []


def test_what_is_active(store: Store, make_run: Callable[..., Run]) -> None:
    make_run("finished")
    assert not store.any_active()
    dead = store.create(TrainConfig())
    store.change_run(dead.id, state="running", device="cpu")
    assert not store.any_active(), "its process is gone"
    waiting = store.create(TrainConfig())
    assert store.any_active()
    assert not store.any_training()
    store.stop(waiting.id)
    running = make_run("running", epochs=1)
    assert store.any_training()
    assert store.is_active(running.id)
    assert not store.is_active(dead.id)


def spoil(store: Store, pragma: str) -> None:
    """Let every connection from now on refuse what a full or a write-protected disk refuses."""
    store.db.close()
    event.listen(store.db.engine, "connect", lambda connection, _: connection.execute(f"PRAGMA {pragma}"))


UNWRITABLE = ["query_only = 1", "max_page_count = 1"]


@pytest.mark.parametrize("pragma", UNWRITABLE)
def test_one_dead_run_and_an_unwritable_store_can_be_looked_at(
    store: Store, make_run: Callable[..., Run], pragma: str
) -> None:
    good = make_run("finished", name="good")
    dead = store.create(TrainConfig(device="cpu"))
    store.change_run(dead.id, state="running", device="cpu", activity={"doing": "load"})
    spoil(store, pragma)
    with pytest.raises(StoreUnavailable) as told:
        store.create(TrainConfig(), name="x" * 100_000)
    assert str(store.home) in str(told.value)
    assert (told.value.errno == errno.ENOSPC) == (pragma == "max_page_count = 1")
    found = {run.id: run for run in store.list()}
    assert (found[dead.id].state, found[dead.id].error_kind) == (RunState.CRASHED, "killed")
    assert found[dead.id].activity == {}
    assert store.get(good.id).name == "good"
    assert len(store.steps(good.id)) == 60
    assert store.epochs(good.id)
    launcher.warm(store)  # it does not fail


def test_on_a_full_disk_one_can_delete(store: Store, make_run: Callable[..., Run]) -> None:
    run, other = make_run("finished"), make_run("finished")
    spoil(store, "max_page_count = 1")
    store.delete(run.id)
    assert [found.id for found in store.list()] == [other.id]
    assert not store.folder(run.id).exists()
    assert not list(store.home.glob(".deleted-*"))


def test_files_make_room_where_even_deleting_a_row_needs_some(
    store: Store, make_run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run("finished")
    (store.folder(run.id) / "large").write_bytes(b"x")
    real = store._delete_rows

    def needs_room(connection: Connection, run_id: str) -> None:
        if list(store.home.glob(".deleted-*/large")):
            raise StoreUnavailable(store.home, "database or disk is full")
        real(connection, run_id)

    monkeypatch.setattr(store, "_delete_rows", needs_room)
    store.delete(run.id)
    assert store.list() == []


def test_a_run_that_cannot_be_deleted_keeps_its_files(store: Store, make_run: Callable[..., Run]) -> None:
    run = make_run("finished")
    (store.folder(run.id) / "large").write_bytes(b"x")
    spoil(store, "query_only = 1")
    with pytest.raises(StoreUnavailable, match="readonly"):
        store.delete(run.id)
    assert (store.folder(run.id) / "large").exists()


def test_a_half_deleted_run_is_cleaned_up_later(store: Store, make_run: Callable[..., Run]) -> None:
    run, other = make_run("finished"), make_run("finished")
    store.folder(run.id).rename(store.home / f".deleted-{run.id}")  # and then the process was killed
    assert len(store.list()) == 2
    store.maintain()
    assert [found.id for found in store.list()] == [other.id]
    assert not list(store.home.glob(".deleted-*"))
    assert store.folder(other.id).exists()


def test_a_run_of_another_version_is_not_resumed(store: Store, make_run: Callable[..., Run]) -> None:
    run = make_run("stopped")
    store.change_run(run.id, config={**run.config.to_dict(), "brain": 3})
    found = store.get(run.id)
    assert found.from_other_version
    assert found.unknown_settings == {"brain": 3}
    with pytest.raises(RunNotResumable, match="brain"):
        store.resume(run.id)
    store.delete(run.id)
    assert store.list() == []

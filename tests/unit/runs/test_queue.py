"""The queue: first come, first served for each device, and one small query while nothing changes."""

from __future__ import annotations

import time

import pytest
from filelock import FileLock

from cnn_demo.runs.queue import QueuePoll
from cnn_demo.runs.recorder import Recorder
from cnn_demo.runs.records import RunState
from cnn_demo.runs.store import Store
from cnn_demo.settings.config import TrainConfig
from tests.unit.runs.made_events import claim_next, statements_of


def test_one_active_run_a_device_and_the_queue_moves_by_itself(store: Store) -> None:
    first, second = store.create(TrainConfig(device="cpu")), store.create(TrainConfig())
    gpu = store.create(TrainConfig(device="cuda:0"))
    assert [store.get(r.id).queue_position for r in (first, second, gpu)] == [1, 2, 3]
    taken, lock = claim_next(store, ["cpu"])
    assert (taken.id, taken.state, taken.device) == (first.id, RunState.STARTING, "cpu")
    # The second waits for the CPU; the third is not held up by it (and will fail in words, for there is no GPU).
    other, other_lock = claim_next(store, ["cpu"])
    assert (other.id, other.device) == (gpu.id, "cuda:0")
    assert store.claim(["cpu"]) is None
    Recorder(store, taken).end(RunState.FINISHED)
    lock.release()
    third, third_lock = claim_next(store, ["cpu"])
    assert third.id == second.id
    other_lock.release()
    third_lock.release()


def test_a_run_waits_for_those_that_hold_a_device_and_those_before_it(store: Store) -> None:
    runs = [store.create(TrainConfig(device="cpu")) for _ in range(3)]
    taken, lock = claim_next(store, ["cpu"])
    with lock:
        ahead = [[run.id for run in part] for part in store.list_ahead(runs[2].id)]
        assert ahead == [[runs[0].id], [runs[1].id]]
        assert store.list_ahead(taken.id) == ([], []), "it waits no more"
        assert [len(part) for part in store.list_ahead(None)] == [1, 2], "what is queued now comes last"


def test_auto_spreads_over_gpus_of_one_kind_only(store: Store) -> None:
    for _ in range(3):
        store.create(TrainConfig(device="auto"))
    devices = ["cuda:0", "cuda:1", "cpu"]
    (a, lock_a), (b, lock_b) = claim_next(store, devices), claim_next(store, devices)
    assert {a.device, b.device} == {"cuda:0", "cuda:1"}
    assert store.claim(devices) is None
    lock_a.release()
    lock_b.release()


def test_only_one_may_start_a_worker_at_a_time(store: Store) -> None:
    assert store.take_turn("spawn", 60)
    assert not Store(store.home).take_turn("spawn", 60)
    store.end_turn("spawn")
    assert store.take_turn("spawn", 60)
    assert store.take_turn("spawn", 0), "an old turn has passed"


def test_the_order_does_not_follow_a_clock_that_jumps(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time()
    made = []
    for jump in (0, -7200, +3600, -60):
        monkeypatch.setattr(time, "time", lambda jump=jump: now + jump)
        made.append(store.create(TrainConfig(device="cpu")).id)
    assert [store.get(run_id).queue_position for run_id in made] == [1, 2, 3, 4]
    assert {run.id: run.queue_position for run in store.list()} == dict(zip(made, (1, 2, 3, 4), strict=True))
    claimed = claim_next(store, ["cpu"])
    assert claimed[0].id == made[0]
    claimed[1].release()


def test_a_resumed_run_waits_at_the_end(store: Store) -> None:
    first, second = store.create(TrainConfig()), store.create(TrainConfig())
    store.stop(first.id)
    assert store.resume(first.id).queue_position == 2
    assert store.get(second.id).queue_position == 1
    assert [run.queue_position for run in store.list()] == [1, 2]
    assert [run.queue_position for run in store.list(limit=1, offset=1)] == [2]


def test_the_device_that_frees_while_the_queue_is_looked_at_goes_to_the_first(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.create(TrainConfig(device="cpu"))
    (taken, lock) = claim_next(store, ["cpu"])
    first, second = (store.create(TrainConfig(device="cpu")).id for _ in range(2))
    real = store.lock

    def end_in_between(run_id: str) -> FileLock:
        if run_id == second:  # the look has passed the first, whose device was busy then
            Recorder(Store(store.home), taken).end(RunState.FINISHED)
            lock.release()
        return real(run_id)

    monkeypatch.setattr(store, "lock", end_in_between)
    if claimed := store.claim(["cpu"]):
        pytest.fail(f"{claimed[0].id} came before {first}")
    Recorder(store, taken).end(RunState.FINISHED)
    claimed = claim_next(store, ["cpu"])
    assert claimed[0].id == first
    claimed[1].release()
    lock.release()


def test_a_run_whose_former_worker_is_not_gone_yet_is_passed_over_for_now(store: Store) -> None:
    first, second = store.create(TrainConfig(device="cpu")), store.create(TrainConfig(device="cpu"))
    poll = QueuePoll(store, ["cpu"])
    store.stop(second.id)
    with store.lock(first.id):
        assert poll.claim() is None
        assert poll.waiting
    claimed = poll.claim()
    assert claimed is not None, "it is tried again, though nothing has changed in the store"
    assert claimed[0].id == first.id
    claimed[1].release()


@pytest.mark.parametrize("waiting", [1, 30])
def test_a_look_at_an_unchanged_queue_is_one_statement(store: Store, waiting: int) -> None:
    store.create(TrainConfig(device="cpu"))
    (_, lock) = claim_next(store, ["cpu"])
    for _ in range(waiting):
        store.create(TrainConfig(device="cpu"))
    poll = QueuePoll(store, ["cpu"])
    with statements_of(store) as first_look:
        assert poll.claim() is None
    with statements_of(store) as next_look:
        assert poll.claim() is None
    assert len(first_look) == 4
    assert len(next_look) == 1
    lock.release()


def test_a_run_that_is_not_understood_fails_and_the_next_one_starts(store: Store) -> None:
    foreign, good = store.create(TrainConfig(device="cpu")), store.create(TrainConfig(device="cpu"))
    store.change_run(foreign.id, config={**TrainConfig().to_dict(), "brain": 3})
    claimed = claim_next(store, ["cpu"])
    assert claimed[0].id == good.id
    failed = store.get(foreign.id)
    assert (failed.state, failed.error_kind) == (RunState.FAILED, "other_version")
    assert "brain" in failed.error
    claimed[1].release()

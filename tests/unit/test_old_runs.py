"""Runs that commit 953c0f6 made: each is listed, shown and resumed to the weights of the old code, or says why not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from cnn_demo.prediction.load import load_folder
from cnn_demo.runs import finetune
from cnn_demo.runs.collection import Collection
from cnn_demo.runs.records import Run, RunNotResumable, RunState
from cnn_demo.runs.store import Store
from cnn_demo.runs.worker import execute
from tests.old_store import hash_tensors, rounds_as_there

RESUMED = ["stopped-mid-epoch", "stopped-ema", "lr-changed", "crashed"]
SAME = (
    "id number state step total_steps epoch parameters train_n test_accuracy test_loss test_n val_accuracy val_loss"
    " val_n error_kind"
)


@pytest.fixture
def old_store(old_home: Path) -> Store:
    return Store(old_home)


def named(store: Store, name: str) -> Run:
    return next(run for run in store.list() if run.name == name)


def resume(store: Store, name: str) -> Run:
    """Resume an old run in this process, as a worker does."""
    run = store.resume(named(store, name).id)
    with store.lock(run.id):
        claimed = store.claim_own(["cpu"], run.id)
        assert claimed is not None
        return execute(store, claimed)


def test_every_old_run_is_listed_and_shown(old_store: Store, old_expected: dict[str, Any]) -> None:
    old_store.maintain()  # records that one of them was killed
    assert [run.name for run in reversed(old_store.list())] == list(old_expected["runs"])
    for name, expected in old_expected["runs"].items():
        run = named(old_store, name)
        for field in SAME.split():
            found = getattr(run, field)
            assert (found.value if field == "state" else found) == expected[field], (name, field)
        ends, checkpoints = old_store.epochs(run.id), old_store.checkpoints(run.id)
        assert len(ends) == expected["epochs"]
        assert max((row.epoch for row in ends if row.best), default=None) == expected["best_epoch"]
        assert len(old_store.steps(run.id)) == expected["steps_recorded"]
        assert len(old_store.metrics_csv(run.id).splitlines()) == 1 + expected["steps_recorded"]
        assert [c.step for c in checkpoints] == expected["checkpoint_steps"]
        assert [[m.kind, m.step, m.value] for m in old_store.marks(run.id)] == expected["marks"]
        assert (finetune.load_report(old_store, run.id) is not None) == (expected["before_after"] is not None)
        for setting in ("dataset", "model", "epochs", "batch_size", "lr", "seed", "ema", "init", "collection"):
            assert getattr(run.config, setting) == expected["config"][setting], (name, setting)
        for checkpoint in checkpoints:
            assert load_folder(checkpoint.path).step == checkpoint.step


def test_old_drawings_are_there(old_home: Path, old_expected: dict[str, Any]) -> None:
    expected = old_expected["collection"]
    entries = Collection(old_home / "collection", expected["name"]).entries()
    assert [{key: getattr(entry, key) for key in expected["entries"][0]} for entry in entries] == expected["entries"]


@pytest.mark.parametrize("name", RESUMED)
def test_an_old_run_resumes_to_the_weights_of_the_old_code(
    old_store: Store, old_expected: dict[str, Any], name: str
) -> None:
    torch.set_num_threads(1)
    expected = old_expected["resumed"]["runs"][name]
    run = resume(old_store, name)
    assert run.state is RunState.FINISHED, run.error_detail
    assert (run.step, run.epoch) == (expected["step"], expected["epoch"])
    assert [c.step for c in old_store.checkpoints(run.id)] == expected["checkpoint_steps"]
    assert [[m.kind, m.step, m.value] for m in old_store.marks(run.id)] == expected["marks"]
    weights = dict(load_folder(old_store.checkpoints(run.id)[-1].path).model.state_dict())
    for key, norm in expected["weights_norms"].items():
        assert float(weights[key].double().norm()) == pytest.approx(norm, rel=1e-3)
    assert run.test_loss == pytest.approx(expected["test_loss"], rel=1e-3)
    if rounds_as_there(old_expected["resumed"]["probe"]):
        assert hash_tensors(weights) == expected["weights_sha256"]
        assert run.test_accuracy == expected["test_accuracy"]


def test_an_old_run_that_diverged_says_so_again(old_store: Store, old_expected: dict[str, Any]) -> None:
    run = resume(old_store, "failed")
    assert (run.state, run.error_kind) == (RunState.FAILED, "diverged")
    assert run.hint == old_expected["runs"]["failed"]["hint"]


@pytest.mark.parametrize("name", ["finished", "collection"])
def test_an_old_run_that_is_finished_says_that_nothing_is_left(old_store: Store, name: str) -> None:
    with pytest.raises(RunNotResumable, match="nothing is left to do"):
        old_store.resume(named(old_store, name).id)


def test_an_old_run_that_waited_is_trained(old_store: Store) -> None:
    old_store.maintain()  # one of the others was killed, and seems to hold the device
    run_id = named(old_store, "queued").id
    with old_store.lock(run_id):
        claimed = old_store.claim_own(["cpu"], run_id)
        assert claimed is not None
        run = execute(old_store, claimed)
    assert run.state is RunState.FINISHED, run.error_detail
    assert run.step == 8

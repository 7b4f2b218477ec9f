"""From a reference to a network: what a reference means, what is kept in memory, and errors that name the reference."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from cnn_demo.models.registry import create_model
from cnn_demo.prediction import load
from cnn_demo.prediction.load import LoadedModel, ModelCache, load_model
from cnn_demo.prediction.shipped import SHIPPED
from cnn_demo.runs.records import Run, RunNotFound
from cnn_demo.runs.store import Store
from cnn_demo.settings.reference import ModelRef
from cnn_demo.settings.registry import UnknownName
from cnn_demo.training.snapshot import CheckpointUnreadable
from tests.made_networks import as_loaded, put_checkpoint

Make = Callable[..., Run]


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch) -> ModelCache:
    """A cache of this test's own."""
    fresh = ModelCache()
    monkeypatch.setattr(load, "_cache", fresh)
    return fresh


@pytest.fixture
def source(store: Store) -> Store:
    return store


def same_weights(loaded: LoadedModel, model: torch.nn.Module) -> bool:
    return all(torch.equal(a, b) for a, b in zip(loaded.model.parameters(), model.parameters(), strict=True))


def test_the_model_that_ships(source: Store) -> None:
    loaded = load_model(ModelRef("shipped"), source)
    weights = load_file(SHIPPED / "weights.safetensors")
    assert all(torch.equal(value, weights[name]) for name, value in loaded.model.state_dict().items())
    assert (loaded.key, loaded.run_id, loaded.spec.name, loaded.pretrained) == ("shipped", "shipped", "mnist", True)
    assert not loaded.model.training
    assert loaded.folder == source.home


def test_a_run_at_a_step(source: Store, store: Store, make_run: Make) -> None:
    run = make_run("finished")
    early, late = put_checkpoint(store, run, step=20, epoch=1, seed=1), put_checkpoint(store, run, seed=2)
    assert same_weights(load_model(ModelRef("run", run.id, 20), source), early)
    loaded = load_model(ModelRef("run", run.id), source)
    assert same_weights(loaded, late)
    assert (loaded.key, loaded.step, loaded.folder) == (f"{run.id}@60", 60, store.folder(run.id))
    assert load_model(ModelRef("run", run.id, 60), source) is loaded


def test_an_untrained_network_is_the_same_each_time(source: Store) -> None:
    torch.manual_seed(7)
    state = torch.get_rng_state()
    loaded = load_model(ModelRef("untrained", "cnn"), source)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(0)
    assert same_weights(loaded, create_model("cnn"))
    assert not loaded.pretrained
    assert loaded.config.model == "cnn"


def test_a_network_for_photographs(source: Store) -> None:
    loaded = load_model(ModelRef("imagenet", "random"), source)
    picture = torch.randint(0, 256, (3, 224, 224), dtype=torch.uint8)
    ours = loaded.normalize(picture.numpy())
    mean = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
    torch.testing.assert_close(ours, ((picture / 255 - mean) / std)[None], atol=1e-5, rtol=1e-5)
    assert (len(loaded.classes), loaded.pretrained) == (1000, False)
    assert loaded.photo is not None
    with pytest.raises(ValueError, match="imagenet:random"):
        _ = loaded.config


def test_errors_name_the_reference(source: Store, store: Store, make_run: Make) -> None:
    with pytest.raises(RunNotFound, match="nosuch"):
        load_model(ModelRef("run", "nosuch"), source)
    run = make_run("finished")
    with pytest.raises(CheckpointUnreadable, match=f"{run.id}: the run has no checkpoint"):
        load_model(ModelRef("run", run.id), source)
    put_checkpoint(store, run)
    for step in (7, "best"):
        with pytest.raises(CheckpointUnreadable, match=f"{run.id}@{step}: the run has no such checkpoint"):
            load_model(ModelRef("run", run.id, step), source)
    weights = store.checkpoints(run.id)[0].path / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-9])
    with pytest.raises(CheckpointUnreadable, match=rf"{run.id}@60: weights\.safetensors"):
        load_model(ModelRef("run", run.id), source)
    with pytest.raises(UnknownName, match="lenet"):
        load_model(ModelRef("untrained", "lenet"), source)


def test_other_weights_at_the_same_step_are_another_network(source: Store, store: Store, make_run: Make) -> None:
    run = make_run("finished")
    ref = ModelRef("run", run.id, 60)
    first = put_checkpoint(store, run, seed=1)
    assert same_weights(load_model(ref, source), first)
    second = put_checkpoint(store, run, seed=2)
    assert same_weights(load_model(ref, source), second)


# -- the cache ----------------------------------------------------------------------------------------------------


class Box(torch.nn.Module):
    """So many megabytes."""

    def __init__(self, megabytes: int) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(megabytes, 2**18))


def boxed(megabytes: int) -> LoadedModel:
    return as_loaded(Box(megabytes))


def test_the_least_recently_used_leaves_when_the_budget_is_spent() -> None:
    cache = ModelCache(budget=10 * 2**20)
    loads: list[str] = []

    def get(name: str, megabytes: int) -> LoadedModel:
        def make() -> LoadedModel:
            loads.append(name)
            return boxed(megabytes)

        return cache.get(name, make)

    for name in ("a", "b", "c"):
        get(name, 3)
    assert cache.nbytes == 9 * 2**20
    get("a", 3)  # used again: b is now the oldest
    get("d", 3)
    assert cache.nbytes == 9 * 2**20
    get("a", 3)
    assert loads == ["a", "b", "c", "d"]
    get("b", 3)
    assert loads == ["a", "b", "c", "d", "b"]
    get("huge", 40)  # heavier than the budget: alone, but kept
    get("huge", 40)
    assert cache.nbytes == 40 * 2**20
    assert loads[-1] == "huge"
    assert loads.count("huge") == 1


def test_many_who_ask_at_once_load_once() -> None:
    cache, gate, loads = ModelCache(), threading.Event(), []
    found: list[LoadedModel] = []

    def make() -> LoadedModel:
        loads.append(1)
        gate.wait(10)
        return boxed(1)

    threads = [threading.Thread(target=lambda: found.append(cache.get("a", make))) for _ in range(8)]
    for thread in threads:
        thread.start()
    gate.set()
    for thread in threads:
        thread.join(10)
    assert len(loads) == 1
    assert len(found) == 8
    assert len({id(model) for model in found}) == 1


def test_a_failed_load_is_said_to_all_and_tried_again() -> None:
    cache = ModelCache()

    def fail() -> Any:
        raise OSError("gone")

    for _ in range(2):
        with pytest.raises(OSError, match="gone"):
            cache.get("a", fail)
    assert cache.get("a", lambda: boxed(1)).nbytes == 2**20

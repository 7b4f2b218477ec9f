"""Fine-tuning: it starts from the weights that are named, sees the drawings, and says what it changed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cnn_demo.datasets.device_dataset import DeviceDataset
from cnn_demo.datasets.load import Dataset, load_dataset
from cnn_demo.datasets.specs import get_spec
from cnn_demo.prediction.load import LoadedModel, load_model
from cnn_demo.runs import finetune, recorder
from cnn_demo.runs.collection import Collection
from cnn_demo.runs.records import Run, RunState
from cnn_demo.runs.store import Store
from cnn_demo.runs.worker import execute
from cnn_demo.settings.config import ConfigError, TrainConfig
from cnn_demo.settings.reference import ModelRef
from cnn_demo.training.classification import Classification
from cnn_demo.training.evaluate import evaluate
from cnn_demo.training.events import CheckpointDue, EpochEnd, Progress, Started
from cnn_demo.training.loop import fit
from cnn_demo.training.samples import EXTRA_SHARE
from tests.made_networks import put_checkpoint

SPEC = get_spec("mnist-mini")
NAME = "abcdefghjkmn"


@pytest.fixture(scope="module")
def small() -> Dataset:
    whole = load_dataset("mnist-mini")
    return Dataset(SPEC, whole.train.take(np.arange(0, 8000, 20)), whole.test.take(np.arange(0, 2000, 20)))


@pytest.fixture(autouse=True)
def _small_and_quick(monkeypatch: pytest.MonkeyPatch, small: Dataset) -> None:
    monkeypatch.setattr("cnn_demo.datasets.load.load_dataset", lambda *_, **__: small, raising=False)
    monkeypatch.setattr(recorder, "REQUEST_SECONDS", 0.0)


@pytest.fixture
def origin(store: Store, make_run: Callable[..., Run]) -> tuple[Run, torch.nn.Module]:
    run = make_run("finished", config=TrainConfig(device="cpu"))
    return run, put_checkpoint(store, run, seed=4)


@pytest.fixture
def drawings(store: Store) -> Collection:
    collection = Collection(store.home / "collection", NAME)
    for label in range(3):
        pad = np.zeros((280, 280), np.uint8)
        pad[60:220, 60 + 50 * label : 80 + 50 * label] = 255
        pad[60 + 60 * label : 80 + 60 * label, 60:200] = 255
        collection.add(pad, label, SPEC)
    return collection


def run_it(
    store: Store, config: TrainConfig, on_event: Callable[[Any], None] | None = None, *, again: str = "", name: str = ""
) -> Run:
    """Train in this process: a new run (with ``name`` as its id), or one that is queued again."""
    run_id = again or name or store.new_id()
    store.folder(run_id).mkdir(exist_ok=True)
    with store.lock(run_id):
        if not again:
            store.create(config, owned=True, run_id=run_id)
        claimed = store.claim_own(["cpu"], run_id)
        assert claimed is not None
        return execute(store, claimed, on_event)


def load_run(store: Store, reference: str) -> LoadedModel:
    return load_model(ModelRef.parse(reference), store)


def config_of(run: Run, **changes: Any) -> TrainConfig:
    base = TrainConfig(device="cpu", batch_size=50, epochs=2, init=f"{run.id}@60", collection=NAME, lr=1e-3)
    return base.replace(**changes)


def test_fit_starts_from_given_weights_and_mixes_in_the_share(small: Dataset) -> None:
    few = small.test.take(np.arange(7))
    weights = {name: value + 0.01 for name, value in next(iter_weights(small)).items()}
    config = TrainConfig(device="cpu", batch_size=100, epochs=1)
    events = fit(config, dataset=small, initial_weights=weights, extra_samples=few)
    started, first = next(events), next(events)
    assert isinstance(started, Started)
    assert isinstance(first, CheckpointDue)
    assert started.train_n == 400 + 100
    assert started.train_n * EXTRA_SHARE == pytest.approx(100)
    begun = first.capture().weights
    assert all(torch.equal(begun[name], value) for name, value in weights.items())


def iter_weights(small: Dataset) -> Any:
    events = fit(TrainConfig(device="cpu"), dataset=small)
    next(events)
    first = next(events)
    assert isinstance(first, CheckpointDue)
    yield {name: value.clone() for name, value in first.capture().weights.items()}


def test_weights_of_another_model_are_refused_by_name(small: Dataset) -> None:
    with pytest.raises(ConfigError) as caught:
        next(fit(TrainConfig(device="cpu", init="shipped"), dataset=small, initial_weights={"x": torch.zeros(1)}))
    assert caught.value.field == "init"


def test_before_and_after_are_what_evaluation_says(
    store: Store, origin: tuple[Run, torch.nn.Module], drawings: Collection, small: Dataset
) -> None:
    run = run_it(store, config_of(origin[0]))
    assert run.state is RunState.FINISHED, run.error_detail
    report = finetune.load_report(store, run.id)
    assert report is not None
    assert (report.dataset, report.origin) == ("mnist-mini", "mnist-mini")
    after = load_run(store, run.id).model
    own = drawings.split(SPEC)
    for score, model, split in (
        (report.test_before, origin[1], small.test),
        (report.test_after, after, small.test),
        (report.drawings_before, origin[1], own),
        (report.drawings_after, after, own),
    ):
        expected = evaluate(model, DeviceDataset(split, SPEC, "cpu"), Classification(SPEC, "cpu"))
        assert score is not None
        assert (score.accuracy, score.n) == (pytest.approx(expected.accuracy), expected.n)
    assert report.test_after is not None
    assert (report.test_after.accuracy, report.test_after.n) == (pytest.approx(run.test_accuracy), run.test_n)
    assert report.drawings_after is not None
    assert report.drawings_after.accuracy == 1.0  # three drawings, each seen dozens of times
    assert finetune.load_report(store, origin[0].id) is None


def test_best_by_validation_is_what_is_measured_and_what_others_start_from(
    store: Store, origin: tuple[Run, torch.nn.Module], small: Dataset
) -> None:
    """In the last epoch the learning rate is so high that the network gets worse."""

    def spoil_last_epoch(event: Any) -> None:
        if isinstance(event, EpochEnd) and event.epoch == 2:
            store.set_lr("spoilt01", 0.1)

    config = config_of(origin[0], collection="", val_fraction=0.5, epochs=3)
    run = run_it(store, config, spoil_last_epoch, name="spoilt01")
    rows = store.epochs(run.id)
    best = min(rows, key=lambda row: row.val_loss or 0)
    assert best is not rows[-1], "the test needs a run whose last epoch is not its best"
    report = finetune.load_report(store, run.id)
    assert report is not None
    assert report.test_after is not None
    assert (report.test_after.accuracy, report.test_after.n) == (pytest.approx(best.test_accuracy), best.test_n)
    for reference in (run.id, f"{run.id}@best"):
        found = finetune.load_origin(store, reference).model
        assert finetune.load_origin(store, reference).step == best.step
        expected = load_run(store, f"{run.id}@{best.step}").model.state_dict()
        assert all(torch.equal(value, expected[name]) for name, value in found.state_dict().items())


def test_resume_is_exact_though_collection_and_origin_are_gone(
    store: Store, origin: tuple[Run, torch.nn.Module], drawings: Collection
) -> None:
    config = config_of(origin[0])
    whole = run_it(store, config)

    def stop_early(event: Any) -> None:
        if isinstance(event, Progress):
            store.stop("stopped1")

    half = run_it(store, config, stop_early, name="stopped1")
    assert half.state is RunState.STOPPED
    assert 0 < half.step < whole.step
    drawings.add(np.full((280, 280), 255, np.uint8), 9, SPEC)  # more drawings come,
    drawings.clear()  # then all go,
    store.delete(origin[0].id)  # and the network that it started from
    store.resume(half.id)
    done = run_it(store, config, again=half.id)
    assert done.state is RunState.FINISHED, done.error_detail
    expected, found = (load_run(store, r.id).model.state_dict() for r in (whole, done))
    assert all(torch.equal(value, found[name]) for name, value in expected.items())
    assert finetune.load_report(store, done.id) == finetune.load_report(store, whole.id)


def test_what_is_missing_is_named(store: Store, origin: tuple[Run, torch.nn.Module], drawings: Collection) -> None:
    for changes, field in (
        ({"init": "nosuchrun"}, "init"),
        ({"collection": "zzzzzzzzzzzz"}, "collection"),
        ({"model": "resnet18"}, "model"),
    ):
        run = run_it(store, config_of(origin[0], **changes))
        assert run.state is RunState.FAILED
        assert run.error_kind == "config"
        assert run.hint["field"] == field
    lost = run_it(store, config_of(origin[0], init=f"{origin[0].id}@999"))
    assert lost.error_kind == "checkpoint_unreadable"


@pytest.fixture
def clothes(monkeypatch: pytest.MonkeyPatch, small: Dataset) -> Dataset:
    """A data set with other classes: the digits again, under the names of clothes."""
    named = Dataset(get_spec("fashion-mnist"), small.train, small.test)
    monkeypatch.setattr("cnn_demo.datasets.load.load_dataset", lambda *_, **__: named)
    return named


def test_other_classes_get_a_fresh_last_layer(
    store: Store, origin: tuple[Run, torch.nn.Module], clothes: Dataset
) -> None:
    config = config_of(origin[0], dataset="fashion-mnist", collection="", freeze=2)
    whole = run_it(store, config)
    assert whole.state is RunState.FINISHED, whole.error_detail
    assert finetune.has_fresh_head(store, whole)
    assert finetune.load_report(store, whole.id) is None, "before, it knew other classes"
    first = load_run(store, f"{whole.id}@0").model.state_dict()
    last = load_run(store, whole.id).model.state_dict()
    for name, value in origin[1].state_dict().items():
        assert torch.equal(first[name], value) == (not name.startswith("fc2")), name
        assert torch.equal(last[name], value) == name.startswith("conv"), name

    def stop_early(event: Any) -> None:
        if isinstance(event, Progress):
            store.stop("stopped2")

    half = run_it(store, config, stop_early, name="stopped2")
    assert 0 < half.step < whole.step
    store.delete(origin[0].id)
    store.resume(half.id)
    done = run_it(store, config, again=half.id)
    found = load_run(store, done.id).model.state_dict()
    assert all(torch.equal(value, found[name]) for name, value in last.items())
    assert [mark.kind for mark in store.marks(done.id)].count(finetune.FRESH_HEAD) == 1


def test_images_of_other_channels_are_refused_by_both_shapes(
    store: Store, origin: tuple[Run, torch.nn.Module], small: Dataset
) -> None:
    for init in (f"{origin[0].id}@60", "shipped"):
        run = run_it(store, config_of(origin[0], init=init, dataset="cifar10", collection="", model=_model(init)))
        assert (run.state, run.error_kind, run.hint["field"]) == (RunState.FAILED, "config", "init")
        assert "3 × 32 × 32" in run.error
        assert "1 × 28 × 28" in run.error
    finetune.check_origin(store, config_of(origin[0], dataset="fashion-mnist"))
    finetune.check_origin(store, TrainConfig(dataset="cifar10"))


def _model(init: str) -> str:
    return load_model(ModelRef.parse("shipped"), Store()).config.model if init == "shipped" else "cnn"


def test_layers_of_another_width_are_refused_by_both_shapes(store: Store, origin: tuple[Run, torch.nn.Module]) -> None:
    run = run_it(store, config_of(origin[0], collection="", options={"width": 16}))
    assert (run.error_kind, run.hint["field"]) == ("config", "init")
    assert "16 × 1 × 3 × 3 at conv1.weight; there it is 32 × 1 × 3 × 3" in run.error


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("init", "a b"),
        ("init", "run@"),
        ("init", "../x"),
        ("collection", "short"),
        ("collection", "../../etc/pw"),
        ("collection", 1),
    ],
)
def test_names_are_validated(field: str, value: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        TrainConfig(**{field: value})
    assert caught.value.field == field


def test_a_damaged_report_is_no_report(store: Store, make_run: Callable[..., Run], tmp_path: Path) -> None:
    run = make_run("finished")
    (store.folder(run.id) / finetune.REPORT).write_text('{"dataset": "mnist"}')
    assert finetune.load_report(store, run.id) is None

"""Which network a reference means now, and when it is calibrated."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from cnn_demo.prediction import calibration
from cnn_demo.prediction.calibration import Calibration, calibration_path
from cnn_demo.prediction.load import LoadedModel, load_model
from cnn_demo.runs.records import Run
from cnn_demo.runs.store import Store
from cnn_demo.serve.engine import load_served_network, read_mark
from cnn_demo.settings.config import TrainConfig
from cnn_demo.settings.reference import ModelRef
from tests.made_networks import mark_best, put_checkpoint, read_shipped, set_state
from tests.unit.serve.served import TorchEngine

MADE = Calibration(2.0, -5.0, 10, 0.0)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The networks that were calibrated."""
    names: list[str] = []

    def calibrate(loaded: LoadedModel) -> Calibration:
        names.append(loaded.key)
        return MADE

    monkeypatch.setattr(calibration, "calibrate_loaded", calibrate)
    return names


def test_the_mark_changes_with_the_checkpoint_and_the_end_of_the_run(
    store: Store, make_run: Callable[..., Run]
) -> None:
    run = make_run("running", config=TrainConfig(model="cnn-tiny"))
    ref = ModelRef.parse(run.id)
    assert read_mark(ref, store) is None
    put_checkpoint(store, run, step=20)
    first = read_mark(ref, store)
    assert read_mark(ref, store) == first
    put_checkpoint(store, run, step=40)
    second = read_mark(ref, store)
    assert second != first
    assert read_mark(ref.at(20), store) != second
    mark_best(store, run, 1)
    assert read_mark(ref, store) == second  # while it trains the newest counts
    set_state(store, run, "finished")
    ended = read_mark(ref, store)
    assert ended != second
    assert isinstance(ended, tuple)
    assert ended[0] == store.folder(run.id) / "checkpoints" / "step-00000020"
    assert read_mark(ModelRef.parse("shipped"), store) == "shipped"


def test_a_run_is_calibrated_once_it_has_ended(store: Store, make_run: Callable[..., Run], made: list[str]) -> None:
    run = make_run("running", config=TrainConfig(model="cnn-tiny"))
    put_checkpoint(store, run, step=20)
    ref = ModelRef.parse(run.id)
    assert load_served_network(ref, store, TorchEngine).predictor.calibration is None
    set_state(store, run, "finished")
    assert load_served_network(ref, store, TorchEngine).predictor.calibration == MADE
    assert made == [f"{run.id}@20"]
    loaded = load_model(ref, store)
    assert calibration.load_calibration(loaded) == MADE  # kept, where the Draw page finds it
    assert load_served_network(ref, store, TorchEngine).predictor.calibration == MADE
    assert len(made) == 1
    assert calibration_path(loaded).is_file()


def test_the_model_that_ships_has_its_own(store: Store, made: list[str]) -> None:
    found = load_served_network(ModelRef.parse("shipped"), store, TorchEngine)
    assert found.predictor.calibration is not None
    assert made == []
    step = read_shipped()["step"]
    assert found.describe() | {"classes": 0} == {"network": "shipped", "step": step, "classes": 0, "calibrated": True}

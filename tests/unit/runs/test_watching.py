"""What a run watches: drawings as Draw prepares them, and images that it never learns from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from cnn_demo.datasets.device_dataset import normalize
from cnn_demo.datasets.load import Dataset, load_dataset
from cnn_demo.drawing.prepare import prepare
from cnn_demo.runs import launcher
from cnn_demo.runs.records import RunState
from cnn_demo.runs.store import Store
from cnn_demo.runs.strip import MOST_DRAWINGS, UNKNOWN, keep_drawings, load_strip
from cnn_demo.runs.watching import prepare_watched
from cnn_demo.settings.config import TrainConfig
from cnn_demo.training.events import Event, Progress
from tests.unit.runs.processes import train_here


def draw_one() -> np.ndarray:
    pad = np.zeros((280, 280), np.uint8)
    pad[60:220, 130:150] = 255
    return pad


@pytest.fixture(scope="module")
def mini() -> Dataset:
    return load_dataset("mnist-mini")


def test_drawings_first_then_one_test_image_of_each_class(tmp_path: Path, mini: Dataset) -> None:
    keep_drawings(tmp_path, [draw_one(), np.zeros((280, 280), np.uint8)])
    inputs = prepare_watched(tmp_path, mini)
    assert inputs.shape == (11, 1, 28, 28)
    assert torch.equal(inputs[0], prepare(draw_one(), mini.spec).input[0]), "a blank drawing is left out"
    for label in range(10):
        first = mini.test.images[mini.test.labels == label][0]
        assert torch.equal(inputs[1 + label], normalize(first, mini.spec))


def test_never_more_pictures_than_there_is_room_for(tmp_path: Path, mini: Dataset) -> None:
    keep_drawings(tmp_path, [draw_one()] * MOST_DRAWINGS)
    assert len(prepare_watched(tmp_path, mini)) == 16


@pytest.mark.usefixtures("small_data")
def test_a_run_tells_its_strip_from_before_training_to_its_end(
    store: Store, small_split: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cnn_demo.training.loop.REPORT_SECONDS", 0.0)
    monkeypatch.setattr("cnn_demo.training.watch.Watcher.due", True)
    monkeypatch.setattr(launcher, "ensure_worker", lambda *_, **__: False)
    config = TrainConfig(batch_size=100, epochs=2, device="cpu")
    run = launcher.launch(store, config, watched=[draw_one()])
    folder, told = store.folder(run.id), []

    def look(event: Event) -> None:
        strip = load_strip(folder, newest_only=True)
        if isinstance(event, Progress) and strip is not None:
            told.append((int(strip.steps[0]), event.steps[-1].step))

    assert train_here(store, look).state is RunState.FINISHED
    assert told == [(step, step) for step in range(1, 9)], "it is there when the store says that steps were taken"
    strip = load_strip(folder)
    assert strip is not None
    assert (strip.pictures[0].drawn, strip.pictures[0].label) == (True, UNKNOWN)
    assert [picture.label for picture in strip.pictures[1:]] == list(range(10))
    assert strip.probabilities.shape == (9, 11, 10)
    assert np.allclose(strip.probabilities.sum(axis=2), 1, atol=1e-5)
    assert not np.array_equal(strip.kernels[0], strip.kernels[-1])


@pytest.mark.usefixtures("small_data")
def test_a_resumed_run_goes_on_with_its_strip(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cnn_demo.training.loop.REPORT_SECONDS", 0.0)
    monkeypatch.setattr("cnn_demo.training.watch.Watcher.due", True)
    run = store.create(TrainConfig(batch_size=100, epochs=3, device="cpu"), watched=[draw_one()])

    def stop(event: Event) -> None:
        if getattr(event, "epoch", 0) == 1:
            store.stop(run.id)

    assert train_here(store, stop).state is RunState.STOPPED
    before = load_strip(store.folder(run.id))
    assert before is not None
    store.resume(run.id)
    assert train_here(store).state is RunState.FINISHED
    after = load_strip(store.folder(run.id))
    assert after is not None
    assert after.steps.tolist() == list(range(13))
    assert np.array_equal(after.probabilities[: len(before.steps)], before.probabilities)
    assert after.pictures[0].drawn


def test_deleting_a_run_deletes_its_strip(store: Store) -> None:
    run = store.create(TrainConfig(), watched=[draw_one()])
    folder = store.folder(run.id)
    assert (folder / "strip").is_dir()
    store.stop(run.id)
    store.delete(run.id)
    assert not folder.exists()

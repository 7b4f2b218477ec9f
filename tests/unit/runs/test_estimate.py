"""What a run will cost: as it was measured here, or a guess."""

from __future__ import annotations

import pytest

from cnn_demo.runs.estimate import estimate, speed_key
from cnn_demo.runs.recorder import Recorder
from cnn_demo.runs.store import Store
from cnn_demo.settings.config import TrainConfig
from tests.unit.runs.made_events import epoch_end

CONFIG = TrainConfig(device="cpu", epochs=4)


def test_before_anything_was_measured_it_is_a_guess(store: Store) -> None:
    cost = estimate(CONFIG, store)
    assert cost.basis == "rough"
    assert cost.parameters == 1_630_090
    assert cost.seconds
    assert estimate(CONFIG.replace(device="cuda"), store).seconds is None, "nobody knows this GPU"


def test_a_like_run_tells_the_speed(store: Store) -> None:
    store.create(CONFIG)
    run, lock = store.claim(["cpu"]) or pytest.fail("nothing to claim")
    with lock:
        Recorder(store, run).epoch_end(epoch_end(1, 4))  # 1,000 samples a second
    for other in (CONFIG, CONFIG.replace(device="auto", seed=7, lr=0.1, comment="x", epochs=2, val_fraction=0.2)):
        cost = estimate(other, store)
        assert (cost.basis, cost.samples_per_second) == ("measured", 1000.0)
        assert cost.seconds == pytest.approx(8000 * (1 - other.val_fraction) * other.epochs / 1000)


@pytest.mark.parametrize(
    "change",
    [
        {"model": "resnet18"},
        {"dataset": "kmnist"},
        {"batch_size": 64},
        {"augment": "handwriting"},
        {"precision": "bf16"},
        {"channels_last": False},
        {"compile": "on"},
        {"ema": 0.9},
    ],
)
def test_what_decides_the_speed_is_in_the_key(change: dict[str, object]) -> None:
    assert speed_key(CONFIG.replace(**change)) != speed_key(CONFIG)

"""What a run will cost: as it was measured here, or a guess."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from cnn_demo.runs.estimate import DRAWINGS_SHARE, estimate, estimate_wait, speed_key
from cnn_demo.runs.recorder import Recorder
from cnn_demo.runs.records import Run
from cnn_demo.runs.store import Store
from cnn_demo.settings.config import TrainConfig
from cnn_demo.training.samples import EXTRA_SHARE
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


def test_samples_that_are_added_cost_time_too(store: Store) -> None:
    config = CONFIG.replace(augment="handwriting")
    store.add_speed("cpu", speed_key(config), 1000.0)
    # As many again in each of 4 epochs, and each of them is drawn once before, in two thirds of a millisecond.
    assert estimate(config, store).seconds == pytest.approx(4 * 16 + 8000 * 6.5e-4)
    drawn = config.replace(collection="drawings1")
    assert estimate(drawn, store).seconds == pytest.approx(4 * 20 + 8000 * 6.5e-4)  # a fifth of each epoch are drawings
    assert EXTRA_SHARE == DRAWINGS_SHARE
    clothes = config.replace(dataset="fashion-mnist")  # no pen draws clothes
    store.add_speed("cpu", speed_key(clothes), 1000.0)
    assert estimate(clothes, store).seconds == pytest.approx(4 * 60)


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


def test_the_wait_is_the_time_of_those_that_come_first(store: Store, make_run: Callable[..., Run]) -> None:
    # It has done half of its 6 epochs in 7.5 s; its speed is remembered too.
    half = make_run("running", epochs=3, config=TrainConfig(epochs=6), train_seconds=7.5)
    store.change_run(half.id, total_steps=120)
    store.add_speed("cpu", speed_key(half.config), 8000.0)  # an epoch a second
    next_, last = store.create(TrainConfig(epochs=4)), store.create(TrainConfig(epochs=4))
    with_test = 1.25  # and a second until the first step
    assert estimate_wait(half, store) == 0
    assert estimate_wait(next_, store) == pytest.approx(7.5 * with_test)
    assert estimate_wait(last, store) == pytest.approx((7.5 + 4) * with_test + 1)
    assert estimate_wait(None, store) == pytest.approx((7.5 + 4 + 4) * with_test + 2)
    # With two devices one is free already: the second of those that wait begins when the first of them has ended.
    assert estimate_wait(next_, store, devices=2) == 0
    assert estimate_wait(last, store, devices=2) == pytest.approx(4 * with_test + 1)


def test_nobody_can_tell_how_long_a_paused_run_holds_its_device(store: Store, make_run: Callable[..., Run]) -> None:
    make_run("paused", epochs=1)
    assert estimate_wait(None, store) is None


def test_a_run_whose_process_has_died_holds_nothing(store: Store, make_run: Callable[..., Run]) -> None:
    dead = make_run("finished", epochs=1)
    store.change_run(dead.id, state="running", ended=None)
    assert estimate_wait(None, store) == 0

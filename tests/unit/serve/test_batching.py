"""Batches form while the engine is busy, keep their order, and a bad image spoils no other's answer."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future

import numpy as np
import pytest

from cnn_demo.serve.batching import Batcher, BatcherClosed
from tests.unit.serve.served import GatedEngine, Logits


def image(value: float, rows: int = 1) -> Logits:
    return np.full((rows, 1, 28, 28), value, np.float32)


@pytest.fixture
def batcher() -> Iterator[Batcher]:
    made = Batcher(window=60)  # a batch that waited would fail its test by the time limit
    yield made
    made.close()


@pytest.fixture
def engine(batcher: Batcher) -> Iterator[GatedEngine]:
    made = GatedEngine()
    yield made
    made.gate.set()


def values(futures: list[Future[Logits]]) -> list[float]:
    return [float(future.result(60)[0, 0]) for future in futures]


def test_what_comes_while_the_engine_computes_is_one_batch_in_order(batcher: Batcher, engine: GatedEngine) -> None:
    first = batcher.submit(engine, image(0))
    assert engine.entered.wait(60)
    rest = [batcher.submit(engine, image(value)) for value in range(1, 21)]
    engine.gate.set()
    assert values([first, *rest]) == list(range(21))
    assert engine.sizes == [1, 20]


def test_a_batch_has_64_rows_at_most_and_images_keep_their_rows(batcher: Batcher, engine: GatedEngine) -> None:
    first = batcher.submit(engine, image(0))
    assert engine.entered.wait(60)
    rest = [batcher.submit(engine, image(value, rows=6)) for value in range(1, 23)]
    engine.gate.set()
    assert values([first, *rest]) == list(range(23))
    assert engine.sizes == [1, 60, 60, 12]
    assert [len(future.result()) for future in rest] == [6] * 22


def test_a_batch_waits_for_images_in_preparation_and_for_nothing_else(batcher: Batcher, engine: GatedEngine) -> None:
    engine.gate.set()
    with batcher.preparing():
        first = batcher.submit(engine, image(1))
        second = batcher.submit(engine, image(2))
        assert not engine.entered.is_set()
    assert values([first, second]) == [1, 2]
    assert engine.sizes == [2]
    assert values([batcher.submit(engine, image(3))]) == [3]  # at once, though the window is a minute


def test_the_window_ends_the_waiting() -> None:
    batcher, engine = Batcher(window=0.001), GatedEngine()
    engine.gate.set()
    with batcher.preparing():  # this preparation never ends
        assert values([batcher.submit(engine, image(1))]) == [1]
    batcher.close()


class PickyEngine(GatedEngine):
    """Fails where an image is 13."""

    def compute_logits(self, inputs: Logits) -> Logits:
        found = super().compute_logits(inputs)
        if (inputs == 13).any():
            raise RuntimeError("thirteen")
        return found


def test_an_error_costs_only_its_own_entry(batcher: Batcher) -> None:
    engine = PickyEngine()
    first = batcher.submit(engine, image(0))
    assert engine.entered.wait(60)
    futures = [batcher.submit(engine, image(value)) for value in (12, 13, 14)]
    engine.gate.set()
    assert values([first, futures[0], futures[2]]) == [0, 12, 14]
    with pytest.raises(RuntimeError, match="thirteen"):
        futures[1].result(60)


def test_images_of_two_networks_are_not_mixed(batcher: Batcher, engine: GatedEngine) -> None:
    other = GatedEngine()
    other.gate.set()
    first = batcher.submit(engine, image(0))
    assert engine.entered.wait(60)
    futures = [batcher.submit(which, image(value)) for value, which in enumerate((engine, engine, other, engine))]
    engine.gate.set()
    assert values([first, *futures]) == [0, 0, 1, 2, 3]
    assert (engine.sizes, other.sizes) == ([1, 2, 1], [1])


def test_what_was_cancelled_is_not_computed(batcher: Batcher, engine: GatedEngine) -> None:
    first = batcher.submit(engine, image(0))
    assert engine.entered.wait(60)
    given_up, wanted = batcher.submit(engine, image(1)), batcher.submit(engine, image(2))
    assert given_up.cancel()
    engine.gate.set()
    assert values([first, wanted]) == [0, 2]
    assert engine.sizes == [1, 1]


def test_closing_answers_what_was_submitted_and_takes_no_more() -> None:
    seen: list[int] = []
    batcher, engine = Batcher(60, seen.append), GatedEngine()
    futures = [batcher.submit(engine, image(0))]
    assert engine.entered.wait(60)
    futures += [batcher.submit(engine, image(value)) for value in (1, 2)]
    closing = threading.Thread(target=batcher.close)
    closing.start()
    engine.gate.set()
    closing.join(60)
    assert values(futures) == [0, 1, 2]
    assert seen == [1, 2]
    with pytest.raises(BatcherClosed):
        batcher.submit(engine, image(3))

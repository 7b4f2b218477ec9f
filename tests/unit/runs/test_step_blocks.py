"""Blocks of steps: every number comes back, steps are forgotten exactly, a damaged block breaks nothing."""

from __future__ import annotations

import math

import pytest
from sqlalchemy import select, update

from cnn_demo.runs.step_blocks import add_block, forget_steps, unpack_block
from cnn_demo.runs.store import Store
from cnn_demo.runs.tables import step_blocks

LOSSES = [0.1, math.inf, None, -1 / 3, 5e-324]


def read_columns(store: Store, run: str) -> list[dict[str, list[float]]]:
    with store.db.read() as connection:
        rows = connection.execute(select(step_blocks).where(step_blocks.c.run == run).order_by(step_blocks.c.first))
        return [{name: values.tolist() for name, values in unpack_block(row).items()} for row in rows]


def add_steps(store: Store, run: str, first: int, losses: list[float | None]) -> None:
    with store.db.transaction() as connection:
        add_block(connection, run, {"step": range(first, first + len(losses)), "loss": losses})


def test_every_value_comes_back(store: Store) -> None:
    add_steps(store, "a", 1, LOSSES)
    (block,) = read_columns(store, "a")
    assert block["step"] == [1, 2, 3, 4, 5]
    assert math.isnan(block["loss"].pop(2))
    assert block["loss"] == [0.1, math.inf, -1 / 3, 5e-324]


@pytest.mark.parametrize("after", range(8))
def test_steps_are_forgotten_exactly(store: Store, after: int) -> None:
    for run in ("a", "b"):
        add_steps(store, run, 1, [1.0, 2.0, 3.0])
        add_steps(store, run, 4, [4.0, 5.0, 6.0])
    with store.db.transaction() as connection:
        forget_steps(connection, "a", after)
    left = list(range(1, min(after, 6) + 1))
    assert [loss for block in read_columns(store, "a") for loss in block["loss"]] == left
    assert len(read_columns(store, "b")) == 2


def test_steps_that_are_made_again_replace_the_old_ones(store: Store) -> None:
    add_steps(store, "a", 1, [1.0, 2.0, 3.0])
    add_steps(store, "a", 2, [20.0])
    assert [block["loss"] for block in read_columns(store, "a")] == [[1.0], [20.0]]


@pytest.mark.parametrize("damage", [{"data": b"x"}, {"names": ""}, {"names": "loss"}])
def test_a_damaged_block_has_no_steps(store: Store, damage: dict[str, object]) -> None:
    add_steps(store, "a", 1, [1.0, 2.0])
    with store.db.transaction() as connection:
        connection.execute(update(step_blocks).values(damage))
    assert all(values == [] for block in read_columns(store, "a") for values in block.values())

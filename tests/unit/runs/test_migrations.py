"""Databases of other versions: brought up to date once and in place, or refused in words."""

from __future__ import annotations

import csv
import io
import json
import multiprocessing
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from cnn_demo.runs.database import Database
from cnn_demo.runs.migrations import VERSION, prepare_tables
from cnn_demo.runs.records import RunState, StoreUnavailable
from cnn_demo.runs.store import Store
from cnn_demo.settings.config import TrainConfig


def query(home: Path, statement: str) -> list[Any]:
    with closing(sqlite3.connect(home / "runs.sqlite")) as db:
        return db.execute(statement).fetchall()


def table_names(home: Path) -> set[str]:
    return {name for (name,) in query(home, "SELECT name FROM sqlite_master WHERE type = 'table'")}


def test_every_metric_of_version_1_is_taken_over_to_the_last_digit(old_home: Path) -> None:
    old_steps = query(old_home, "SELECT run, step, epoch, loss, accuracy, n, lr FROM steps ORDER BY run, step")
    old_epochs = query(old_home, "SELECT run, epoch, train_loss, test_accuracy, test_n, val_loss FROM epochs")
    assert len(old_steps) > 50
    store = Store(old_home)
    curves = {run.id: store.steps(run.id, points=1000) for run in store.list()}
    got = [
        (run, curve.step[i], curve.epoch[i], curve.loss[i], curve.accuracy[i], curve.lr[i])
        for run, curve in sorted(curves.items())
        for i in range(len(curve))
    ]
    # (x * n) / n is what a curve of single steps computes
    assert got == [(r, s, e, loss * n / n, acc * n / n, lr) for r, s, e, loss, acc, n, lr in old_steps]
    for run, epoch, *expected in old_epochs:
        row = next(row for row in store.epochs(run) if row.epoch == epoch)
        assert [row.train_loss, row.test_accuracy, row.test_n, row.val_loss] == expected


def test_the_tables_of_version_1_are_gone_and_numbers_go_on(old_home: Path) -> None:
    before = [number for (number,) in query(old_home, "SELECT number FROM runs")]
    store = Store(old_home)
    assert not {name for name in table_names(old_home) if name.endswith("_1")}
    assert "notes" not in table_names(old_home)
    assert store.create(TrainConfig()).number == max(before) + 1


def test_the_queue_of_version_1_keeps_its_order(old_home: Path) -> None:
    with closing(sqlite3.connect(old_home / "runs.sqlite")) as db:
        db.execute("UPDATE runs SET state = 'queued', queued = 1000 - number")
        db.commit()
    store = Store(old_home)
    waiting = sorted(store.list(), key=lambda run: run.queue_position)
    assert [run.number for run in waiting] == sorted((run.number for run in waiting), reverse=True)
    newest = store.create(TrainConfig())
    assert newest.queue_position == len(waiting) + 1
    assert store.version() > max(run.version for run in waiting)


def _open(home: str, results: Any) -> None:
    results.put(len(Store(Path(home)).list()))


def test_processes_that_open_an_old_store_at_once_migrate_it_once(old_home: Path) -> None:
    expected = len(query(old_home, "SELECT id FROM runs"))
    steps = dict(query(old_home, "SELECT run, COUNT(*) FROM steps GROUP BY run"))
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    processes = [context.Process(target=_open, args=(str(old_home), results)) for _ in range(4)]
    for process in processes:
        process.start()
    assert [results.get(timeout=60) for _ in processes] == [expected] * 4
    for process in processes:
        process.join()
    assert "steps" not in table_names(old_home)
    assert {run: len(Store(old_home).steps(run, points=1000)) for run in steps} == steps


def test_steps_of_version_2_are_taken_over_to_the_last_digit(store: Store) -> None:
    first, second = store.create(TrainConfig()), store.create(TrainConfig())
    rows = [
        (run, step, step / 3, 128, 1e-3, json.dumps({"loss": 1 / step, "accuracy": step / 7 if step > 1 else None}))
        for run in sorted((first.id, second.id))
        for step in range(1, 12_001)
    ]
    store.db.close()
    with closing(sqlite3.connect(store.home / "runs.sqlite")) as db:
        db.execute("DROP TABLE step_blocks")
        db.execute("CREATE TABLE steps (run, step, epoch, n, lr, metrics, PRIMARY KEY (run, step)) WITHOUT ROWID")
        db.executemany("INSERT INTO steps VALUES (?, ?, ?, ?, ?, ?)", rows)
        db.execute("UPDATE counters SET value = 2 WHERE name = 'schema'")
        db.commit()
    changes, migrated = store.version(), Store(store.home)
    assert "steps" not in table_names(store.home)
    assert migrated.version() == changes
    for run in (first, second):
        _head, no_accuracy, *lines = list(csv.reader(io.StringIO(migrated.metrics_csv(run.id))))
        assert no_accuracy[:6] == ["1", str(1 / 3), "0.001", "128", "1.0", ""]
        got = [(int(step), *map(float, (epoch, lr, n, loss, acc))) for step, epoch, lr, n, loss, acc, *_ in lines]
        assert got == [(step, step / 3, 1e-3, 128, 1 / step, step / 7) for step in range(2, 12_001)]


def test_a_migration_that_fails_leaves_the_old_tables(old_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = query(old_home, "SELECT * FROM runs")
    with monkeypatch.context() as broken:
        broken.setattr("cnn_demo.runs.migrations._TAKE_OVER", "INSERT INTO nothing VALUES (1)")
        with pytest.raises(StoreUnavailable, match="nothing"):
            Store(old_home)
    assert query(old_home, "SELECT * FROM runs") == before
    assert Store(old_home).list()


def test_a_newer_store_is_refused_in_words(store: Store) -> None:
    store.create(TrainConfig())
    store.db.close()
    with closing(sqlite3.connect(store.home / "runs.sqlite")) as db:
        db.execute("UPDATE counters SET value = 99 WHERE name = 'schema'")
        db.commit()
    with pytest.raises(StoreUnavailable, match="newer version") as told:
        Store(store.home)
    assert str(VERSION) in str(told.value)
    assert "CNN_DEMO_HOME" in str(told.value)


def test_what_is_no_database_is_said(tmp_path: Path) -> None:
    (tmp_path / "runs.sqlite").write_bytes(b"no database at all, but longer than the header of one" * 20)
    with pytest.raises(StoreUnavailable, match="not a database"):
        prepare_tables(Database(tmp_path / "runs.sqlite"))


@pytest.mark.parametrize(
    "damage",
    [
        "config = '{'",
        "config = 'null'",
        """config = '{"dataset": "mnist-mini", "brain": 3}'""",
        """config = '{"epochs": -1}'""",
        "state = 'archived'",
        "hint = '[', activity = 'x', versions = '3'",
    ],
)
def test_one_damaged_row_breaks_nothing(old_home: Path, damage: str) -> None:
    with closing(sqlite3.connect(old_home / "runs.sqlite")) as db:
        db.execute(f"UPDATE runs SET {damage} WHERE name = 'stopped-ema'")
        db.commit()
    store = Store(old_home)
    damaged = next(run for run in store.list() if run.name == "stopped-ema")
    assert damaged == store.get(damaged.id)
    assert damaged.title
    assert damaged.from_other_version == (not damage.startswith("hint"))
    assert damaged.state is RunState.STOPPED
    assert len(store.steps(damaged.id)) == damaged.step
    assert any(choice.run.id == damaged.id for choice in store.runs_with_checkpoints())

"""Makes the tables of the run store, and brings those of older versions up to date, once and in place."""

from __future__ import annotations

import itertools
from typing import Any

from sqlalchemy import Connection, func, insert, inspect, select, update

from cnn_demo.runs import tables
from cnn_demo.runs.database import Database
from cnn_demo.runs.records import StoreUnavailable
from cnn_demo.runs.rows import decode_json, encode_json
from cnn_demo.runs.step_blocks import add_block
from cnn_demo.runs.tables import counters

VERSION = 3


def prepare_tables(database: Database) -> None:
    """See to it that the database has the tables of this version.

    Raises:
        StoreUnavailable: a newer version of the program made it, or it cannot be read or written.
    """
    with database.read() as connection:
        if _check_version(database, connection) == VERSION:
            return
    with database.transaction() as connection:
        version = _check_version(database, connection)  # another process may have been faster
        if version == VERSION:
            return
        if version == 1:
            _set_aside_version_1(connection)
        tables.metadata.create_all(connection)
        if version < 2:
            connection.execute(insert(counters), [{"name": "schema", "value": 0}, {"name": "changes", "value": 0}])
        if version == 1:
            _take_over_version_1(connection)
        if version == 2:
            _take_over_steps(connection, "steps", _STEPS_2)
        connection.execute(update(counters).where(counters.c.name == "schema").values(value=VERSION))


def _check_version(database: Database, connection: Connection) -> int:
    """The version of the tables; 0 where there are none."""
    names = inspect(connection).get_table_names()
    if counters.name not in names:
        return 1 if "runs" in names else 0
    version = connection.execute(select(counters.c.value).where(counters.c.name == "schema")).scalar_one()
    if version > VERSION:
        raise StoreUnavailable(
            database.path,
            f"a newer version of this program made it (tables of version {version}, this program knows {VERSION}); "
            "update the program, or set CNN_DEMO_HOME to another folder",
        )
    return int(version)


# Version 1 (commit 953c0f6 and before) was SQLite only, so this may be SQL of SQLite. Its table ``checkpoints`` is as
# today; its speeds are forgotten, for their key left out much that decides a speed.
_REBUILT = ("runs", "steps", "epochs", "marks")
_SAME_COLUMNS = """
    number, id, token, name, state, config, device, owned, created, started, ended, step, total_steps, epoch,
    samples_per_second, memory_bytes, train_seconds, parameters, train_n, error, error_kind, error_detail, hint,
    activity, versions, attempts, version
"""
_EPOCH_METRICS = (
    "train_loss train_accuracy train_n test_loss test_accuracy test_n val_loss val_accuracy val_n lr seconds"
    " samples_per_second"
)
_TAKE_OVER = f"""
INSERT INTO runs ({_SAME_COLUMNS}, request, lr_request, requested_device, place)
    SELECT {_SAME_COLUMNS}, wish, lr_wish,
        CASE WHEN json_valid(config) THEN COALESCE(json_extract(config, '$.device'), 'auto') ELSE 'auto' END,
        ROW_NUMBER() OVER (ORDER BY queued, number)
    FROM runs_1;
UPDATE sqlite_sequence SET seq = (SELECT seq FROM sqlite_sequence WHERE name = 'runs_1') WHERE name = 'runs';
INSERT INTO epochs (run, epoch, step, best, metrics)
    SELECT run, epoch, step, best, metrics_json({", ".join(f"'{name}', {name}" for name in _EPOCH_METRICS.split())})
    FROM epochs_1;
INSERT INTO marks (run, step, epoch, kind, value, at)
    SELECT run, step, epoch, kind, value, at FROM marks_1 ORDER BY at, rowid
"""
# Versions 1 and 2 had a row a step; version 2 with its metrics as JSON.
_ROWS_AT_ONCE = 10_000
_STEP_COLUMNS = ("step", "epoch", "loss", "accuracy", "n", "lr")
_STEPS_1 = "SELECT run, step, epoch, n, lr, loss, accuracy FROM steps_1 ORDER BY run, step"
_STEPS_2 = "SELECT run, step, epoch, n, lr, metrics FROM steps ORDER BY run, step"


def _set_aside_version_1(connection: Connection) -> None:
    for index in ("one_active_run_a_device", "marks_of_run"):
        connection.exec_driver_sql(f"DROP INDEX IF EXISTS {index}")
    for name in _REBUILT:
        connection.exec_driver_sql(f"ALTER TABLE {name} RENAME TO {name}_1")
    for name in ("notes", "speeds"):
        connection.exec_driver_sql(f"DROP TABLE {name}")


def _take_over_version_1(connection: Connection) -> None:
    # SQLite's own json_object writes 15 digits; a float needs 17.
    driver: Any = connection.connection.driver_connection
    driver.create_function("metrics_json", -1, lambda *flat: encode_json(dict(zip(flat[::2], flat[1::2], strict=True))))
    for statement in _TAKE_OVER.split(";\n"):
        connection.exec_driver_sql(statement)
    _take_over_steps(connection, "steps_1", _STEPS_1)
    for name in _REBUILT:
        connection.exec_driver_sql(f"DROP TABLE IF EXISTS {name}_1")
    # Above every version and place that was given so far.
    highest = select(func.coalesce(func.sum(tables.runs.c.version), 0) + func.count()).scalar_subquery()
    connection.execute(update(counters).where(counters.c.name == "changes").values(value=highest))


def _take_over_steps(connection: Connection, table: str, statement: str) -> None:
    """Pack the rows of a table with a row a step into blocks, and drop it."""
    old = connection.exec_driver_sql(statement)
    while rows := old.fetchmany(_ROWS_AT_ONCE):
        for run_id, made in itertools.groupby(rows, key=lambda row: str(row.run)):
            columns: dict[str, list[float | None]] = {name: [] for name in _STEP_COLUMNS}
            for row in made:
                values = row._asdict() | decode_json(row._asdict().get("metrics"))
                for name, column in columns.items():
                    column.append(values.get(name))
            add_block(connection, run_id, columns)
    connection.exec_driver_sql(f"DROP TABLE {table}")

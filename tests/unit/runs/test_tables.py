"""The tables and the statements can be said to PostgreSQL, too."""

from __future__ import annotations

import pytest
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable

from cnn_demo.runs import base, curve_sums, metrics, queue, store
from cnn_demo.runs.tables import ONE_ACTIVE_RUN, metadata

POSTGRESQL = postgresql.dialect()


def test_tables_for_postgresql() -> None:
    for table in metadata.sorted_tables:
        assert "CREATE TABLE" in str(CreateTable(table).compile(dialect=POSTGRESQL))
    assert "(device) WHERE state IN ('paused', 'running', 'starting', 'stopping')" in str(
        ONE_ACTIVE_RUN.compile(dialect=POSTGRESQL)
    )


@pytest.mark.parametrize("module", [base, curve_sums, metrics, queue, store])
def test_statements_for_postgresql(module: object) -> None:
    statements = [value for name, value in vars(module).items() if name.lower().lstrip("_").startswith("select_")]
    for statement in statements:
        assert "SELECT" in str(statement.compile(dialect=POSTGRESQL))

"""Training steps in the database: one row holds what several steps in turn measured.

A row has the names of the columns and one matrix of 64-bit floats, a line a column. A new metric needs no new column of
the table, a value that is not finite is kept as it is, and a curve of hundreds of thousands of steps is read at once.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, delete, insert, select

from cnn_demo.runs.tables import step_blocks

if TYPE_CHECKING:
    import numpy as np

_FLOAT = "<f8"  # the same bytes on every machine


def add_block(connection: Connection, run_id: str, columns: Mapping[str, Sequence[float | None]]) -> None:
    """Write steps, in place of those from the first of them on.

    Args:
        connection: in a transaction.
        run_id: the run.
        columns: equally many values under each name; ``step`` is among them and ascends. None becomes NaN.
    """
    forget_steps(connection, run_id, int(columns["step"][0] or 0) - 1)
    _insert_block(connection, run_id, columns)


def forget_steps(connection: Connection, run_id: str, after: int) -> None:
    """Delete the steps after ``after``; a block that begins before keeps the rest."""
    late = (step_blocks.c.run == run_id, step_blocks.c.last > after)
    rows = connection.execute(select(step_blocks).where(*late)).all()
    connection.execute(delete(step_blocks).where(*late))
    for row in rows:
        if row.first <= after:
            columns = unpack_block(row)
            _insert_block(connection, run_id, {n: v[columns["step"] <= after].tolist() for n, v in columns.items()})


def _insert_block(connection: Connection, run_id: str, columns: Mapping[str, Sequence[float | None]]) -> None:
    import numpy as np  # a page that only looks at a list of runs needs no arrays

    first, last = (int(columns["step"][place] or 0) for place in (0, -1))
    data = np.array(list(columns.values()), dtype=_FLOAT).tobytes()
    values = {"run": run_id, "first": first, "last": last, "names": " ".join(columns), "data": data}
    connection.execute(insert(step_blocks), values)


def unpack_block(row: Any) -> dict[str, np.ndarray]:
    """The columns of a row by name, each ``(steps,)`` float64; no steps where the row is damaged."""
    import numpy as np

    names = row.names.split()
    whole = len(row.data) // (8 * len(names)) if "step" in names and len(row.data) % (8 * len(names)) == 0 else 0
    matrix = np.frombuffer(row.data, _FLOAT, len(names) * whole).reshape(len(names), whole)
    return dict(zip(names, matrix, strict=True))


def get_column(block: Mapping[str, np.ndarray], name: str) -> np.ndarray:
    """A column of :func:`unpack_block`, ``(steps,)``; all NaN for a metric that nobody recorded when it was written."""
    return block[name] if name in block else block["step"] * math.nan

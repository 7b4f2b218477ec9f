"""Training curves that are not read again at each look: sums over buckets of steps, kept in this process.

A bucket is a power of two of steps wide; when there are too many buckets, two and two become one. So a run of any
length takes the same memory, and a look reads only the steps that were recorded since the last one.
"""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlalchemy import Connection, bindparam, select

from cnn_demo.runs.records import Curve
from cnn_demo.runs.step_blocks import get_column, unpack_block
from cnn_demo.runs.tables import runs, step_blocks

if TYPE_CHECKING:
    import numpy as np

MAX_POINTS = 1024
_MAX_BUCKETS = 2 * MAX_POINTS
_MAX_RUNS = 64  # in memory at once: about 25 MB when all are long

_COLUMNS = ("step", "epoch", "lr", "n", "loss", "accuracy", "grad_norm")
_select_state = select(runs.c.rewinds, runs.c.step).where(runs.c.id == bindparam("run"))
_select_blocks = (
    select(step_blocks)
    .where(step_blocks.c.run == bindparam("run"), step_blocks.c.last > bindparam("after"))
    .order_by(step_blocks.c.first)
)


@dataclass(slots=True)
class _RunSums:
    """Per bucket: last step, last epoch, then sums: rate, steps, samples, loss and accuracy times samples, and the
    gradient's norm with the number of steps that have one.
    """

    rewinds: int = -1
    width: int = 1
    last: int = 0
    buckets: dict[int, list[float]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, bucket: int, values: list[float]) -> None:
        old = self.buckets.get(bucket)
        self.buckets[bucket] = _merge(old, values) if old else values

    def merged(self, factor: int) -> dict[int, list[float]]:
        """The buckets, ``factor`` of them in one."""
        if factor == 1:
            return self.buckets
        wide: dict[int, list[float]] = {}
        for bucket, values in self.buckets.items():
            old = wide.get(bucket // factor)
            wide[bucket // factor] = _merge(old, values) if old else values
        return wide


def _merge(old: list[float], new: list[float]) -> list[float]:
    return [max(old[0], new[0]), max(old[1], new[1]), *(a + b for a, b in zip(old[2:], new[2:], strict=True))]


class CurveSums:
    """The sums of the runs that were looked at last; safe to share between threads."""

    def __init__(self) -> None:
        self._runs: OrderedDict[str, _RunSums] = OrderedDict()
        self._lock = threading.Lock()

    def read_curve(self, connection: Connection, run_id: str, points: int) -> Curve:
        """The curve of a run in at most ``points`` points, each the sample-weighted mean of equally many steps."""
        if not 1 <= points <= MAX_POINTS:
            raise ValueError(f"points = {points}: expected 1 to {MAX_POINTS}")
        state = connection.execute(_select_state, {"run": run_id}).first()
        if state is None:
            self.forget(run_id)
            return Curve([], [], [], [], [], [])
        with self._lock:
            sums = self._runs.setdefault(run_id, _RunSums())
            self._runs.move_to_end(run_id)
            while len(self._runs) > _MAX_RUNS:
                self._runs.popitem(last=False)
        with sums.lock:
            _catch_up(connection, run_id, sums, *state)
            factor = _power_of_two(-(-sums.last // sums.width) / points)
            return _as_curve([values for _, values in sorted(sums.merged(factor).items())])

    def forget(self, run_id: str) -> None:
        """Drop what is kept of a run."""
        with self._lock:
            self._runs.pop(run_id, None)


def _catch_up(connection: Connection, run_id: str, sums: _RunSums, rewinds: int, step: int) -> None:
    """Read the steps that were recorded since the last look; all of them where some were deleted meanwhile."""
    if sums.rewinds != rewinds:
        sums.rewinds, sums.last, sums.width = rewinds, 0, _power_of_two(step / _MAX_BUCKETS)
        sums.buckets.clear()
    rows = connection.execute(_select_blocks, {"run": run_id, "after": sums.last}).all()
    for bucket, values in _sum_buckets([unpack_block(row) for row in rows], sums.last, sums.width):
        sums.add(bucket, values)
        sums.last = int(values[0])
    while sums.last > sums.width * _MAX_BUCKETS:
        sums.buckets = sums.merged(2)
        sums.width *= 2


def _sum_buckets(
    blocks: Sequence[Mapping[str, np.ndarray]], after: int, width: int
) -> Iterator[tuple[int, list[float]]]:
    """The buckets of the steps after ``after``, in order, each with the values of :class:`_RunSums`."""
    import numpy as np

    if not blocks:
        return
    table = np.array([np.concatenate([get_column(block, name) for block in blocks]) for name in _COLUMNS])
    # (columns, steps). A value that is not finite would make its whole bucket NaN.
    step, epoch, lr, n, loss, accuracy, norm = table[:, (table[0] > after) & np.isfinite(table[:-1]).all(0)]
    has_norm = np.isfinite(norm)
    bucket = (step.astype(np.int64) - 1) // width
    starts = np.flatnonzero(np.diff(bucket, prepend=-1))  # where a bucket begins
    if not len(starts):
        return
    sums = np.add.reduceat(
        [lr, np.ones_like(lr), n, loss * n, accuracy * n, np.where(has_norm, norm, 0), has_norm], starts, axis=1
    )
    highest = np.maximum.reduceat([step, epoch], starts, axis=1)
    yield from zip(bucket[starts].tolist(), np.concatenate([highest, sums]).T.tolist(), strict=True)


def _power_of_two(least: float) -> int:
    """The smallest power of two that is not below ``least``; at least 1."""
    return 1 << max(0, math.ceil(math.log2(least))) if least > 1 else 1


def _as_curve(buckets: list[list[float]]) -> Curve:
    return Curve(
        step=[int(b[0]) for b in buckets],
        epoch=[b[1] for b in buckets],
        loss=[b[5] / b[4] for b in buckets],
        accuracy=[b[6] / b[4] for b in buckets],
        lr=[b[2] / b[3] for b in buckets],
        grad_norm=[b[7] / b[8] if b[8] else math.nan for b in buckets],
    )

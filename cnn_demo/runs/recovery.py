"""Where a run goes on after it was stopped or died, and what happens where its newest checkpoints are damaged.

A run goes on exactly from the newest checkpoint that holds everything. Older ones hold only weights; going on from
those is not exact, so a person decides it (:func:`go_on_from_weights`). Nothing is deleted: what was recorded after the
step where the run goes on is set aside in the run's folder.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cnn_demo.runs.records import Checkpoint, Run

if TYPE_CHECKING:
    from cnn_demo.runs.store import Store
    from cnn_demo.training.events import Snapshot

EARLIER = "earlier-"  # begins the name of a folder with what was set aside, in the folder of the run
FRESH_STATE = "fresh_state"  # the kind of the mark where a run went on from weights alone


class OnlyWeightsLeft(RuntimeError):
    """No checkpoint holds everything that is needed to go on exactly; a person must decide.

    Attributes:
        checkpoint: the newest one whose weights are intact.
    """

    def __init__(self, checkpoint: Checkpoint, reason: Exception) -> None:
        super().__init__(
            f"{reason}. Only the weights of step {checkpoint.step} are intact: the run can go on from them,"
            " with fresh optimizer moments"
        )
        self.checkpoint = checkpoint


@dataclass(frozen=True, slots=True)
class ResumePoint:
    """Where a run goes on.

    Attributes:
        snapshot: what to go on from. Where only weights were left its state is empty, so that all else begins anew.
        lost: the newer checkpoints, which are damaged, the newest first.
    """

    snapshot: Snapshot
    lost: tuple[Checkpoint, ...] = ()


def find_resume_point(store: Store, run: Run) -> ResumePoint | None:
    """Where a run goes on: the newest checkpoint that holds everything, or the weights that a person has chosen.

    A run with damaged checkpoints never begins again at step 0 by itself.

    Returns:
        The point, or None for a run without checkpoints, which starts afresh.

    Raises:
        OnlyWeightsLeft: a person must decide.
        CheckpointUnreadable: there are checkpoints, and not even the weights of one are intact.
    """
    from cnn_demo.training.snapshot import CheckpointUnreadable, load_snapshot

    chosen = _chosen_step(store, run.id)
    lost: list[Checkpoint] = []
    with_weights: Checkpoint | None = None
    problem: CheckpointUnreadable | None = None
    for checkpoint in reversed(store.checkpoints(run.id)):
        begins_again = checkpoint.step == 0 and bool(lost)
        try:
            snapshot = load_snapshot(checkpoint.path)
            if not begins_again:
                return ResumePoint(snapshot, tuple(lost))
        except CheckpointUnreadable as error:
            problem = problem or error
        if with_weights is None:
            try:
                snapshot = load_snapshot(checkpoint.path, with_state=False)
                if checkpoint.step == chosen:
                    return ResumePoint(snapshot, tuple(lost))
                with_weights = checkpoint
            except CheckpointUnreadable:
                pass
        lost.append(checkpoint)
    if problem is None:
        return None
    if with_weights is None:
        raise problem
    raise OnlyWeightsLeft(with_weights, problem)


def _chosen_step(store: Store, run_id: str) -> int | None:
    """The step from whose weights a person wanted the run to go on."""
    steps = [mark.step for mark in store.marks(run_id) if mark.kind == FRESH_STATE]
    return steps[-1] if steps else None


def go_on_from_weights(store: Store, run_id: str) -> Run:
    """Queue a run again that failed because only weights are left: it goes on from them with fresh moments.

    Raises:
        RunNotFound: no such run.
        RunNotResumable: it is finished.
    """
    from cnn_demo.runs.recorder import Recorder

    run = store.get(run_id)
    if FRESH_STATE in run.hint:
        Recorder(store, run).mark(FRESH_STATE, run.hint[FRESH_STATE], run.hint["epoch"])
    return store.resume(run_id)


def set_aside(store: Store, run_id: str, step: int) -> Path:
    """Keep what was recorded after a step, where it is about to be recorded anew.

    Returns:
        The folder with the metrics so far, as CSV, and the newer checkpoints.

    Raises:
        OSError: it cannot be written; everything is still where it was.
    """
    folder = store.folder(run_id)
    target = folder / f"{EARLIER}{1 + len(find_earlier(store, run_id))}"
    target.mkdir()
    (target / "metrics.csv").write_bytes(store.metrics_csv(run_id).encode())
    for checkpoint in store.checkpoints(run_id):
        if checkpoint.step > step:
            checkpoint.path.rename(target / checkpoint.path.name)
    return target


def find_earlier(store: Store, run_id: str) -> list[Path]:
    """The folders with what was set aside, in order."""
    return sorted(store.folder(run_id).glob(f"{EARLIER}*"), key=lambda path: int(path.name.removeprefix(EARLIER)))

"""Training and evaluation: a generator of events and a function, for the app, the command line and a notebook alike."""

from cnn_demo.training.control import Control
from cnn_demo.training.errors import OutOfMemory, ResumeError, TrainingDiverged
from cnn_demo.training.evaluate import evaluate, predict_logits
from cnn_demo.training.events import (
    CheckpointDue,
    EpochEnd,
    EvalResult,
    Event,
    Finished,
    LrChanged,
    Paused,
    Progress,
    Resumed,
    Snapshot,
    Started,
    StepMetrics,
)
from cnn_demo.training.loop import fit

__all__ = [
    "CheckpointDue",
    "Control",
    "EpochEnd",
    "EvalResult",
    "Event",
    "Finished",
    "LrChanged",
    "OutOfMemory",
    "Paused",
    "Progress",
    "ResumeError",
    "Resumed",
    "Snapshot",
    "Started",
    "StepMetrics",
    "TrainingDiverged",
    "evaluate",
    "fit",
    "predict_logits",
]

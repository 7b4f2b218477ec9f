"""The receipt: does an exported network still answer as PyTorch does, and what does it cost?

Everything in it is measured on the spot, on the whole test split. Nothing is chosen by it.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from cnn_demo import __version__
from cnn_demo.datasets.device_dataset import normalize
from cnn_demo.datasets.splits import Split
from cnn_demo.export.asking import wilson_interval
from cnn_demo.export.browser_runner import VARIABLE, find_browser
from cnn_demo.export.formats import FORMATS, THRESHOLDS, ExportFailed
from cnn_demo.export.runners import NO_BROWSER, Runner, close_runner, open_runner, time_call
from cnn_demo.locales import N_
from cnn_demo.prediction.load import LoadedModel

FORMAT_VERSION = 1
PYTORCH = "pytorch"
_BATCH = 256
_MOST_SECONDS, _LEAST_CALLS = 5.0, 3  # timing a slow format ends earlier; the receipt says how many calls there were
_MOST_LISTED = 100  # images on which a format disagrees


@dataclass(frozen=True, slots=True)
class Limits:
    """What a format must hold to be offered without a mark.

    Attributes:
        agreement: the least share of test images with the class of PyTorch, 0 to 1.
        difference: the largest difference of a logit.
        points_lost: of accuracy, in percentage points.
    """

    agreement: float = 0.0
    difference: float = float("inf")
    points_lost: float = float("inf")


# What loses precision on purpose is judged by what it loses; all others must agree with PyTorch.
LIMITS: dict[str, Limits] = {"int8": Limits(points_lost=0.2), "tensorrt": Limits(points_lost=0.2)}


def choose_limits(thresholds: Mapping[str, float]) -> dict[str, Limits]:
    """The limits of every format that runs, by its name, for values of :data:`cnn_demo.export.formats.THRESHOLDS`."""
    exact = Limits(thresholds["least_agreement"] / 100, thresholds["most_difference"])
    lossy = {name: dataclasses.replace(limits, points_lost=thresholds["most_lost"]) for name, limits in LIMITS.items()}
    return {entry.name: lossy.get(entry.name, exact) for entry in FORMATS if entry.facts.get("runs")}


@dataclass(frozen=True, slots=True)
class Latency:
    """Seconds of one call: median and 95th percentile over ``n`` calls in this process, beside whatever else ran."""

    batch: int
    median: float
    p95: float
    n: int


@dataclass(frozen=True)
class Row:
    """One format.

    Attributes:
        format: ``pytorch`` or a name of the table of formats.
        file: the file's name; empty for PyTorch.
        nbytes: its size; for PyTorch that of parameters and buffers.
        sha256: of the file.
        correct: test images that are answered rightly.
        n: of all test images.
        interval: Wilson's 95% interval of the accuracy, 0 to 1.
        agreement: share of the test images that get the class that PyTorch gives.
        largest, mean: difference of a logit from PyTorch's.
        others: numbers of the test images that get another class, at most a hundred.
        drawing: probabilities for the visitor's drawing, raw softmax; None without one.
        latencies: for batches of 1 and of 256.
        misses: what does not hold, as pairs of an English message and what fills it; empty where all holds.
    """

    format: str
    file: str
    nbytes: int
    sha256: str
    correct: int
    n: int
    interval: tuple[float, float]
    agreement: float
    largest: float
    mean: float
    others: tuple[int, ...]
    drawing: tuple[float, ...] | None
    latencies: tuple[Latency, ...]
    misses: tuple[tuple[str, dict[str, str]], ...] = ()

    @property
    def accuracy(self) -> float:
        """0 to 1."""
        return self.correct / self.n

    @property
    def holds(self) -> bool:
        """Whether the format may be offered as it is."""
        return not self.misses


@dataclass(frozen=True)
class Receipt:
    """What was found of one network; the first row is PyTorch's.

    Attributes:
        network: the reference with its step.
        dataset: whose test split was asked.
        made: day and time, UTC.
        machine: processor, system, threads.
        versions: of what has a say in the numbers.
        rows: PyTorch and every format that could be asked.
        notes: what could not be asked and why, as pairs of an English message and what fills it.
        thresholds: what the rows had to hold, by the names of :data:`cnn_demo.export.formats.THRESHOLDS`.
    """

    network: str
    dataset: str
    made: str
    machine: dict[str, str]
    versions: dict[str, str]
    rows: tuple[Row, ...]
    notes: tuple[tuple[str, dict[str, str]], ...] = ()
    thresholds: dict[str, float] = field(default_factory=dict)

    def to_json(self) -> str:
        """As it is stored, with the version of the format."""
        return json.dumps({"format": FORMAT_VERSION, **dataclasses.asdict(self)}, indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Receipt:
        """Read what :meth:`to_json` wrote.

        Raises:
            ValueError: it is no receipt, or of a later format.
        """
        stored = json.loads(text)
        if not isinstance(stored, dict) or stored.pop("format", None) != FORMAT_VERSION:
            raise ValueError(f"expected a receipt of format {FORMAT_VERSION}")
        try:
            rows = tuple(_read_row(row) for row in stored.pop("rows"))
            notes = tuple((message, dict(values)) for message, values in stored.pop("notes", ()))
            return cls(rows=rows, notes=notes, **stored)
        except (TypeError, KeyError) as error:
            raise ValueError(f"not a receipt: {error}") from error


def _read_row(row: dict[str, Any]) -> Row:
    row["latencies"] = tuple(Latency(**latency) for latency in row["latencies"])
    row["interval"], row["others"] = tuple(row["interval"]), tuple(row["others"])
    row["misses"] = tuple((message, dict(values)) for message, values in row["misses"])
    row["drawing"] = None if row["drawing"] is None else tuple(row["drawing"])
    return Row(**row)


def make_receipt(
    loaded: LoadedModel,
    files: Mapping[str, Path],
    test: Split,
    *,
    dataset: str = "",
    drawing: torch.Tensor | None = None,
    thresholds: Mapping[str, float] | None = None,
    calls: tuple[int, int] = (100, 10),
    progress: Callable[[float], None] = lambda _share: None,
) -> Receipt:
    """Ask PyTorch and every exported file about the whole test split.

    Args:
        loaded: the network.
        files: by the name of their format; formats that do not compute anything are left out by the caller.
        test: the test split of its data set, bytes ``(N, C, H, W)``.
        dataset: whose split that is, where it is not the network's own.
        drawing: the visitor's, as the network takes it: ``(1, C, H, W)``, normalized.
        thresholds: what must hold, by the names of :data:`cnn_demo.export.formats.THRESHOLDS`; their defaults where it
            is None or does not name one.
        calls: how often a batch of 1 and a batch of 256 are timed, at most.
        progress: is told the part that is done.

    Raises:
        ValueError: the split is empty.
        ExportFailed: a file cannot be run.
    """
    if len(test) == 0:
        raise ValueError("make_receipt: the test split is empty")
    threads = torch.get_num_threads()
    asked = {setting.name: float((thresholds or {}).get(setting.name, setting.default)) for setting in THRESHOLDS}
    limits = choose_limits(asked)
    paths: dict[str, Path | None] = {PYTORCH: None, **files}
    notes: list[tuple[str, dict[str, str]]] = []
    if "html" in paths and find_browser() is None:
        del paths["html"]
        notes.append((NO_BROWSER, {"variable": VARIABLE}))
    rows: list[Row] = []
    wanted: NDArray[np.float32] | None = None
    for number, (format, path) in enumerate(paths.items()):

        def tell(part: float, number: int = number) -> None:
            progress((number + part) / len(paths))

        try:
            row, logits = _ask_format(format, path, loaded, test, wanted, threads, drawing, calls, tell)
        except ExportFailed as error:
            if format != "html":
                raise
            notes.append((error.message, error.values))  # a browser that does not start says nothing of the file
            continue
        wanted = logits if wanted is None else wanted
        if path is not None:
            row = dataclasses.replace(row, misses=_find_misses(row, rows[0], limits[format]))
        rows.append(row)
    progress(1.0)
    machine = {
        "processor": platform.processor() or platform.machine(),
        "system": platform.system(),
        "threads": str(threads),
    }
    packages = {name: version(name) for name in ("torch", "onnx", "onnxruntime")}
    made = datetime.now(timezone.utc).isoformat(timespec="seconds")
    versions = {"cnn_demo": __version__, "python": platform.python_version(), **packages}
    return Receipt(loaded.key, dataset or loaded.spec.name, made, machine, versions, tuple(rows), tuple(notes), asked)


def _ask_format(
    format: str,
    path: Path | None,
    loaded: LoadedModel,
    test: Split,
    wanted: NDArray[np.float32] | None,
    threads: int,
    drawing: torch.Tensor | None,
    calls: tuple[int, int],
    tell: Callable[[float], None],
) -> tuple[Row, NDArray[np.float32]]:
    """The row of a format, and its logits on the test split; ``wanted`` are PyTorch's, None where these are they."""
    runner = open_runner(format, path, loaded, threads)
    try:
        logits = _ask(runner, loaded, test, tell)
        row = _compare(format, path, loaded, test, logits, logits if wanted is None else wanted)
        drawn = None if drawing is None else _soften(runner(drawing.numpy()))
        timed = tuple(_time(runner, loaded, test, batch, n) for batch, n in zip((1, _BATCH), calls, strict=True))
    finally:
        close_runner(runner)
    return dataclasses.replace(row, drawing=drawn, latencies=timed), logits


def _ask(runner: Runner, loaded: LoadedModel, test: Split, progress: Callable[[float], None]) -> NDArray[np.float32]:
    parts = []
    for done, images in enumerate(test.images.split(_BATCH)):
        parts.append(runner(normalize(images, loaded.spec).contiguous().numpy()))
        progress((done + 1) * _BATCH / len(test) if (done + 1) * _BATCH < len(test) else 1.0)
    return np.concatenate(parts)


def _compare(
    format: str,
    path: Path | None,
    loaded: LoadedModel,
    test: Split,
    logits: NDArray[np.float32],
    wanted: NDArray[np.float32],
) -> Row:
    answers, difference = logits.argmax(1), np.abs(logits.astype(np.float64) - wanted)
    others = np.flatnonzero(answers != wanted.argmax(1))
    correct = int((answers == test.labels.numpy()).sum())
    content = path.read_bytes() if path else b""
    return Row(
        format,
        path.name if path else "",
        len(content) if path else loaded.nbytes,
        hashlib.sha256(content).hexdigest() if path else "",
        correct,
        len(test),
        wilson_interval(correct, len(test)),
        1 - len(others) / len(test),
        float(difference.max()),
        float(difference.mean()),
        tuple(int(i) for i in others[:_MOST_LISTED]),
        None,
        (),
    )


def _find_misses(row: Row, reference: Row, limits: Limits) -> tuple[tuple[str, dict[str, str]], ...]:
    misses = []
    if row.agreement < limits.agreement:
        values = {"share": f"{row.agreement:.2%}", "least": f"{limits.agreement:.2%}", "n": f"{row.n:,}"}
        misses.append(
            (N_("It gives PyTorch's answer for {share} of {n} test images; expected at least {least}."), values)
        )
    if not row.largest <= limits.difference:  # also where a logit is no number
        values = {"largest": f"{row.largest:.2g}", "most": f"{limits.difference:g}"}
        misses.append((N_("A logit differs by {largest} from PyTorch's; expected at most {most}."), values))
    lost = 100 * (reference.accuracy - row.accuracy)
    if lost > limits.points_lost + 1e-9:
        values = {"lost": f"{lost:.2f}", "most": f"{limits.points_lost:g}", "n": f"{row.n:,}"}
        misses.append((N_("It loses {lost} points of accuracy on {n} test images; expected at most {most}."), values))
    return tuple(misses)


def _soften(logits: NDArray[np.float32]) -> tuple[float, ...]:
    return tuple(torch.from_numpy(logits[0]).double().softmax(0).tolist())


def _time(runner: Runner, loaded: LoadedModel, test: Split, batch: int, n: int) -> Latency:
    images = normalize(test.images[:1], loaded.spec).contiguous().numpy().repeat(batch, axis=0)
    seconds: list[float] = []
    for _ in range(3 if batch == 1 else 1):  # what is made on first use is made
        runner(images)
    while len(seconds) < n and (len(seconds) < _LEAST_CALLS or sum(seconds) < _MOST_SECONDS):
        seconds.append(time_call(runner, images))
    return Latency(batch, float(np.median(seconds)), float(np.percentile(seconds, 95)), len(seconds))

"""How sure a network is of a drawing, and whether the drawing is a digit at all.

Two questions, two numbers, both from the logits z alone, so that any trained run can be judged:

* Which digit, and how surely? The softmax of z / T, its temperature T fitted on held-out digits (Guo, Pleiss, Sun,
  Weinberger, "On calibration of modern neural networks", 2017), so that of the answers given 90% about 90% are right.
* A digit at all? The negative free energy log Σ exp z (Liu, Wang, Owens, Li, "Energy-based out-of-distribution
  detection", 2020): small where no class finds evidence. Below a threshold the drawing is said to be no digit.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from cnn_demo.data.augment import Handwriting
from cnn_demo.data.load import Dataset
from cnn_demo.data.resident import normalise
from cnn_demo.data.splits import Split
from cnn_demo.data.strokes import synthesize, synthesize_signs

Kind = Literal["sure", "torn", "unsure", "not_a_digit", "empty"]

SURE = 0.9  # a calibrated probability from which one answer stands
TORN = 0.9  # two answers that together have this much are the two it is torn between
FALSE_ALARMS = 0.02  # share of digits that may be called no digit: the threshold follows from it
_SEED = 20_20


@dataclass(frozen=True, slots=True)
class Calibration:
    """What :func:`judge` needs to know of one model, and how good it is.

    Attributes:
        temperature: the logits are divided by it before the softmax, above 0.
        threshold: drawings with a smaller energy score are no digits.
        digits: number of digits (or images of the data set) that the two were fitted on.
        false_alarms: share of those digits below the threshold.
        signs: number of letters, symbols and scribbles that were looked at; 0 for data sets that are not digits.
        misses: share of those signs at or above the threshold.
    """

    temperature: float
    threshold: float
    digits: int
    false_alarms: float
    signs: int = 0
    misses: float = 0.0

    def save(self, path: Path) -> None:
        """Write it as JSON."""
        path.write_text(json.dumps(dataclasses.asdict(self), indent=2) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Calibration:
        """Read what :meth:`save` wrote.

        Raises:
            ValueError: the file is no calibration.
            OSError: it cannot be read.
        """
        data: Any = json.loads(path.read_text(encoding="utf-8"))
        names = [f.name for f in dataclasses.fields(cls)]
        if not isinstance(data, dict) or any(not isinstance(data.get(name), int | float) for name in names):
            raise ValueError(f"{path.name}: expected the numbers {', '.join(names)}")
        return cls(**{name: data[name] for name in names})


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to say about one drawing.

    Attributes:
        kind: ``sure`` of ``top``; ``torn`` between ``top`` and ``runner_up``; ``unsure``, more than two being possible;
            ``not_a_digit``; ``empty``, nothing being drawn.
        top: the most probable class.
        runner_up: the second.
        probabilities: one for each class, calibrated; they sum to 1.
        entropy_bits: uncertainty of the probabilities, 0 to log2 of the number of classes.
        score: the energy score, larger for digits.
    """

    kind: Kind
    top: int
    runner_up: int
    probabilities: tuple[float, ...]
    entropy_bits: float
    score: float


def energy(logits: Tensor) -> Tensor:
    """The energy score log Σ exp z of logits ``(N, classes)``: ``(N,)``, larger for what the network knows."""
    return torch.logsumexp(logits.double(), dim=1)


def judge(logits: Tensor, calibration: Calibration, *, empty: bool = False) -> Verdict:
    """Judge one drawing.

    Args:
        logits: ``(classes,)`` or ``(1, classes)``, at least two classes.
        calibration: of the model the logits come from.
        empty: nothing was drawn, as :attr:`cnn_demo.data.drawing.Drawing.empty` says.
    """
    row = logits.detach().reshape(1, -1).double()
    score = float(energy(row))
    values = torch.softmax(row / calibration.temperature, dim=1)[0]
    first, second = torch.topk(values, 2).indices.tolist()
    p = values.tolist()
    entropy = -sum(v * math.log2(v) for v in p if v > 0)
    kind: Kind = "unsure"
    if empty:
        kind = "empty"
    elif score < calibration.threshold:
        kind = "not_a_digit"
    elif p[first] >= SURE:
        kind = "sure"
    elif p[first] + p[second] >= TORN:
        kind = "torn"
    return Verdict(kind, first, second, tuple(p), entropy, score)


def calibrate(model: nn.Module, dataset: Dataset, *, n: int = 2000) -> Calibration:
    """Fit temperature and threshold of a model on the training side; a few seconds.

    For digits, half of the ``n`` samples are training images changed by the handwriting augmentation (the images as
    they are would be too well known), half are synthetic strokes in the styles held out from training. For other data
    sets all are augmented training images, and the threshold only means "unlike the data set".

    Args:
        model: maps normalised images to logits; it is put back into the mode it was in.
        dataset: what it was trained on; its test split is not touched.
        n: how many samples.
    """
    samples = _samples(dataset, n)
    logits = logits_of(model, samples.images, dataset)
    scores = energy(logits)
    threshold = float(torch.quantile(scores, FALSE_ALARMS))
    alarms = float((scores < threshold).double().mean())
    temperature = fit_temperature(logits, samples.labels.to(logits.device))
    if not dataset.spec.digits:
        return Calibration(temperature, threshold, len(samples), alarms)
    signs = synthesize_signs(max(n // 4, 1), _SEED)
    missed = float((energy(logits_of(model, signs, dataset)) >= threshold).double().mean())
    return Calibration(temperature, threshold, len(samples), alarms, len(signs), missed)


def _samples(dataset: Dataset, n: int) -> Split:
    drawn = n // 2 if dataset.spec.digits else 0
    generator = torch.Generator().manual_seed(_SEED)
    chosen = torch.randperm(len(dataset.train), generator=generator)[: n - drawn]
    own = dataset.train.take(chosen)
    changed = Handwriting(dataset.spec, seed=_SEED)(own.images.float() / 255, generator)
    own = Split((changed * 255).round().to(torch.uint8), own.labels)
    if not drawn:
        return own
    strokes = synthesize(drawn, _SEED, held_out=True)
    return Split(torch.cat([own.images, strokes.images]), torch.cat([own.labels, strokes.labels]))


@torch.no_grad()
def logits_of(model: nn.Module, images: Tensor, dataset: Dataset) -> Tensor:
    """Logits ``(N, classes)`` in evaluation mode of images ``(N, C, H, W)`` uint8, in batches of 500."""
    device = next(model.parameters()).device
    training = model.training
    model.eval()
    try:
        parts = [model(normalise(part.to(device), dataset.spec)) for part in images.split(500)]
    finally:
        model.train(training)
    return torch.cat(parts)


def fit_temperature(logits: Tensor, labels: Tensor) -> float:
    """The temperature in [0.05, 20] with the least cross-entropy, within 0.1%.

    Args:
        logits: ``(N, classes)``.
        labels: ``(N,)`` int64.
    """

    def loss(log_t: float) -> float:
        return float(nn.functional.cross_entropy(logits.double() / math.exp(log_t), labels))

    return math.exp(_least(loss, math.log(0.05), math.log(20), 1e-3))


def _least(function: Callable[[float], float], low: float, high: float, width: float) -> float:
    """Golden-section search; the cross-entropy is convex in 1/T, so it has one valley in log T."""
    golden = (math.sqrt(5) - 1) / 2
    a, b = high - golden * (high - low), low + golden * (high - low)
    at_a, at_b = function(a), function(b)
    while high - low > width:
        if at_a < at_b:
            high, b, at_b = b, a, at_a
            a = high - golden * (high - low)
            at_a = function(a)
        else:
            low, a, at_a = a, b, at_b
            b = low + golden * (high - low)
            at_b = function(b)
    return (low + high) / 2

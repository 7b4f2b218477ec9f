"""How sure a network is of a drawing, and whether the drawing is a digit at all.

Two questions, two numbers, both from the logits z alone, so that any trained run can be judged:

* Which digit, and how surely? The softmax of z / T, its temperature T fitted on held-out digits (Guo, Pleiss, Sun,
  Weinberger, "On calibration of modern neural networks", 2017), so that of the answers given 90% about 90% are right.
* A digit at all? A logistic regression that tells digits from letters, symbols and scribbles, as Lee, Lee, Lee, Shin
  ("A simple unified framework for detecting out-of-distribution samples and adversarial attacks", 2018) put several
  scores together. It sees the logits, the logits in falling order, and the energy score log Σ exp z of Liu, Wang,
  Owens, Li ("Energy-based out-of-distribution detection", 2020); which class a logit belongs to counts
  only where that lets fewer outliers pass. Below a threshold a drawing is said to be no digit.

The model that ships was taught what is no digit (outlier exposure, ``training.classification``). Where 99% of
MNIST's test digits pass, 9.8% of 2,000 outliers of kinds it had never seen pass too by this score, 13.2% by the largest
softmax value and 62.1% by the energy (``benchmarks/calibrate_shipped.py``). A network that was not taught lets far more
pass: of an earlier one, with 2% of 2,000 digits refused, this score let 29% of such outliers pass, the other two 75%
and 63%.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from cnn_demo.datasets.download import DatasetUnavailable
from cnn_demo.datasets.files import is_available
from cnn_demo.datasets.load import Dataset, load_dataset
from cnn_demo.datasets.splits import Split
from cnn_demo.handwriting.strokes import synthesize, synthesize_outliers
from cnn_demo.models.clip_small import ClipSmall
from cnn_demo.prediction.load import LoadedModel
from cnn_demo.prediction.logits import compute_logits
from cnn_demo.training.handwriting import DIGITS, OTHERS, augment

Kind = Literal["sure", "torn", "unsure", "not_a_digit", "empty"]

SURE = 0.9  # a calibrated probability from which one answer stands
TORN = 0.9  # two answers that together have this much are the two it is torn between
FALSE_ALARMS = 0.02  # share of digits that may be called no digit: the threshold follows from it
FORMAT_VERSION = 2  # of the file: 2 names the outliers, 1 called them signs
SHIPPED_NAME = "calibration.json"
_SEED = 20_20


@dataclass(frozen=True, slots=True)
class Calibration:
    """What :func:`judge` needs to know of one model, and how good it is.

    Attributes:
        temperature: the logits are divided by it before the softmax, above 0.
        threshold: drawings with a smaller score are no digits.
        digits: number of digits (or images of the data set) that the threshold was set on.
        false_alarms: share of those digits below the threshold.
        outliers: number of letters, symbols and scribbles that it was tried on, none of them used for fitting.
        misses: share of those outliers at or above the threshold.
        weights: of what :func:`evidence` gives, and last the constant; the score is the energy where there are none.
    """

    temperature: float
    threshold: float
    digits: int
    false_alarms: float
    outliers: int = 0
    misses: float = 0.0
    weights: tuple[float, ...] = ()

    def save(self, path: Path) -> None:
        """Write it as JSON, with the version of the format."""
        stored = {"version": FORMAT_VERSION, **dataclasses.asdict(self)}
        path.write_text(json.dumps(stored, indent=2) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Calibration:
        """Read what :meth:`save` wrote, also in version 1.

        Raises:
            ValueError: the file is no calibration, or of a later version.
            OSError: it cannot be read.
        """
        stored: Any = json.loads(path.read_text(encoding="utf-8"))
        values = dict(stored) if isinstance(stored, dict) else {}
        version = values.pop("version", 1)
        if version == 1:  # had no version, and another word for outliers
            values["outliers"] = values.pop("signs", None)
        elif version != FORMAT_VERSION:
            raise ValueError(f"{path.name}: version {version!r} of the format, expected 1 or {FORMAT_VERSION}")
        names = [f.name for f in dataclasses.fields(cls)]
        weights = values.pop("weights", None)
        numbers = [*values.values(), *(weights if isinstance(weights, list) else [None])]
        if sorted(values) != sorted(names[:-1]) or not all(isinstance(v, int | float) for v in numbers):
            raise ValueError(f"{path.name}: expected the numbers {', '.join(names)}")
        return cls(weights=tuple(weights or ()), **values)


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
        score: how much it looks like a digit; at the threshold of the calibration it begins to be one.
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


def evidence(logits: Tensor) -> Tensor:
    """Logits ``(N, classes)``, the same in falling order, and the energy: ``(N, 2 * classes + 1)`` float64."""
    z = logits.double()
    return torch.cat([z, z.sort(dim=1, descending=True).values, energy(z)[:, None]], dim=1)


def scores(logits: Tensor, weights: tuple[float, ...]) -> Tensor:
    """How much each row of logits ``(N, classes)`` looks like a digit: ``(N,)`` float64."""
    if not weights:
        return energy(logits)
    w = torch.tensor(weights, dtype=torch.float64, device=logits.device)
    return evidence(logits) @ w[:-1] + w[-1]


def soften(logits: Tensor, calibration: Calibration) -> Tensor:
    """Probabilities ``(N, classes)`` float64 of logits ``(N, classes)``: the one rule that applies the temperature."""
    return torch.softmax(logits.detach().double() / calibration.temperature, dim=1)


def judge(logits: Tensor, calibration: Calibration, *, empty: bool = False) -> Verdict:
    """Judge one drawing.

    Args:
        logits: ``(classes,)`` or ``(1, classes)``, at least two classes.
        calibration: of the model the logits come from.
        empty: nothing was drawn, as :attr:`cnn_demo.drawing.prepare.Drawing.empty` says.
    """
    row = logits.detach().reshape(1, -1).double()
    score = float(scores(row, calibration.weights))
    values = soften(row, calibration)[0]
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


def calibration_path(loaded: LoadedModel) -> Path:
    """Where the calibration of a network is kept: beside the weights that ship, else in the network's own folder.

    Where none ships with the weights, it is made once. It is never written beside them, for an installation may be
    read-only.
    """
    if loaded.path is not None and loaded.ref.kind == "shipped" and (loaded.path / SHIPPED_NAME).is_file():
        return loaded.path / SHIPPED_NAME
    name = f"{loaded.step:08d}" if loaded.ref.kind == "run" else f"{loaded.key.replace(':', '-')}-{loaded.step}"
    if (left_out := find_class_left_out(loaded.model)) is not None:
        name += f"-without-{left_out}"
    return loaded.folder / f"calibration-{name}.json"


def find_class_left_out(model: nn.Module) -> int | None:
    """The class that a network was not shown in training; None where it was shown all."""
    return model.held_out if isinstance(model, ClipSmall) and model.held_out >= 0 else None


def load_calibration(loaded: LoadedModel) -> Calibration | None:
    """The calibration that is kept of a network; None where there is none, or none that can be read."""
    try:
        return Calibration.load(calibration_path(loaded))
    except (OSError, ValueError):
        return None


def calibrate(model: nn.Module, dataset: Dataset, *, n: int = 2000) -> Calibration:
    """Fit temperature, weights and threshold of a model on the training side; a few seconds.

    For digits, half of the ``n`` samples are training images changed by the handwriting augmentation (the images as
    they are would be too well known), half are synthetic strokes in the styles held out from training. For other data
    sets all are augmented training images. Half as many outliers stand for what is no digit. The weights are fitted on
    one half of the samples and on the outliers of training; threshold and error rates come from the other half and from
    outliers of other kinds. Those also decide whether it matters which class a logit belongs to: for a network that was
    taught by outlier exposure it does not.

    Of a class that the network was not shown (``clip-small`` can hold one out) no sample is used, so that its figure
    rests on captions alone: temperature and threshold owe nothing to it either. It may well be called no digit then.

    Args:
        model: maps normalized images to logits; it is put back into the mode it was in.
        dataset: what it was trained on; its test split is not touched.
        n: how many samples, at least 4.
    """
    samples = _choose_samples(dataset, n, find_class_left_out(model))
    spec = dataset.spec
    logits = compute_logits(model, samples.images, spec).cpu()
    temperature = fit_temperature(logits, samples.labels)
    own, unseen = (
        compute_logits(model, _resize_to_spec(synthesize_outliers(n // 2, _SEED, purpose), dataset), spec).cpu()
        for purpose in ("training", "calibration")
    )
    found = []
    for by_class in (True, False):
        weights = fit_weights(logits[::2], own, by_class=by_class)
        kept, others = scores(logits[1::2], weights), scores(unseen, weights)
        threshold = float(torch.quantile(kept, FALSE_ALARMS))
        alarms, missed = float((kept < threshold).double().mean()), float((others >= threshold).double().mean())
        found.append(Calibration(temperature, threshold, len(kept), alarms, len(others), missed, weights))
    return min(found, key=lambda calibration: calibration.misses)


def calibrate_loaded(loaded: LoadedModel) -> Calibration:
    """Calibrate a network on the data set that it belongs to, as far as that is here; nothing is downloaded.

    A set of digits that is not on this machine is stood in for by the one that ships.

    Raises:
        DatasetUnavailable: the images of another data set are not here.
    """
    name = loaded.spec.name
    if not is_available(name) and loaded.spec.digits:
        name = "mnist-mini"
    return calibrate(loaded.model, load_dataset(name, download=False), n=1000)


def find_calibration(loaded: LoadedModel) -> Calibration | None:
    """The calibration that is kept of a network, else a new one, which is kept; a few seconds.

    None where the images that it needs are not here.
    """
    known = load_calibration(loaded)
    if known is not None:
        return known
    try:
        made = calibrate_loaded(loaded)
    except (DatasetUnavailable, RuntimeError):  # without its images it answers uncalibrated, as on the page
        return None
    with contextlib.suppress(OSError):  # the folder may be read-only; the figures are good all the same
        made.save(calibration_path(loaded))
    return made


def fit_weights(digits: Tensor, others: Tensor, *, by_class: bool = True) -> tuple[float, ...]:
    """Logistic regression of digits against others, both sides weighing the same.

    Args:
        digits: logits ``(N, classes)``.
        others: logits ``(M, classes)``.
        by_class: whether the logits may count by their class; else only their order, the weights of the others being 0.

    Returns:
        A weight for each column of :func:`evidence`, and the constant.
    """
    x = torch.cat([evidence(digits), evidence(others)])
    ignored = 0 if by_class else digits.shape[1]
    x = x[:, ignored:]
    mean, spread = x.mean(dim=0), x.std(dim=0).clamp_min(1e-6)
    x = (x - mean) / spread
    target = torch.cat([torch.ones(len(digits)), torch.zeros(len(others))]).double()
    share = torch.where(target > 0, 1 / len(digits), 1 / len(others))
    w = torch.zeros(x.shape[1] + 1, dtype=torch.float64, requires_grad=True)
    search = torch.optim.LBFGS([w], max_iter=100, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        search.zero_grad()
        misfit = nn.functional.binary_cross_entropy_with_logits(
            x @ w[:-1] + w[-1], target, weight=share, reduction="sum"
        )
        total = misfit + 1e-3 * (w[:-1] ** 2).sum()
        total.backward()
        return total

    search.step(loss)
    found = w.detach()
    slopes = found[:-1] / spread
    return (*[0.0] * ignored, *slopes.tolist(), float(found[-1] - slopes @ mean))


def _resize_to_spec(images: Tensor, dataset: Dataset) -> Tensor:
    """Gray images ``(N, 1, 28, 28)`` in the size and channels of a data set, uint8."""
    spec = dataset.spec
    sized = nn.functional.interpolate(images.float(), size=(spec.size, spec.size), mode="bilinear", align_corners=False)
    return sized.round().to(torch.uint8).expand(-1, spec.channels, -1, -1)


def _choose_samples(dataset: Dataset, n: int, left_out: int | None = None) -> Split:
    """``n`` labeled samples, none of them of the class ``left_out``."""
    train = _without_class(dataset.train, left_out)
    drawn = n // 2 if dataset.spec.digits else 0
    generator = torch.Generator().manual_seed(_SEED)
    chosen = torch.randperm(len(train), generator=generator)[: n - drawn]
    own = train.take(chosen)
    changed = augment(own.images.float() / 255, DIGITS if dataset.spec.digits else OTHERS, generator)
    own = Split((changed * 255).round().to(torch.uint8), own.labels)
    if not drawn:
        return own
    more = drawn if left_out is None else -(-drawn * 10 // 9) + 1  # the digits take turns, so every tenth is of a class
    strokes = _without_class(synthesize(more, _SEED, held_out=True), left_out).take(torch.arange(drawn))
    return Split(torch.cat([own.images, strokes.images]), torch.cat([own.labels, strokes.labels]))


def _without_class(split: Split, label: int | None) -> Split:
    return split if label is None else split.take(split.labels != label)


def fit_temperature(logits: Tensor, labels: Tensor) -> float:
    """The temperature in [0.05, 20] with the least cross-entropy, within 0.1%.

    The cross-entropy is convex in 1/T, so it has one valley in log T and a bounded search finds it.

    Args:
        logits: ``(N, classes)``.
        labels: ``(N,)`` int64.
    """
    from scipy.optimize import minimize_scalar  # takes 0.3 s to import, and only a calibration needs it

    def loss(log_t: float) -> float:
        return float(nn.functional.cross_entropy(logits.double() / math.exp(log_t), labels))

    limits = (math.log(0.05), math.log(20))
    return math.exp(minimize_scalar(loss, bounds=limits, method="bounded", options={"xatol": 1e-4}).x)

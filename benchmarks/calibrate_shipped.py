"""Calibrate the shipped model's confidence, and print how often it is wrong about what is a digit.

Needs the full MNIST (CNN_DEMO_DATA names its folder). Writes ``calibration.json`` beside the shipped weights. The
temperature and the threshold come from MNIST's training images and synthetic strokes alone; the rates printed are those
on MNIST's 10,000 test images, on synthetic strokes of other seeds (their styles were trained on), and on outliers: of
the kinds that it was trained on, of those that the calibration saw, and of those that neither did.
"""

from __future__ import annotations

import torch

from cnn_demo.cli.networks import load_network
from cnn_demo.datasets.load import Dataset, load_dataset
from cnn_demo.datasets.splits import Split
from cnn_demo.handwriting.skeletons.outliers import PURPOSES
from cnn_demo.handwriting.strokes import synthesize, synthesize_outliers
from cnn_demo.prediction.calibration import Calibration, Kind, calibrate, energy, judge, scores
from cnn_demo.prediction.logits import compute_logits
from cnn_demo.prediction.shipped import SHIPPED

KINDS: tuple[Kind, ...] = ("sure", "torn", "unsure", "not_a_digit")


def words(logits: torch.Tensor, calibration: Calibration) -> str:
    """Share of each verdict over the rows, for people."""
    found = [judge(row, calibration).kind for row in logits]
    return ", ".join(f"{kind} {found.count(kind) / len(found):.2%}" for kind in KINDS)


def report(title: str, split: Split, model: torch.nn.Module, data: Dataset, calibration: Calibration) -> None:
    """Print the verdicts on digits, and how often a sure one is right."""
    logits = compute_logits(model, split.images, data.spec)
    verdicts = [judge(row, calibration) for row in logits]
    right = [v.top == int(y) for v, y in zip(verdicts, split.labels, strict=True) if v.kind == "sure"]
    accuracy = float((logits.argmax(1) == split.labels).double().mean())
    sure = sum(right) / max(len(right), 1)
    print(f"{title}, n = {len(split):,}: accuracy {accuracy:.2%}, when sure {sure:.2%}; {words(logits, calibration)}")


def compare(model: torch.nn.Module, data: Dataset, calibration: Calibration) -> None:
    """The score against two that need no fitting: how many unseen outliers pass where 99% of the test digits do."""
    digits = compute_logits(model, data.test.images, data.spec)
    outliers = compute_logits(model, synthesize_outliers(2000, 4711, "measuring"), data.spec)
    ways = {
        "the calibration's score": lambda z: scores(z, calibration.weights),
        "largest softmax value": lambda z: z.double().softmax(1).amax(1),
        "energy": energy,
    }
    for name, score in ways.items():
        threshold = torch.quantile(score(digits), 0.01)
        print(f"{name}: {float((score(outliers) >= threshold).double().mean()):.1%} pass where 99% of the digits do")


def main() -> None:
    data = load_dataset("mnist", download=False)
    model = load_network().model
    calibration = calibrate(model, data, n=4000)
    calibration.save(SHIPPED / "calibration.json")
    print(calibration)
    report("MNIST test", data.test, model, data, calibration)
    report("strokes, styles of the training", synthesize(4000, 4711), model, data, calibration)
    others = synthesize(4000, 4711, held_out=True)
    report("strokes, styles that only a last training learns", others, model, data, calibration)
    for purpose in PURPOSES:
        outliers = compute_logits(model, synthesize_outliers(2000, 4711, purpose), data.spec)
        print(f"outliers for {purpose}, n = {len(outliers):,}: {words(outliers, calibration)}")
    compare(model, data, calibration)


if __name__ == "__main__":
    main()

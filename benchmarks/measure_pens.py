"""How the shipped model reads pen strokes of people it has not learnt from: UCI's pen digits, fourteen writers.

    python -m benchmarks.measure_pens FILE [--model RUN]

FILE is KEEL's copy of the data, penbased.dat; `scripts/make_pens.py` says where it comes from and how the
fourteen writers of the test part are told from the thirty of the training part, whose strokes the network has learnt.
Each digit is drawn on a pad of 280 pixels with a round pen 10 to 24 wide, filling 30% to 90% of the pad, off center,
once straight from point to point and once in a smooth curve, as the pad draws; then it goes the way of
`python -m cnn_demo predict`.

The data keeps less than a pad does (see `cnn_demo/handwriting/pens.py`): eight points a digit, nothing of where the pen
was lifted, and no proportions, which are made up: 0.55 to 0.95 as wide as high.

Before any network learnt from the thirty, recordings and errors of both parts had been looked at, to see which ways of
writing were missing. The second figure is of those that were not among them: odd places after the file's 7,494th.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from benchmarks.common import machine
from benchmarks.judged import add_model_option, choose_predictor, collect_answers
from cnn_demo.handwriting.pens import trace_recording
from cnn_demo.handwriting.skeletons.pen import RandomStream
from cnn_demo.handwriting.strokes import PenVariation, draw_on_pad
from scripts.make_pens import TEST_ROWS, read_keel

ASPECT = (0.55, 0.95)
SEEN = 7_494


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    add_model_option(parser)
    args = parser.parse_args()
    _, (points, truth) = read_keel(args.file)
    places = np.concatenate([np.arange(first, end) for first, end in TEST_ROWS])
    fresh = (places >= SEEN) & (places % 2 == 1)
    print(machine())
    predictor = choose_predictor(args)
    stream, variation = RandomStream(np.random.default_rng(5)), PenVariation()
    for smooth in (False, True):
        pictures = []
        for recording in points:
            way = trace_recording(recording, stream.u(*ASPECT), smooth=smooth)
            pad = draw_on_pad([way], stream.u(*variation.pen), stream.u(*variation.fill), stream)
            pictures.append(predictor.prepare(pad))
        answers = collect_answers(predictor, pictures)
        found = answers.tops
        right = found == truth
        print("in smooth curves" if smooth else "straight from point to point")
        print(f"  all, n = {len(right):,}: {right.mean():.2%} right")
        print(f"  not looked at before, n = {fresh.sum():,}: {right[fresh].mean():.2%} right")
        for digit in range(10):
            own = truth == digit
            wrong = np.bincount(found[own & ~right], minlength=10)
            most = f", mostly read as {wrong.argmax()} ({wrong.max()})" if wrong.any() else ""
            print(f"  {digit}: {right[own].mean():.1%} of {own.sum()}{most}")
        answers.print_verdicts(right)


if __name__ == "__main__":
    main()

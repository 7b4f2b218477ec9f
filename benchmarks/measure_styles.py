"""How a model reads each way of writing a digit that the synthetic pens know, the worst first.

    python -m benchmarks.measure_styles [--model REF] [--n N]

Each digit goes the way of a visitor's drawing: on a pad of 280 pixels with a round pen 10 to 24 wide, then prepared as
on the Draw page. The seed is none of a training's, but the shipped model has learnt from the same styles: this finds
weak points and compares models that learnt alike. It does not say how well people are read.
"""

from __future__ import annotations

import argparse

import numpy as np

from benchmarks.common import machine
from benchmarks.judged import add_model_option, choose_predictor, collect_answers
from cnn_demo.handwriting.skeletons.pen import RandomStream
from cnn_demo.handwriting.skeletons.styles import STYLES
from cnn_demo.handwriting.strokes import PenVariation, draw_on_pad, write_digit

SEED = 4711


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=200, help="digits of each style")
    add_model_option(parser)
    args = parser.parse_args()
    print(machine())
    predictor, variation = choose_predictor(args), PenVariation()
    lines, total = [], 0
    for place, style in enumerate(STYLES):
        stream = RandomStream(np.random.default_rng([SEED, place]))
        pads = [
            draw_on_pad(
                write_digit(style, variation, stream), stream.u(*variation.pen), stream.u(*variation.fill), stream
            )
            for _ in range(args.n)
        ]
        tops = collect_answers(predictor, [predictor.prepare(pad) for pad in pads]).tops
        right, found = int((tops == style.digit).sum()), np.bincount(tops[tops != style.digit], minlength=10)
        most = f", mostly read as {found.argmax()} ({found.max()})" if found.any() else ""
        lines.append((right, f"  {style.digit} {style.draw.__name__.strip('_')}: {right / args.n:.1%}{most}"))
        total += right
    count = args.n * len(STYLES)
    print(f"n = {count:,}, {args.n} of each of {len(STYLES)} styles, equally often: {total / count:.2%} right")
    print("\n".join(text for _, text in sorted(lines)))


if __name__ == "__main__":
    main()

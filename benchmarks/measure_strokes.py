"""How a model reads complete pen strokes: digits that people wrote, pen lifts and proportions included.

    python -m benchmarks.measure_strokes FILE... [--y-up] [--pictures FOLDER] [--model RUN]

Each FILE holds one digit a line, as JSON: {"digit": 4, "strokes": [[[x, y], ...], ...], "writer": "anything"}, one list
of points for each time the pen went down, in any unit. Each digit is drawn on a pad of 280 pixels with a round pen 10
to 24 wide, filling 30% to 90% of the pad, off center, once straight from point to point and once in a smooth curve, as
the pad draws; then it goes the way of `python -m cnn_demo predict`. --pictures keeps the pads as DIGIT-NUMBER.png, for
`predict FOLDER` itself; the misread ones can be looked at there.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.common import machine
from benchmarks.judged import add_model_option, choose_predictor, collect_answers
from cnn_demo.handwriting.skeletons.pen import PenPath, RandomStream, curve
from cnn_demo.handwriting.strokes import PenVariation, draw_on_pad


def read(file: Path, *, y_up: bool) -> Iterator[tuple[int, str, list[PenPath]]]:
    """Digit, writer and pen paths ``(points, 2)``, y down, of every line.

    Raises:
        ValueError: a line that is not of that form; names it.
    """
    for number, text in enumerate(file.read_text().splitlines(), 1):
        try:
            line = json.loads(text)
            paths = [np.array(stroke, dtype=np.float64).reshape(-1, 2) for stroke in line["strokes"]]
            digit = int(line["digit"])
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{file}, line {number}: not a digit with strokes ({error!r})") from error
        if not 0 <= digit <= 9 or not paths or not all(len(path) for path in paths):
            raise ValueError(f"{file}, line {number}: expected a digit from 0 to 9 and strokes with points")
        yield digit, str(line.get("writer", file.stem)), [path * [1, -1] if y_up else path for path in paths]


def pads(drawings: list[list[PenPath]], *, smooth: bool, stream: RandomStream) -> Iterator[NDArray[np.uint8]]:
    """Every drawing on a pad ``(280, 280)``."""
    variation = PenVariation()
    for paths in drawings:
        ways = [curve(path) if smooth and len(path) > 2 else path for path in paths]
        yield draw_on_pad(ways, stream.u(*variation.pen), stream.u(*variation.fill), stream)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE")
    parser.add_argument("--y-up", action="store_true", help="y grows upward in the files")
    parser.add_argument("--pictures", type=Path, metavar="FOLDER", help="keep the pads here")
    add_model_option(parser)
    args = parser.parse_args()
    try:
        lines = [line for file in args.files for line in read(file, y_up=args.y_up)]
    except (OSError, ValueError) as error:
        parser.error(str(error))
    if not lines:
        parser.error("no digits in these files")
    truth = np.array([digit for digit, _, _ in lines])
    writers = len({writer for _, writer, _ in lines})
    print(machine())
    predictor = choose_predictor(args)
    stream = RandomStream(np.random.default_rng(11))
    for smooth in (False, True):
        drawn = list(pads([paths for _, _, paths in lines], smooth=smooth, stream=stream))
        answers = collect_answers(predictor, [predictor.prepare(pad) for pad in drawn])
        found, right = answers.tops, answers.tops == truth
        print("in smooth curves" if smooth else "straight from point to point")
        print(f"  n = {len(right):,} by {writers} writers: {right.mean():.2%} right, {np.sum(~right)} wrong")
        for digit in range(10):
            own = truth == digit
            wrong = found[own & ~right].tolist()
            print(f"  {digit}: {np.sum(own & right)} of {own.sum()}" + (f", read as {wrong}" if wrong else ""))
        answers.print_verdicts(right)
        if args.pictures:
            folder = args.pictures / ("smooth" if smooth else "straight")
            folder.mkdir(parents=True, exist_ok=True)
            for number, (digit, pad) in enumerate(zip(truth, drawn, strict=True)):
                Image.fromarray(pad).save(folder / f"{digit}-{number:04}.png")


if __name__ == "__main__":
    main()

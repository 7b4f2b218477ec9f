"""Outliers, which are not one digit: letters, symbols, scribbles, pairs of digits.

They have three purposes. In training a network learns from some that not everything is a digit; with others its
calibration learns when to say "this does not look like a digit"; on the rest it is measured how often both fail. No
letter or symbol serves two purposes.

Letters that look like a digit (B and 8, I and 1, O and 0, S and 5, Z and 2, and so on) are left out.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from cnn_demo.handwriting.skeletons.pen import PenPath, Point, RandomStream, arc, curve, join, line
from cnn_demo.handwriting.skeletons.styles import STYLES

# Strokes are parted by "|"; "~" in front makes a stroke a smooth curve, else it goes straight from point to point.
_TRAINING = (
    "0,1 .3,0 .6,1|.12,.62 .48,.62",  # A
    ".5,0 0,0 0,1 .55,1|0,.5 .4,.5",  # E
    "0,0 0,1|.6,0 .6,1|0,.5 .6,.5",  # H
    "0,1 .05,0 .35,.7 .65,0 .7,1",  # M
    "0,1 0,0|~0,0 .4,.02 .5,.25 .35,.48 0,.5|.1,.5 .55,1",  # R
    "0,0 .18,1 .35,.3 .52,1 .7,0",  # W
    "0,0 .3,.5 .6,0|.3,.5 .3,1",  # Y
    "~.5,.3 .2,.25 0,.6 .2,1 .45,.8 .5,.35|~.52,.3 .5,.8 .65,1",  # a
    "0,0 0,1|~0,.65 .2,.45 .45,.55 .45,1",  # h
    "~0,.4 .02,1 .02,.6 .2,.4 .3,.6 .3,1 .3,.6 .5,.4 .6,.6 .6,1",  # m
    "0,0 0,1|.5,.4 0,.7 .55,1",  # k
    ".3,0 .3,1|0,.5 .6,.5",  # plus
    "0,1 .3,0 .6,1 0,1",  # triangle
    "~.3,.25 .15,0 -.1,.15 0,.5 .3,1 .6,.5 .7,.15 .45,0 .3,.25",  # heart
    "0,.5 1,.5|.7,.2 1,.5 .7,.8",  # arrow
    "~.5,.5 .55,.4 .45,.35 .35,.5 .5,.65 .7,.5 .55,.2 .25,.3 .2,.65 .5,.85 .85,.6 .8,.2",  # spiral
    ".1,0 0,1|.45,0 .35,1|-.1,.33 .6,.3|-.12,.68 .58,.65",  # hash
    "~.25,0 .5,.1 .45,.35 .25,.5 .25,.7|.25,.92 .26,.96",  # question mark
    "0,0 .3,1 .6,0",  # V
    "0,0 .6,0|.3,0 .3,1",  # T
    "~.05,.55 .5,.5 .45,.25 .2,.2 0,.5 .15,.9 .5,.85",  # e
    "~.3,0 .25,.6 .3,.95 .5,.95|.05,.3 .55,.3",  # t
    "~0,.15 .1,.05 .7,.05|.2,.05 .15,1|.5,.05 .5,.8 .6,1",  # pi
    "~.05,1 .2,1 .2,.9 0,.6 .05,.2 .35,0 .65,.2 .7,.6 .5,.9 .5,1 .65,1",  # Omega
    ".6,0 0,0 .35,.5 0,1 .6,1",  # Sigma
    "0,.35 .8,.35|~.4,0 .38,.5 0,1|~.42,.4 .55,.75 .85,1",  # the character for "large"
    "0,0 .7,0 .7,.9 0,.9 0,0|.35,0 .35,.9|0,.45 .7,.45",  # the character for "field"
    "~.5,0 .15,.05 0,.45 .15,.9 .5,1 .85,.9 1,.5 .85,.1 .5,0|.3,.3 .31,.36|.7,.3 .7,.36|~.25,.65 .5,.8 .75,.65",  # face
    "~.55,.12 .3,0 0,.3 0,.7 .3,1 .58,.85",  # C
    "0,0 0,1 .55,1",  # L
    "~.8,0 .5,.6 .2,.8 0,.5 .2,.2 .5,.4 .85,.9",  # alpha
    "~.2,.3 0,.5 .2,.7 .5,.5 .8,.3 1,.5 .8,.7 .5,.5 .2,.3",  # infinity
    "0,.5 .8,.5",  # minus
    "~0,.5 .3,.25 .7,.4 1,.7|~0,.5 .3,.75 .7,.6 1,.3",  # fish
    "0,.3 .8,.3|.4,0 .4,1|.4,.3 .05,.8|.4,.3 .75,.8",  # the character for "tree"
    ".4,0 .4,.9|0,.4 0,.9 .8,.9 .8,.4",  # the character for "mountain"
)
_CALIBRATION = (
    "~.5,0 .5,.7 .3,1 0,.8",  # J
    "0,0 0,1|~0,0 .4,.02 .5,.25 .35,.48 0,.5",  # P
    "0,.4 0,1|~0,.65 .2,.42 .45,.5",  # r
    "~0,0 0,.6 .3,1 .6,.6 .6,0",  # U
    "~.5,.45 .2,.4 0,.7 .2,1 .5,.8|.5,0 .5,1",  # d
    "~.3,.35 .3,1 .15,1.2 -.1,1.1|.3,.05 .31,.1",  # j
    "~.6,1 .1,.25 .3,0 .45,.2 .05,.7 .3,1 .65,.6",  # ampersand
    ".3,0 0,1|.6,0 .3,1",  # two slashes
    ".5,0 .1,.55 .45,.5 .1,1",  # lightning
    "0,0 .5,1|.27,.5 0,1",  # lambda
    "0,0 .7,0|.05,.5 .65,.5|0,1 .7,1|.35,0 .35,1",  # the character for "king"
    "0,0 .7,0|.1,.5 .6,.5|-.05,1 .75,1",  # three bars
    "0,.05 .8,.05|.45,.05 0,.6|.42,.3 .42,1|.45,.35 .8,.65",  # the character for "not"
    "0,0 0,1|.6,0 .6,1|0,0 .6,0",  # a gate
    "~0,.8 .05,.4 .3,.3 .5,.1 .8,.25 1,.5 .95,.8 0,.8",  # cloud
    ".2,.2 .21,.25|.6,.2 .61,.25|~0,.6 .2,.85 .55,.85 .8,.6",  # smile
    "0,.5 .3,.1 .3,.35 .8,.35 .8,.65 .3,.65 .3,.9 0,.5",  # broad arrow
    "~.3,1 .3,.5 .05,.35 .15,.05 .45,.05 .55,.35 .3,.5|.05,.75 .55,.75",  # Venus
)
_MEASURING = (
    "~.6,.15 .35,0 .05,.2 0,.6 .2,.95 .5,.98 .6,.8|.35,.6 .62,.58 .6,1",  # G
    "0,0 .55,0 .5,.02|0,0 0,1|0,.48 .4,.48",  # F
    "0,0 0,1|.55,0 0,.55 .6,1",  # K
    "0,1 0,0 .55,1 .55,0",  # N
    "0,0 .6,1|.6,0 0,1",  # X
    "~0,0 0,.6 .1,.95 .4,.98 .55,.7 .55,0|.55,0 .55,1",  # u
    "~0,.4 .02,1|~.02,.6 .2,.4 .4,.5 .42,1",  # n
    "~0,.4 .15,1 .3,.5 .45,1 .6,.4",  # w
    "~.5,.1 .3,0 .22,.2 .22,1|0,.4 .45,.4",  # f
    "~.1,0 .02,.3 .1,.5 0,.52 .1,.55 .03,.8 .12,1|.4,0 .4,1",  # brace and bar
    ".0,.6 .3,0 .6,.6|.05,.6 .05,1 .55,1 .55,.6 .05,.6",  # house
    ".3,0 .48,1 0,.36 .6,.36 .12,1 .3,0",  # star
    "0,.5 .25,1 .8,0",  # tick
    "0,.2 .2,.8 .4,.2 .6,.8 .8,.2 1,.8",  # zigzag
    "~0,.5 .15,.35 .3,.5 .45,.65 .6,.5 .75,.35 .9,.5",  # wave
    ".3,0 .3,1|0,.2 .6,.8|.6,.2 0,.8",  # asterisk
    "0,.35 .6,.35|0,.65 .6,.65",  # equals
    "0,0 .6,0 .6,1 0,1 0,0|0,0 .6,1",  # crossed box
    "0,0 0,1 .8,1 .8,0|.4,0 .4,1",  # sha
    "0,0 .8,1|.8,0 0,1|.4,0 .4,1",  # zhe
    "~0,.05 .05,.4 .35,.55 .65,.4 .7,.05|.35,0 .35,1",  # psi
    "0,.2 .7,.2 .7,.6 0,.6 0,.2|.35,0 .35,1",  # the character for "middle"
    "~.35,0 .3,.5 0,1|~.33,.4 .5,.8 .75,1",  # the character for "person"
    "~.2,.3 0,.15 .2,0 .35,.2 .5,0 .7,.15 .5,.3 .65,.5 .45,.5 .35,.35 .25,.5 .05,.45 .2,.3|.35,.4 .35,1",  # flower
    "0,1 0,0 .6,.2 0,.4",  # flag
)


def _parse_symbol(text: str) -> list[PenPath]:
    paths = []
    for stroke in text.split("|"):
        x_y = [point.split(",") for point in stroke.lstrip("~").split()]
        points = [(float(x), float(y)) for x, y in x_y]
        paths.append(curve(points) if stroke.startswith("~") else np.array(points))
    return paths


def _draw_scribble(stream: RandomStream) -> list[PenPath]:
    """A pen that moves about at random."""
    count = int(stream.u(8, 28))
    steps = stream.rng.normal(0, 0.45, (count, 2))
    path = np.zeros((count, 2))
    for i in range(1, count):
        path[i] = 0.75 * path[i - 1] + steps[i]  # pulled back to the middle
    return [curve([(x, y) for x, y in path.tolist()]) if stream.chance(0.7) else path]


def _draw_random_symbol(stream: RandomStream) -> list[PenPath]:
    """A symbol of no alphabet: three to five lines, arcs and curves, placed at random."""

    def point() -> Point:
        return stream.u(-0.05, 0.75), stream.u(0, 1)

    paths = []
    for _ in range(int(stream.u(3, 6))):
        kind = stream.u(0, 1)
        if kind < 0.45:
            paths.append(line(point(), point()))
        elif kind < 0.75:
            paths.append(arc(point(), (stream.u(0.08, 0.4), stream.u(0.08, 0.4)), stream.u(0, 360), stream.u(90, 380)))
        else:
            paths.append(curve([point(), point(), point()]))
    if stream.chance(0.3):  # without lifting the pen
        return [join(*paths)]
    return paths


def _draw_digit_pair(stream: RandomStream, *, held_out: bool) -> list[PenPath]:
    """Two digits side by side or one over the other: only one at a time is read."""
    styles = [style for style in STYLES if style.held_out == held_out]
    left, right = (styles[int(stream.u(0, len(styles)))].draw(stream) for _ in range(2))
    gap, drop = (stream.u(0.65, 0.95), 0.0) if stream.chance(0.75) else (stream.u(-0.1, 0.1), stream.u(0.75, 1.1))
    return [*left, *(path + np.array([[gap, drop]]) for path in right)]


Purpose = Literal["training", "calibration", "measuring"]
SYMBOLS: dict[Purpose, tuple[str, ...]] = {
    "training": _TRAINING,
    "calibration": _CALIBRATION,
    "measuring": _MEASURING,
}
PURPOSES = tuple(SYMBOLS)


def draw_outlier(stream: RandomStream, purpose: Purpose) -> list[PenPath]:
    """A letter or symbol, one time in five a scribble, one time in ten a pair of digits, as pen paths.

    Args:
        stream: the random numbers.
        purpose: whose letters and symbols; pairs of digits for measuring have the styles kept for validation. For
            training four in ten are random symbols: a network that had seen only letters would learn just letters.
    """
    kind = stream.u(0, 1)
    if kind < 0.2:
        return _draw_scribble(stream)
    if kind < 0.3:
        return _draw_digit_pair(stream, held_out=purpose == "measuring")
    if purpose == "training" and kind < 0.7:
        return _draw_random_symbol(stream)
    table = SYMBOLS[purpose]
    return _parse_symbol(table[int(stream.u(0, len(table)))])

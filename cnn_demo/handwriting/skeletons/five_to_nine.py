"""Styles of 5, 6, 7, 8 and 9."""

from __future__ import annotations

import numpy as np

from cnn_demo.handwriting.skeletons.pen import PenPath, Point, RandomStream, StyleTable, arc, curve, join, line

STYLES = StyleTable()


def _belly(d: RandomStream, start: Point) -> list[Point]:
    return [
        start,
        (d.u(0.26, 0.36), start[1] - d.u(0.0, 0.1)),
        (d.u(0.5, 0.64), d.u(0.58, 0.72)),
        (d.u(0.28, 0.42), d.u(0.94, 1.02)),
        (d.u(-0.08, 0.06), d.u(0.84, 1.0)),
    ]


def _bar(d: RandomStream) -> PenPath:
    return curve([(d.u(0.0, 0.18), d.u(-0.03, 0.06)), (0.36, d.u(-0.06, 0.04)), (d.u(0.42, 0.72), d.u(-0.1, 0.06))])


@STYLES.add(5, 3)
def _five_two_strokes(d: RandomStream) -> list[PenPath]:
    neck = (d.u(0.0, 0.12), d.u(0.36, 0.5))
    body = join(line((d.u(0.05, 0.18), d.u(0.0, 0.08))), curve(_belly(d, neck)))
    return [body, _bar(d) + np.array([[d.u(-0.04, 0.1), d.u(-0.06, 0.03)]])]


@STYLES.add(5, 2)
def _five_one_stroke(d: RandomStream) -> list[PenPath]:
    neck = (d.u(0.0, 0.12), d.u(0.36, 0.5))
    return [join(_bar(d)[::-1], curve(_belly(d, neck)))]


@STYLES.add(5, 1.5)
def _five_curved(d: RandomStream) -> list[PenPath]:
    top = [(d.u(0.45, 0.68), d.u(-0.04, 0.1)), (0.28, d.u(-0.03, 0.05)), (d.u(0.06, 0.16), d.u(0.12, 0.24))]
    return [curve([*top, (d.u(0.1, 0.2), d.u(0.36, 0.44)), *_belly(d, (0.2, 0.45))[2:]])]


@STYLES.add(5, 1.5)
def _five_loose_hat(d: RandomStream) -> list[PenPath]:
    """The hat is put on afterwards and misses the neck: above it, to the right of it, tilted up or down."""
    neck = (d.u(0.0, 0.12), d.u(0.34, 0.5))
    body = join(line((d.u(0.03, 0.18), d.u(0.02, 0.16))), curve(_belly(d, neck)))
    left, y, tilt = body[0, 0] + d.u(0.0, 0.24), body[0, 1] - d.u(-0.06, 0.16), d.u(-0.22, 0.1)
    length = d.u(0.22, 0.6)
    return [body, curve([(left, y), (left + length / 2, y + tilt / 2 + d.u(-0.04, 0.04)), (left + length, y + tilt)])]


@STYLES.add(5, 1, held_out=True)
def _five_angular(d: RandomStream) -> list[PenPath]:
    neck = (d.u(0.0, 0.1), d.u(0.35, 0.48))
    low = line(
        (d.u(0.45, 0.58), d.u(0.45, 0.56)), (d.u(0.42, 0.56), d.u(0.8, 0.95)), (d.u(-0.05, 0.08), d.u(0.93, 1.02))
    )
    return [
        join(line((d.u(0.08, 0.14), 0.0), neck), low),
        line((0.1, d.u(-0.05, 0.04)), (d.u(0.45, 0.7), d.u(-0.08, 0.04))),
    ]


@STYLES.add(6, 3)
def _six(d: RandomStream) -> list[PenPath]:
    h = d.u(0.42, 0.66)
    stem = [(d.u(0.28, 0.62), d.u(-0.03, 0.1)), (d.u(0.1, 0.22), 0.3), (d.u(-0.03, 0.06), d.u(0.58, 0.7))]
    loop = [(0.1, 0.93), (d.u(0.26, 0.34), d.u(0.98, 1.02)), (d.u(0.46, 0.6), 0.78), (0.34, h + d.u(-0.02, 0.06))]
    return [curve([*stem, *loop, (0.14, h + d.u(0.04, 0.12)), (d.u(-0.04, 0.12), d.u(0.74, 0.86))])]


@STYLES.add(6, 2)
def _six_straight(d: RandomStream) -> list[PenPath]:
    r, low = d.u(0.17, 0.3), d.u(0.18, 0.26)
    stem = line((d.u(0.12, 0.5), d.u(-0.03, 0.03)), (0.3 - r, 1 - low))
    return [join(stem, arc((0.3, 1 - low), (r, low), 180, -d.u(300, 400), d.u(0.85, 1.05)))]


@STYLES.add(6, 1)
def _six_open(d: RandomStream) -> list[PenPath]:
    stem = [(d.u(0.3, 0.6), d.u(0.0, 0.08)), (d.u(0.08, 0.2), 0.32), (d.u(-0.03, 0.06), 0.66)]
    loop = [(0.12, 0.96), (0.36, d.u(0.96, 1.02)), (d.u(0.46, 0.6), 0.76), (0.34, d.u(0.56, 0.66))]
    return [curve([*stem, *loop, (d.u(0.1, 0.24), d.u(0.6, 0.74))])]


@STYLES.add(6, 1, held_out=True)
def _six_small_loop(d: RandomStream) -> list[PenPath]:
    r = d.u(0.13, 0.2)
    stem = curve([(d.u(0.2, 0.5), 0), (d.u(0.04, 0.14), 0.4), (d.u(-0.02, 0.04), 1 - r)])
    return [join(stem, arc((r, 1 - r), (r, r), 180, -d.u(330, 400)))]


def _seven(d: RandomStream, serif: float, bar: float) -> list[PenPath]:
    left, corner = (d.u(-0.06, 0.12), d.u(-0.03, 0.1)), (d.u(0.48, 0.66), d.u(-0.04, 0.06))
    foot = (d.u(0.08, 0.4), 1.0)
    top = curve([left, ((left[0] + corner[0]) / 2, (left[1] + corner[1]) / 2 + d.u(-0.05, 0.05)), corner])
    if d.chance(serif):
        top = join(line((left[0] + d.u(-0.06, 0.05), left[1] + d.u(0.08, 0.24))), top)
    middle = ((corner[0] + foot[0]) / 2 + d.u(-0.1, 0.05), d.u(0.42, 0.58))
    paths = [join(top, curve([corner, middle, foot]))]
    if d.chance(bar):
        y, half = d.u(0.4, 0.62), d.u(0.12, 0.32)
        x = corner[0] + (foot[0] - corner[0]) * y + d.u(-0.08, 0.08)
        paths.append(line((x - half, y + d.u(-0.06, 0.1)), (x + half * d.u(0.6, 1.1), y + d.u(-0.1, 0.06))))
    return paths


@STYLES.add(7, 2)
def _seven_plain(d: RandomStream) -> list[PenPath]:
    return _seven(d, serif=0.15, bar=0)


@STYLES.add(7, 3)
def _seven_crossed(d: RandomStream) -> list[PenPath]:
    return _seven(d, serif=0.3, bar=1)


@STYLES.add(7, 1)
def _seven_serif(d: RandomStream) -> list[PenPath]:
    return _seven(d, serif=1, bar=0)


@STYLES.add(7, 1)
def _seven_soft(d: RandomStream) -> list[PenPath]:
    right = (d.u(0.46, 0.6), d.u(0.04, 0.14))
    stem = [right, (d.u(0.3, 0.46), d.u(0.36, 0.5)), (d.u(0.1, 0.34), 1.0)]
    return [curve([(d.u(-0.05, 0.08), d.u(0.0, 0.16)), (0.26, d.u(-0.04, 0.06)), *stem])]


@STYLES.add(7, 1, held_out=True)
def _seven_wavy(d: RandomStream) -> list[PenPath]:
    top = curve([(0, d.u(0.05, 0.16)), (0.14, d.u(-0.04, 0.0)), (0.34, d.u(0.06, 0.1)), (0.56, d.u(-0.05, 0.0))])
    bar = curve([(d.u(0.05, 0.2), 0.55), (0.32, d.u(0.46, 0.5)), (d.u(0.42, 0.6), d.u(0.46, 0.56))])
    stem = curve([(0.56, 0), (d.u(0.25, 0.36), 0.5), (d.u(0.1, 0.3), 1)])
    return [join(top, stem), bar] if d.chance(0.6) else [join(top, stem)]


@STYLES.add(8, 3)
def _eight(d: RandomStream) -> list[PenPath]:
    left, right, low = d.u(0.04, 0.16), d.u(0.44, 0.58), d.u(-0.06, 0.04)
    down = [(d.u(0.4, 0.54), d.u(0.06, 0.2)), (0.29, d.u(-0.02, 0.04)), (left, d.u(0.16, 0.28)), (0.28, d.u(0.4, 0.5))]
    up = [(right + 0.04, d.u(0.68, 0.8)), (0.29, d.u(0.97, 1.03)), (low, d.u(0.7, 0.8)), (0.27, d.u(0.46, 0.54))]
    return [curve([*down, *up, (right - d.u(-0.02, 0.1), d.u(0.16, 0.3)), (d.u(0.34, 0.5), d.u(0.02, 0.16))])]


@STYLES.add(8, 1.6)
def _eight_circles(d: RandomStream) -> list[PenPath]:
    top, wide, gap = d.u(0.19, 0.27), d.u(0.2, 0.34), d.u(-0.08, 0.05)
    low = (1 - 2 * top - gap) / 2
    upper = arc((0.3 + d.u(-0.06, 0.06), top), (d.u(0.15, 0.28), top), d.u(0, 360), -d.u(340, 400), d.u(0.9, 1.05))
    return [upper, arc((0.3, 1 - low), (wide, low), d.u(-150, -30), d.u(340, 400) * (1 if d.chance(0.4) else -1))]


@STYLES.add(8, 1.4)
def _eight_line(d: RandomStream) -> list[PenPath]:
    start = (d.u(0.44, 0.62), d.u(-0.02, 0.14))
    ess = [start, (0.27, d.u(-0.03, 0.04)), (d.u(0.02, 0.12), d.u(0.18, 0.28)), (0.28, d.u(0.42, 0.52))]
    low = [(d.u(0.44, 0.56), d.u(0.68, 0.8)), (0.26, d.u(0.97, 1.02)), (d.u(-0.04, 0.06), d.u(0.72, 0.86))]
    end = (start[0] + d.u(-0.1, 0.06), start[1] + d.u(-0.04, 0.12))
    return [join(curve([*ess, *low]), line(end))]


@STYLES.add(8, 1)
def _eight_from_middle(d: RandomStream) -> list[PenPath]:
    y = d.u(0.42, 0.5)
    upper = [(0.3, y), (d.u(0.04, 0.14), d.u(0.18, 0.28)), (0.3, d.u(-0.02, 0.02)), (d.u(0.46, 0.56), d.u(0.18, 0.28))]
    low = [
        (d.u(-0.04, 0.06), d.u(0.7, 0.8)),
        (0.3, 1),
        (d.u(0.54, 0.64), d.u(0.7, 0.8)),
        (0.3 + d.u(0, 0.06), y + 0.02),
    ]
    return [curve([*upper, (0.3 + d.u(-0.02, 0.02), y), *low])]


@STYLES.add(8, 1.5)
def _eight_unclosed(d: RandomStream) -> list[PenPath]:
    """An eight in one line whose ends stay apart: above, at the right, or with a lower bow that comes back short."""
    start = (d.u(0.46, 0.66), d.u(0.02, 0.24))
    ess = [start, (0.3, d.u(-0.03, 0.04)), (d.u(0.04, 0.16), d.u(0.16, 0.28)), (0.3, d.u(0.42, 0.5))]
    low = [(d.u(0.44, 0.58), d.u(0.68, 0.8)), (0.26, d.u(0.96, 1.02)), (d.u(-0.04, 0.1), d.u(0.68, 0.82))]
    back = [(d.u(0.2, 0.32), d.u(0.46, 0.58))]
    if d.chance(0.75):  # it crosses the waist and ends to the right of, or below, where it began
        back.append((start[0] + d.u(-0.06, 0.14), start[1] + d.u(0.1, 0.26)))
    return [curve([*ess, *low, *back])]


@STYLES.add(8, 1, held_out=True)
def _eight_open(d: RandomStream) -> list[PenPath]:
    down = [(d.u(0.5, 0.6), d.u(0.1, 0.18)), (0.3, d.u(0.0, 0.03)), (d.u(0.06, 0.16), 0.24), (0.3, d.u(0.44, 0.5))]
    up = [(d.u(0.48, 0.58), 0.76), (0.26, 1.0), (d.u(0.0, 0.08), 0.78), (0.26, 0.52)]
    return [curve([*down, *up, (d.u(0.48, 0.66), d.u(0.16, 0.3))])]


@STYLES.add(9, 2.5)
def _nine_straight(d: RandomStream) -> list[PenPath]:
    r, high = d.u(0.18, 0.31), d.u(0.17, 0.28)
    loop = arc((0.28, high), (r, high), d.u(-70, 10), -d.u(310, 385), d.u(0.9, 1.05))
    top = (0.28 + r + d.u(-0.02, 0.05), d.u(0.0, high))
    return [join(loop, curve([top, (top[0] + d.u(-0.06, 0.02), 0.5), (d.u(0.14, 0.56), 1.0)]))]


@STYLES.add(9, 2)
def _nine_curved(d: RandomStream) -> list[PenPath]:
    start = (d.u(0.4, 0.54), d.u(0.08, 0.22))
    loop = [start, (0.26, d.u(-0.03, 0.03)), (d.u(-0.03, 0.06), 0.25), (0.2, d.u(0.42, 0.54)), (0.44, d.u(0.28, 0.4))]
    tail = [(d.u(0.5, 0.58), 0.6), (d.u(0.34, 0.44), d.u(0.9, 0.98)), (d.u(-0.02, 0.2), d.u(0.86, 1.02))]
    return [join(curve([*loop, (d.u(0.46, 0.54), d.u(0.1, 0.2))]), curve([(0.5, d.u(0.14, 0.24)), *tail]))]


@STYLES.add(9, 1.5)
def _nine_smooth(d: RandomStream) -> list[PenPath]:
    return [np.array([[0.56, 1.0]]) - path for path in (_six if d.chance(0.6) else _six_open)(d)]


@STYLES.add(9, 2)
def _nine_small_loop(d: RandomStream) -> list[PenPath]:
    """A small loop, closed or not, and a long tail that ends flat to the left, as a g without its second bow."""
    high, left, right = d.u(0.22, 0.46), d.u(-0.05, 0.12), d.u(0.42, 0.56)
    start = (right + d.u(-0.06, 0.1), d.u(-0.02, 0.16))
    back = (right + d.u(-0.1, 0.03), high * d.u(0.4, 1.0))
    loop = [start, (0.28, d.u(-0.04, 0.04)), (left, high * d.u(0.4, 0.7)), (left + d.u(0.08, 0.16), high), back]
    tail = [(right + d.u(-0.03, 0.08), d.u(0.5, 0.68)), (right + d.u(-0.16, 0.02), d.u(0.84, 0.98))]
    end = (d.u(-0.08, 0.25), d.u(0.9, 1.04))
    if d.chance(0.5):  # up to the start again, then down
        return [join(curve([*loop, (right + d.u(-0.03, 0.03), d.u(0.0, 0.2))]), curve([*tail, end]))]
    return [curve([*loop, *tail, end])]


@STYLES.add(9, 1)
def _nine_open(d: RandomStream) -> list[PenPath]:
    x, y = d.u(0.42, 0.54), d.u(0.34, 0.52)
    cup = [
        (x, d.u(0.04, 0.16)),
        (0.26, d.u(-0.03, 0.02)),
        (d.u(-0.03, 0.06), y - 0.16),
        (0.18, y),
        (x, y - d.u(0.06, 0.2)),
    ]
    return [curve(cup), curve([(x + d.u(-0.02, 0.05), d.u(0.02, 0.14)), (x, 0.5), (x + d.u(-0.24, 0.05), 1.0)])]


@STYLES.add(9, 1, held_out=True)
def _nine_hooked(d: RandomStream) -> list[PenPath]:
    r = d.u(0.18, 0.26)
    loop = arc((0.26, 0.24), (r, 0.24), -20, -d.u(330, 380))
    tail = [(0.26 + r, 0.22), (0.27 + r, 0.7), (d.u(0.2, 0.32), 1.0), (d.u(-0.06, 0.06), d.u(0.76, 0.9))]
    return [join(loop, curve(tail))]

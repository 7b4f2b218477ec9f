"""Styles of 0, 1, 2, 3 and 4."""

from __future__ import annotations

import numpy as np

from cnn_demo.handwriting.skeletons.pen import PenPath, Point, RandomStream, StyleTable, arc, curve, join, line

STYLES = StyleTable()


def _oval(d: RandomStream, gap: float = 35) -> PenPath:
    turn = -1 if d.chance(0.85) else 1
    return arc((0.3, 0.5), (d.u(0.2, 0.42), 0.5), d.u(-150, -40), turn * (360 + d.u(-gap, 55)), d.u(0.86, 1.08))


@STYLES.add(0, 3)
def _zero(d: RandomStream) -> list[PenPath]:
    return [_oval(d)]


@STYLES.add(0, 2)
def _zero_slashed(d: RandomStream) -> list[PenPath]:
    a, b, y0, y1 = d.u(0.02, 0.55), d.u(0.02, 0.55), d.u(0.05, 0.62), d.u(0.05, 0.62)
    slash = line((0.3 - a * 0.8, 0.5 + y0), (0.3 + b * 0.8, 0.5 - y1))
    return [_oval(d), slash] if d.chance(0.85) else [join(_oval(d), slash)]


@STYLES.add(0, 2)
def _zero_long_slash(d: RandomStream) -> list[PenPath]:
    """A slash longer than the digit, steep or nearly flat, that goes past it at both ends."""
    angle, x, y = np.radians(d.u(12, 75)), d.u(0.18, 0.42), d.u(0.35, 0.65)
    right, left = d.u(0.45, 1.0), d.u(0.45, 1.0)
    start = (x - left * np.cos(angle), y + left * np.sin(angle))
    slash = line(start, (x + right * np.cos(angle), y - right * np.sin(angle)))
    return [_oval(d, gap=15), slash if d.chance(0.7) else slash[::-1]]


@STYLES.add(0, 1.2)
def _zero_barred(d: RandomStream) -> list[PenPath]:
    """A bar across or down the middle, that ends inside, on the line or outside."""
    oval, start, end = _oval(d, gap=15), d.u(0.08, 0.5), d.u(0.08, 0.5)
    if d.chance(0.65):
        y = d.u(0.38, 0.62)
        return [oval, line((0.3 - start, y + d.u(-0.05, 0.08)), (0.3 + end, y - d.u(-0.05, 0.08)))]
    x = d.u(0.22, 0.38)
    return [oval, line((x + d.u(-0.05, 0.05), 0.5 - start * 1.3), (x + d.u(-0.05, 0.05), 0.5 + end * 1.3))]


@STYLES.add(0, 1)
def _zero_dotted(d: RandomStream) -> list[PenPath]:
    x, y, r = d.u(0.2, 0.4), d.u(0.38, 0.62), d.u(0.005, 0.05)
    return [_oval(d), line((x, y - r), (x + d.u(-0.02, 0.02), y + r))]


@STYLES.add(0, 1)
def _zero_loose(d: RandomStream) -> list[PenPath]:
    body = arc((0.3, 0.5), (d.u(0.24, 0.45), 0.5), d.u(-100, -50), -d.u(300, 345), d.u(0.9, 1.1))
    end = (body[-1, 0] + d.u(-0.15, 0.05), body[-1, 1] + d.u(-0.02, 0.12))
    return [join(body, line(end))]


@STYLES.add(0, 1, held_out=True)
def _zero_backslashed(d: RandomStream) -> list[PenPath]:
    return [_oval(d), line((d.u(-0.05, 0.2), d.u(-0.1, 0.3)), (d.u(0.4, 0.65), d.u(0.7, 1.1)))]


@STYLES.add(0, 1, held_out=True)
def _zero_tailed(d: RandomStream) -> list[PenPath]:
    return [join(line((d.u(0.3, 0.6), d.u(-0.12, 0.02))), _oval(d, gap=10), line((d.u(0.3, 0.6), d.u(-0.1, 0.2))))]


def _stem(d: RandomStream, top: Point = (0.3, 0.0)) -> PenPath:
    return curve([top, (top[0] + d.u(-0.04, 0.04), 0.5), (0.3 + d.u(-0.04, 0.04), 1.0)])


def _flag(d: RandomStream, longest: float = 0.5) -> PenPath:
    length, angle = d.u(0.1, longest), np.radians(d.u(28, 72))
    x, y = 0.3 - length * np.cos(angle), length * np.sin(angle)
    sag = length * d.u(-0.2, 0.3)  # the flag may hang through or bulge
    return curve([(x, y), (0.3 + (x - 0.3) / 2 + sag * np.sin(angle) / 2, y / 2 + sag), (0.3, 0.0)])


def _foot(d: RandomStream) -> PenPath:
    return line((0.3 - d.u(0.1, 0.36), 1 + d.u(-0.04, 0.04)), (0.3 + d.u(0.1, 0.36), 1 + d.u(-0.05, 0.05)))


@STYLES.add(1, 2.5)
def _one(d: RandomStream) -> list[PenPath]:
    return [_stem(d)]


@STYLES.add(1, 3)
def _one_flag(d: RandomStream) -> list[PenPath]:
    return [join(_flag(d), _stem(d))]


@STYLES.add(1, 3)
def _one_short_flag(d: RandomStream) -> list[PenPath]:
    """A flag that is short and rather flat: what tells it from a seven is that it falls away to the left."""
    length, angle = d.u(0.1, 0.32), np.radians(d.u(14, 48))
    flag = line((0.3 - length * np.cos(angle), length * np.sin(angle)), (0.3, 0.0))
    return [join(flag, _stem(d))] if d.chance(0.7) else [join(flag, _stem(d)), _foot(d)]


@STYLES.add(1, 2)
def _one_flag_foot(d: RandomStream) -> list[PenPath]:
    return [join(_flag(d), _stem(d)), _foot(d)]


@STYLES.add(1, 1.2)
def _one_long_flag(d: RandomStream) -> list[PenPath]:
    x, y = 0.3 - d.u(0.15, 0.55), d.u(0.34, 0.75)
    return [join(curve([(x, y), ((x + 0.3) / 2 + d.u(-0.05, 0.03), y / 2), (0.3, 0)]), _stem(d))]


@STYLES.add(1, 3)
def _one_far_flag(d: RandomStream) -> list[PenPath]:
    """A long flag that rises less than it goes: with a seven's size it still falls away to the left."""
    length, angle = d.u(0.3, 0.68), np.radians(d.u(20, 50))
    x, y = 0.3 - length * np.cos(angle), length * np.sin(angle)
    middle = ((x + 0.3) / 2, y / 2 + length * d.u(-0.12, 0.15))
    down = [(0.3 + d.u(-0.05, 0.05), 0.5), (0.3 + d.u(-0.1, 0.06), 1.0)]
    if d.chance(0.4):  # rounded at the top
        body = curve([(x, y), middle, (0.3 - d.u(0.02, 0.06), 0.01), (0.3 + d.u(0.0, 0.04), d.u(0.05, 0.12)), *down])
    else:
        body = join(curve([(x, y), middle, (0.3, 0.0)]), curve([(0.3, 0.0), *down]))
    if d.chance(0.7):
        return [body]
    return [body, _foot(d)] if d.chance(0.6) else [join(body, _foot(d))]


@STYLES.add(1, 0.5)
def _one_foot(d: RandomStream) -> list[PenPath]:
    return [_stem(d), _foot(d)]


@STYLES.add(1, 1, held_out=True)
def _one_hooked(d: RandomStream) -> list[PenPath]:
    x, y = 0.3 - d.u(0.12, 0.3), d.u(0.1, 0.3)
    return [join(curve([(x, y), (x + 0.1, y + d.u(0.0, 0.04)), (0.3, 0)]), _stem(d))]


@STYLES.add(1, 1, held_out=True)
def _one_run_on(d: RandomStream) -> list[PenPath]:
    left = 0.3 - d.u(0.08, 0.3)
    return [join(_flag(d, 0.4), _stem(d), line((left, 1.0 + d.u(-0.04, 0.02)), (0.3 + d.u(0.1, 0.35), 1.0)))]


def _two_top(d: RandomStream) -> list[Point]:
    right = d.u(0.46, 0.66)
    start = (d.u(-0.02, 0.12), d.u(0.08, 0.34))
    return [start, (d.u(0.1, 0.2), d.u(0.0, 0.08)), (0.34, d.u(-0.03, 0.03)), (right, d.u(0.12, 0.26))]


@STYLES.add(2, 3)
def _two_flat(d: RandomStream) -> list[PenPath]:
    low = (d.u(-0.06, 0.08), d.u(0.94, 1.0))
    neck = [(d.u(0.4, 0.55), d.u(0.4, 0.52)), (d.u(0.15, 0.32), d.u(0.68, 0.8)), low]
    base = curve([low, (0.3, low[1] + d.u(-0.07, 0.05)), (d.u(0.48, 0.75), d.u(0.88, 1.04))])
    return [join(curve([*_two_top(d), *neck]), base)]


@STYLES.add(2, 2)
def _two_loop(d: RandomStream) -> list[PenPath]:
    h, w = d.u(0.04, 0.13), d.u(0.0, 0.1)
    neck = [(d.u(0.4, 0.52), d.u(0.42, 0.55)), (d.u(0.16, 0.3), 0.78), (d.u(0.06, 0.12), 0.94)]
    loop = [(-w, 0.97), (-w - 0.02, 0.95 - h), (0.1, 0.94 - h), (0.3, 0.96), (d.u(0.5, 0.74), d.u(0.85, 1.0))]
    return [curve([*_two_top(d), *neck, *loop])]


@STYLES.add(2, 1)
def _two_straight(d: RandomStream) -> list[PenPath]:
    left = (d.u(-0.05, 0.05), d.u(0.95, 1.03))
    top = curve([(d.u(-0.02, 0.1), d.u(0.0, 0.15)), (0.3, d.u(-0.06, 0.04)), (d.u(0.48, 0.6), d.u(0.0, 0.2))])
    return [join(top, line(left, (d.u(0.48, 0.7), d.u(0.93, 1.04))))]


@STYLES.add(2, 1, held_out=True)
def _two_swan(d: RandomStream) -> list[PenPath]:
    neck = [(d.u(0.45, 0.55), 0.4), (d.u(0.25, 0.35), 0.72), (d.u(0.0, 0.1), d.u(0.9, 0.98))]
    return [curve([*_two_top(d), *neck, (0.2, d.u(0.84, 0.9)), (0.42, 0.98), (d.u(0.58, 0.75), d.u(0.8, 0.95))])]


def _three_low(d: RandomStream, start: Point) -> list[Point]:
    return [
        start,
        (d.u(0.36, 0.46), start[1] + d.u(-0.02, 0.06)),
        (d.u(0.52, 0.66), d.u(0.66, 0.78)),
        (d.u(0.25, 0.38), d.u(0.96, 1.03)),
        (d.u(-0.06, 0.08), d.u(0.8, 0.95)),
    ]


def _three_high(d: RandomStream) -> list[Point]:
    return [(d.u(-0.03, 0.1), d.u(0.03, 0.22)), (d.u(0.2, 0.3), d.u(-0.03, 0.03)), (d.u(0.44, 0.58), d.u(0.14, 0.26))]


@STYLES.add(3, 3)
def _three_round(d: RandomStream) -> list[PenPath]:
    middle = (d.u(0.08, 0.28), d.u(0.42, 0.5))
    return [join(curve([*_three_high(d), (d.u(0.28, 0.4), 0.4), middle]), curve(_three_low(d, middle)))]


@STYLES.add(3, 1.6)
def _three_flat(d: RandomStream) -> list[PenPath]:
    middle = (d.u(0.08, 0.26), d.u(0.36, 0.48))
    top = line((d.u(-0.04, 0.1), d.u(-0.03, 0.06)), (d.u(0.42, 0.6), d.u(-0.03, 0.05)), middle)
    return [join(top, curve(_three_low(d, middle)))]


@STYLES.add(3, 1)
def _three_loop(d: RandomStream) -> list[PenPath]:
    y = d.u(0.42, 0.5)
    loop = [(0.3, y - 0.04), (d.u(0.1, 0.16), y + 0.05), (d.u(0.05, 0.1), y - 0.02)]
    return [curve([*_three_high(d), *loop, *_three_low(d, (0.18, y - 0.03))])]


@STYLES.add(3, 1)
def _three_soft(d: RandomStream) -> list[PenPath]:
    middle = (d.u(0.24, 0.38), d.u(0.43, 0.5))
    return [curve([*_three_high(d), (d.u(0.4, 0.48), 0.36), middle, *_three_low(d, (middle[0] + 0.02, 0.5))[1:]])]


@STYLES.add(3, 1, held_out=True)
def _three_angular(d: RandomStream) -> list[PenPath]:
    middle = (d.u(0.1, 0.25), d.u(0.42, 0.5))
    low = line((d.u(0.5, 0.62), d.u(0.6, 0.75)), (d.u(0.3, 0.4), d.u(0.95, 1.02)), (d.u(-0.05, 0.08), d.u(0.85, 0.97)))
    return [join(curve([*_three_high(d), middle]), low)]


@STYLES.add(4, 3)
def _four_open(d: RandomStream) -> list[PenPath]:
    y, x = d.u(0.48, 0.68), d.u(0.34, 0.54)
    corner = (d.u(-0.06, 0.08), y + d.u(-0.06, 0.04))
    ell = line((d.u(0.02, 0.26), d.u(-0.04, 0.12)), corner, (x + d.u(0.0, 0.28), y + d.u(-0.06, 0.06)))
    return [ell, curve([(x + d.u(-0.02, 0.12), d.u(0.0, 0.36)), (x, y), (x + d.u(-0.12, 0.06), 1.0)])]


@STYLES.add(4, 2)
def _four_closed(d: RandomStream) -> list[PenPath]:
    y, x = d.u(0.52, 0.72), d.u(0.36, 0.52)
    top = (x + d.u(-0.06, 0.08), d.u(-0.03, 0.05))
    sail = line(top, (d.u(-0.06, 0.06), y + d.u(-0.04, 0.04)), (x + d.u(0.06, 0.3), y + d.u(-0.05, 0.05)))
    return [sail, curve([(top[0] + d.u(-0.04, 0.05), d.u(-0.04, 0.12)), (x, y), (x + d.u(-0.08, 0.04), 1.0)])]


@STYLES.add(4, 1.5)
def _four_cup(d: RandomStream) -> list[PenPath]:
    y, x = d.u(0.4, 0.6), d.u(0.4, 0.55)
    cup = [(d.u(-0.02, 0.12), d.u(-0.03, 0.1)), (d.u(-0.05, 0.04), y - 0.16), (0.14, y), (x - 0.1, y - d.u(0.02, 0.1))]
    top = (x + d.u(-0.02, 0.08), d.u(-0.04, 0.14))
    down = curve([top, (x, y), (x + d.u(-0.12, 0.05), 1.0)])
    return [join(curve([*cup, top]), down)] if d.chance(0.6) else [curve([*cup, (x + d.u(0.02, 0.2), y - 0.1)]), down]


@STYLES.add(4, 1)
def _four_one_stroke(d: RandomStream) -> list[PenPath]:
    y, x = d.u(0.52, 0.7), d.u(0.36, 0.52)
    up = curve([(x + d.u(-0.1, 0.04), 1.0), (x, y), (x + d.u(-0.03, 0.06), d.u(-0.03, 0.03))])
    return [join(up, line((d.u(-0.08, 0.04), y), (x + d.u(0.08, 0.3), y + d.u(-0.06, 0.06))))]


@STYLES.add(4, 1, held_out=True)
def _four_short_stem(d: RandomStream) -> list[PenPath]:
    y, x = d.u(0.6, 0.75), d.u(0.3, 0.45)
    sail = curve([(d.u(0.1, 0.3), 0), (d.u(0.0, 0.12), y * 0.55), (d.u(-0.05, 0.03), y)])
    return [
        join(sail, line((x + d.u(0.15, 0.35), y - d.u(-0.02, 0.06)))),
        line((x + 0.05, y - d.u(0.12, 0.3)), (x, 1.0)),
    ]

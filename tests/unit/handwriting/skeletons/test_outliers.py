"""Outliers: each purpose has symbols of its own, and the kinds come as often as stated."""

from __future__ import annotations

import numpy as np
import pytest

from cnn_demo.handwriting.skeletons import outliers
from cnn_demo.handwriting.skeletons.outliers import PURPOSES, SYMBOLS, Purpose, draw_outlier
from cnn_demo.handwriting.skeletons.pen import RandomStream


def test_no_two_purposes_share_a_symbol() -> None:
    symbols = [symbol for table in SYMBOLS.values() for symbol in table]
    assert PURPOSES == ("training", "calibration", "measuring")  # the order decides the random numbers of each
    assert len(symbols) == len(set(symbols))


@pytest.mark.parametrize(
    ("purpose", "shares"),
    [
        ("training", {"scribble": 0.2, "digit_pair": 0.1, "random_symbol": 0.4, "symbol": 0.3}),
        ("calibration", {"scribble": 0.2, "digit_pair": 0.1, "random_symbol": 0, "symbol": 0.7}),
    ],
)
def test_the_kinds_come_as_often_as_stated(
    purpose: Purpose, shares: dict[str, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[str] = []
    for kind in ("scribble", "digit_pair", "random_symbol"):
        monkeypatch.setattr(outliers, f"_draw_{kind}", lambda *_, kind=kind, **__: drawn.append(kind))
    monkeypatch.setattr(outliers, "_parse_symbol", lambda _: drawn.append("symbol"))
    stream = RandomStream(np.random.default_rng(0))
    for _ in range(3000):
        draw_outlier(stream, purpose)
    assert {kind: drawn.count(kind) / 3000 for kind in shares} == pytest.approx(shares, abs=0.03)


def test_pairs_for_measuring_have_the_styles_kept_for_validation(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []
    monkeypatch.setattr(outliers, "_draw_digit_pair", lambda _, *, held_out: asked.append(held_out))
    stream = RandomStream(np.random.default_rng(0))
    styles: dict[Purpose, bool] = {"training": False, "calibration": False, "measuring": True}
    for purpose, held_out in styles.items():
        asked.clear()
        for _ in range(100):
            draw_outlier(stream, purpose)
        assert set(asked) == {held_out}


def test_a_symbol_is_parsed_stroke_by_stroke() -> None:
    straight, smooth = outliers._parse_symbol("0,1 .5,0|~0,0 1,1 2,0")
    assert straight.tolist() == [[0, 1], [0.5, 0]]
    assert len(smooth) > 3
    assert all(np.abs(smooth - point).sum(axis=1).min() < 1e-9 for point in ([0, 0], [1, 1], [2, 0]))

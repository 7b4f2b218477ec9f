"""The pieces of skeletons: geometry as the oracle."""

from __future__ import annotations

import numpy as np
import pytest

from cnn_demo.handwriting.skeletons.pen import RandomStream, StyleTable, arc, curve, join, line


def test_curves_pass_through_their_points() -> None:
    points = [(0.0, 0.0), (0.3, 0.8), (0.9, 0.2), (1.0, 1.0)]
    path = curve(points)
    for point in points:
        assert np.abs(path - point).sum(axis=1).min() < 1e-12


def test_arcs_lie_on_their_ellipse() -> None:
    path = arc((0.3, 0.5), (0.2, 0.4), -90, 180)
    np.testing.assert_allclose(((path - [0.3, 0.5]) / [0.2, 0.4]) ** 2 @ [1, 1], 1)
    np.testing.assert_allclose(path[[0, -1]], [[0.3, 0.1], [0.3, 0.9]], atol=1e-12)
    assert path[:, 0].max() == pytest.approx(0.5, abs=0.01)


def test_joined_paths_keep_every_point() -> None:
    assert join(line((0, 0), (1, 0)), line((1, 1), (2, 1))).tolist() == [[0, 0], [1, 0], [1, 1], [2, 1]]


def test_a_stream_gives_the_numbers_of_its_generator() -> None:
    stream, rng = RandomStream(np.random.default_rng(3)), np.random.default_rng(3)
    expected = [*rng.random(256)[::-1], *rng.random(256)[::-1]]  # block by block, each from its end
    assert [stream.u(0, 1) for _ in range(512)] == expected
    assert all(2 <= RandomStream(rng).u(2, 5) <= 5 for _ in range(50))
    share = np.mean([stream.chance(0.3) for _ in range(4000)])
    assert share == pytest.approx(0.3, abs=0.03)


def test_a_style_table_keeps_the_order() -> None:
    table = StyleTable()

    @table.add(7, 2)
    def plain(stream: RandomStream) -> list[np.ndarray]:
        return [line((0, 0), (stream.u(0, 1), 1))]

    table.add(1, 3, held_out=True)(plain)
    assert [(style.digit, style.weight, style.held_out) for style in table] == [(7, 2, False), (1, 3, True)]
    assert table[0].draw is plain

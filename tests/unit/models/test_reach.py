"""Receptive fields along an axis, by hand; against PyTorch they are tested with the layers."""

from __future__ import annotations

from cnn_demo.models.reach import Reach


def test_windows_by_hand() -> None:
    first = Reach.of_pixels(6).through_window(3, 1, 1, 1, 6)
    assert first.bounds == ((0, 2), (0, 3), (1, 4), (2, 5), (3, 6), (4, 6))
    assert (first.size, first.stride, first.start) == (3, 1, -1)
    second = first.through_window(2, 2, 0, 1, 3)
    assert second.bounds == ((0, 3), (1, 5), (3, 6))
    assert (second.size, second.stride, second.start) == (4, 2, -1)
    assert second.joined().bounds == ((0, 6),)


def test_a_unit_in_the_padding_sees_nothing() -> None:
    reach = Reach.of_pixels(2).through_window(1, 1, 1, 1, 4)
    assert reach.bounds == ((0, 0), (0, 1), (1, 2), (0, 0))
    assert reach.union(Reach.of_pixels(4)).bounds == ((0, 1), (0, 2), (1, 3), (3, 4))


def test_where_paths_meet_the_field_is_their_hull() -> None:
    pixels = Reach.of_pixels(5)
    wide = pixels.through_window(3, 1, 1, 1, 5)
    assert pixels.union(wide) == wide
    assert pixels.union(wide.joined()).bounds == ((0, 5),) * 5

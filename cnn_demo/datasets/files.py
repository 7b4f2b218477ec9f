"""Where the files of each data set lie, and how MNIST's IDX format is read. Imports no torch."""

from __future__ import annotations

import errno
import gzip
import math
import os
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from cnn_demo.datasets.specs import get_spec

_PACKAGE = Path(__file__).resolve().parent.parent

MINI_FOLDER = _PACKAGE / "assets" / "mnist-mini"
MINI_IMAGES = "images-idx3-ubyte.gz"
MINI_LABELS = "labels-idx1-ubyte.gz"
MINI_COUNT = 10_000
MINI_SHA256 = {
    MINI_IMAGES: "2889698e6bc3614913e76901316712919d1998fc2b44512451bfe65bc1e668b1",
    MINI_LABELS: "651e38e2ac0632f5113ec18f1df4977117f953197819034009971a6675a0df78",
}
"""SHA-256 of the unpacked files (the packed bytes depend on the version of zlib)."""

IDX_FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
CIFAR_ARCHIVE = "cifar-10-python.tar.gz"
CIFAR_FOLDER = "cifar-10-batches-py"
CIFAR_FILES = (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch", "batches.meta")


class DamagedFile(ValueError):
    """A file that is not what its name says.

    Attributes:
        path: the file.
        reason: what is wrong with it, in one clause.
    """

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path, self.reason = path, reason


@dataclass(frozen=True, slots=True)
class Layout:
    """How torchvision lays a data set out below its root.

    Attributes:
        torchvision_class: name of the class in ``torchvision.datasets`` that knows mirrors and checksums.
        folder: folder below the root.
        files: the files that make the set complete; IDX files also count with ``.gz``.
        elsewhere: other folders where the same files may lie, such as that of a distribution's package.
    """

    torchvision_class: str
    folder: str
    files: tuple[str, ...]
    elsewhere: tuple[Path, ...] = ()


_DEBIAN = Path("/usr/share/datasets/fashion-mnist")  # of the package dataset-fashion-mnist

LAYOUTS: dict[str, Layout] = {
    "mnist": Layout("MNIST", "MNIST/raw", IDX_FILES),
    "fashion-mnist": Layout("FashionMNIST", "FashionMNIST/raw", IDX_FILES, (_DEBIAN,)),
    "kmnist": Layout("KMNIST", "KMNIST/raw", IDX_FILES),
    "cifar10": Layout("CIFAR10", CIFAR_FOLDER, CIFAR_FILES),
}


def data_root() -> Path:
    """The folder for downloaded data: ``CNN_DEMO_DATA``, or ``data`` beside ``app.py``."""
    named = os.environ.get("CNN_DEMO_DATA", "")
    return Path(named).expanduser() if named else _PACKAGE.parent / "data"


def find_file(name: str, file: str, root: Path) -> Path | None:
    """Where one file of a data set lies, as it is or with ``.gz``; None when it was not found."""
    layout = LAYOUTS[name]
    for folder in (root / layout.folder, *layout.elsewhere):
        for path in (folder / file, folder / f"{file}.gz"):
            if path.is_file() and path.stat().st_size > 0:
                return path
    return None


def missing_files(name: str, root: Path) -> list[str]:
    """The files of a data set that were not found, neither by themselves nor in CIFAR-10's archive."""
    if name not in LAYOUTS or (name == "cifar10" and (root / CIFAR_ARCHIVE).is_file()):
        return []
    return [file for file in LAYOUTS[name].files if find_file(name, file, root) is None]


def is_available(name: str, root: Path | str | None = None) -> bool:
    """Whether a data set can be loaded without a download. Looks at names and sizes only; opens nothing.

    Raises:
        KeyError: no such data set.
    """
    get_spec(name)
    return not missing_files(name, Path(root) if root is not None else data_root())


def _open(path: Path) -> BinaryIO:
    return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")  # type: ignore[return-value]


def read_idx(path: Path) -> np.ndarray:
    """Read an IDX file of bytes, packed with gzip or not.

    The format: two zero bytes, 0x08 for "unsigned byte", the number of dimensions, each dimension as a big-endian
    32-bit number, then the values (http://yann.lecun.com/exdb/mnist/).

    Returns:
        A uint8 array of the shape the file states; writable.

    Raises:
        DamagedFile: another format, fewer or more bytes than the header states, or a wrong gzip checksum.
    """
    try:
        with _open(path) as file:
            start = file.read(4)
            if len(start) < 4 or start[:3] != b"\x00\x00\x08" or not 1 <= start[3] <= 4:
                raise DamagedFile(path, "not an IDX file of bytes")
            sizes = file.read(4 * start[3])
            if len(sizes) < 4 * start[3]:
                raise DamagedFile(path, "cut short in its header")
            shape = struct.unpack(f">{start[3]}I", sizes)
            expected = math.prod(shape)
            if path.suffix != ".gz" and path.stat().st_size != expected + 4 + len(sizes):
                raise DamagedFile(path, f"{path.stat().st_size:,} bytes, {expected + 4 + len(sizes):,} by its header")
            content = bytearray(file.read())
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DamagedFile(path, f"damaged gzip file ({error})") from error
    if len(content) != expected:
        raise DamagedFile(path, f"{len(content):,} values, {expected:,} by its header")
    return np.frombuffer(content, dtype=np.uint8).reshape(shape)


def read_file(name: str, file: str, root: Path) -> np.ndarray:
    """Read one IDX file of a data set and check that it is the one its name says.

    Args:
        name: a data set of ``IDX_FILES``.
        file: one of ``IDX_FILES``.
        root: the folder for downloaded data.

    Returns:
        uint8 images ``(N, H, W)`` or labels ``(N,)``.

    Raises:
        FileNotFoundError: it was not found.
        DamagedFile: it cannot be read, or holds another number or size of images, or labels of no class.
    """
    path = find_file(name, file, root)
    if path is None:
        raise FileNotFoundError(errno.ENOENT, "no such file", str(root / LAYOUTS[name].folder / file))
    array = read_idx(path)
    spec = get_spec(name)
    count = spec.train_size if file.startswith("train") else spec.test_size
    expected = (count, spec.size, spec.size) if "images" in file else (count,)
    if array.shape != expected:
        raise DamagedFile(path, f"holds {array.shape}, expected {expected}")
    if "labels" in file and array.max() >= len(spec.classes):
        raise DamagedFile(path, f"holds the label {array.max()}, there are {len(spec.classes)} classes")
    return array


def idx_bytes(array: np.ndarray) -> bytes:
    """The IDX file of a uint8 array, the reverse of :func:`read_idx`."""
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()

"""The live strip of a run: some pictures, and what the network made of them from report to report.

It lies in files of the run's folder: what the visitor drew, the pictures as the network sees them, and a history of
records of one size each. A record is appended or takes the place of the last one, so the history stays small, and a
reader finds a whole record at every moment: each ends with a checksum. No torch here, and NumPy only where it is used.
"""

from __future__ import annotations

import os
import struct
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from cnn_demo.training.events import Watched

MOST_PICTURES = 16
MOST_DRAWINGS = 6
UNKNOWN = -1  # the label of a drawing
_FOLDER, _DRAWINGS, _PICTURES, _HISTORY = "strip", "drawings.npz", "pictures.npz", "history.bin"
# step, epoch, scale of the kernels; then N, classes, K, C, h, w
_HEADER = struct.Struct("<qdf6H")
_CHECKSUM = struct.Struct("<I")
_RECORDS = 300  # a run of any length keeps about so many, and those of its first steps
_EARLY = 0.02  # of the steps done lie between two records of the beginning


@dataclass(frozen=True)
class WatchedPicture:
    """One picture of a strip.

    Attributes:
        image: ``(H, W, C)`` uint8, as the network sees it.
        label: its class; :data:`UNKNOWN` for a drawing.
        drawn: whether the visitor drew it.
    """

    image: NDArray[np.uint8]
    label: int
    drawn: bool


@dataclass(frozen=True)
class Strip:
    """What a network made of N pictures at R moments of its training, in the order of steps.

    Attributes:
        pictures: drawings first, then images of the test split.
        steps: ``(R,)`` int64; 0 is before training.
        epochs: ``(R,)`` float64.
        probabilities: ``(R, N, classes)`` float32.
        kernels: ``(R, K, C, h, w)`` float32, rounded to 127ths of the largest; K = 0 where no convolution reads the
            image.
    """

    pictures: tuple[WatchedPicture, ...]
    steps: NDArray[np.int64]
    epochs: NDArray[np.float64]
    probabilities: NDArray[np.float32]
    kernels: NDArray[np.float32]


def keep_drawings(folder: Path, drawings: Sequence[NDArray[np.uint8]]) -> None:
    """Put what a visitor drew beside a run that is being launched.

    Args:
        folder: of the run.
        drawings: each ``(H, W)`` or ``(H, W, 3 or 4)`` uint8, as it was drawn; prepared when the run starts.

    Raises:
        ValueError: too many, or of another shape or type.
    """
    import numpy as np

    if len(drawings) > MOST_DRAWINGS:
        raise ValueError(f"{len(drawings)} drawings to watch: expected at most {MOST_DRAWINGS}; leave some out")
    for drawing in drawings:
        gray, color = drawing.ndim == 2, drawing.ndim == 3 and drawing.shape[2] in (3, 4)
        if drawing.dtype != np.uint8 or not (gray or color):
            raise ValueError(
                f"a drawing to watch is {drawing.shape} of {drawing.dtype}: expected (H, W), (H, W, 3) or (H, W, 4) of "
                "uint8, as it comes from the pad"
            )
    _save(folder, _DRAWINGS, {f"drawing_{place}": drawing for place, drawing in enumerate(drawings)})


def load_drawings(folder: Path) -> list[NDArray[np.uint8]]:
    """What :func:`keep_drawings` kept, in its order; nothing where the file is missing or damaged."""
    found = _load(folder, _DRAWINGS)
    return [found[f"drawing_{place}"] for place in range(len(found))]


def keep_pictures(folder: Path, pictures: Sequence[WatchedPicture]) -> None:
    """Write the pictures of a strip; all have one shape."""
    import numpy as np

    arrays: dict[str, Any] = {
        "images": np.stack([picture.image for picture in pictures]),  # (N, H, W, C)
        "labels": np.array([picture.label for picture in pictures], dtype=np.int64),
        "drawn": np.array([picture.drawn for picture in pictures], dtype=bool),
    }
    _save(folder, _PICTURES, arrays)


def load_strip(folder: Path, *, newest_only: bool = False) -> Strip | None:
    """The strip of a run; None for a run that has none, or none yet.

    Args:
        folder: of the run.
        newest_only: only the last record: R = 1.
    """
    import numpy as np

    pictures = _load(folder, _PICTURES)
    records = _load_records(folder)
    if not pictures or records is None:
        return None
    records = records[-1:] if newest_only else records
    shown = tuple(
        WatchedPicture(image, int(label), bool(drawn))
        for image, label, drawn in zip(pictures["images"], pictures["labels"], pictures["drawn"], strict=True)
    )
    scale = (records["scale"] / np.float32(127))[:, None, None, None, None]  # (R,) -> (R, 1, 1, 1, 1)
    return Strip(
        shown,
        records["step"].astype(np.int64),
        records["epoch"].astype(np.float64),
        records["probabilities"].astype(np.float32),
        records["kernels"].astype(np.float32) * scale,
    )


class StripWriter:
    """Writes the history of a run.

    Args:
        folder: of the run.
        total_steps: of the run; they decide how dense the records are.
    """

    def __init__(self, folder: Path, total_steps: int) -> None:
        self._path = folder / _FOLDER / _HISTORY
        self._total_steps = total_steps
        records = _load_records(folder)
        self._steps: list[int] = [] if records is None else records["step"].tolist()

    def add(self, seen: Watched) -> None:
        """Write what was seen, in place of what was recorded at this or a later step.

        The last record always stays the newest; it makes way for the next one where it lies closer to the one before
        than the run has room for.
        """
        data = pack_record(seen)
        while self._steps and self._steps[-1] >= seen.step:
            self._steps.pop()
        if len(self._steps) >= 2 and self._steps[-1] - self._steps[-2] < self._find_gap(self._steps[-2]):
            self._steps.pop()
        with self._path.open("r+b" if self._path.exists() else "w+b") as file:
            file.seek(len(self._steps) * len(data))
            file.write(data)
            file.truncate()
        self._steps.append(seen.step)

    def _find_gap(self, step: int) -> float:
        """How many steps lie between a record and the next, at least."""
        return min(self._total_steps / _RECORDS, step * _EARLY)


def pack_record(seen: Watched) -> bytes:
    """A record of the history; its length is the same for the whole run."""
    import numpy as np

    probabilities, kernels = seen.probabilities.numpy(), seen.kernels.numpy()
    scale = float(np.abs(kernels).max(initial=0.0))
    whole = np.rint(kernels * (127 / scale)) if 0 < scale < np.inf else np.zeros_like(kernels)
    body = _HEADER.pack(seen.step, seen.epoch, scale, *probabilities.shape, *kernels.shape)
    body += probabilities.astype("<f4").tobytes() + whole.astype(np.int8).tobytes()
    return body + _CHECKSUM.pack(zlib.crc32(body))


def _load_records(folder: Path) -> Any:
    """The records as a structured array ``(R,)``; None where there is no whole one."""
    import numpy as np

    try:
        data = (folder / _FOLDER / _HISTORY).read_bytes()
    except OSError:
        return None
    if len(data) < _HEADER.size:
        return None
    *_, pictures, classes, kernels, channels, height, width = _HEADER.unpack_from(data)
    layout = np.dtype(
        [
            ("step", "<i8"),
            ("epoch", "<f8"),
            ("scale", "<f4"),
            ("shape", "<u2", (6,)),
            ("probabilities", "<f4", (pictures, classes)),
            ("kernels", "i1", (kernels, channels, height, width)),
            ("checksum", "<u4"),
        ]
    )
    records = np.frombuffer(data, layout, len(data) // layout.itemsize)
    # Only the last one can be half written: the process died in it, or is writing at this moment.
    while len(records) and zlib.crc32(records[-1:].tobytes()[: -_CHECKSUM.size]) != records[-1]["checksum"]:
        records = records[:-1]
    return records if len(records) else None


def _save(folder: Path, name: str, arrays: dict[str, Any]) -> None:
    """Write arrays into a file of the strip, whole or not at all."""
    import numpy as np

    place = folder / _FOLDER
    place.mkdir(parents=True, exist_ok=True)
    part = place / f".{name}"
    with part.open("wb") as file:
        np.savez_compressed(file, **arrays)
    os.replace(part, place / name)


def _load(folder: Path, name: str) -> dict[str, Any]:
    """The arrays of a file of the strip; none where it is missing or damaged."""
    import numpy as np

    try:
        with np.load(folder / _FOLDER / name, allow_pickle=False) as file:
            return dict(file)
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile):
        return {}

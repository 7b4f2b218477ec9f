"""Drawings that somebody gave a label: kept, looked at, exported, trained on.

A collection is a folder: one PNG a drawing, and ``index.csv`` beside them. Many may write at once: a drawing appears
under its final name only when it is whole, and the index changes under a lock. What the index names and the folder
does not hold is left out, so a file deleted by hand does no harm.
"""

from __future__ import annotations

import csv
import io
import os
import re
import secrets
import shutil
import time
import zipfile
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from cnn_demo.plots.png import png_bytes
from cnn_demo.settings.config import COLLECTION_NAME

if TYPE_CHECKING:
    from cnn_demo.datasets.specs import DatasetSpec
    from cnn_demo.datasets.splits import Split

INDEX = "index.csv"
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
_ENTRY = re.compile(r"[0-9]{13}-[a-z0-9]{6}")


@dataclass(frozen=True, slots=True)
class Entry:
    """One drawing of a collection.

    Attributes:
        id: sorts by time.
        label: the class it was said to be, as a number.
        word: the name of that class.
        classes: which labels were meant: ``digits``, or the name of a data set.
        predicted: the name of the class that a network had taken it for, or "".
        network: which network that was, or "".
        at: Unix time in seconds.
    """

    id: str
    label: int
    word: str
    classes: str
    predicted: str
    network: str
    at: float


_COLUMNS = [f.name for f in fields(Entry)]


def classes_of(spec: DatasetSpec) -> str:
    """What :attr:`Entry.classes` says for a data set: all sets of digits share their labels."""
    return "digits" if spec.digits else spec.name


def new_name() -> str:
    """A name for a collection that nobody can guess: 12 letters and digits."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(12))


class Collection:
    """One collection of drawings.

    Args:
        root: the folder of all collections; need not exist yet.
        name: of this one, 8 to 32 lower-case letters and digits.

    Raises:
        ValueError: a name that is none.
    """

    def __init__(self, root: Path, name: str) -> None:
        if not COLLECTION_NAME.fullmatch(name):
            raise ValueError(f"name = {name!r}: expected 8 to 32 lower-case letters and digits")
        self.name, self.folder = name, root / name

    def add(
        self, picture: NDArray[np.uint8], label: int, spec: DatasetSpec, *, predicted: str = "", network: str = ""
    ) -> Entry:
        """Keep a drawing.

        Args:
            picture: as it was drawn: ``(H, W)`` or ``(H, W, 3)`` or ``(H, W, 4)`` uint8.
            label: what it is, 0 to the number of classes - 1.
            spec: the data set whose classes are meant.
            predicted: what a network had said.
            network: which.

        Raises:
            ValueError: no such label.
            OSError: it cannot be written; then nothing is kept.
        """
        if not 0 <= label < len(spec.classes):
            raise ValueError(f"label = {label}: expected 0 to {len(spec.classes) - 1}")
        now = time.time()
        number = f"{int(now * 1000):013d}-{''.join(secrets.choice(_ALPHABET) for _ in range(6))}"
        entry = Entry(number, label, spec.classes[label], classes_of(spec), predicted, network, now)
        self.folder.mkdir(parents=True, exist_ok=True)
        draft, final = self.folder / f".{entry.id}.png", self.picture_path(entry.id)
        try:
            draft.write_bytes(png_bytes(picture))
            with self._lock():
                os.replace(draft, final)
                self._append(entry)
        except BaseException:
            draft.unlink(missing_ok=True)
            final.unlink(missing_ok=True)
            raise
        return entry

    def entries(self) -> list[Entry]:
        """What is in it, the oldest first."""
        if not (self.folder / INDEX).is_file():
            return []
        with self._lock():
            rows = self._rows()
        return [entry for entry in rows if self.picture_path(entry.id).is_file()]

    def version(self) -> tuple[int, int]:
        """Changes whenever something was kept or deleted; quick."""
        try:
            found = (self.folder / INDEX).stat()
        except OSError:
            return (0, 0)
        return (found.st_mtime_ns, found.st_size)

    def picture_path(self, entry_id: str) -> Path:
        """The PNG of a drawing.

        Raises:
            ValueError: no id of a drawing.
        """
        if not _ENTRY.fullmatch(entry_id):
            raise ValueError(f"{entry_id!r} is no id of a drawing")
        return self.folder / f"{entry_id}.png"

    def delete(self, entry_id: str) -> None:
        """Forget one drawing; nothing happens where it is not there any more."""
        path = self.picture_path(entry_id)
        if not self.folder.is_dir():
            return
        with self._lock():
            path.unlink(missing_ok=True)  # first: a line without a picture is left out, and this works on a full disk
            try:
                self._write([entry for entry in self._rows() if entry.id != entry_id])
            except OSError:
                (self.folder / INDEX).touch()  # the line stays; whoever asks version() must still see the change

    def clear(self) -> None:
        """Forget all drawings."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def zip(self) -> bytes:
        """All drawings in a ZIP file: ``images/<label>-<id>.png`` and ``labels.csv``."""
        out, table = io.BytesIO(), io.StringIO(newline="")
        writer = csv.writer(table)
        writer.writerow(["file", *_COLUMNS])
        with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
            for entry in self.entries():
                name = f"images/{entry.label}-{entry.id}.png"
                try:
                    archive.write(self.picture_path(entry.id), name)
                except FileNotFoundError:  # deleted by somebody else just now
                    continue
                writer.writerow([name, *astuple(entry)])
            archive.writestr("labels.csv", "\ufeff" + table.getvalue())  # the mark makes Excel read UTF-8
        return out.getvalue()

    def split(self, spec: DatasetSpec) -> Split:
        """The drawings as a network trained on ``spec`` sees them, with their labels.

        Those of other classes are left out, and pictures that cannot be read.
        """
        import torch

        from cnn_demo.datasets.splits import Split
        from cnn_demo.drawing.pictures import DrawingError, open_image
        from cnn_demo.drawing.prepare import prepare

        images, labels = [], []
        for entry in self.entries():
            if entry.classes != classes_of(spec):
                continue
            try:
                drawing = prepare(open_image(self.picture_path(entry.id)), spec)
            except (DrawingError, OSError):
                continue
            pixels = torch.from_numpy((drawing.stages[-1].image * 255).round().astype(np.uint8))
            images.append(pixels[None] if pixels.ndim == 2 else pixels.permute(2, 0, 1))  # (C, H, W)
            labels.append(entry.label)
        empty = torch.empty(0, spec.channels, spec.size, spec.size, dtype=torch.uint8)
        return Split(torch.stack(images) if images else empty, torch.tensor(labels, dtype=torch.int64))

    # -- the index ------------------------------------------------------------------------------------------------

    def _lock(self) -> FileLock:
        return FileLock(self.folder / ".lock", timeout=20)

    def _rows(self) -> list[Entry]:
        try:
            with (self.folder / INDEX).open(encoding="utf-8", newline="") as file:
                return [entry for row in csv.DictReader(file) if (entry := _entry(row)) is not None]
        except FileNotFoundError:
            return []

    def _append(self, entry: Entry) -> None:
        """Add a line. It is written whole or, where the disk is full, not at all."""
        path = self.folder / INDEX
        self._mend()
        size = path.stat().st_size if path.exists() else 0
        try:
            with path.open("a", encoding="utf-8", newline="") as file:
                writer = csv.writer(file)
                if not size:
                    writer.writerow(_COLUMNS)
                writer.writerow(astuple(entry))
        except OSError:
            os.truncate(path, size)
            raise

    def _mend(self) -> None:
        """End a last line that a crash has torn: keep it where it is complete, else cut it off.

        Left as it is, it would take the next line with it.
        """
        path = self.folder / INDEX
        content = path.read_bytes() if path.exists() else b""
        if not content or content.endswith(b"\n"):
            return
        whole, line_end, torn = content.rpartition(b"\n")
        values = next(csv.reader([torn.decode("utf-8", "replace")]))
        if _entry(dict(zip(_COLUMNS, values, strict=False))) is not None:
            with path.open("ab") as file:
                file.write(b"\r\n")
        else:
            os.truncate(path, len(whole + line_end))

    def _write(self, entries: list[Entry]) -> None:
        draft = self.folder / f".{INDEX}"
        try:
            with draft.open("w", encoding="utf-8", newline="") as file:
                writer = csv.writer(file)
                writer.writerow(_COLUMNS)
                writer.writerows(astuple(entry) for entry in entries)
            os.replace(draft, self.folder / INDEX)
        except OSError:
            draft.unlink(missing_ok=True)
            raise


def _entry(row: dict[str, str]) -> Entry | None:
    """A line of the index, or None for one that is damaged."""
    try:
        words = (row["word"], row["classes"], row["predicted"], row["network"])
        entry = Entry(row["id"], int(row["label"]), *words, float(row["at"]))
    except (KeyError, TypeError, ValueError):
        return None
    return entry if _ENTRY.fullmatch(entry.id) else None

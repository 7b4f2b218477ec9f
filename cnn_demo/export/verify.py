"""Does a bundle still hold what its receipt says? Needs no checkpoint and no PyTorch model: only the bundle.

The receipt is not signed: who changes a file and the receipt with it goes unnoticed here. It tells what was damaged or
mixed up, and whether another machine or another onnxruntime answers as before.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import numpy as np

from cnn_demo.datasets.files import is_available
from cnn_demo.datasets.load import load_dataset
from cnn_demo.datasets.specs import DATASETS, get_spec
from cnn_demo.export.asking import compute_all_logits, count_correct
from cnn_demo.export.bundle import RECEIPT, BundleReceipt
from cnn_demo.export.reference_answers import ReferenceAnswers
from cnn_demo.export.runtime import Session

MOST_BYTES = 1_000_000_000  # of all files, unpacked
_ACCURACY_TOLERANCE = 0.0005  # another processor may round one image over the edge
_UNLISTED = (RECEIPT, "RECEIPT.md")

Outcome = Literal["agrees", "differs", "note"]


class NoBundle(ValueError):
    """What was given is no bundle at all."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was checked.

    Attributes:
        outcome: ``agrees``, ``differs``, or ``note`` for what is said and is no fault.
        what: a file, or ``model``, ``answers``, ``accuracy``, ``versions``.
        words: what was found, in English.
    """

    outcome: Outcome
    what: str
    words: str


def read_bundle(path: Path) -> dict[str, bytes]:
    """All files of a bundle, a zip or the folder that it was unpacked to, by their names.

    Raises:
        NoBundle: it is neither, has no receipt, or is too large.
        OSError: it cannot be read.
    """
    if path.is_dir():
        found = {
            file.relative_to(path).as_posix(): file.read_bytes()
            for file in sorted(path.rglob("*"))
            if file.is_file() and "__pycache__" not in file.parts
        }
    else:
        try:
            with zipfile.ZipFile(path) as archive:
                if sum(entry.file_size for entry in archive.infolist()) > MOST_BYTES:
                    raise NoBundle(f"{path.name}: more than {MOST_BYTES:,} bytes unpacked")
                found = {entry.filename: _unpack(archive, entry) for entry in archive.infolist() if not entry.is_dir()}
        except zipfile.BadZipFile as error:
            raise NoBundle(f"{path.name} is no zip, or a damaged one: {error}") from error
    if RECEIPT not in found:
        raise NoBundle(f"{path.name} holds no {RECEIPT}: it is no bundle of CNN Lab")
    return found


def _unpack(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    """One file; nothing where it is damaged, which its SHA-256 will tell."""
    try:
        return archive.read(entry)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError):
        return b""


def verify_bundle(path: Path) -> Iterator[Finding]:
    """Check a bundle, one finding after the other.

    Raises:
        NoBundle: there is nothing to check.
        OSError: it cannot be read.
    """
    contents = read_bundle(path)
    try:
        receipt = BundleReceipt.from_json(contents[RECEIPT].decode())
    except (ValueError, UnicodeDecodeError) as error:
        raise NoBundle(f"{path.name}: {error}") from error
    yield from _check_files(contents, receipt)
    now = version("onnxruntime")
    if now != receipt.versions.get("onnxruntime"):
        yield Finding("note", "versions", f"onnxruntime {now} here, {receipt.versions.get('onnxruntime')} then")
    yield from _check_model(contents, receipt)


def _check_files(contents: Mapping[str, bytes], receipt: BundleReceipt) -> Iterator[Finding]:
    same = 0
    for name, digest in receipt.files.items():
        if name not in contents:
            yield Finding("differs", name, "the file is missing")
        elif hashlib.sha256(contents[name]).hexdigest() != digest:
            yield Finding("differs", name, "the file is not the one of the receipt: it was changed or is damaged")
        else:
            same += 1
    for name in sorted(contents.keys() - receipt.files.keys() - set(_UNLISTED)):
        yield Finding("note", name, "the receipt does not know this file")
    if same == len(receipt.files):
        yield Finding("agrees", "files", f"{same} files have the SHA-256 of the receipt")


def _check_model(contents: Mapping[str, bytes], receipt: BundleReceipt) -> Iterator[Finding]:
    try:
        inputs, logits = (
            np.load(io.BytesIO(contents[f"reference/{name}.npy"]), allow_pickle=False) for name in ("inputs", "logits")
        )
        reference = ReferenceAnswers(inputs, logits)
    except (KeyError, ValueError, OSError, EOFError) as error:
        yield Finding("differs", "answers", f"the reference answers cannot be read: {error}")
        return
    try:
        session = Session(contents["model.onnx"])
        found = compute_all_logits(session, reference.inputs)
        others, difference = reference.compare(found)
    except Exception as error:  # onnxruntime raises as many types as there are ways to be no model
        yield Finding("differs", "model", f"the model cannot be run: {str(error).strip().splitlines()[0]}")
        return
    words = f"largest difference of a logit {difference:.2g}, {others} other answers, n = {len(found)}"
    if difference <= receipt.tolerance and not others:
        yield Finding("agrees", "answers", words)
    else:
        yield Finding("differs", "answers", f"{words}: the weights are not those of the receipt")
    yield from _check_accuracy(session, receipt)


def _check_accuracy(session: Session, receipt: BundleReceipt) -> Iterator[Finding]:
    wanted = receipt.accuracy
    if wanted is None or wanted.dataset not in DATASETS or not is_available(wanted.dataset):
        yield Finding("note", "accuracy", "not measured again: the test images are not at hand")
        return
    test = load_dataset(wanted.dataset, download=False).test
    correct = count_correct(session, test, get_spec(wanted.dataset))
    words = f"{correct / len(test):.2%} of {len(test):,} test images of {wanted.dataset}"
    if len(test) == wanted.n and abs(correct - wanted.correct) <= _ACCURACY_TOLERANCE * wanted.n:
        yield Finding("agrees", "accuracy", words)
    else:
        then = f"{wanted.correct / wanted.n:.2%} of {wanted.n:,}"
        yield Finding("differs", "accuracy", f"{words}; the receipt says {then}")

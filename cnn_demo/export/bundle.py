"""A bundle: a zip that runs anywhere with onnxruntime, NumPy and Pillow, and says what it is and how good it is.

It holds the model, the preparation of pictures as code, a short script, a model card, and a receipt with the SHA-256 of
every file and answers to compare with (see ``verify.py``). Made twice from the same network, only the receipt differs.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from cnn_demo import __version__
from cnn_demo.datasets.files import is_available
from cnn_demo.datasets.load import load_dataset
from cnn_demo.datasets.splits import Split
from cnn_demo.export.asking import TOLERANCE, check_answers, wilson_interval
from cnn_demo.export.formats import Exported, ExportFailed, Progress
from cnn_demo.export.model_card import Counted, write_model_card
from cnn_demo.export.onnx_file import export_onnx
from cnn_demo.export.preparation_code import write_preparation
from cnn_demo.export.receipt import Receipt, make_receipt
from cnn_demo.export.reference_answers import ReferenceAnswers, make_reference_answers
from cnn_demo.export.robustness import measure_robustness
from cnn_demo.export.runtime import open_session
from cnn_demo.locales import N_
from cnn_demo.prediction.calibration import Calibration, find_calibration
from cnn_demo.prediction.load import LoadedModel

FORMAT_VERSION = 1  # of receipt.json
RECEIPT = "receipt.json"

_CALLS = (100, 5)  # how often a batch of 1 and of 256 are timed
_DATE = (1980, 1, 1, 0, 0, 0)  # the date of every file in the zip: no other differs between two runs
# The oldest versions with which a bundle was tried.
_REQUIREMENTS = "onnxruntime>=1.20\nnumpy>=1.26\nPillow>=10\n"
_README = """# {key}

A network from CNN Lab, ready to use without it.

```sh
python -m venv .venv && . .venv/bin/activate     # on Windows: .venv\\Scripts\\activate
pip install -r requirements.txt
python predict.py PICTURE.png                    # one line of JSON for each picture: label, verdict, probabilities
```

- `model.onnx`: normalized images `(N, {channels}, {size}, {size})` in, logits `(N, {classes})` out, named in
  `labels.json`.
- `preparation/`: from a drawing, scan or photo to that input, as the Draw page of CNN Lab does it; and the verdict.
- `MODEL_CARD.md`: what it learnt from, how good it is, and its limits.
- `RECEIPT.md`, `receipt.json`: what was measured when this was made, and the SHA-256 of every file. With CNN Lab,
  `python -m cnn_demo verify THIS.zip` checks them again. Nothing but the date and the times in them differs when the
  same network is exported again.
"""


@dataclass(frozen=True)
class BundleReceipt:
    """What a bundle's ``receipt.json`` says.

    Attributes:
        made: day and time, UTC.
        network: the reference; with ``step`` it names the weights.
        step: optimizer steps behind them.
        dataset: what the network takes images of.
        versions: of what made it, by name.
        files: SHA-256 of every other file by its name.
        largest_difference: of a logit on the reference images, between PyTorch and the exported model.
        tolerance: what is allowed.
        accuracy: of the exported model on the whole test split; None where that was not at hand.
        comparison: PyTorch and the exported model on that split, as :class:`~cnn_demo.export.receipt.Receipt` is
            stored: agreement, differences, latencies; None where it was not at hand.
    """

    made: str
    network: str
    step: int
    dataset: str
    versions: dict[str, str]
    files: dict[str, str]
    largest_difference: float
    tolerance: float
    accuracy: Counted | None
    comparison: dict[str, Any] | None = None

    def to_json(self) -> str:
        """As it is stored, with the version of the format."""
        return json.dumps({"format": FORMAT_VERSION, **dataclasses.asdict(self)}, indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str) -> BundleReceipt:
        """Read what :meth:`to_json` wrote.

        Raises:
            ValueError: it is no receipt, or of a later format.
        """
        stored = json.loads(text)
        if not isinstance(stored, dict) or stored.pop("format", None) != FORMAT_VERSION:
            raise ValueError(f"{RECEIPT}: expected a receipt of format {FORMAT_VERSION}")
        try:
            accuracy = stored.pop("accuracy")
            return cls(accuracy=Counted(**accuracy) if accuracy else None, **stored)
        except (TypeError, KeyError) as error:
            raise ValueError(f"{RECEIPT}: {error}") from error


def write_bundle(
    loaded: LoadedModel, calibration: Calibration | None, path: Path, *, disturbed: bool = True, progress: Progress
) -> BundleReceipt:
    """Write a network as a bundle.

    Args:
        loaded: a network of a data set.
        calibration: of these weights, or None.
        path: the zip; it is replaced when all is done.
        disturbed: also measure it on disturbed test images, for the model card.
        progress: is told the part that is done, 0 to 1.

    Raises:
        ExportFailed: a logit of the exported model is off by more than the tolerance, ONNX has no such operator, or
            the network takes photographs.
        OSError: it cannot be written.
    """
    if loaded.photo is not None:
        raise ExportFailed(N_("This network takes photographs; only a network of a data set can be exported."))
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "model.onnx"
        export_onnx(loaded, model)
        progress(0.5)
        reference = make_reference_answers(loaded)
        session = open_session(model)
        difference = check_answers(session, reference)
        test = _load_test(loaded)
        compared = make_receipt(loaded, {"onnx": model}, test, calls=_CALLS) if test is not None else None
        counted = None if compared is None else Counted(loaded.spec.name, compared.rows[1].correct, compared.rows[1].n)
        progress(0.7)
        rows = measure_robustness(loaded, test) if test is not None and disturbed else []
        contents = {
            "model.onnx": model.read_bytes(),
            "MODEL_CARD.md": write_model_card(loaded, calibration, counted, rows).encode(),
            **_list_plain_files(loaded, calibration, reference),
        }
    progress(0.9)
    receipt = BundleReceipt(
        datetime.now(timezone.utc).isoformat(timespec="seconds"),
        loaded.key,
        loaded.step,
        loaded.spec.name,
        {"cnn_demo": __version__, **{name: version(name) for name in ("torch", "onnx", "onnxruntime", "numpy")}},
        {name: hashlib.sha256(content).hexdigest() for name, content in sorted(contents.items())},
        difference,
        TOLERANCE,
        counted,
        None if compared is None else json.loads(compared.to_json()),
    )
    contents |= {RECEIPT: receipt.to_json().encode(), "RECEIPT.md": write_table(receipt).encode()}
    _write_zip(path, contents)
    progress(1.0)
    return receipt


def build_bundle(loaded: LoadedModel, folder: Path, options: Mapping[str, Any], progress: Progress) -> Exported:
    """The builder of the format ``bundle``; see :func:`write_bundle`."""
    path = folder / f"{loaded.file_name}.zip"
    calibration = None if loaded.photo else find_calibration(loaded)
    receipt = write_bundle(loaded, calibration, path, disturbed=options["disturbed"], progress=progress)
    return Exported(path, {"calibrated": calibration is not None, **dataclasses.asdict(receipt)})


def _load_test(loaded: LoadedModel) -> Split | None:
    name = loaded.spec.name
    return load_dataset(name, download=False).test if is_available(name) else None


def _list_plain_files(
    loaded: LoadedModel, calibration: Calibration | None, reference: ReferenceAnswers
) -> dict[str, bytes]:
    """All files that are neither the model nor about how good it is."""
    spec = loaded.spec
    known = None
    if calibration is not None:
        known = {name: getattr(calibration, name) for name in ("temperature", "threshold", "weights")}
    readme = _README.format(key=loaded.key, channels=spec.channels, size=spec.size, classes=len(spec.classes))
    texts = {
        "README.md": readme,
        "labels.json": json.dumps(spec.classes, ensure_ascii=False) + "\n",
        "calibration.json": json.dumps(known) + "\n",
        "predict.py": files("cnn_demo.export.bundled").joinpath("predict.py.txt").read_text("utf-8"),
        "requirements.txt": _REQUIREMENTS,
        **{f"preparation/{name}": text for name, text in write_preparation(spec).items()},
    }
    arrays = {"reference/inputs.npy": reference.inputs, "reference/logits.npy": reference.logits}
    return {name: text.encode() for name, text in texts.items()} | {
        name: _pack_array(array) for name, array in arrays.items()
    }


def _pack_array(array: np.ndarray) -> bytes:
    packed = io.BytesIO()
    np.save(packed, array, allow_pickle=False)
    return packed.getvalue()


def _write_zip(path: Path, contents: Mapping[str, bytes]) -> None:
    """A zip with the same bytes for the same contents; it takes its place only when it is whole."""
    unfinished = path.with_name(f".{path.name}.part")
    try:
        with zipfile.ZipFile(unfinished, "w") as archive:
            for name, content in sorted(contents.items()):
                entry = zipfile.ZipInfo(name, _DATE)
                entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
                archive.writestr(entry, content)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def write_table(receipt: BundleReceipt) -> str:
    """The receipt for people, in Markdown."""
    accuracy = "not measured: the test images were not at hand"
    if receipt.accuracy is not None:
        found = receipt.accuracy
        low, high = wilson_interval(found.correct, found.n)
        accuracy = (
            f"{found.correct / found.n:.2%} ({found.correct:,} of {found.n:,} test images of {found.dataset}; 95% "
            f"interval {low:.2%} to {high:.2%})"
        )
    rows: dict[str, Any] = {
        "network": f"{receipt.network}, step {receipt.step:,}, for {receipt.dataset}",
        "made": receipt.made,
        "by": ", ".join(f"{name} {number}" for name, number in receipt.versions.items()),
        "accuracy of model.onnx": accuracy,
        "largest difference of a logit": f"{receipt.largest_difference:.2g} (allowed: {receipt.tolerance:g})",
    }
    table = "\n".join(f"| {name} | {value} |" for name, value in rows.items())
    sums = "\n".join(f"| {name} | `{digest}` |" for name, digest in receipt.files.items())
    compared = "" if receipt.comparison is None else _write_comparison(receipt.comparison)
    begin, files_head = "# Receipt\n\n| what | found |\n| --- | --- |", "| file | SHA-256 |\n| --- | --- |"
    return f"{begin}\n{table}\n{compared}\n{files_head}\n{sums}\n"


def _write_comparison(stored: Mapping[str, Any]) -> str:
    """PyTorch and the exported model side by side."""
    compared = Receipt.from_json(json.dumps(stored))
    lines = [
        "| | right | as PyTorch | largest, mean difference of a logit | batch of 1 | batch of 256 |",
        "|" + " --- |" * 6,
    ]
    for row in compared.rows:
        low, high = row.interval
        times = (f"{each.median * 1e3:.3g} ms, p95 {each.p95 * 1e3:.3g} ms, n = {each.n}" for each in row.latencies)
        cells = (
            "model.onnx" if row.file else "PyTorch",
            f"{row.accuracy:.2%} [{low:.2%}, {high:.2%}]",
            f"{row.agreement:.2%}",
            f"{row.largest:.2g}, {row.mean:.2g}",
            *times,
        )
        lines.append(f"| {' | '.join(cells)} |")
    machine = ", ".join(f"{name} {value}" for name, value in compared.machine.items())
    where = f"n = {compared.rows[0].n:,} test images of {compared.dataset}; {machine}; interval of 95% (Wilson)."
    return "\n" + "\n".join([*lines, "", where]) + "\n"

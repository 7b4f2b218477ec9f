"""``python -m cnn_demo predict``: what a model makes of pictures, prepared exactly as the Draw page does."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnn_demo.cli.output import EXIT_FAILED, add_json_option, complain, give
from cnn_demo.prediction.wording import percent

if TYPE_CHECKING:
    from cnn_demo.drawing.prepare import Drawing
    from cnn_demo.prediction.calibration import Calibration
    from cnn_demo.prediction.load import LoadedModel
    from cnn_demo.runs.store import Store

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff")
_BATCH = 500


def add_parser(subparsers: Any) -> None:
    """Add ``predict``."""
    parser = subparsers.add_parser(
        "predict",
        help="classify pictures",
        description="Classify pictures with the model that ships or with a run's last checkpoint. Each goes the way of "
        "a drawing in the app: ink found, cropped, scaled to 20 pixels, centered by mass. A folder stands for the "
        "pictures in it; all are one batch. Where the model has a calibration (the one that ships has; the Draw page "
        "makes one for a run), probabilities and verdict are those of the page; else the verdict is null and the "
        "probabilities are raw.",
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="a picture or a folder of pictures")
    parser.add_argument("--model", metavar="RUN", help="id of a run (default: the model that ships)")
    parser.add_argument("--step", type=int, help="the checkpoint at this step (default: the last)")
    parser.add_argument("--stages", type=Path, metavar="DIR", help="write every stage of the preparation there as PNG")
    add_json_option(parser)


def pictures_in(paths: list[Path]) -> list[Path]:
    """The files that are named, and the pictures in the folders that are named, folders in order of their names.

    Raises:
        FileNotFoundError: nothing has this name, or a folder holds no picture.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(p for p in path.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
            if not inside:
                raise FileNotFoundError(f"{path}: no pictures in this folder ({', '.join(SUFFIXES)})")
            found.extend(inside)
        elif path.exists():
            found.append(path)
        else:
            raise FileNotFoundError(f"{path}: no such file or folder")
    return found


def run(args: argparse.Namespace) -> int:
    """Predict and report; a picture that cannot be read costs the exit status, not the others' answers."""
    import torch

    from cnn_demo.drawing.prepare import DrawingError, open_image, prepare
    from cnn_demo.prediction.calibration import judge
    from cnn_demo.prediction.load import load_shipped
    from cnn_demo.prediction.predictor import UNCALIBRATED
    from cnn_demo.runs.checkpoints import load_model
    from cnn_demo.runs.records import RunNotFound
    from cnn_demo.runs.store import Store
    from cnn_demo.training.snapshot import CheckpointUnreadable

    try:
        files = pictures_in(args.files)
        store = Store()
        loaded = load_model(store, args.model, args.step) if args.model else load_shipped()
    except (FileNotFoundError, CheckpointUnreadable, RunNotFound) as error:
        return complain(error)
    ready: list[tuple[Path, Drawing]] = []
    errors: list[dict[str, str]] = []
    for file in files:
        try:
            drawing = prepare(open_image(file), loaded.spec)
        except (DrawingError, OSError) as error:
            errors.append({"file": str(file), "error": str(error)})
            complain(f"{file}: {error}")
            continue
        ready.append((file, drawing))
        if args.stages:
            _write_stages(args.stages, file, drawing)
    calibration = _calibration(store, loaded)
    predictions: list[dict[str, Any]] = []
    for start in range(0, len(ready), _BATCH):
        part = ready[start : start + _BATCH]
        with torch.no_grad():
            logits = loaded.model(torch.cat([drawing.input for _, drawing in part]))
        for (file, drawing), row in zip(part, logits, strict=True):
            verdict = judge(row, calibration or UNCALIBRATED, empty=drawing.empty)
            predictions.append(
                {
                    "file": str(file),
                    # An empty sheet has no digit: whatever the network says of it is not an answer.
                    "label": None if drawing.empty else loaded.spec.classes[verdict.top],
                    "verdict": verdict.kind if calibration or drawing.empty else None,
                    "runner_up": None if drawing.empty else loaded.spec.classes[verdict.runner_up],
                    "entropy_bits": verdict.entropy_bits,
                    "probabilities": list(verdict.probabilities),
                    "warnings": list(drawing.warnings),
                }
            )
    if args.json:
        give(
            {
                "model": loaded.run_id,
                "step": loaded.step,
                "classes": list(loaded.spec.classes),
                "n": len(predictions),
                "calibrated": calibration is not None,
                "predictions": predictions,
                "errors": errors,
            }
        )
    else:
        for row in predictions:
            word = (row["verdict"] or "").replace("_", " ")
            share = percent(max(row["probabilities"]))
            answer = f"{row['label']}\t{share}\t{word}" if row["label"] else "nothing drawn"
            print(f"{row['file']}\t{answer}".rstrip())
    sys.stdout.flush()
    return EXIT_FAILED if errors else 0


def _calibration(store: Store, loaded: LoadedModel) -> Calibration | None:
    from cnn_demo.prediction.calibration import Calibration
    from cnn_demo.prediction.load import SHIPPED
    from cnn_demo.runs.checkpoints import calibration_file

    ships = loaded.run_id == "shipped"
    path = SHIPPED / "calibration.json" if ships else calibration_file(store, loaded.run_id, loaded.step)
    try:
        return Calibration.load(path)
    except (OSError, ValueError):
        return None


def _write_stages(folder: Path, file: Path, drawing: Drawing) -> None:
    from PIL import Image

    target = folder / file.stem
    target.mkdir(parents=True, exist_ok=True)
    for number, stage in enumerate(drawing.stages, start=1):
        pixels = (stage.image.clip(0, 1) * 255).round().astype("uint8")
        Image.fromarray(pixels).save(target / f"{number}-{stage.name}.png")

"""``python -m cnn_demo predict``: what a model makes of pictures, prepared exactly as the Draw page does."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnn_demo.cli.networks import add_network_options, load_network
from cnn_demo.cli.output import EXIT_FAILED, CommandFailed, add_json_option, complain, give
from cnn_demo.prediction.wording import percent

if TYPE_CHECKING:
    from cnn_demo.drawing.prepare import Drawing
    from cnn_demo.prediction.predictor import Predictor

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff")


def add_parser(subparsers: Any) -> None:
    """Add ``predict``."""
    parser = subparsers.add_parser(
        "predict",
        help="classify pictures",
        description="Classify pictures with the model that ships or with another network. Each goes the way of "
        "a drawing in the app: ink found, cropped, scaled to 20 pixels, centered by mass. A folder stands for the "
        "pictures in it; all are one batch. Where the model has a calibration (the one that ships has; the Draw page "
        "makes one for a run), probabilities and verdict are those of the page; else the verdict is null and the "
        "probabilities are raw.",
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="a picture or a folder of pictures")
    add_network_options(parser)
    parser.add_argument("--stages", type=Path, metavar="DIR", help="write every stage of the preparation there as PNG")
    add_json_option(parser)


def pictures_in(path: Path) -> list[Path]:
    """A file, or the pictures in a folder in the order of their names.

    Raises:
        FileNotFoundError: nothing has this name, or a folder holds no picture.
    """
    if path.is_dir():
        inside = sorted(p for p in path.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
        if not inside:
            raise FileNotFoundError(f"{path}: no pictures in this folder ({', '.join(SUFFIXES)})")
        return inside
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file or folder")
    return [path]


def run(args: argparse.Namespace) -> int:
    """Predict and report; a picture that cannot be read costs the exit status, not the others' answers."""
    from cnn_demo.prediction.calibration import load_calibration
    from cnn_demo.prediction.plain_data import describe_prediction
    from cnn_demo.prediction.predictor import Predictor

    try:
        loaded = load_network(args.net, args.model, step=args.step)
    except CommandFailed as error:
        return complain(error, error.status)
    predictor = Predictor(loaded, load_calibration(loaded))
    errors: list[dict[str, str]] = []
    ready = list(_prepared(args.files, predictor, errors))
    for file, drawing in ready if args.stages else ():
        _write_stages(args.stages, file, drawing)
    found = predictor.predict_drawings([drawing for _file, drawing in ready])
    rows = [
        {"file": str(file), **describe_prediction(answer, predictor)}
        for (file, _drawing), answer in zip(ready, found, strict=True)
    ]
    if args.json:
        give(
            {
                "model": loaded.run_id,
                "step": loaded.step,
                "classes": list(loaded.spec.classes),
                "n": len(rows),
                "calibrated": predictor.calibration is not None,
                "predictions": rows,
                "errors": errors,
            }
        )
    else:
        for row in rows:
            word = (row["verdict"] or "").replace("_", " ")
            share = percent(max(row["probabilities"]))
            answer = f"{row['label']}\t{share}\t{word}" if row["label"] else "nothing drawn"
            print(f"{row['file']}\t{answer}".rstrip())
    sys.stdout.flush()
    return EXIT_FAILED if errors else 0


def _prepared(paths: list[Path], predictor: Predictor, errors: list[dict[str, str]]) -> Iterator[tuple[Path, Drawing]]:
    """Every picture that can be used; each of the others is said, and added to ``errors``."""
    for path in paths:
        try:
            files = pictures_in(path)
        except FileNotFoundError as error:
            errors.append({"file": str(path), "error": str(error)})
            complain(error)
            continue
        for file in files:
            drawing = _prepare(file, predictor, errors)
            if drawing is not None:
                yield file, drawing


def _prepare(file: Path, predictor: Predictor, errors: list[dict[str, str]]) -> Drawing | None:
    from cnn_demo.drawing.pictures import DrawingError, open_image

    try:
        return predictor.prepare(open_image(file))
    except (DrawingError, OSError) as error:
        said = str(error)
        errors.append({"file": str(file), "error": said})
        # Where the error begins with the file's name, its whole path stands there instead.
        complain(f"{file}{said.removeprefix(file.name)}" if said.startswith(f"{file.name} ") else f"{file}: {said}")
        return None


def _write_stages(folder: Path, file: Path, drawing: Drawing) -> None:
    from cnn_demo.prediction.plain_data import encode_stage

    target = folder / file.stem
    target.mkdir(parents=True, exist_ok=True)
    for number, stage in enumerate(drawing.stages, start=1):
        (target / f"{number}-{stage.name}.png").write_bytes(encode_stage(stage))

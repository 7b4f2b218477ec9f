"""A network as one HTML file: it works from the disk, without a network connection, on a phone too.

The file holds the weights, the steps of the network, and the preparation and the verdict of the Draw page in plain
JavaScript (``browser/``). onnxruntime-web would do the computing faster, but its WebAssembly alone is larger than what
one wants to send to a friend.
"""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnn_demo import __version__
from cnn_demo.drawing.stages import WARNINGS
from cnn_demo.export.formats import MOST_HTML_BYTES, Exported, ExportFailed, Progress
from cnn_demo.export.plain_steps import OperatorUnknown, StepList, list_steps
from cnn_demo.export.reference_answers import ReferenceAnswers, make_reference_answers
from cnn_demo.export.whole_file import write_whole
from cnn_demo.locales import N_, load_catalog
from cnn_demo.models.registry import MODELS
from cnn_demo.prediction.calibration import Calibration, find_calibration
from cnn_demo.prediction.load import LoadedModel

_FOLDER = Path(__file__).resolve().parent / "browser"
_SCRIPTS = ("operators.js", "preparation.js", "verdict.js", "pad.js", "page.js")
_CHECKED = 20  # images with PyTorch's answers that a file brings along
_LANGUAGES = {"en": "en", "zh": "zh_CN"}  # what a browser's language begins with, and the catalog

_WORDS = {
    "pad": N_("Drawing pad"),
    "tools": N_("Tools of the pad"),
    "undo": N_("Undo"),
    "redo": N_("Redo"),
    "clear": N_("Clear"),
    "width": N_("Pen"),
    "input": N_("What the network sees"),
    "caption": N_("Probability of each class"),
    "empty": N_("Draw something"),
    "empty_more": N_("With the mouse, a pen or a finger."),
    "full": N_("Too much is painted"),
    "full_more": N_("Clear the pad and draw on black."),
    "sure": N_("Sure: {top}"),
    "torn": N_("Torn between {top} and {second}"),
    "unsure": N_("Unsure; perhaps {top}"),
    "shares": N_("{top}: {share}, then {second}: {second_share}."),
    "would_be": N_("It would have to be {top} ({share})."),
    "entropy": N_("Entropy {bits} of {most} bits."),
    "agrees": N_(
        "Checked in this browser: of {n} images that the file brings along, {same} get PyTorch's class; no logit "
        "differs by more than {largest}."
    ),
    "differs": N_(
        "This browser computes something else than PyTorch: of {n} images {same} get its class, and a logit differs by "
        "{largest}. Do not trust the answers."
    ),
}
_NO_DIGIT = N_("This does not look like a digit")
_NO_CLASS = N_("This looks like nothing in the data set")
_SAID = ("dot", "thin", "edge", "tiny", "several", "speck", "ruled")


def write_html(loaded: LoadedModel, calibration: Calibration | None, path: Path) -> None:
    """Write a network as one HTML file with a pad. It brings along some images and PyTorch's logits for them, and says
    whether the browser in which it is opened computes the same.

    Args:
        loaded: the network.
        calibration: of these weights; without one, probabilities are raw and only a dot is called no digit.
        path: the file; it is replaced.

    Raises:
        ExportFailed: an operator has no counterpart in JavaScript, the file would be too large, or the network takes
            photographs.
        OSError: it cannot be written.
    """
    if loaded.photo is not None:
        raise ExportFailed(N_("This network takes photographs, and the file has a pad."))
    spec = loaded.spec
    try:
        steps = list_steps(loaded.model, (spec.channels, spec.size, spec.size))
    except OperatorUnknown as error:
        message = N_("The operator {operator} has no counterpart in the file's JavaScript.")
        raise ExportFailed(message, operator=error.operator) from error
    large = N_("The file would have {size} MB; at most {most} MB are made.")
    if steps.nbytes * 4 / 3 > MOST_HTML_BYTES:  # before it takes the memory
        raise ExportFailed(large, size=f"{steps.nbytes * 4 / 3 / 1e6:.1f}", most=f"{MOST_HTML_BYTES / 1e6:.0f}")
    text = _fill_page(loaded, calibration, steps).encode()
    if len(text) > MOST_HTML_BYTES:
        raise ExportFailed(large, size=f"{len(text) / 1e6:.1f}", most=f"{MOST_HTML_BYTES / 1e6:.0f}")
    write_whole(path, text)


def build_html(loaded: LoadedModel, folder: Path, options: Mapping[str, Any], progress: Progress) -> Exported:
    """The builder of the format ``html``; see :func:`write_html`."""
    path = folder / f"{loaded.file_name}.html"
    calibration = None if loaded.photo else find_calibration(loaded)
    progress(0.5)
    write_html(loaded, calibration, path)
    progress(1.0)
    return Exported(path, {"calibrated": calibration is not None})


def _fill_page(loaded: LoadedModel, calibration: Calibration | None, steps: StepList) -> str:
    spec = loaded.spec
    taken: dict[str, Any] = {
        "words": {code: _choose_words(loaded, calibration, catalog) for code, catalog in _LANGUAGES.items()},
        "classes": {
            code: [load_catalog(catalog).gettext(name) for name in spec.classes] for code, catalog in _LANGUAGES.items()
        },
        "data": {name: getattr(spec, name) for name in ("digits", "size", "channels", "mean", "std")},
        "calibration": calibration
        and {
            "temperature": calibration.temperature,
            "threshold": calibration.threshold,
            "weights": calibration.weights,
        },
        "network": _describe_steps(steps),
        "check": _describe_check(make_reference_answers(loaded)),
    }
    parts = {
        "title": html.escape(taken["words"]["en"]["title_of_page"]),
        "style": _read("page.css"),
        "script": "\n".join(_read(name) for name in _SCRIPTS),
        # In a script element "<" might end it.
        "network": json.dumps(taken, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c"),
    }
    page = _read("page.html")
    for name, text in parts.items():
        page = page.replace(f"{{{{{name}}}}}", text)
    return page


def _read(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")


def _describe_steps(steps: StepList) -> dict[str, Any]:
    """The network as JSON: weights as float32, little endian, in base64."""
    return {
        "steps": [{"op": step.op, "settings": step.settings, "shape": step.shape} for step in steps.steps],
        "tensors": [
            {
                "shape": list(tensor.shape),
                "data": _encode_floats(tensor.numpy()),
            }
            for tensor in steps.tensors
        ],
        "output": steps.output,
    }


def _encode_floats(values: NDArray[np.float32]) -> str:
    return base64.b64encode(values.astype(np.dtype("<f4")).tobytes()).decode()


def _describe_check(reference: ReferenceAnswers) -> dict[str, Any]:
    """Images and PyTorch's logits: with them the file finds out by itself whether a browser computes the same."""
    inputs, logits = reference.inputs[:_CHECKED], reference.logits[:_CHECKED]
    return {"shape": list(inputs.shape), "inputs": _encode_floats(inputs), "logits": _encode_floats(logits)}


def _choose_words(loaded: LoadedModel, calibration: Calibration | None, language: str) -> dict[str, Any]:
    """What the page says in one language."""
    say = load_catalog(language).gettext
    spec = loaded.spec
    return {
        **{name: say(text) for name, text in _WORDS.items()},
        "not_a_digit": say(_NO_DIGIT if spec.digits else _NO_CLASS),
        "warnings": {name: say(WARNINGS[name]) for name in _SAID},
        "title_of_page": f"{say(MODELS.get(loaded.config.model).title)} · {spec.name}",
        "about": _describe_network(loaded, calibration, language),
    }


def _describe_network(loaded: LoadedModel, calibration: Calibration | None, language: str) -> list[str]:
    """A few sentences: what it is, how good it is, what its words rest on, where it comes from."""
    say = load_catalog(language).gettext
    size, dataset = f"{sum(p.numel() for p in loaded.model.parameters()):,}", loaded.spec.name
    if loaded.pretrained:
        lines = [
            say(
                N_("A network with {size} parameters that learnt from {dataset}. It answers on this device alone.")
            ).format(size=size, dataset=dataset)
        ]
    else:
        lines = [say(N_("A network with {size} random parameters: it has learnt nothing yet.")).format(size=size)]
    test = loaded.meta.get("test") or {}
    if test.get("n"):
        right = say(N_("{accuracy} of {n} test images of {dataset} are answered rightly."))
        lines.append(
            right.format(accuracy=f"{test['accuracy']:.2%}", n=f"{test['n']:,}", dataset=test.get("dataset", dataset))
        )
    if calibration is None:
        lines.append(say(N_("It is not calibrated: these are raw probabilities, also for what is no digit.")))
    else:
        rest = N_(
            "Its words rest on the training side: temperature {temperature}; {alarms} of {n} images there would "
            "wrongly be turned away."
        )
        lines.append(
            say(rest).format(
                temperature=f"{calibration.temperature:.2f}",
                n=f"{calibration.digits:,}",
                alarms=f"{calibration.false_alarms:.1%}",
            )
        )
    made = say(N_("Network {name}, step {step}. Made by CNN Lab {version}."))
    lines.append(made.format(name=loaded.key, step=f"{loaded.step:,}", version=__version__))
    return lines

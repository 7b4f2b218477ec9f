"""The table of formats in which a network can be taken home. Reading the table imports no PyTorch.

To add one, write a builder ``(loaded, folder, options, progress) -> Exported`` and add an entry: ``loaded`` is the
network, ``folder`` exists, ``options`` has a value for each option of the entry, and ``progress`` is told the part that
is done, 0 to 1. What cannot be exported raises :class:`ExportFailed`. A format with ``runs=True`` computes logits or
holds weights that do: ``runners.py`` knows how, and the receipt compares it with PyTorch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cnn_demo.locales import N_
from cnn_demo.settings.description import Choice, Flag, Real, Setting, Text, Whole
from cnn_demo.settings.registry import Registry

Progress = Callable[[float], None]

MOST_HTML_BYTES = 15_000_000  # of a file that one can send to a friend


class ExportFailed(RuntimeError):
    """A network cannot be exported in a format, or not so that it could be trusted.

    Attributes:
        message: why, in English, with places for ``values`` (translated by the pages).
        values: what fills it.
    """

    def __init__(self, message: str, **values: str) -> None:
        super().__init__(message.format(**values))
        self.message, self.values = message, values


@dataclass(frozen=True, slots=True)
class Exported:
    """What a builder made.

    Attributes:
        path: the file.
        facts: what was found out on the way, as plain data.
    """

    path: Path
    facts: dict[str, Any] = field(default_factory=dict)


DISTURBED = Setting(
    "disturbed",
    True,
    Flag(),
    N_("Disturbed images"),
    help=N_("Also measure, for the model card, how well it does on moved, turned and noisy test images."),
)

SCHEME = Setting(
    "scheme",
    "static",
    Choice((("static", N_("Static")), ("dynamic", N_("Dynamic")))),
    N_("Scheme"),
    help=N_(
        "Static: the ranges of the activations are found beforehand on training images. Dynamic: anew for every call, "
        "which costs time and needs no images."
    ),
)
METHOD = Setting(
    "method",
    "minmax",
    Choice((("minmax", N_("Smallest and largest")), ("entropy", N_("Entropy")), ("percentile", N_("Percentile")))),
    N_("Calibration"),
    help=N_(
        "How the range of an activation follows from the training images: from its smallest to its largest value, by "
        "the least loss of information, or so that one value in a hundred thousand is cut off."
    ),
)
IMAGES = Setting(
    "images",
    512,
    Whole(16, 4096, step=64),
    N_("Calibration images"),
    help=N_("How many training images the ranges are found on; test images are never looked at."),
)
KEEP = Setting(
    "keep",
    "",
    Text(r"[\w.,\s]{0,400}", N_("names of layers, separated by commas")),
    N_("Layers kept in full precision"),
    help=N_("Names of layers that stay as they are, separated by commas, such as conv1, fc2."),
    metavar="LAYERS",
)
COMPARE = Setting(
    "compare",
    False,
    Flag(),
    N_("Compare all calibrations"),
    help=N_(
        "Also try every method with 32 to 2,048 images and judge each on training images that it has not used. It "
        "takes some seconds; with entropy and a large network minutes."
    ),
)
TAKES = Setting(
    "takes",
    "pad",
    Choice((("pad", N_("A pad of 280 × 280")), ("image", N_("An image of the data set")))),
    N_("What it takes"),
    help=N_(
        "Bytes. A pad, white on black: it is cropped, scaled and centered in the file as on the page Draw. Or an image "
        "as the data set has it: it is only normalized."
    ),
)
ENGINE = Setting(
    "engine_precision",
    "fp16",
    Choice((("fp32", N_("fp32")), ("fp16", N_("fp16")), ("int8", N_("int8")))),
    N_("Precision of the engine"),
    help=N_("The numbers that the engine computes with; images and logits stay in fp32."),
)
# What a format must hold in the receipt to be offered without a mark.
THRESHOLDS = (
    Setting(
        "least_agreement",
        100.0,
        Real(0, 100, step=0.1),
        N_("Least agreement, in %"),
        help=N_("In full precision: the share of the test images that must get the class that PyTorch gives."),
        metavar="PERCENT",
    ),
    Setting(
        "most_difference",
        1e-4,
        Real(0, 1000, step=1e-5, format="%.6g"),
        N_("Largest difference of a logit"),
        help=N_("In full precision: how far a logit may be from PyTorch's."),
    ),
    Setting(
        "most_lost",
        0.2,
        Real(0, 100, step=0.05),
        N_("Points that may be lost"),
        help=N_("With 8 bits and in an engine: how many percentage points of accuracy may be lost."),
        metavar="POINTS",
    ),
)
_ONNX = ("onnx", "onnxscript", "onnxruntime")

FORMATS = Registry("format")
FORMATS.add(
    "html",
    N_("Network with a pad"),
    "cnn_demo.export.html_file:build_html",
    help=N_("One HTML file with the network, a pad and the answer. It works offline, on a phone too."),
    runs=True,  # in a browser; where this machine has none, the receipt says so
)
FORMATS.add(
    "bundle",
    N_("Bundle"),
    "cnn_demo.export.bundle:build_bundle",
    help=N_("A zip that runs anywhere with onnxruntime: model, preparation, a script, a model card and a receipt."),
    options=(DISTURBED,),
    needs=_ONNX,
)
FORMATS.add(
    "weights",
    N_("Weights"),
    "cnn_demo.export.weight_files:build_weights",
    help=N_("All weights by name, as safetensors: no pickle, safe to open."),
    runs=True,
)
FORMATS.add(
    "state_dict",
    N_("PyTorch state_dict"),
    "cnn_demo.export.weight_files:build_state_dict",
    help=N_("The weights in PyTorch's own file: your own class with the same layers loads it."),
    runs=True,
)
FORMATS.add(
    "pt2",
    N_("torch.export program"),
    "cnn_demo.export.weight_files:build_program",
    help=N_("Network and weights in one file that PyTorch runs without our code."),
    runs=True,
)
FORMATS.add(
    "onnx",
    N_("ONNX"),
    "cnn_demo.export.onnx_file:build_onnx",
    help=N_("One file for any ONNX runtime: normalized images in, logits out. It is checked against PyTorch."),
    needs=_ONNX,
    runs=True,
)
FORMATS.add(
    "onnx_prepared",
    N_("ONNX with its preparation"),
    "cnn_demo.export.prepared_onnx:build_prepared",
    help=N_("Bytes in, probabilities out: preparation, network and calibration in one graph."),
    options=(TAKES,),
    needs=_ONNX,
)
FORMATS.add(
    "int8",
    N_("ONNX with 8 bits"),
    "cnn_demo.export.int8:build_int8",
    help=N_("Weights and activations as whole numbers of 8 bits: a quarter of the size, and faster."),
    options=(SCHEME, METHOD, IMAGES, KEEP, COMPARE),
    needs=_ONNX,
    runs=True,
)
FORMATS.add(
    "tensorrt",
    N_("TensorRT engine"),
    "cnn_demo.export.tensorrt_engine:build_tensorrt",
    help=N_("Built for the NVIDIA GPU of this machine and its TensorRT, and good for those alone."),
    options=(ENGINE,),
    needs=("tensorrt", *_ONNX),
    install="pip install tensorrt",
    gpu=True,
    runs=True,
)


def estimate_html_bytes(parameters: int) -> int:
    """About how large the HTML file of a network is: its weights as float32 in base64."""
    return parameters * 4 * 4 // 3


def write_install_command(name: str) -> str:
    """What to type where packages of a format are missing."""
    return str(FORMATS.get(name).facts.get("install", "pip install -r requirements.txt"))


def list_missing(name: str) -> list[str]:
    """The packages that a format needs and that are not installed.

    Raises:
        UnknownName: no such format.
    """
    from importlib.util import find_spec

    return [package for package in FORMATS.get(name).facts.get("needs", ()) if find_spec(package) is None]

"""The table of formats in which a network can be taken home. Reading the table imports no PyTorch.

To add one, write a builder ``(loaded, folder, options, progress) -> Exported`` and add an entry: ``loaded`` is the
network, ``folder`` exists, ``options`` has a value for each option of the entry, and ``progress`` is told the part that
is done, 0 to 1. What cannot be exported raises :class:`ExportFailed`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cnn_demo.locales import N_
from cnn_demo.settings.description import Flag, Setting
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

_ONNX = ("onnx", "onnxscript", "onnxruntime")

FORMATS = Registry("format")
FORMATS.add(
    "html",
    N_("Network with a pad"),
    "cnn_demo.export.html_file:build_html",
    help=N_("One HTML file with the network, a pad and the answer. It works offline, on a phone too."),
)
FORMATS.add(
    "onnx",
    N_("ONNX"),
    "cnn_demo.export.onnx_file:build_onnx",
    help=N_("One file for any ONNX runtime: normalized images in, logits out. It is checked against PyTorch."),
    needs=_ONNX,
)
FORMATS.add(
    "bundle",
    N_("Bundle"),
    "cnn_demo.export.bundle:build_bundle",
    help=N_("A zip that runs anywhere with onnxruntime: model, preparation, a script, a model card and a receipt."),
    options=(DISTURBED,),
    needs=_ONNX,
)


def estimate_html_bytes(parameters: int) -> int:
    """About how large the HTML file of a network is: its weights as float32 in base64."""
    return parameters * 4 * 4 // 3


def list_missing(name: str) -> list[str]:
    """The packages that a format needs and that are not installed.

    Raises:
        UnknownName: no such format.
    """
    from importlib.util import find_spec

    return [package for package in FORMATS.get(name).facts.get("needs", ()) if find_spec(package) is None]

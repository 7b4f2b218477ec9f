"""The preparation of pictures as a package of its own, which needs NumPy and Pillow alone.

It is made of the very files that the Draw page runs: only their imports are changed, and SciPy is stood in for by
``bundled/ndimage.py``.
"""

from __future__ import annotations

import re
from importlib.resources import files

from cnn_demo.datasets.specs import DatasetSpec

_SOURCES = {
    "pictures.py": ("cnn_demo.drawing", "pictures.py"),
    "ruling.py": ("cnn_demo.drawing", "ruling.py"),
    "sheet.py": ("cnn_demo.drawing", "sheet.py"),
    "ink.py": ("cnn_demo.drawing", "ink.py"),
    "stages.py": ("cnn_demo.drawing", "stages.py"),
    "mnist_frame.py": ("cnn_demo.handwriting", "mnist_frame.py"),
    "ndimage.py": ("cnn_demo.export.bundled", "ndimage.py"),
    "verdict.py": ("cnn_demo.export.bundled", "verdict.py"),
}
_IMPORTS = (
    (r"from cnn_demo\.drawing\.(\w+) import", r"from .\1 import"),
    (r"from cnn_demo\.handwriting\.mnist_frame import", "from .mnist_frame import"),
    (r"from cnn_demo\.locales import", "from .spec import"),
    (r"from cnn_demo\.datasets\.specs import", "from .spec import"),
    (r"from scipy import ndimage", "from . import ndimage"),
)

_FRONT = '''"""From a picture to the network's input, as CNN Lab's Draw page does it. NumPy and Pillow are enough."""

from __future__ import annotations

import os

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .pictures import DrawingError, open_image
from .spec import SPEC
from .stages import WARNINGS, Prepared, prepare_stages
from .verdict import judge

__all__ = ["WARNINGS", "DrawingError", "judge", "prepare"]


def prepare(
    picture: str | os.PathLike[str] | bytes | Image.Image | NDArray[np.generic],
) -> tuple[NDArray[np.float32], Prepared]:
    """The input of the network, ``(1, C, H, W)``, and every stage on the way with warnings.

    Args:
        picture: a PNG or JPEG by its path or its bytes, a Pillow image, or an array ``(H, W)`` or ``(H, W, 3)``.

    Raises:
        DrawingError: it is no picture that can be used.
    """
    if isinstance(picture, (str, bytes, os.PathLike)):
        picture = open_image(picture)
    prepared = prepare_stages(picture, SPEC)
    image = prepared.stages[-1].image
    planes = image[None] if image.ndim == 2 else image.transpose(2, 0, 1)  # (C, H, W)
    mean, std = (np.array(values, dtype=np.float32)[:, None, None] for values in (SPEC.mean, SPEC.std))
    return np.ascontiguousarray((planes - mean) / std, dtype=np.float32)[None], prepared
'''

_SPEC = '''"""What the preparation must know of the data set {name}."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class DatasetSpec:
    """Channels, height and width, mean and standard deviation of each channel, and whether these are digits."""

    channels: int
    size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    digits: bool


SPEC = DatasetSpec(channels={channels}, size={size}, mean={mean}, std={std}, digits={digits})


def N_(text: str) -> str:
    """A text for people; CNN Lab translates it."""
    return text
'''


def write_preparation(spec: DatasetSpec) -> dict[str, str]:
    """The files of a package that prepares pictures for a data set: text by name.

    Raises:
        RuntimeError: a source needs what a bundle does not have.
    """
    found = {
        name: _free(files(package).joinpath(file).read_text("utf-8")) for name, (package, file) in _SOURCES.items()
    }
    facts = {name: getattr(spec, name) for name in ("name", "channels", "size", "mean", "std", "digits")}
    return {"__init__.py": _FRONT, "spec.py": _SPEC.format(**facts), **found}


def _free(source: str) -> str:
    """A source whose imports stay within the package."""
    for pattern, own in _IMPORTS:
        source = re.sub(pattern, own, source)
    foreign = re.search(r"^\s*(from|import) (cnn_demo|scipy|torch)\b.*", source, re.MULTILINE)
    if foreign:
        raise RuntimeError(f"a bundle cannot have: {foreign.group().strip()}")
    return source

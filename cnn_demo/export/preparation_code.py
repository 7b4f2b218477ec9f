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


def write_preparation(spec: DatasetSpec) -> dict[str, str]:
    """The files of a package that prepares pictures for a data set: text by name.

    Raises:
        RuntimeError: a source needs what a bundle does not have.
    """
    own = files("cnn_demo.export.bundled")
    found = {
        name: _free(files(package).joinpath(file).read_text("utf-8")) for name, (package, file) in _SOURCES.items()
    }
    facts = {name: getattr(spec, name) for name in ("name", "channels", "size", "mean", "std", "digits")}
    front, form = (own.joinpath(name).read_text("utf-8") for name in ("preparation.py.txt", "spec.py.txt"))
    return {"__init__.py": front, "spec.py": form.format(**facts), **found}


def _free(source: str) -> str:
    """A source whose imports stay within the package."""
    for pattern, own in _IMPORTS:
        source = re.sub(pattern, own, source)
    foreign = re.search(r"^\s*(from|import) (cnn_demo|scipy|torch)\b.*", source, re.MULTILINE)
    if foreign:
        raise RuntimeError(f"a bundle cannot have: {foreign.group().strip()}")
    return source

"""The preparation of a bundle gives the Draw page's answers: pads, photos, ruled paper, sheets, other data sets."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from cnn_demo.datasets.load import load_dataset
from cnn_demo.datasets.specs import get_spec
from cnn_demo.drawing.prepare import prepare
from cnn_demo.export.preparation_code import write_preparation
from tests.unit.drawing.pads import OVAL, SEVEN, pad
from tests.unit.drawing.photos import lay_on_table, rule, take_photo, write_digit


@contextmanager
def imported(dataset: str, folder: Path) -> Iterator[ModuleType]:
    """The package as a bundle has it, imported from files."""
    place = folder / "preparation"
    place.mkdir()
    for name, text in write_preparation(get_spec(dataset)).items():
        (place / name).write_text(text, encoding="utf-8")
    spec = importlib.util.spec_from_file_location("preparation", place / "__init__.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["preparation"] = module
    try:
        spec.loader.exec_module(module)
        yield module
    finally:
        for name in [name for name in sys.modules if name.split(".")[0] == "preparation"]:
            del sys.modules[name]


def make_pictures() -> dict[str, np.ndarray]:
    images = load_dataset("mnist-mini").test.images[:3, 0].numpy()
    ink = write_digit(images[0])
    photo = take_photo(ink)
    return {
        "mnist": images[1],
        "seven": pad(SEVEN),
        "two": pad([[(60, 60), (60, 200)], [(200, 60), (205, 210)]]),
        "dot": pad([[(140, 140)]], pen=60),
        "empty": pad([]),
        "light": pad([OVAL], paper=255, ink=0),
        "photo": photo,
        "ruled": take_photo(ink, rule(turn=2)),
        "squared": take_photo(ink, rule(40, squared=True)),
        "table": lay_on_table(photo),
        "color": np.stack([photo, photo, 255 - photo], axis=2),
    }


def test_pictures_of_digits(tmp_path: Path) -> None:
    spec, seen = get_spec("mnist"), set()
    with imported("mnist", tmp_path) as package:
        for name, picture in make_pictures().items():
            wanted = prepare(picture, spec)
            ready, prepared = package.prepare(picture)
            assert prepared.warnings == wanted.warnings, name
            assert [stage.name for stage in prepared.stages] == [stage.name for stage in wanted.stages]
            assert ready.shape == (1, 1, 28, 28)
            assert np.abs(ready - wanted.input.numpy()).max() < 1e-3, name
            seen.update(prepared.warnings)
    assert seen >= {"photo", "ruled", "sheet", "inverted", "several", "dot", "empty"}


@pytest.mark.parametrize("dataset", ["fashion-mnist", "cifar10"])
def test_other_data_sets(dataset: str, tmp_path: Path) -> None:
    with imported(dataset, tmp_path) as package:
        for picture in make_pictures().values():
            wanted = prepare(picture, get_spec(dataset))
            ready, prepared = package.prepare(picture)
            assert prepared.warnings == wanted.warnings
            assert np.abs(ready - wanted.input.numpy()).max() < 1e-5


def test_what_is_no_picture_is_refused(tmp_path: Path) -> None:
    with imported("mnist", tmp_path) as package, pytest.raises(package.DrawingError, match="no PNG or JPEG"):
        package.prepare(b"this is no picture")


def test_nothing_foreign_is_imported() -> None:
    for name, text in write_preparation(get_spec("mnist")).items():
        lines = [line.strip() for line in text.splitlines() if line.strip().startswith(("import ", "from "))]
        roots = {line.split()[1].split(".")[0] for line in lines}
        assert roots <= {"", "numpy", "PIL", *sys.stdlib_module_names}, name

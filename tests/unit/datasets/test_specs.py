"""The specs against torchvision's classes, against the files where they are, and their lightness."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torchvision

from cnn_demo.datasets.files import CIFAR_ARCHIVE, CIFAR_FILES, CIFAR_FOLDER, IDX_FILES, LAYOUTS, is_available
from cnn_demo.datasets.load import load_dataset
from cnn_demo.datasets.specs import get_spec, list_specs


def test_the_five_sets_in_their_order() -> None:
    assert [spec.name for spec in list_specs()] == ["mnist-mini", "mnist", "fashion-mnist", "kmnist", "cifar10"]
    assert all(get_spec(spec.name) is spec for spec in list_specs())


def test_every_spec_is_complete() -> None:
    for spec in list_specs():
        assert len(spec.classes) == len(set(spec.classes)) == 10
        assert len(spec.mean) == len(spec.std) == spec.channels
        assert all((spec.title, spec.train_title, spec.test_title, spec.source, spec.license, spec.statistics))
        assert spec.digits == (spec.name in ("mnist", "mnist-mini"))
        assert (spec.download_bytes == 0) == (spec.name == "mnist-mini")


def test_classes_are_torchvisions() -> None:
    assert list(get_spec("fashion-mnist").classes) == torchvision.datasets.FashionMNIST.classes
    assert list(get_spec("kmnist").classes) == torchvision.datasets.KMNIST.classes
    spelled = torchvision.datasets.MNIST.classes  # "0 - zero" and so on
    assert list(get_spec("mnist").classes) == [name.split(" ")[0] for name in spelled]


def test_file_names_are_torchvisions(tmp_path: Path) -> None:
    for name in ("mnist", "fashion-mnist", "kmnist"):
        source = getattr(torchvision.datasets, LAYOUTS[name].torchvision_class)
        assert tuple(file.removesuffix(".gz") for file, _ in source.resources) == IDX_FILES
        assert LAYOUTS[name].folder == f"{source.__name__}/raw"
    cifar = torchvision.datasets.CIFAR10
    assert cifar.filename == CIFAR_ARCHIVE
    assert cifar.base_folder == CIFAR_FOLDER
    assert {file for file, _ in cifar.train_list + cifar.test_list} | {cifar.meta["filename"]} == set(CIFAR_FILES)


def test_an_unknown_name_lists_the_known() -> None:
    with pytest.raises(KeyError, match=r"imagenet.*mnist-mini, mnist, fashion-mnist, kmnist, cifar10"):
        get_spec("imagenet")


def test_asking_what_there_is_loads_no_torch() -> None:
    code = (
        "import sys; from cnn_demo.datasets.specs import list_specs; from cnn_demo.datasets.files import is_available; "
        "from cnn_demo.cli import data; [is_available(s.name) for s in list_specs()]; "
        "sys.exit(any(m in sys.modules for m in ('torch', 'torchvision', 'streamlit')))"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[3]).returncode == 0


@pytest.mark.skipif(
    not os.environ.get("CNN_DEMO_DATA") or not is_available("mnist"), reason="needs MNIST under CNN_DEMO_DATA"
)
def test_mnist_has_the_statistics_and_sizes_stated() -> None:
    data = load_dataset("mnist", download=False)
    spec = data.spec
    pixels = data.train.images.double() / 255
    assert round(float(pixels.mean()), 4) == spec.mean[0]
    assert round(float(pixels.std()), 4) == spec.std[0]
    assert (len(data.train), len(data.test)) == (spec.train_size, spec.test_size)
    assert data.train.labels.unique().tolist() == list(range(10))

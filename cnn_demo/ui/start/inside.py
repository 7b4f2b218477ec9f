"""The third step: what the layers of the visitor's own network make of her digit, and where to look further."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from cnn_demo.plots.png import data_url
from cnn_demo.runs.records import Run, RunNotFound
from cnn_demo.settings.reference import ModelRef
from cnn_demo.ui.components.pad import rerun_when_at_rest
from cnn_demo.ui.shared import navigation, torch_loading
from cnn_demo.ui.shared.i18n import _
from cnn_demo.ui.shared.store import get_store
from cnn_demo.ui.start import reading, steps, training
from cnn_demo.ui.start.style import show_heading

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MAPS_PAGE = "pages/inspect/feature_maps.py"
_LAYERS, _MAPS = 3, 4  # that are shown: the convolutions, and the strongest maps of each


@dataclass(frozen=True)
class LayerMaps:
    """The strongest maps of one layer.

    Attributes:
        number: counts the convolutions.
        channels: how many maps there are.
        side: H = W of a map, in units.
        pictures: ``(H, W, 3)`` uint8 each, on one color scale.
    """

    number: int
    channels: int
    side: int
    pictures: tuple[NDArray[np.uint8], ...]


def show_inside(run: Run | None) -> None:
    """The heading with the ways on, and the maps where there is a trained network."""
    trained = run is not None and run.state.ended and run.step > 0
    st.fragment(_inside)(run.id if run is not None and trained else None)


def _show_ways_on(run_id: str | None) -> None:
    """A link to each page that shows this digit in this network."""
    params = {"net": run_id or "", **steps.get_address()}
    for entry in sorted(navigation.ways_in(), key=lambda entry: entry.path != _MAPS_PAGE):  # what is inside comes first
        if entry.path != training.TRAIN_PAGE:
            st.page_link(
                entry.path,
                label=f"**{_(entry.title)}** · {_(entry.action)}",
                icon=entry.icon,
                query_params=params,
                disabled=run_id is None,
                width="content",
                help=_(entry.invitation),
            )


def _inside(run_id: str | None) -> None:
    rerun_when_at_rest(steps.PAD)
    note = "" if run_id else _("opens when your network has learnt")
    show_heading(3, _("Look inside"), "now" if run_id else "later", note)
    with st.container(horizontal=True, gap="small", key="first-ways"):
        _show_ways_on(run_id)
    image = steps.get_shown_picture()
    if run_id is not None and image is None:
        image = reading.load_watched_drawing(run_id)  # of a link, or while the browser has not sent its drawing yet
    if run_id is not None and image is not None:
        with st.container(key="first-inside"):
            _show_maps(run_id, image)


def _show_maps(run_id: str, image: NDArray[np.uint8]) -> None:
    if not torch_loading.torch_loaded():
        torch_loading.load_torch()
        return
    from cnn_demo.training.snapshot import CheckpointUnreadable

    try:
        layers = find_layer_maps(ModelRef("run", run_id), image)
    except (CheckpointUnreadable, RunNotFound):
        return  # step two says so
    parts = []
    for layer in layers:
        about = _("Layer {number}: the {n} strongest of {channels} maps, {side} × {side}").format(
            number=layer.number, n=len(layer.pictures), channels=layer.channels, side=layer.side
        )
        tiles = "".join(f'<img src="{data_url(picture)}" alt="">' for picture in layer.pictures)
        parts.append(
            f'<figure role="img" aria-label="{escape(about)}"><div>{tiles}</div>'
            f"<figcaption>{escape(about)}</figcaption></figure>"
        )
    st.html(f'<div class="first-maps">{"<b aria-hidden=true>→</b>".join(parts)}</div>')


def find_layer_maps(ref: ModelRef, image: NDArray[np.uint8]) -> list[LayerMaps]:
    """What the first convolutions of a network make of a picture, behind their activation.

    Raises:
        CheckpointUnreadable, RunNotFound: the network cannot be had.
    """
    from cnn_demo.inspect.capture import capture
    from cnn_demo.plots.tiles import tile_maps
    from cnn_demo.prediction.load import load_model
    from cnn_demo.prediction.predictor import Predictor

    loaded = load_model(ref, get_store())
    drawing = Predictor(loaded).prepare(image)
    found = []
    with capture(loaded.model) as maps:
        maps(drawing.input)
        names = [node.name for node in maps.nodes.values() if node.kind == "activation" and len(node.shape) == 4]
        for number, name in enumerate(names[:_LAYERS], start=1):
            values = maps[name][0].numpy()  # (C, H, W)
            strongest = np.argsort(-np.abs(values).mean((1, 2)), kind="stable")[:_MAPS]
            tiles = tile_maps(values, order=strongest)
            height, width = tiles.tile
            pictures = []
            for place in range(len(strongest)):
                top, left = tiles.corner(place)
                pictures.append(tiles.picture[top : top + height, left : left + width])
            found.append(LayerMaps(number, len(values), height, tuple(pictures)))
    return found

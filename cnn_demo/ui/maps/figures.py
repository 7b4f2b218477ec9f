"""Downloads of the maps: pictures for a lecture, and the arrays."""

from __future__ import annotations

import io
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from cnn_demo.ui.shared import i18n, state
from cnn_demo.ui.shared.i18n import _

if TYPE_CHECKING:
    from cnn_demo.inspect.scene import Scene, ViewOptions
    from cnn_demo.prediction.load import LoadedModel

_LAYER = "maps:figure-layer"


def show_figure_downloads(network: LoadedModel, scene: Scene, options: ViewOptions) -> None:
    """The menu of downloads. A file is made when somebody asks for it, in the language of the page."""
    layers = [layer.name for layer in options.shown_layers(scene)]
    if not layers:
        return
    pinned = (state.get("unit") or "").rsplit(",", 3)[0]
    if st.session_state.get(_LAYER) not in layers:
        st.session_state[_LAYER] = pinned if pinned in layers else layers[0]
    with st.popover(_("Download"), icon=":material/download:"):
        layer = st.selectbox(_("Layer"), layers, key=_LAYER)
        code = i18n.language()  # the bytes are made in another thread, which belongs to no session
        base = f"{network.file_name}-{layer}".replace("/", "-")
        title = _("Picture of the layer")
        for kind in ("png", "svg"):
            st.download_button(
                f"{title} · .{kind}",
                partial(draw_layer, scene, options, layer, kind, code),
                f"{base}.{kind}",
                key=f"maps:file:{kind}",
                on_click="ignore",
                type="tertiary",
                icon=":material/draft:",
            )
        title = _("All arrays")
        st.download_button(
            f"{title} · .npz",
            lambda: save_arrays(scene),
            f"{network.file_name}-maps.npz",
            key="maps:file:npz",
            on_click="ignore",
            type="tertiary",
            icon=":material/draft:",
        )


def draw_layer(scene: Scene, options: ViewOptions, name: str, kind: str, code: str) -> bytes:
    """All channels of one layer by matplotlib, with titles and a color bar.

    Args:
        scene: whose maps.
        options: order and color scale.
        name: the layer.
        kind: "png" or "svg".
        code: the language of the words in it.
    """
    from cnn_demo.inspect.scene import choose_colors
    from cnn_demo.plots import figures as plots
    from cnn_demo.plots.tiles import DIVERGING, SEQUENTIAL, tile_maps

    layer = scene.layer(name)
    colors = choose_colors(layer)
    tiles = tile_maps(scene.values(name), colors=colors, scale=options.scale, order=options.orders.get(name))
    with i18n.use(code):
        title = _("{layer}: {n} maps of {height} × {width}").format(
            layer=name, n=layer.channels, height=(*layer.map_shape, 1, 1)[1], width=(*layer.map_shape, 1, 1)[2]
        )
        note = ""
        if options.scale == "channel" and colors == "diverging":
            note = _("each channel as far on both sides of zero as its own largest magnitude; white is zero")
        elif options.scale == "channel":
            note = _("each channel from 0, or its own smallest value below 0, to its own largest value")
        color_map = DIVERGING if colors == "diverging" else SEQUENTIAL
        return plots.figure_bytes(plots.draw_feature_maps(title, tiles, color_map, _("Value"), note), kind)


def save_arrays(scene: Scene) -> bytes:
    """Input and every layer's output as NPZ; names as on the page."""
    buffer = io.BytesIO()
    found = {name: scene.maps[name][0].numpy() for name in scene.maps}
    np.savez_compressed(buffer, image=scene.image, probabilities=scene.probabilities, **found)  # type: ignore[arg-type]
    return buffer.getvalue()

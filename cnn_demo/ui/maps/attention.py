"""Attention: what each token takes from where, over the image and in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import streamlit as st

from cnn_demo.ui.components import attention as component
from cnn_demo.ui.maps import scenes
from cnn_demo.ui.shared import i18n, layout, state
from cnn_demo.ui.shared.i18n import _

if TYPE_CHECKING:
    from cnn_demo.inspect.scene import Scene
    from cnn_demo.inspect.tokens import AttentionLayer, TokenGrid
    from cnn_demo.prediction.load import LoadedModel

_KEY, _BLOCK = "maps:attention", "maps:attention-block"
_LISTED = 3


class Pick(NamedTuple):
    """What is looked at: the number of the block, the token that asks, the head (−1 for the mean of all)."""

    block: int
    token: int
    head: int


def show_attention(network: LoadedModel, image: np.ndarray) -> None:
    """The section on attention, for a network that has it."""
    from cnn_demo.inspect.tokens import find_attention

    scene = scenes.scene_of_image(network, image)
    layers = [layer for layer in find_attention(scene.maps.nodes) if layer.grid is not None]
    if not layers:
        return
    layout.section(
        _("Attention"),
        help=_(
            "In each head every token asks: its query meets the keys of all tokens, a softmax makes weights of the "
            "products, and the token takes the mean of all values with these weights. They say where a token's new "
            "numbers come from, not by themselves why the network decides as it does."
        ),
    )
    _study_attention(scene, layers)


@st.fragment
def _study_attention(scene: Scene, layers: list[AttentionLayer]) -> None:
    from cnn_demo.inspect.tokens import attention_weights

    pick = _choose_pick(layers)
    layer = layers[pick.block]
    assert layer.grid is not None
    weights = attention_weights(scene.maps, layer)  # (heads, T, T)
    view = _make_view(scene, layer.grid, weights)
    component.show_attention(view, pick.token, pick.head, _KEY, _keep_pick)
    row = weights.mean(0)[pick.token] if pick.head < 0 else weights[pick.head, pick.token]
    st.markdown(_describe(pick, layer.grid, row))
    words = _("For the arithmetic of one weight show the layers of attention above and click a unit of {layer}.")
    st.caption(words.format(layer=layer.weights))
    with st.expander(_("These weights as a table"), icon=":material/table:"):
        st.dataframe(_tabulate(layer.grid, row))


def _choose_pick(layers: list[AttentionLayer]) -> Pick:
    """Block, token and head of the link or of this session, as far as this network has them."""
    parts = (state.get("attention") or "").split(",")
    numbers = [int(part) if part.removeprefix("-").isdecimal() else 0 for part in parts]
    block, token, head = numbers if len(numbers) == 3 else (0, 0, -1)
    block = min(max(block, 0), len(layers) - 1)
    titles = {str(i): _("Block {n}").format(n=i + 1) for i in range(len(layers))}
    if st.session_state.get(_BLOCK) not in titles:
        st.session_state[_BLOCK] = str(block)
    st.segmented_control(
        _("Block"),
        list(titles),
        key=_BLOCK,
        format_func=i18n.worded(titles, titles.__getitem__),
        required=True,
        on_change=lambda: state.put("attention", f"{st.session_state[_BLOCK]},{token},{head}"),
    )
    block = int(st.session_state[_BLOCK])
    layer = layers[block]
    return Pick(block, min(max(token, 0), layer.tokens - 1), min(max(head, -1), layer.heads - 1))


def _keep_pick() -> None:
    """What the browser sent becomes part of the address; nonsense is left alone."""
    sent = st.session_state[_KEY].get("pick")
    token, head = (sent.get("token"), sent.get("head")) if isinstance(sent, dict) else (None, None)
    if isinstance(token, int) and isinstance(head, int):
        state.put("attention", f"{st.session_state[_BLOCK]},{token},{head}")


def _make_view(scene: Scene, grid: TokenGrid, weights: np.ndarray) -> component.AttentionView:
    """Image and squares. A token's square lies in the middle of what its patch sees, as large as the stride."""
    image = np.broadcast_to(scene.image, (3, *scene.image.shape[1:])).transpose(1, 2, 0)  # (C, H, W) -> (H, W, 3)
    corner, side = (0.0, 0.0), (image.shape[0] / grid.rows, image.shape[1] / grid.cols)
    patches = next((layer.field for layer in scene.layers if layer.tokens is not None), None)
    if patches is not None and patches.stride is not None and patches.start is not None:
        side = (float(patches.stride[0]), float(patches.stride[1]))
        (top, left), (height, width) = patches.start, patches.size
        corner = (top + (height - side[0]) / 2, left + (width - side[1]) / 2)
    return component.AttentionView(np.ascontiguousarray(image), weights, grid.rows, grid.cols, grid.extra, corner, side)


def _name_token(grid: TokenGrid, token: int) -> str:
    place = grid.place(token)
    return _("class token") if place is None else _("token ({y}, {x})").format(y=place[0], x=place[1])


def _describe(pick: Pick, grid: TokenGrid, row: np.ndarray) -> str:
    """The picture in words."""
    most = [f"{_name_token(grid, int(i))} {row[i]:.1%}" for i in np.argsort(-row, kind="stable")[:_LISTED]]
    head = _("mean of all heads") if pick.head < 0 else _("head {n}").format(n=pick.head + 1)
    words = _(
        "**Block {block}, {head}, {token}**: the largest weights go to {most}. Spread evenly over {n} tokens, each "
        "would get {even}."
    )
    return words.format(
        block=pick.block + 1,
        head=head,
        token=_name_token(grid, pick.token),
        most=", ".join(most),
        n=len(row),
        even=f"{1 / len(row):.1%}",
    )


def _tabulate(grid: TokenGrid, row: np.ndarray) -> dict[str, list[object]]:
    """One row for each row of the grid, in percent; a token without a place stands in front."""
    places = row[grid.extra :].reshape(grid.rows, grid.cols)  # (rows · cols,) -> (rows, cols)
    first = [_("class token")] * grid.extra + [_("Row {n}").format(n=y) for y in range(grid.rows)]
    table: dict[str, list[object]] = {_("Weight in %"): list(first)}
    for x in range(grid.cols):
        front = [round(100 * float(value), 2) if x == 0 else None for value in row[: grid.extra]]
        table[_("Column {n}").format(n=x)] = [*front, *(round(100 * float(value), 2) for value in places[:, x])]
    return table

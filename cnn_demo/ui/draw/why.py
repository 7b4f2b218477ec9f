"""Why this answer: which pixels speak for a class, and which against it."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from cnn_demo.locales import N_
from cnn_demo.plots.png import data_url, png_bytes
from cnn_demo.prediction.wording import percent
from cnn_demo.ui.components.pad import SIDE
from cnn_demo.ui.draw.picture import Picture
from cnn_demo.ui.draw.predictions import Answer
from cnn_demo.ui.shared import i18n, state
from cnn_demo.ui.shared.i18n import _, sentence_gap

if TYPE_CHECKING:
    from cnn_demo.inspect.attribution import Attribution

_METHOD, _TARGET, _WHICH, _KEPT = "draw:method", "draw:target", "draw:why-network", "draw:attributions"
PREDICTED = -1
_REMEMBERED = 12

TITLES: dict[str, str] = {
    "gradient": N_("Gradient"),
    "integrated": N_("Integrated gradients"),
    "grad_cam": N_("Grad-CAM"),
    "occlusion": N_("Occlusion"),
}
EXPLANATIONS: dict[str, str] = {
    "gradient": N_(
        "How the score of the class would change if a pixel became a little lighter. It says what the network is "
        "sensitive to, not what it has used, and it is noisy."
    ),
    "integrated": N_(
        "The gradient added up on the way from black paper to your drawing. The values add up to what the drawing does "
        "to the score, but black ground gets none by construction, so missing strokes stay invisible."
    ),
    "grad_cam": N_(
        "Where the channels of the last convolution that matter for the class are active. It shows only what speaks "
        "for the class, is as coarse as that layer, and says where, not what."
    ),
    "occlusion": N_(
        "How far the score falls when a patch is blackened: the most direct question, though a drawing with a black "
        "square in it is nothing that the network was trained on."
    ),
}
_SLOW = ("integrated", "occlusion")
_ONE_SIDED = ("grad_cam",)  # its values are never below zero


def show_attribution(answers: list[Answer], picture: Picture) -> None:
    """The controls, and the evidence as two pictures."""
    ready = [a for a in answers if not a.drawing.empty]
    if not ready:
        st.caption(_("Draw something, and the pixels that speak for the answer appear here."))
        return
    st.fragment(_show_evidence)(ready, picture.key)


def _show_evidence(answers: list[Answer], picture_key: str) -> None:
    row = st.container(horizontal=True, gap="large", key="draw-why-row")
    with row.container(width=SIDE + 8):
        answer = select_answer(answers, _WHICH)
        method = _method()
        target = _target(answer)
        st.caption(_(EXPLANATIONS[method]))
    with row.container(key="draw-why-pictures"):
        native, pad = _attributions(answer, picture_key, method, target)
        _pictures(answer, native, pad)


def _method() -> str:
    titles = {name: _(title) for name, title in TITLES.items()}
    wanted = state.get("method") or ""
    if st.session_state.get(_METHOD) not in titles:
        st.session_state[_METHOD] = wanted if wanted in titles else "integrated"
    return str(
        st.pills(
            _("Method"),
            list(titles),
            key=_METHOD,
            format_func=i18n.worded(titles, titles.__getitem__),
            required=True,
            on_change=lambda: state.put("method", st.session_state[_METHOD]),
            persist_state="session",
        )
    )


def select_answer(answers: list[Answer], key: str) -> Answer:
    """The network that is looked at more closely: a choice where there are several."""
    if len(answers) == 1:
        return answers[0]
    titles = {str(a.network.ref): a.network.title for a in answers}
    if st.session_state.get(key) not in titles:
        st.session_state[key] = next(iter(titles))
    st.selectbox(_("Network"), list(titles), key=key, format_func=lambda name: titles.get(name, name), width=320)
    return next(a for a in answers if str(a.network.ref) == st.session_state[key])


def _target(answer: Answer) -> int:
    """The class that is asked about; the predicted one unless another was chosen ("why not 9?")."""
    top = answer.prediction.verdict.top
    titles = {PREDICTED: _("the answer, {top}").format(top=answer.word(top))}
    titles |= {label: answer.word(label) for label in range(len(answer.spec.classes))}
    if st.session_state.get(_TARGET) not in titles:
        st.session_state[_TARGET] = PREDICTED
    chosen = st.pills(
        _("Evidence for"),
        list(titles),
        key=_TARGET,
        format_func=lambda i: titles.get(i, str(i)),
        required=True,
        persist_state="session",
        help=_("Choose another class to ask: why not this one?"),
    )
    return top if chosen is None or chosen == PREDICTED else int(chosen)


def _attributions(
    answer: Answer, picture_key: str, method: str, target: int
) -> tuple[Attribution, NDArray[np.float32]]:
    """At the network's resolution, and at the pad's. The last few are remembered by the session."""
    kept: dict[Any, tuple[Attribution, NDArray[np.float32]]] = st.session_state.setdefault(_KEPT, {})
    key = (answer.loaded.key, picture_key, method, target)
    if key not in kept:
        bar = st.progress(0.0, _("Looking…")) if method in _SLOW else None
        kept[key] = compute(answer, method, target, bar)
        if bar is not None:
            bar.empty()
        for old in list(kept)[:-_REMEMBERED]:
            del kept[old]
    return kept[key]


def compute(answer: Answer, method: str, target: int, bar: Any = None) -> tuple[Attribution, NDArray[np.float32]]:
    """Attribute a class to the pixels of the network's input and to those of the pad.

    Args:
        answer: with a drawing that is not empty.
        method: one of ``cnn_demo.inspect.attribution.METHODS``.
        target: the class.
        bar: a Streamlit progress bar, or None.

    Returns:
        The attribution at the network's resolution, and the values ``(H, W)`` over the picture as it came.
    """
    import torch

    from cnn_demo.datasets.device_dataset import normalize
    from cnn_demo.inspect.attribution import Preparation, attribute, enlarge

    model, drawing, spec = answer.loaded.model, answer.drawing, answer.spec
    whole = drawing.crop is not None and method != "grad_cam"
    steps = 2 if whole else 1

    def part(number: int) -> Any:
        return lambda done: bar.progress(min((number + done) / steps, 1.0), _("Looking…")) if bar is not None else None

    black = normalize(torch.zeros_like(drawing.input), spec)
    native = attribute(model, drawing.input, black, method, target, part(0))
    if not whole:
        return native, enlarge(native.values, drawing, spec)
    ink = torch.from_numpy(drawing.stage("ink").image)[None, None]
    seen = torch.nn.Sequential(Preparation(drawing, spec), model)
    return native, attribute(seen, ink, torch.zeros_like(ink), method, target, part(1)).values


def _pictures(answer: Answer, native: Attribution, pad: NDArray[np.float32]) -> None:
    word = answer.word(native.target)
    shown = answer.drawing.stages[-1].image
    whole = answer.drawing.stage("ink").image if answer.drawing.crop is not None else answer.drawing.stages[0].image
    height, width = native.values.shape
    small = overlay(native.values, shown)
    large = overlay(pad, whole)
    titles = (
        _("On your drawing, {size}").format(size=f"{pad.shape[1]} × {pad.shape[0]}"),
        _("On what the network sees, values at {size}").format(size=f"{width} × {height}"),
    )
    st.html(
        f'<div class="draw-pair" data-method="{native.method}"><figure><img class="draw-smooth" '
        f'src="{data_url(large)}" alt="{titles[0]}"><figcaption>{titles[0]}</figcaption></figure>'
        f'<figure><img src="{data_url(small)}" alt="{titles[1]}"><figcaption>{titles[1]}</figcaption></figure></div>'
        f"{_color_key(word, signed=native.method not in _ONE_SIDED)}"
    )
    if not native.values.any():
        st.caption(_("All white: nothing in this layer speaks for {word}.").format(word=word))
    share = percent(answer.prediction.probabilities[native.target])
    words = _("Score (logit) of {word}: {logit}, on black paper {baseline}; probability {share}.").format(
        word=word, logit=f"{native.logit:.2f}", baseline=f"{native.baseline:.2f}", share=share
    )
    if native.method == "integrated":
        words += sentence_gap() + _("The values add up to {sum}; they should to {difference}, the difference.").format(
            sum=f"{float(native.values.sum()):.2f}", difference=f"{native.logit - native.baseline:.2f}"
        )
    st.caption(words)
    st.download_button(
        _("Download the picture"),
        lambda: png_bytes(large),
        f"{native.method}-{native.target}.png",
        key="draw:why-file",
        on_click="ignore",
        type="tertiary",
        icon=":material/download:",
    )


def _color_key(word: str, *, signed: bool) -> str:
    """What the colors mean; a method that gives no evidence against a class has only the upper half of them."""
    colors = ["#2166ac", "#92c5de", "#f7f7f7", "#f4a582", "#b2182b"]
    ends = [_("speaks against it"), "0", _("speaks for {word}").format(word=word)]
    if not signed:
        colors, ends = colors[2:], ends[1:]
    labels = "".join(f"<span>{escape(end)}</span>" for end in ends)
    gradient = f"background:linear-gradient(90deg,{','.join(colors)})"
    return f'<div class="draw-scale"><i style="{gradient}"></i><div>{labels}</div></div>'


def overlay(values: NDArray[np.float32], picture: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Values in diverging colors around 0, the picture darker in them: ``(H, W, 3)`` uint8 at the larger of the sizes.

    The colors end at the 99.5th percentile of the absolute values, so that one pixel does not bleach the rest.
    """
    from cnn_demo.plots.tiles import color_values

    gray = picture if picture.ndim == 2 else picture.mean(axis=2)
    down, across = (max(1, g // v) for g, v in zip(gray.shape, values.shape, strict=True))
    values = values.repeat(down, 0).repeat(across, 1)
    end = float(np.percentile(np.abs(values), 99.5)) or float(np.abs(values).max()) or 1.0
    ends = np.broadcast_to(np.array([-end, end], np.float32), (*values.shape, 2))
    rgb = color_values(values, ends, "diverging").astype(np.float32)
    fits = gray[: values.shape[0], : values.shape[1]]
    return (rgb * (1 - 0.28 * np.clip(fits, 0, 1))[:, :, None]).round().astype(np.uint8)

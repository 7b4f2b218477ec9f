"""Under the form: sixteen training images as the network will see them, with their targets, and words of warning."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import TYPE_CHECKING, Any

import streamlit as st

from cnn_demo.datasets.files import is_available
from cnn_demo.datasets.specs import DatasetSpec, get_spec
from cnn_demo.plots.png import data_url
from cnn_demo.settings.config import ConfigError, TrainConfig
from cnn_demo.training.augmentations import AUGMENTATIONS
from cnn_demo.training.cautions import find_cautions
from cnn_demo.ui.shared.i18n import _, sentence_gap

if TYPE_CHECKING:
    from cnn_demo.datasets.splits import Split
    from cnn_demo.training.preview import Preview

SHOWN = 16
_MEASURED = 256  # pictures that are looked through for empty ones
_LEAST = 0.005  # of a target is named
_NUMBER = "train:preview"
_STYLE = """
<style>
  .train-preview { display: grid; grid-template-columns: repeat(8, minmax(0, 1fr)); gap: .6rem .7rem; }
  ul.train-preview, .train-preview li { margin: 0; padding: 0; list-style: none; }
  .train-preview figure { margin: 0; }
  .train-preview img { width: 100%; aspect-ratio: 1; image-rendering: pixelated; display: block;
    border: 1px solid rgba(128, 136, 150, .4); border-radius: 3px; }
  .train-preview figcaption { font-size: .8rem; line-height: 1.25; padding-top: .2rem; overflow-wrap: anywhere; }
  .train-preview span { opacity: .75; font-variant-numeric: tabular-nums; }
  @media (max-width: 640px) { .train-preview { grid-template-columns: repeat(4, minmax(0, 1fr)); } }
</style>
"""


def show_preview(values: Mapping[str, Any]) -> None:
    """What the chosen augmentation does to the chosen data set; nothing where it does nothing.

    Args:
        values: the settings of the form by name, with the options of what is chosen.
    """
    entry = AUGMENTATIONS.get(values["augment"])
    if entry.name == "none":
        return
    names = ("dataset", "augment", *(option.name for option in entry.options))
    try:
        config = TrainConfig.from_values({name: values[name] for name in names})
    except ConfigError:
        return  # the form says it
    spec = get_spec(config.dataset)
    for caution in find_cautions(config, spec):
        st.warning(_(caution.message).format(**caution.values), icon=":material/warning:")
    if not is_available(config.dataset):
        st.caption(_("The changed images can be seen here once the data set is on this machine."))
        return
    _show_images(config, spec)


@st.fragment
def _show_images(config: TrainConfig, spec: DatasetSpec) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        title = _("As the network will see them")
        st.markdown(f"**{title}**", width="stretch")
        number = st.session_state.setdefault(_NUMBER, 0)
        if st.button(_("Other images"), icon=":material/casino:", key="train:preview:next", type="tertiary"):
            number = st.session_state[_NUMBER] = number + 1
    with st.spinner(_("Changing some images…"), show_time=False):
        from cnn_demo.training.preview import make_preview  # brings torch

        preview = make_preview(config, spec, _load_some(config.dataset), number)
    st.html(_STYLE + f'<ul class="train-preview">{_list_figures(preview, spec)}</ul>')
    if preview.emptied:
        text = _("{k} of {n} pictures come out empty or nearly so; weaken the changes.")
        st.warning(text.format(k=preview.emptied, n=len(preview.images)), icon=":material/warning:")
    words = _("Training images after one random change, and the targets that they are trained on.")
    if AUGMENTATIONS.get(config.augment).facts.get("added_share") and spec.digits:
        words += sentence_gap() + _("The samples by pens, which are mixed in besides, are not among them.")
    st.caption(words)


@st.cache_resource(show_spinner=False, max_entries=8)
def _load_some(dataset: str) -> Split:
    """The first training images of a data set; the rest of it is let go."""
    import torch

    from cnn_demo.datasets.load import load_dataset

    return load_dataset(dataset, download=False).train.take(torch.arange(_MEASURED))


def _list_figures(preview: Preview, spec: DatasetSpec) -> str:
    items = []
    pixels = (preview.images[:SHOWN] * 255).round().byte().permute(0, 2, 3, 1).numpy()  # (N, C, H, W) -> (N, H, W, C)
    for image, target, label in zip(pixels, preview.targets, preview.labels.tolist(), strict=False):
        words = name_target(target.tolist(), [_(name) for name in spec.classes])
        alt = _("A changed {name}; target: {target}").format(name=_(spec.classes[label]), target=", ".join(words))
        picture = data_url(image[:, :, 0] if spec.channels == 1 else image)
        caption = "<br>".join(f"<span>{escape(word)}</span>" for word in words)
        items.append(
            f'<li><figure><img src="{picture}" alt="{escape(alt)}"><figcaption>{caption}</figcaption></figure></li>'
        )
    return "".join(items)


def name_target(target: list[float], classes: list[str]) -> list[str]:
    """The classes of a target, the largest share first: ``["7"]``, or ``["7: 62%", "1: 38%"]`` where there are several.

    Args:
        target: one share for each class; they sum to 1.
        classes: their names, in the visitor's language.
    """
    shares = sorted(((share, name) for share, name in zip(target, classes, strict=True)), key=lambda s: -s[0])
    named = [(share, name) for share, name in shares if share >= _LEAST]
    return [name for _share, name in named] if len(named) == 1 else [f"{name}: {share:.0%}" for share, name in named]

"""The first network in three steps. What is shown follows from two things: the newest run and what is drawn."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from cnn_demo.datasets.specs import get_spec
from cnn_demo.locales import N_
from cnn_demo.plots.png import data_url
from cnn_demo.prediction.shipped import has_shipped_model
from cnn_demo.runs import launcher
from cnn_demo.runs.records import Run, RunNotFound, RunState
from cnn_demo.settings.reference import SHIPPED_REF, ModelRef
from cnn_demo.ui.components.pad import SIDE, announce_picture, live_pad
from cnn_demo.ui.components.strip import Look, show_strip
from cnn_demo.ui.shared import i18n, state, torch_loading
from cnn_demo.ui.shared.i18n import _
from cnn_demo.ui.shared.last_drawing import LAST
from cnn_demo.ui.shared.run_strip import pack_run_strip
from cnn_demo.ui.shared.samples import PARAM as SAMPLE
from cnn_demo.ui.shared.samples import choose_sample
from cnn_demo.ui.start import own_runs, reading, training
from cnn_demo.ui.start.style import show_heading

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cnn_demo.runs.store import Store

    Image = NDArray[np.uint8] | None

PAD = "start:pad"
_FAR, _FAR_SECONDS = 3, 4.0  # place in the queue, and how often such a run is looked at
_READ = "start:read"
_SHOWN, _SCROLL = "start:picture", "start:scroll"
_SOURCE = "first:source"  # a key of its own: the Draw page has more choices
SOURCES: dict[str, str] = {"draw": N_("Draw"), "sample": N_("Sample")}  # the words that the Draw page's links use
_DRAWING, _SAMPLES = "first-drawing", "first-samples"  # the strips stay while what they show changes


def show_steps(store: Store, run: Run | None) -> None:
    """Steps one and two; they look at the run again by themselves while it is active."""
    interval = None
    if run is not None and run.state.active:
        # Those who wait need not look often; what is learnt should be seen to move.
        waits = run.state in (RunState.QUEUED, RunState.PAUSED)
        quick = run.is_starting or run.is_asked or _is_young(run)
        interval = (_FAR_SECONDS if _is_far(run) else 1.5) if waits else 0.3 if quick else 0.6
    st.fragment(_steps, run_every=interval)(store, run.id if run else None, _around(run))


def ask_to_scroll_up() -> None:
    """After a click further down, in a callback: what it changes is to be seen at the top of the page."""
    st.session_state[_SCROLL] = st.session_state.get(_SCROLL, 0) + 1


def scroll_up() -> None:
    """At the end of the page: move the browser up once for each time that it was asked to."""
    if times := st.session_state.get(_SCROLL):
        script = "document.querySelector('[data-testid=stMain]')?.scrollTo({top: 0})"
        # The number makes it another text, so that the browser runs it again.
        st.html(
            f"<script>if (window.cnnLabScrolled !== {times}) {{ window.cnnLabScrolled = {times}; {script} }}</script>",
            unsafe_allow_javascript=True,
        )


def get_shown_picture() -> Image:
    """What the steps show at the moment: drawn or a sample."""
    picture: Image = st.session_state.get(_SHOWN)
    return picture


def get_address() -> dict[str, str]:
    """How a link names this picture on the pages that are led to."""
    sample = state.get(SAMPLE)
    if st.session_state.get(_SOURCE) == "sample":
        return {"from": "sample", "input": "sample"} | ({SAMPLE: sample} if sample else {})
    return {"from": "draw", "input": "drawing"}


def _around(run: Run | None) -> tuple[object, ...]:
    """What the page around the steps depends on."""
    return (run.state, run.step > 0, run.request, _is_young(run), _is_far(run)) if run else ()


def _is_far(run: Run) -> bool:
    """So far back in the queue that a look now and then will do: a class of thirty waits at once."""
    return run.queue_position > _FAR


def _is_young(run: Run) -> bool:
    """In its first epoch, where a network learns most."""
    return run.epoch < 1


def _steps(store: Store, run_id: str | None, painted: tuple[object, ...]) -> None:
    try:
        run = store.get(run_id) if run_id else None
        if run is not None and run.state is RunState.QUEUED:
            launcher.ensure_worker(store)  # replaces one that died before it could take the run
    except RunNotFound:
        st.rerun()
    except OSError as error:
        st.warning(_("The run cannot be read at the moment: {reason}").format(reason=error))
        return  # the next look tries again
    if _around(run) != painted or run_id != own_runs.find_newest_id():
        st.rerun()  # the whole page: another timer, and the third step when it has ended
    row = st.container(horizontal=True, gap="medium", key="first-row")
    with row.container(width=SIDE + 8, key="first-draw"):
        drawn = run is not None or get_shown_picture() is not None
        show_heading(1, _("Draw a digit"), "done" if drawn else "now")
        with _choose_picture() as image:
            st.session_state[_SHOWN] = image
            watchable = _find_watchable(run, image)
            if st.session_state[_SOURCE] == "draw":
                st.session_state[LAST] = watchable
            if image is not None and run is None and torch_loading.torch_loaded():  # two at once would be slower
                training.ensure_worker_ready(store)
            with row.container(key="first-read"):
                _show_reading(store, run, image)
            with row.container(key="first-train"):
                training.show_training(store, run, watchable)
                _show_samples(store, run)


def _find_watchable(run: Run | None, image: Image) -> Image:
    """What the next run is to watch: what is drawn now, else what the last one watched."""
    if image is None and run is not None:
        return reading.load_watched_drawing(run.id)
    return image


@contextmanager
def _choose_picture() -> Iterator[Image]:
    """The pad or a sample; the body of the ``with`` answers to the picture."""
    place = st.container()
    if state.choose_view("from", _("Picture"), SOURCES, key=_SOURCE) == "draw":
        with place, live_pad(PAD, brief=True) as image:
            yield image
        return
    if not torch_loading.torch_loaded():
        torch_loading.load_torch()  # the images come as tensors
        yield None
        return
    sample = choose_sample(get_spec(reading.DATASET))
    assert sample is not None  # these images ship with the app
    with place:
        url, title = data_url(sample.pixels), escape(sample.title)
        st.html(f'<figure class="first-shown"><img src="{url}" alt="{title}"></figure>')
    try:
        yield sample.pixels
    finally:
        announce_picture(PAD, f"sample:{sample.label}-{sample.number}")


def _show_reading(store: Store, run: Run | None, image: Image) -> None:
    """The ten bars of the visitor's digit."""
    show_heading(0, _name_reader(run), "now")
    watched = reading.load_watched_drawing(run.id) if run else None
    of_run = pack_run_strip(store, run, Look("drawing", reading.GROUP)) if run else None
    same = image is None or (watched is not None and np.array_equal(image, watched))
    if of_run is not None and (same or (run is not None and run.state.active)):
        show_strip(of_run, _DRAWING)
        if not same:
            st.caption(_("What you have drawn meanwhile is read when the training is done."))
        return
    if image is None and watched is None:
        show_strip(reading.pack_blank(_("The bars answer while you draw")), _DRAWING)
        return
    if not torch_loading.torch_loaded():
        show_strip(reading.pack_blank(_choose_reader(run)[1]), _DRAWING)
        torch_loading.load_torch()
        return
    picture = watched if image is None else image
    assert picture is not None
    ref, title = _choose_reader(run)
    _show_answer(ref, picture, title)


def _name_reader(run: Run | None) -> str:
    if run is not None and run.step:
        return _("Your network reads")
    if run is not None and run.state is RunState.QUEUED and has_shipped_model():
        return _("The network that ships reads")
    return _("Untrained, it guesses")


def _choose_reader(run: Run | None) -> tuple[ModelRef, str]:
    """The network that reads what is drawn, and what is said of it."""
    if run is not None and run.state.ended and run.step:
        return ModelRef("run", run.id), _("Your network, as training left it")
    if run is not None and run.state is RunState.QUEUED and has_shipped_model():
        return SHIPPED_REF, _("It answers while yours waits")
    return reading.UNTRAINED, _("It has seen nothing yet: its weights are random")


def _show_answer(ref: ModelRef, image: NDArray[np.uint8], title: str) -> None:
    from cnn_demo.training.snapshot import CheckpointUnreadable

    try:
        # Those who wait look again and again at the same picture.
        asked = ref, title, i18n.language(), image.tobytes()
        kept = st.session_state.get(_READ)
        if kept is None or kept[0] != asked:
            kept = st.session_state[_READ] = asked, reading.pack_reading(ref, image, title)
        show_strip(kept[1], _DRAWING)
    except CheckpointUnreadable as error:
        show_strip(reading.pack_blank(title), _DRAWING)
        st.warning(_("This checkpoint cannot be read: {reason}").format(reason=error.reason))
    except RunNotFound:
        st.rerun()


def _show_samples(store: Store, run: Run | None) -> None:
    """Ten test images: from wrong to right."""
    title = _("test digits that it never learns from")
    data = pack_run_strip(store, run, Look("samples", reading.GROUP, title)) if run else None
    if data is None and torch_loading.torch_loaded():
        data = reading.pack_samples(reading.UNTRAINED, title)
    if data is not None:
        show_strip(data, _SAMPLES)

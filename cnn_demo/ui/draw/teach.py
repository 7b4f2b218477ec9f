"""Teach a network what was corrected: an ordinary run that starts from its weights, and what it changed."""

from __future__ import annotations

import streamlit as st

from cnn_demo.datasets.files import is_available
from cnn_demo.runs import finetune
from cnn_demo.runs.collection import Collection, Entry, classes_of
from cnn_demo.runs.estimate import estimate
from cnn_demo.runs.finetune import BeforeAfter, Score
from cnn_demo.runs.records import Run
from cnn_demo.settings.config import TrainConfig
from cnn_demo.settings.reference import ModelRef
from cnn_demo.ui.draw.predictions import Answer
from cnn_demo.ui.shared import launching, names, picker
from cnn_demo.ui.shared.i18n import _, ngettext, sentence_gap
from cnn_demo.ui.shared.markup import escape, table
from cnn_demo.ui.shared.picker import Network
from cnn_demo.ui.shared.store import get_store

_EPOCHS, _PLACE, _LAUNCHED = "draw:teach-epochs", "teach", "draw:teach-launched"
_SHOWN = 3
_LR = 3e-4  # a third of the usual rate, so that the network keeps what it has learnt


def show_teaching(answer: Answer, collection: Collection | None) -> None:
    """The launch, and the runs that were launched from this collection."""
    heading = _("Teach it")
    st.markdown(f"##### {heading}", anchors=False)
    entries = _fitting(answer, collection)
    if collection is None or not entries:
        st.caption(_("Keep some drawings first; then the network can be fine-tuned on them."))
        return
    if answer.network.following:
        st.caption(_("This network is still training. It can be taught when it is done."))
    else:
        _launch_row(answer, collection, len(entries))
    ours = [run for run in get_store().list() if run.config.collection == collection.name][:_SHOWN]
    if ours:
        active = any(run.state.active for run in ours)
        st.fragment(_runs, run_every=1.0 if active else None)([run.id for run in ours], active)


def _fitting(answer: Answer, collection: Collection | None) -> list[Entry]:
    return [e for e in collection.entries() if e.classes == classes_of(answer.spec)] if collection else []


def config(answer: Answer, collection: Collection, epochs: int) -> TrainConfig:
    """The run that teaches a network: its own data set replayed, or MNIST-mini where that is not on this machine."""
    dataset = answer.spec.name if is_available(answer.spec.name) or not answer.spec.digits else "mnist-mini"
    return TrainConfig(
        dataset=dataset,
        model=answer.loaded.config.model,
        epochs=epochs,
        lr=_LR,
        augment=answer.loaded.config.augment,
        init=str(answer.network.exact),
        collection=collection.name,
    )


def _launch_row(answer: Answer, collection: Collection, n: int) -> None:
    if st.session_state.pop(_LAUNCHED, False):
        st.rerun()  # the networks that are chosen stand outside this fragment
    problem = launching.take_problem(_PLACE)
    if problem:
        st.error(problem)
    st.session_state.setdefault(_EPOCHS, 1)
    epochs = st.number_input(
        _("Epochs"),
        1,
        20,
        key=_EPOCHS,
        persist_state="session",
        width=150,
        help=_("Passes over the replayed training images, the drawings among them."),
    )
    planned = config(answer, collection, int(epochs))
    cost = estimate(planned, get_store())
    words = ngettext(
        "{n} drawing is mixed into the training images ({dataset}) and repeated until it is a fifth of an epoch.",
        "{n} drawings are mixed into the training images ({dataset}) and repeated until they are a fifth of an epoch.",
        n,
    ).format(n=f"{n:,}", dataset=names.dataset(planned.dataset))
    if cost.seconds is not None:
        words += sentence_gap() + _("About {time} here.").format(time=names.duration(cost.seconds * 1.25))
    st.caption(words)
    token = launching.launch_token(_PLACE)
    st.button(
        _("Fine-tune a copy"),
        key=f"draw:teach:{token}",
        type="primary",
        icon=":material/school:",
        on_click=_launch,
        args=(planned, answer.network, n, token),
        help=_("An ordinary run that starts from the weights of {name}.").format(name=answer.network.title),
    )


def _launch(planned: TrainConfig, origin: Network, n: int, token: str) -> None:
    name = ngettext("{name} + {n} drawing", "{name} + {n} drawings", n).format(name=origin.title, n=n)
    run = launching.launch_run(_PLACE, token, lambda: planned, name=name[:80])
    if run is not None:
        picker.put_networks([origin.ref, ModelRef("run", run.id)])  # side by side, the new one followed while it learns
        st.session_state[_LAUNCHED] = True


def _runs(ids: list[str], were_active: bool) -> None:
    store = get_store()
    runs = [store.get(run_id) for run_id in ids if store.version(run_id)]
    if were_active and not any(run.state.active for run in runs):
        st.rerun()
    for run in runs:
        _run(run)


def _run(run: Run) -> None:
    with st.container(border=True):
        badge = names.state_badge(run.state.value)
        st.markdown(f"**{escape(run.title)}** {badge}")
        if run.state.active:
            total = max(run.total_steps, 1)
            words = _("step {step} of {total}").format(step=f"{run.step:,}", total=f"{run.total_steps:,}")
            st.progress(min(run.step / total, 1.0), words if run.total_steps else names.state(run.state.value))
        elif run.error:
            st.caption(_("It ended with an error; the Train page says which."))
        report = finetune.load_report(get_store(), run.id)
        if report is not None:
            st.markdown(before_after(report))
            if report.origin == "mnist" and report.dataset == "mnist-mini":
                st.caption(
                    _(
                        "The test images of MNIST-mini come from MNIST's training images, which the network it started "
                        "from had seen: its accuracy on them says little about new digits."
                    )
                )
        st.page_link("pages/train/train.py", label=_("Its curves"), query_params={"run": run.id})


def before_after(report: BeforeAfter) -> str:
    """The comparison as a Markdown table."""
    test = names.spec(report.dataset)
    rows = [[_(test.test_title) if test else report.dataset, *_cells(report.test_before, report.test_after)]]
    if report.drawings_before is not None:
        cells = _cells(report.drawings_before, report.drawings_after)
        rows.append([_("your drawings, which it was trained on"), *cells])
    return table([_("Accuracy on"), _("n"), _("before"), _("after")], rows)


def _cells(before: Score, after: Score | None) -> list[str]:
    return [f"{before.n:,}", f"{before.accuracy:.2%}", f"**{after.accuracy:.2%}**" if after else "…"]

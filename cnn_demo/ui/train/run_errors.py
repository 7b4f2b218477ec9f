"""What went wrong with a run, in the visitor's language, and what to do next."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import streamlit as st

from cnn_demo.runs.records import Run
from cnn_demo.runs.recovery import FRESH_STATE
from cnn_demo.settings.config import ConfigError, TrainConfig
from cnn_demo.ui.shared import names
from cnn_demo.ui.shared.i18n import _
from cnn_demo.ui.shared.markup import escape


@dataclass(frozen=True, slots=True)
class Advice:
    """What happened, what to do, and settings that would avoid it (none: nothing to launch).

    ``goes_on`` says that the action lets this run go on, where others launch a new one.
    """

    what: str
    next: str
    changes: dict[str, Any]
    action: str = ""
    goes_on: bool = False


def advise(run: Run) -> Advice:
    """Words for the error of a run."""
    kinds: dict[str, Callable[[Run], Advice]] = {
        "out_of_memory": _out_of_memory,
        "dataset_unavailable": _dataset_unavailable,
        "config": _setting,
        "diverged": _diverged,
        "checkpoint_unreadable": _checkpoint_unreadable,
    }
    if run.error_kind in kinds:
        return kinds[run.error_kind](run)
    resume = _("Resume goes on from the last checkpoint.")
    plain = {
        "disk_full": (_("The disk is full."), _("Delete runs you no longer need, then resume this one.")),
        "checkpoint_misfit": (
            _("Its checkpoint does not fit these settings and this data set."),
            _("Its metrics are still here. Launch it again with the same settings."),
        ),
        "other_version": (
            _("Another version of this program made this run, with settings that this one does not know."),
            _("Its metrics are still here. It can be resumed by the version that made it."),
        ),
        "killed": (_("The training process died without a word, perhaps killed for memory."), resume),
        "import": (
            _("The training process could not be loaded."),
            _("The installation looks broken: install the requirements again, then resume."),
        ),
        "folder_missing": (
            _("The folder of this run was deleted while it ran."),
            _("Its metrics are still here. Launch it again with the same settings."),
        ),
    }
    what, then = plain.get(run.error_kind, (_("Training ended with an error."), resume))
    again = run.error_kind in ("folder_missing", "checkpoint_misfit")
    return Advice(what, then, {}, _("Launch again") if again else "")


def _checkpoint_unreadable(run: Run) -> Advice:
    step = run.hint.get(FRESH_STATE)
    if step is None:
        return Advice(
            _("Its checkpoint cannot be read."),
            _("Its metrics are still here. Launch it again with the same settings."),
            {},
            _("Launch again"),
        )
    return Advice(
        _("Its newest checkpoints cannot be read."),
        _(
            "The weights of step {step} are intact. The run can go on from them, though not exactly: the optimizer "
            "starts with fresh moments, which is marked on the curves. What was recorded after that step is kept in "
            "the folder of the run."
        ).format(step=f"{step:,}"),
        {},
        _("Go on from step {step}").format(step=f"{step:,}"),
        goes_on=True,
    )


def _out_of_memory(run: Run) -> Advice:
    size = run.hint.get("batch_size")
    if not size:
        return Advice(_("The device ran out of memory."), _("Choose a smaller batch size or another device."), {})
    return Advice(
        _("The device ran out of memory with batches of {n}.").format(n=run.config.batch_size),
        _("A batch size of {n} should fit.").format(n=size),
        {"batch_size": size},
        _("Launch again with batch size {n}").format(n=size),
    )


def _dataset_unavailable(run: Run) -> Advice:
    lines = [f"- {escape(str(attempt))}" for attempt in run.hint.get("tried") or ()]
    then = _("What was tried:") + "\n" + "\n".join(lines) + "\n\n" if lines else ""
    if run.hint.get("folder"):
        files = ", ".join(f"`{name}`" for name in run.hint.get("files") or ())
        then += _("To install it by hand, put {files} into {folder}.").format(
            files=files or _("its files"), folder=f"`{run.hint['folder']}`"
        )
        then += " "
    return Advice(
        _("The data set {name} is not here and could not be downloaded.").format(name=f"`{run.config.dataset}`"),
        then + _("MNIST-mini ships with the app and works now."),
        {"dataset": "mnist-mini"},
        _("Launch again with MNIST-mini"),
    )


def _setting(run: Run) -> Advice:
    error = ConfigError.from_dict(run.hint)
    field = str(run.hint.get("field", ""))
    why = names.config_error(error) + "  \n" if error else ""
    return Advice(
        _("A setting cannot be used on this machine: {field}.").format(field=names.setting(field)),
        why + _("Use these settings for a new run (under More) and change that one."),
        {},
    )


def _diverged(run: Run) -> Advice:
    lower = run.hint.get("lr") or run.config.lr / 10
    return Advice(
        _("The loss is no longer a number: training has diverged."),
        _("The learning rate {lr} is too high for this run.").format(lr=f"{run.config.lr:g}"),
        {"lr": lower},
        _("Launch again with learning rate {lr}").format(lr=f"{lower:g}"),
    )


def show_run_error(run: Run, launch: Callable[[TrainConfig, str], None], go_on: Callable[[str], None]) -> None:
    """The error of a run with its way out.

    Args:
        run: a run with an ``error``.
        launch: what the button calls (as a callback) with the settings that would avoid the error, and a token that is
            the same however often this one button is clicked.
        go_on: what the button calls with the id of the run where it can go on from intact weights.
    """
    advice = advise(run)
    box = st.error if run.state.value == "failed" else st.warning
    box(f"**{advice.what}**  \n{advice.next}", icon=":material/warning:")
    with st.container(horizontal=True, vertical_alignment="center"):
        config = _changed(run.config, advice.changes)
        if advice.goes_on:
            st.button(advice.action, key=f"go-on:{run.id}", type="primary", on_click=go_on, args=(run.id,))
        elif advice.action and config is not None:
            token = f"again:{run.id}:{run.version}"
            st.button(advice.action, key=token, type="primary", on_click=launch, args=(config, token))
        if run.error or run.error_detail:
            with st.popover(_("Details"), type="tertiary"):
                st.caption(_("As the training process put it, in English:"))
                st.code(
                    "\n\n".join(filter(None, (run.error, run.error_detail.strip()))), language=None, wrap_lines=True
                )


def _changed(config: TrainConfig, changes: dict[str, Any]) -> TrainConfig | None:
    try:
        return config.replace(**changes)
    except ConfigError:  # a hint from another version
        return None

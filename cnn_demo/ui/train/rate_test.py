"""The range test of the learning rate on the form: a plot of the loss over rising rates, from which one is picked."""

from __future__ import annotations

import math
from typing import Any

import streamlit as st

from cnn_demo.settings.config import ConfigError, TrainConfig
from cnn_demo.ui.shared import names
from cnn_demo.ui.shared.i18n import _, sentence_gap
from cnn_demo.ui.shared.theme import MARK_COLOR, TEST_COLOR, TRAIN_COLOR
from cnn_demo.ui.train.rate_process import RateTest, Slot

_TEST, _BUSY, _PLOT = "rate-test:test", "rate-test:busy", "rate-test:plot"
HEIGHT = 300


@st.cache_resource(show_spinner=False)
def slot() -> Slot:
    """The one slot of this server."""
    return Slot()


def show_rate_test(config: TrainConfig | None, key: str) -> None:
    """A button that starts the test, its progress, its plot.

    Args:
        config: the form as it stands; None where a value cannot be used.
        key: where the session keeps the learning rate.
    """
    test: RateTest | None = st.session_state.get(_TEST)
    running = test is not None and test.running
    with st.container(horizontal=True, vertical_alignment="center", key="rate-test"):
        st.button(
            _("Find a learning rate"),
            key="rate-test:start",
            icon=":material/search_insights:",
            on_click=_start,
            args=(config,),
            disabled=config is None or running,
            help=_(
                "Trains some 100 steps with a rate that rises from a millionth to 1, beside whatever else is training, "
                "and throws the weights away. Good rates lie well before the place where the loss is lowest."
            ),
        )
        if running:
            st.button(_("Stop"), key="rate-test:stop", icon=":material/stop:", on_click=_stop)
    if st.session_state.pop(_BUSY, False):
        st.warning(_("Another test is running on this server; try again in a moment."), icon=":material/hourglass:")
    if test is None:
        return
    if running:
        st.fragment(_poll, run_every=0.5)(test)
    elif not test.stopped:
        _show_outcome(test, config, key)


def _start(config: TrainConfig) -> None:
    st.session_state.pop(_PLOT, None)
    test = slot().start(config)
    st.session_state[_BUSY] = test is None
    if test is not None:
        st.session_state[_TEST] = test


def _stop() -> None:
    st.session_state[_TEST].stop()
    st.session_state[_TEST].wait(5)


def _poll(test: RateTest) -> None:
    if not test.running:
        st.rerun()
    text = _("Trying rates…") if test.progress else _("Starting: loading PyTorch and the images…")
    st.progress(test.progress, text)


def _show_outcome(test: RateTest, config: TrainConfig | None, key: str) -> None:
    answer = test.answer
    if problem := _describe_problem(test):
        st.warning(problem, icon=":material/warning:")
    if len(answer.get("points", ())) < 2:
        return
    points, suggestion = answer["points"], answer.get("suggestion")
    st.echarts_chart(
        plot_option(points, suggestion),
        key=_PLOT,
        height=HEIGHT,
        on_select=lambda: _take_clicked(points, key),
        alt=describe_plot(points, suggestion),
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        if suggestion:
            st.button(
                _("Take {rate}").format(rate=f"{suggestion:g}"),
                key="rate-test:take",
                icon=":material/check:",
                on_click=_take,
                args=(key, suggestion),
            )
        st.caption(_("Click in the plot to take another rate. The form has {rate}.").format(rate=_rate_of(key)))
    if config is not None and _without_rate(config) != _without_rate(test.config):
        st.caption(_("The settings were changed after this test."))


def _describe_problem(test: RateTest) -> str:
    """Why there is no suggestion, for people; empty where there is one."""
    answer = test.answer
    if "config_error" in answer and (error := ConfigError.from_dict(answer["config_error"])):
        return names.config_error(error)
    match answer.get("error_kind"):
        case "exploded":
            return _("The loss grew beyond all bounds within {n} steps, at the lowest rates already.").format(
                n=len(answer["points"])
            )
        case "flat":
            return _("The loss did not fall at any rate: there is nothing to learn here, or the settings prevent it.")
    reason = answer.get("error") or test.problem
    return _("The test did not end well: {reason}").format(reason=reason) if reason else ""


def _rate_of(key: str) -> str:
    return f"{st.session_state.get(key, math.nan):g}"


def _without_rate(config: TrainConfig) -> TrainConfig:
    return config.replace(lr=1.0, schedule="constant", epochs=1)


def _take(key: str, rate: float) -> None:
    st.session_state[key] = rate


def _take_clicked(points: list[list[float]], key: str) -> None:
    selected = st.session_state[_PLOT].selection.selected
    if selected:
        _take(key, float(f"{points[selected[0]['data_indices'][0]][0]:.2g}"))


def plot_option(points: list[list[float]], suggestion: float | None) -> dict[str, Any]:
    """The plot. Rates rise by a factor from step to step, so equal columns make a logarithmic axis.

    An invisible bar as high as the plot stands on each rate: a click anywhere above a rate takes it.

    Args:
        points: rate, loss, and average of the losses of each step.
        suggestion: is marked; None where there is none.
    """
    averages = [average for _rate, _loss, average in points]
    low, high = min(averages), max(averages[0], min(averages) + 0.01)
    top = high + 0.6 * (high - low)  # the explosion at the end would press everything else to the bottom
    rates = [f"{rate:.2g}" for rate, _loss, _average in points]
    bars = {
        "type": "bar",
        "name": _("Learning rate"),
        "data": [top] * len(points),
        "barWidth": "100%",
        "itemStyle": {"color": "rgba(128, 128, 128, 0.001)"},
        "emphasis": {"itemStyle": {"color": "rgba(128, 128, 128, 0.2)"}},
        "select": {"itemStyle": {"color": "rgba(128, 128, 128, 0.4)", "borderWidth": 0}},
        "selectedMode": "single",
        "tooltip": {"show": False},
        "cursor": "pointer",
    }
    return {
        "animation": False,
        "grid": {"left": 8, "right": 20, "top": 40, "bottom": 26, "containLabel": True},
        "legend": {"top": 0, "left": 0, "itemWidth": 14, "itemHeight": 4, "data": [_("Loss"), _("Average")]},
        "tooltip": {"trigger": "axis", "confine": True, "valueFormatter": "%.4f"},
        "xAxis": {
            "type": "category",
            "data": rates,
            "name": _("Learning rate"),
            "nameLocation": "middle",
            "nameGap": 26,
            "axisTick": {"show": False},
        },
        "yAxis": {"type": "value", "min": max(0, round(low - 0.1 * (high - low), 3)), "max": round(top, 3)},
        "series": [
            bars,
            _line(_("Loss"), [loss for _rate, loss, _average in points], MARK_COLOR, 1),
            _line(_("Average"), averages, TRAIN_COLOR, 2.5) | _mark(points, suggestion),
        ],
    }


def _line(name: str, values: list[float], color: str, width: float) -> dict[str, Any]:
    return {
        "type": "line",
        "name": name,
        "data": [round(value, 5) if math.isfinite(value) else None for value in values],
        "showSymbol": False,
        "silent": True,
        "clip": True,
        "lineStyle": {"width": width},
        "itemStyle": {"color": color},
    }


def _mark(points: list[list[float]], suggestion: float | None) -> dict[str, Any]:
    """The line at the suggestion: at the step whose rate is nearest."""
    if not suggestion:
        return {}
    place = min(range(len(points)), key=lambda i: abs(math.log(points[i][0] / suggestion)))
    label = {"formatter": _("suggested: {rate}").format(rate=f"{suggestion:g}"), "color": TEST_COLOR}
    style = {"color": TEST_COLOR, "type": "dashed", "width": 2}
    data = [{"xAxis": place}]
    return {"markLine": {"symbol": "none", "silent": True, "lineStyle": style, "label": label, "data": data}}


def describe_plot(points: list[list[float]], suggestion: float | None) -> str:
    """The plot in a sentence, for those who cannot see it."""
    lowest = min(points, key=lambda point: point[2])
    text = _("Loss over rates from {low} to {high}: {first} at first, lowest {loss} at the rate {rate}.").format(
        low=f"{points[0][0]:.2g}",
        high=f"{points[-1][0]:.2g}",
        first=f"{points[0][2]:.3f}",
        loss=f"{lowest[2]:.3f}",
        rate=f"{lowest[0]:.2g}",
    )
    return text + (sentence_gap() + _("Suggested: {rate}.").format(rate=f"{suggestion:g}") if suggestion else "")

"""The learning rate on the form: its curve over the run that would be launched."""

from __future__ import annotations

from typing import Any

import streamlit as st

from cnn_demo.settings.config import TrainConfig
from cnn_demo.training.schedules import sample_rates
from cnn_demo.ui.shared.i18n import _
from cnn_demo.ui.shared.theme import TRAIN_COLOR

HEIGHT = 150


def show_schedule_curve(config: TrainConfig) -> None:
    """The rate that each step of the run would have, in the place of the schedule's settings."""
    curve = sample_rates(config)
    rates = [rate for _epoch, rate in curve]
    text = _("Learning rate over the run: first {first}, highest {highest}, last {last}.").format(
        first=f"{rates[0]:.3g}", highest=f"{max(rates):.3g}", last=f"{rates[-1]:.3g}"
    )
    st.echarts_chart(_curve_option(curve, config.epochs), key="train:schedule-curve", height=HEIGHT, alt=text)


def _curve_option(curve: list[tuple[float, float]], epochs: int) -> dict[str, Any]:
    return {
        "animation": False,
        "grid": {"left": 4, "right": 12, "top": 12, "bottom": 22, "containLabel": True},
        "tooltip": {"trigger": "axis", "confine": True, "valueFormatter": "%.3g"},
        "xAxis": {
            "type": "value",
            "name": _("Epoch"),
            "nameLocation": "middle",
            "nameGap": 22,
            "min": 0,
            "max": epochs,
            "splitNumber": 4,
            "splitLine": {"show": False},
        },
        "yAxis": {"type": "value", "min": 0, "splitNumber": 3},
        "series": [
            {
                "type": "line",
                "name": _("Learning rate"),
                "data": [[round(epoch, 4), float(f"{rate:.4g}")] for epoch, rate in curve],
                "showSymbol": False,
                "lineStyle": {"width": 2},
                "itemStyle": {"color": TRAIN_COLOR},
            }
        ],
    }

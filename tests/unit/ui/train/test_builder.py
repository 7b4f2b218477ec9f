"""What the builder's table tells the browser, and what it takes from it."""

from __future__ import annotations

import json

from cnn_demo.models.layer_list import LAYERS, MAX_ROWS, Row, parse_rows
from cnn_demo.models.layer_plan import plan_rows
from cnn_demo.ui.train import builder


def describe(text: str) -> dict:
    rows = parse_rows(text)
    described = builder._describe_plan(plan_rows(rows, 1, 28, 10), len(rows))
    assert json.loads(json.dumps(described)) == described
    return described


def test_figures_are_said_row_by_row_and_what_is_added_behind_them() -> None:
    told = describe("v1; conv channels=8; max-pool")
    assert [answer["figures"]["shape"] for answer in told["answers"]] == ["8 × 28 × 28", "8 × 14 × 14"]
    assert told["answers"][0]["filled"] == {
        "channels": 32,
        "kernel": 3,
        "stride": 1,
        "padding": 1,
        "dilation": 1,
        "groups": 1,
        "bias": True,
    }
    assert told["answers"][1]["filled"]["stride"] == 2
    assert [line["title"] for line in told["added"]] == ["Flatten (added)", "Linear (added)"]
    assert told["total"] == {"parameters": "15,770", "multiply_adds": "72,128", "memory": "36.8 KiB"}


def test_a_problem_is_at_its_row_with_what_would_mend_it() -> None:
    told = describe("v1; max-pool; max-pool kernel=15; relu")
    assert told["total"] is None
    assert "figures" in told["answers"][0]
    assert told["answers"][1]["problem"].startswith("Layer 2 must be a window that fits")
    assert told["answers"][1]["change"] == {
        "action": "set",
        "name": "kernel",
        "value": 14,
        "label": "Nearest that works: Window = 14",
    }
    assert told["answers"][2] == {}


def test_a_problem_of_what_is_added_is_said_behind_the_rows() -> None:
    told = describe("v1; flatten; linear width=4096; linear width=4096")  # 19,996,672 parameters
    assert "20,000,000 parameters" in told["added"][-1]["problem"]


def test_what_is_no_row_is_left_out() -> None:
    sent = [
        {"kind": "conv", "values": {"channels": 8.0, "kernel": "5", "bias": False, "nonsense": 1, "stride": True}},
        {"kind": "exec", "values": {}},
        {"kind": "relu"},
        "relu",
        {"kind": "dropout", "values": {"rate": 0.25}},
        {"kind": "conv", "values": {"channels": 1e300, "kernel": float("nan"), "groups": 1.5}},
    ]
    assert builder.clean_rows(sent) == (
        Row("conv", {"channels": 8, "bias": False}),
        Row("dropout", {"rate": 0.25}),
        Row("conv", {"channels": 10**9, "kernel": 0, "groups": 1.5}),
    )
    assert builder.clean_rows(None) == ()
    assert len(builder.clean_rows([{"kind": "relu", "values": {}}] * 100)) == MAX_ROWS


def test_every_kind_is_offered_with_its_settings() -> None:
    told = builder._describe_kinds()
    assert [kind["name"] for kind in told["kinds"]] == list(LAYERS.names)
    conv = told["kinds"][0]["options"]
    assert conv[0] == {
        "name": "channels",
        "title": "Channels",
        "help": "How many maps come out.",
        "default": 32,
        "type": "whole",
        "low": 1,
        "high": 1024,
        "step": 1,
    }
    assert conv[-1]["type"] == "flag"

"""The page Take away by AppTest: choices, a receipt with a format that fails, and every way it can go wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from cnn_demo.export import quantized_values
from cnn_demo.runs.home import runs_home
from cnn_demo.ui.export.export_process import RESULT, ExportJobs, Wish, write_options
from tests.pages.reading import words

PAGE = "pages/export/take_away.py"
Open = Callable[..., AppTest]


def row(format: str, **values: Any) -> dict[str, Any]:
    base: dict[str, Any] = {
        "format": format, "file": f"x.{format}", "nbytes": 1_600_000, "sha256": "", "correct": 1990, "n": 2000,
        "interval": [0.99, 0.998], "agreement": 1.0, "largest": 1e-6, "mean": 1e-7, "others": [], "drawing": None,
        "latencies": [{"batch": b, "median": 0.001, "p95": 0.002, "n": 100} for b in (1, 256)],
        "misses": [],
    }  # fmt: skip
    return base | values


def put_result(
    wish: Wish, rows: list[dict[str, Any]], thresholds: dict[str, float] | None = None, **facts: dict[str, Any]
) -> None:
    """What an export of that wish would have left."""
    folder = runs_home() / "exports" / wish.key
    folder.mkdir(parents=True)
    files = {}
    for name in wish.formats:
        (folder / f"x.{name}").write_bytes(b"12345")
        files[name] = {"path": str(folder / f"x.{name}"), "bytes": 5, **facts.get(name, {})}
    receipt = {
        "format": 1, "network": "shipped", "dataset": "mnist-mini", "made": "2026-11-27T10:00:00+00:00",
        "machine": {"processor": "P", "system": "S", "threads": "2"}, "versions": {"torch": "2", "onnxruntime": "1"},
        "rows": [row("pytorch"), *rows], "thresholds": thresholds or {},
    }  # fmt: skip
    (folder / RESULT).write_text(json.dumps({"network": "shipped", "files": files, "receipt": receipt}))


@pytest.mark.parametrize(("locale", "title"), [("en-US", "Take away"), ("zh-CN", "带走")])
def test_formats_are_chosen_and_kept_in_the_address(open_page: Open, locale: str, title: str) -> None:
    app = open_page(PAGE, locale)
    assert app.title[0].value == title
    assert set(app.session_state["export:formats"]) == {"onnx", "int8", "html"}
    app.pills(key="export:formats").set_value(["weights"]).run()
    assert app.query_params["formats"] == "weights"
    app.pills(key="export:formats").set_value([]).run()
    assert not app.exception
    assert not [button for button in app.button if button.key == "export:make"]


def test_a_receipt_and_a_format_that_does_not_hold(open_page: Open) -> None:
    miss = [
        "It loses {lost} points of accuracy on {n} test images; expected at most {most}.",
        {"lost": "0.50", "most": "0.2", "n": "2,000"},
    ]
    put_result(Wish("shipped", ("onnx",)), [row("onnx", agreement=0.995, others=[3, 5], misses=[miss])])
    app = open_page(PAGE, formats="onnx")
    assert app.dataframe[0].value["Holds"].tolist() == ["✓", "✗"]
    assert app.dataframe[0].value["Accuracy"].tolist()[0] == "99.50% [99.00%, 99.80%]"
    assert "It loses 0.50 points" in app.error[0].value
    labels = [button.proto.label for button in app.get("download_button")]
    assert labels == ["ONNX · x.onnx · 1 KiB: does not hold, at your own risk"]
    assert any("10 of 2,000 test images" in expander.label for expander in app.expander)
    assert "2,000 test images of MNIST-mini" in words(app)


def test_what_must_hold_is_chosen_on_the_page(open_page: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    wishes: list[Wish] = []
    monkeypatch.setattr(ExportJobs, "start", lambda self, wish: wishes.append(wish))
    app = open_page(PAGE, formats="onnx")
    app.button(key="export:make").click().run()
    app.number_input(key="export:receipt:most_difference").set_value(0.5).run()
    app.number_input(key="export:receipt:most_lost").set_value(1.0).run()
    app.button(key="export:make").click().run()
    assert [wish.options for wish in wishes] == [(), (("--most-difference", "0.5"), ("--most-lost", "1.0"))]
    put_result(
        wishes[0], [row("onnx")], thresholds={"least_agreement": 100.0, "most_difference": 1e-4, "most_lost": 0.2}
    )
    assert "Must hold: 100% of the classes and every logit within 0.0001" in words(open_page(PAGE, formats="onnx"))


def test_what_is_missing_or_broken_is_said(
    open_page: Open, make_run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run("running", epochs=0)
    app = open_page(PAGE, net=run.id)
    assert "no checkpoint yet" in app.info[0].value
    from cnn_demo.ui.export import choices

    monkeypatch.setattr(choices, "list_missing", lambda name: ["onnx"] if name == "onnx" else [])
    app = open_page(PAGE)
    assert "ONNX needs onnx, not installed here" in words(app)
    blocked = runs_home() / "exports"
    blocked.write_text("a file where the folder should be")
    app = open_page(PAGE, formats="weights")
    app.button(key="export:make").click().run()
    for _ in range(50):
        if app.error:
            break
        app.run()
    assert "The export failed" in app.error[0].value
    assert Path(blocked).is_file()


def test_calibrations_are_compared_and_the_prepared_file_says_how_it_was_checked(
    open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quantized_values, "list_quantized_tensors", lambda _path: [])  # the file is none
    outcomes = [{"method": "", "images": 0, "correct": 2040, "n": 2048, "difference": 0.0}]
    outcomes += [
        {"method": method, "images": count, "correct": 2036, "n": 2048, "difference": 0.125}
        for method in ("minmax", "entropy", "percentile")
        for count in (32, 2048)
    ]
    app = open_page(PAGE, formats="onnx_prepared,int8")
    (toggle,) = (one for one in app.toggle if one.key == "export:int8:compare")
    assert not toggle.value
    wish = st_wish(app)
    prepared = {"takes": "pad", "asked": 32, "largest_difference": 3e-7}
    put_result(wish, [row("int8")], int8={"calibrations": outcomes}, onnx_prepared=prepared)
    app.run()
    assert not app.exception
    accuracy, difference = (json.loads(chart.proto.spec) for chart in app.get("echarts_chart"))
    assert [series["data"] for series in accuracy["series"]] == [[99.4141, 99.4141]] * 3  # 2036 of 2048
    assert accuracy["yAxis"]["max"] == 100
    assert accuracy["series"][0]["markLine"]["data"] == [{"yAxis": 99.6094}]  # 2040 of 2048
    assert [series["data"] for series in difference["series"]] == [[0.125, 0.125]] * 3
    assert "Asked about 32 drawings" in words(app)


def st_wish(app: AppTest) -> Wish:
    """What the page would ask for as it stands."""
    options = {"takes": "pad", "scheme": "static", "method": "minmax", "images": 512, "keep": "", "compare": False}
    return Wish("shipped", tuple(app.query_params["formats"].split(",")), write_options(options))

"""What came out: the receipt as a table, the images on which a format disagrees, the files."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from cnn_demo.export.formats import FORMATS
from cnn_demo.ui.export import int8_view
from cnn_demo.ui.shared import layout, names
from cnn_demo.ui.shared.i18n import _, sentence_gap
from cnn_demo.ui.shared.last_drawing import LAST

if TYPE_CHECKING:
    from cnn_demo.export.receipt import Receipt, Row

_MOST_SHOWN = 12
_ASKED = "export:asked"


def show_result(found: dict[str, Any], network: str) -> None:
    """Receipt and files of one export.

    Args:
        found: the JSON of the command line.
        network: the reference of the network.
    """
    receipt = _read_receipt(found)
    if receipt is not None:
        layout.section(_("The receipt"), help=_explain())
        _show_table(receipt)
        if receipt.dataset == "mnist-mini" and network == "shipped":
            st.caption(
                _(
                    "The test images of MNIST are not on this machine. These are of MNIST-mini: for the network that "
                    "ships they were training images, so agreement and differences count, its accuracy does not."
                )
            )
        _show_misses(receipt)
        _show_disagreements(receipt)
    layout.section(_("The files"))
    _show_files(found, receipt)
    if receipt is not None and st.session_state.get(LAST) is not None:
        _ask_drawing(found, network, receipt)
    if "onnx" in found["files"] and receipt is not None:
        _show_trtexec(found, receipt)
    if "int8" in found["files"]:
        int8_view.show_int8(found["files"]["int8"])


def _explain() -> str:
    return _(
        "Measured on the spot on the whole test split. Agreement: the share of test images that get the class that "
        "PyTorch gives. Difference: of a logit from PyTorch's. The interval is Wilson's, 95%. Times are those of one "
        "call in this process, beside whatever else ran; the network with a pad is asked in a browser on the server, "
        "which says itself how long it computed."
    )


def _read_receipt(found: dict[str, Any]) -> Receipt | None:
    import json

    from cnn_demo.export.receipt import Receipt

    stored = found.get("receipt")
    return Receipt.from_json(json.dumps(stored)) if stored else None


def title_of(name: str) -> str:
    """A format in words."""
    return "PyTorch" if name == "pytorch" else _(FORMATS.get(name).title)


def _show_table(receipt: Receipt) -> None:
    rows = [_tabulate(row) for row in receipt.rows]
    st.dataframe(rows, hide_index=True)
    n, threads = receipt.rows[0].n, receipt.machine.get("threads", "?")
    calls = ", ".join(f"n = {latency.n}" for latency in receipt.rows[0].latencies)
    words = _(
        "{n} test images of {data}; {day}; {processor}, {threads} threads; torch {torch}, onnxruntime {onnxruntime}; "
        "times: median / 95th percentile, {calls}"
    )
    st.caption(
        words.format(
            n=f"{n:,}",
            data=names.dataset(receipt.dataset),
            day=receipt.made[:16].replace("T", " "),
            processor=receipt.machine.get("processor", "?"),
            threads=threads,
            torch=receipt.versions.get("torch", "?"),
            onnxruntime=receipt.versions.get("onnxruntime", "?"),
            calls=calls,
        )
    )

    if asked := receipt.thresholds:
        words = _(
            "Must hold: {agreement} of the classes and every logit within {difference}; with 8 bits and in an engine "
            "at most {lost} points lost."
        )
        st.caption(
            words.format(
                agreement=f"{asked['least_agreement']:g}%",
                difference=f"{asked['most_difference']:g}",
                lost=f"{asked['most_lost']:g}",
            )
        )


def _tabulate(row: Row) -> dict[str, Any]:
    low, high = row.interval
    found: dict[str, Any] = {
        _("Format"): title_of(row.format),
        _("Holds"): "✓" if row.holds else "✗",
        _("Accuracy"): f"{row.accuracy:.2%} [{low:.2%}, {high:.2%}]",
        _("As PyTorch"): f"{row.agreement:.2%}",
        _("Largest difference"): f"{row.largest:.2g}",
        _("Mean difference"): f"{row.mean:.2g}",
        _("Size"): names.file_size(row.nbytes),
    }
    for latency in row.latencies:
        label = _("Batch of {n}, ms").format(n=latency.batch)
        found[label] = " / ".join(_write_ms(seconds) for seconds in (latency.median, latency.p95))
    return found


def _write_ms(seconds: float) -> str:
    ms = seconds * 1e3
    return f"{ms:,.0f}" if ms >= 100 else f"{ms:.3g}"


def _show_misses(receipt: Receipt) -> None:
    for row in receipt.rows:
        for message, values in row.misses:
            words = _("{format} does not hold what it should.").format(format=title_of(row.format))
            st.error(words + sentence_gap() + _(message).format(**values), icon=":material/gpp_bad:")
    for message, values in receipt.notes:
        st.info(f"{title_of('html')}: " + _(message).format(**values), icon=":material/web_asset_off:")


def _show_disagreements(receipt: Receipt) -> None:
    from cnn_demo.datasets.download import DatasetUnavailable
    from cnn_demo.ui.shared.samples import load_samples

    for row in receipt.rows[1:]:
        if not row.others:
            continue
        count = round((1 - row.agreement) * row.n)
        label = _("{format}: {count} of {n} test images get another class than from PyTorch")
        with st.expander(label.format(format=title_of(row.format), count=count, n=f"{row.n:,}")):
            try:
                split, _by_class = load_samples(receipt.dataset)
            except DatasetUnavailable:
                st.caption(_("The test images are not on this machine; their numbers: {list}").format(list=row.others))
                continue
            shown = [number for number in row.others[:_MOST_SHOWN] if number < len(split)]
            pictures = [split.images[number].numpy().transpose(1, 2, 0).squeeze() for number in shown]
            captions = [
                _("number {number}, a {label}").format(number=n, label=_(names_of(receipt)[int(split.labels[n])]))
                for n in shown
            ]
            st.image(pictures, caption=captions, width=84)


def names_of(receipt: Receipt) -> tuple[str, ...]:
    """The classes of its data set."""
    spec = names.spec(receipt.dataset)
    return tuple(spec.classes) if spec else ()


def _show_files(found: dict[str, Any], receipt: Receipt | None) -> None:
    held = {row.format: row.holds for row in receipt.rows} if receipt else {}
    for name, made in found["files"].items():
        path = Path(made["path"])
        bad = held.get(name) is False
        label = f"{title_of(name)} · {path.name} · {names.file_size(made['bytes'])}"
        if bad:
            label = _("{file}: does not hold, at your own risk").format(file=label)
        st.download_button(
            label,
            functools.partial(path.read_bytes),
            path.name,
            key=f"export:file:{name}:{made['bytes']}",
            on_click="ignore",
            icon=":material/gpp_bad:" if bad else ":material/download:",
            type="tertiary" if bad else "secondary",
        )
        if name == "onnx_prepared":
            words = _(
                "Asked about {n} {what} when it was made: no probability differs from the page's by more than {d}."
            )
            what = _("drawings") if made["takes"] == "pad" else _("images")
            st.caption(words.format(n=made["asked"], what=what, d=f"{made['largest_difference']:.1g}"))


def _show_trtexec(found: dict[str, Any], receipt: Receipt) -> None:
    """How the ONNX file becomes an engine on a machine that has TensorRT."""
    from cnn_demo.export.tensorrt_engine import write_trtexec

    spec = names.spec(receipt.dataset)
    if spec is None:
        return
    with st.expander(_("A TensorRT engine from the ONNX file"), icon=":material/memory:"):
        st.caption(_("On the machine with the NVIDIA GPU, beside the file; the engine is good for that GPU alone."))
        name = Path(found["files"]["onnx"]["path"]).name
        st.code(write_trtexec(name, (spec.channels, spec.size, spec.size)), language="sh", wrap_lines=True)


def _ask_drawing(found: dict[str, Any], network: str, receipt: Receipt) -> None:
    """The answer of every format for the visitor's own drawing."""
    if st.button(_("Ask them about my drawing"), icon=":material/draw:", key="export:ask"):
        st.session_state[_ASKED] = _answer_drawing(found, network)
    answers = st.session_state.get(_ASKED)
    if answers:
        classes = names_of(receipt)
        rows = []
        for name, shares in answers.items():
            best = max(range(len(shares)), key=shares.__getitem__)
            word = _(classes[best]) if best < len(classes) else str(best)
            rows.append({_("Format"): title_of(name), _("Answer"): word, _("Softmax"): f"{shares[best]:.4%}"})
        st.dataframe(rows, hide_index=True)
        st.caption(_("Raw softmax of the logits, before the page's calibration."))


def _answer_drawing(found: dict[str, Any], network: str) -> dict[str, list[float]]:
    import torch

    from cnn_demo.export.browser_runner import find_browser
    from cnn_demo.export.runners import close_runner, open_runner
    from cnn_demo.prediction.load import load_model
    from cnn_demo.prediction.predictor import Predictor
    from cnn_demo.settings.reference import ModelRef
    from cnn_demo.ui.shared.store import get_store

    loaded = load_model(ModelRef.parse(network), get_store())
    drawing = Predictor(loaded).prepare(st.session_state[LAST])
    inputs = drawing.input.numpy()
    paths: dict[str, Path | None] = {"pytorch": None}
    paths |= {name: Path(made["path"]) for name, made in found["files"].items() if FORMATS.get(name).facts.get("runs")}
    answers = {}
    if find_browser() is None:
        paths.pop("html", None)
    for name, path in paths.items():
        runner = open_runner(name, path, loaded, 1)
        try:
            logits = torch.from_numpy(runner(inputs).copy())[0]
        finally:
            close_runner(runner)
        answers[name] = logits.double().softmax(0).tolist()
    return answers

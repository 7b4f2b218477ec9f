"""What is handed out of a run: the weights of the best checkpoint where there is one, and no damaged file."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable

import numpy as np
import pytest
import streamlit as st
from safetensors.torch import load_file
from streamlit.testing.v1 import AppTest

from cnn_demo.runs.records import Run
from cnn_demo.runs.store import Store
from cnn_demo.ui.train import downloads
from tests.made_networks import mark_best, put_checkpoint


def page() -> None:
    import streamlit as st

    from cnn_demo.ui.shared.store import get_store
    from cnn_demo.ui.train import downloads

    downloads.show_downloads(get_store(), get_store().get(st.session_state["run"]))


def show(run: Run, step: int | None = None) -> tuple[str, list[str]]:
    """What is said, and the titles of the files."""
    app = AppTest.from_function(page, default_timeout=30)
    app.session_state["run"] = run.id
    if step is not None:
        app.session_state[f"file:step:{run.id}"] = str(step)
    with pytest.MonkeyPatch.context() as patched:
        linked: list[object] = []
        patched.setattr(
            st, "page_link", lambda to, **words: linked.append((to, words["query_params"]))
        )  # no pages here
        app.run()
    assert not app.exception, app.exception
    assert linked == [("pages/export/take_away.py", {"net": run.id})]
    said = "\n".join(element.value for element in (*app.caption, *app.warning))
    return said, [button.proto.label for button in app.get("download_button")]


@pytest.fixture
def run(store: Store, make_run: Callable[..., Run]) -> Run:
    made = make_run("finished")
    put_checkpoint(store, made, step=20, epoch=1, seed=1)
    put_checkpoint(store, made, seed=2)
    return made


def test_the_best_checkpoint_is_handed_out_where_there_is_one(store: Store, run: Run) -> None:
    said, files = show(run)
    assert "step 60, the newest checkpoint" in said
    assert "Weights · .pt" in files
    mark_best(store, run, 1)
    said, _files = show(run)
    assert "step 20, the best by validation" in said


def test_any_checkpoint_can_be_chosen_and_the_size_is_said(store: Store, run: Run) -> None:
    said, _files = show(run, step=20)
    assert "step 20, as chosen" in said
    folder = store.folder(run.id)
    total = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    assert f"On disk the run takes {total / 2**20:.1f} MiB." in said


@pytest.mark.parametrize("damage", ["flipped", "no meta"])
def test_a_damaged_file_is_not_handed_out(store: Store, run: Run, damage: str) -> None:
    path = store.checkpoints(run.id)[-1].path
    if damage == "flipped":
        content = bytearray((path / "weights.safetensors").read_bytes())
        content[-3] ^= 1
        (path / "weights.safetensors").write_bytes(content)
    else:
        (path / "checkpoint.json").unlink()
    said, files = show(run)
    assert "step 60 are missing or damaged" in said
    assert not [file for file in files if "Weights" in file]
    assert "Metrics · .csv" in files


def test_the_network_itself_is_handed_out_as_html_onnx_and_bundle(store: Store, run: Run) -> None:
    _said, files = show(run)
    assert {"Network with a pad · .html", "ONNX · .onnx", "Bundle · .zip"} <= set(files)
    mark_best(store, run, 1)
    made = downloads.export_bytes(store, run, 20, "html")
    taken = json.loads(made.split(b'id="network">')[1].split(b"</script>")[0])
    weights = load_file(store.best_checkpoint(run.id).path / "weights.safetensors")  # type: ignore[union-attr]
    sent = [np.frombuffer(base64.b64decode(tensor["data"]), "<f4") for tensor in taken["network"]["tensors"]]
    assert all(any(np.array_equal(one, w.numpy().ravel()) for one in sent) for w in weights.values())


def test_a_network_too_large_for_an_html_file_is_no_button(store: Store, run: Run) -> None:
    store.change_run(run.id, parameters=11_172_810)
    said, files = show(run)
    assert "it would have 60 MB; at most 15 MB" in said
    assert not [name for name in files if name.endswith(".html")]

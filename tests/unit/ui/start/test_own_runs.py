"""The visitor's own networks live in the address: few, each once, the newest first."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest


def remember_many() -> None:
    import streamlit as st

    from cnn_demo.ui.start import own_runs

    st.query_params["first"] = "aaa,b/b,,ccc,aaa"  # what is no id, and what is there twice, is passed over
    for name in ("d1", "d2", "d3", "d4", "ccc"):
        own_runs.remember_run(name)
    st.text(own_runs.find_newest_id())


def test_the_newest_comes_first_and_the_oldest_make_way() -> None:
    app = AppTest.from_function(remember_many).run()
    assert not app.exception
    assert "".join(app.query_params["first"]) == "ccc,d4,d3,d2,d1,aaa"
    assert app.text[0].value == "ccc"

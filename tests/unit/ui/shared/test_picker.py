"""The one picker: what the address means on every page, old links, and choices that survive other words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from cnn_demo.runs.records import Run
from cnn_demo.runs.store import Store
from cnn_demo.settings.config import TrainConfig
from tests.made_networks import mark_best, put_checkpoint, set_state

Make = Callable[..., Run]


def several() -> None:
    import streamlit as st

    from cnn_demo.ui.shared import picker

    st.session_state["found"] = picker.choose_networks(most=3)


def one() -> None:
    import streamlit as st

    from cnn_demo.ui.shared import picker

    st.session_state["found"] = [picker.choose_network()]


def show(script: Callable[[], None], **address: str) -> AppTest:
    app = AppTest.from_function(script, default_timeout=30)
    for name, value in address.items():
        app.query_params[name] = value
    app.run()
    assert not app.exception, app.exception
    return app


def refs(app: AppTest) -> list[str]:
    """What was chosen, as references to exact weights."""
    return [str(network.exact) for network in app.session_state["found"]]


def address(app: AppTest) -> str:
    value = app.query_params["net"]
    return value if isinstance(value, str) else value[0]


@pytest.fixture
def run(store: Store, make_run: Make) -> Run:
    """A run that has ended, with checkpoints after 20 and 60 steps."""
    made = make_run("finished", name="Mine")
    put_checkpoint(store, made, step=20, epoch=1)
    put_checkpoint(store, made)
    return made


def checkpoints(app: AppTest) -> Any:
    return next(box for box in app.selectbox if box.label.startswith("Checkpoint"))


@pytest.mark.parametrize("script", [several, one])
def test_one_grammar_on_every_page(script: Callable[[], None], run: Run) -> None:
    for text, expected in (("shipped", "shipped"), (run.id, f"{run.id}@60"), (f"{run.id}@20", f"{run.id}@20")):
        app = show(script, net=text)
        assert refs(app) == [expected]
        assert address(app) == text
    assert refs(show(several, net=f"{run.id}@20,shipped")) == [f"{run.id}@20", "shipped"]
    assert refs(show(one, net=f"{run.id}@20,shipped")) == [f"{run.id}@20"]


@pytest.mark.parametrize(
    ("script", "old", "new"),
    [
        (several, {"nets": "RUN@20,shipped"}, "RUN@20,shipped"),
        (several, {"nets": "RUN"}, "RUN"),
        (one, {"net": "RUN", "step": "20"}, "RUN@20"),
        (one, {"net": "untrained-cnn"}, "untrained:cnn"),
        (one, {"net": "untrained-resnet18", "step": "x"}, "untrained:resnet18"),
        (one, {"net": "imagenet"}, "imagenet:resnet18"),
        (one, {"net": "imagenet-random"}, "imagenet:random"),
    ],
)
def test_old_links_open_and_become_new_ones(script: Callable[[], None], old: dict, new: str, run: Run) -> None:
    app = show(script, **{name: text.replace("RUN", run.id) for name, text in old.items()})
    assert address(app) == new.replace("RUN", run.id)
    assert not {"nets", "step"} & set(app.query_params)
    chosen = refs(app)
    app.run()
    assert refs(app) == chosen


def test_what_is_not_here_is_said_and_the_rest_is_shown(run: Run) -> None:
    app = show(several, net=f"nosuch,{run.id},a b")
    assert refs(app) == [f"{run.id}@60"]
    assert "**nosuch**" in app.warning[1].value
    assert "**a b**" in app.warning[0].value
    app = show(several, net="untrained:cnn")  # chosen on another page; no network of this page
    assert refs(app) == ["shipped"]
    assert not app.warning


def test_a_step_that_is_not_there_has_nothing_to_load(run: Run) -> None:
    (network,) = show(several, net=f"{run.id}@7").session_state["found"]
    assert network.missing


def test_the_run_that_was_looked_at_is_the_default(run: Run) -> None:
    assert refs(show(several)) == ["shipped"]
    for script in (several, one):
        app = AppTest.from_function(script, default_timeout=30)
        app.session_state["url:run"] = run.id
        app.run()
        assert refs(app) == [f"{run.id}@60"]
        assert "run" not in app.query_params


def test_the_best_checkpoint_stands_for_a_run_that_has_ended(store: Store, run: Run) -> None:
    mark_best(store, run, 1)
    app = show(several, net=run.id)
    assert refs(app) == [f"{run.id}@20"]
    assert checkpoints(app).options == [
        "Best by validation, step 20 · epoch 1",
        "step 60 · epoch 3",
        "step 20 · epoch 1",
    ]
    checkpoints(app).select_index(1).run()
    assert refs(app) == [address(app)] == [f"{run.id}@60"]
    slider = show(one, net=run.id).select_slider[0]
    assert slider.value == 20
    assert show(one, net=f"{run.id}@60").select_slider[0].value == 60


def test_a_run_that_trains_is_followed_unless_the_best_is_asked_for(store: Store, make_run: Make) -> None:
    live = make_run("running", name="Live", config=TrainConfig(epochs=10))
    put_checkpoint(store, live, step=20, epoch=1)
    put_checkpoint(store, live)
    mark_best(store, live, 1)
    app = show(several, net=live.id)
    assert refs(app) == [f"{live.id}@60"]
    assert app.session_state["found"][0].following
    assert checkpoints(app).options[:2] == ["Newest, follows the training", "Best by validation, step 20 · epoch 1"]
    checkpoints(app).select_index(1).run()
    assert address(app) == f"{live.id}@best"
    assert refs(app) == [f"{live.id}@20"]
    assert not app.session_state["found"][0].following


def test_a_followed_network_stays_chosen_when_its_words_change(store: Store, make_run: Make, run: Run) -> None:
    """It finishes while it is on the page, which changes the words of its option; the next click must not lose it."""
    live = make_run("running", name="Live", config=TrainConfig(epochs=10))
    put_checkpoint(store, live)
    app = show(several, net=live.id)
    before = app.multiselect[0]
    assert before.value == [live.id]
    set_state(store, live, "finished")
    before.select(run.id).run()  # the browser sends the words of a moment ago: of another widget by now
    assert live.id in [network.ref.name for network in app.session_state["found"]]
    after = app.multiselect[0]
    assert after.value[0] == live.id
    assert after.key != before.key
    after.set_value([live.id, run.id]).run()
    assert address(app) == f"{live.id},{run.id}"


def test_two_runs_with_one_name_are_told_apart(store: Store, make_run: Make) -> None:
    first, second = (make_run("finished", name="Same") for _ in range(2))
    for seed, made in enumerate((first, second)):
        put_checkpoint(store, made, seed=seed)
    app = show(several)
    assert len(set(app.multiselect[0].options)) == len(app.multiselect[0].options)
    for made in (first, second):
        app.multiselect[0].set_value([made.id]).run()
        assert refs(app) == [f"{made.id}@60"]


@pytest.mark.parametrize("script", [several, one])
def test_runs_that_are_not_chosen_are_not_looked_into(
    script: Callable[[], None], store: Store, make_run: Make, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        put_checkpoint(store, make_run("finished"))
    asked: list[str] = []
    checkpoints = Store.checkpoints

    def note(self: Store, run_id: str) -> Any:
        asked.append(run_id)
        return checkpoints(self, run_id)

    monkeypatch.setattr(Store, "checkpoints", note)
    show(script, net=run.id)
    assert set(asked) <= {run.id}


@pytest.mark.parametrize("script", [several, one])
def test_a_link_to_a_run_that_is_too_old_for_the_list_opens(
    script: Callable[[], None], run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Store, "runs_with_checkpoints", lambda self: [])
    assert refs(show(script, net=f"{run.id}@20")) == [f"{run.id}@20"]
    assert "**nosuch**" in show(script, net="nosuch").warning[0].value


def test_without_any_network_there_is_nothing_to_choose(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cnn_demo.ui.shared.picker.has_shipped_model", lambda: False)
    app = show(several)
    assert app.session_state["found"] == []
    assert refs(show(one)) == ["untrained:cnn"]

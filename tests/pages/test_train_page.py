"""The Train page in both languages: the form, a run in every state, and what can be done with it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Button

from cnn_demo.runs.records import Run, RunState
from cnn_demo.runs.store import Store
from cnn_demo.settings.config import SETTINGS, ConfigError, TrainConfig
from cnn_demo.ui.shared import names
from cnn_demo.ui.shared.i18n import _, use
from cnn_demo.ui.train import form
from tests.pages.reading import words

TRAIN = "pages/train/train.py"
LOCALES = ["en-US", "zh-CN"]
GUESSING = {"loss": 2.303, "accuracy": 0.098, "n": 2000}


def launch_button(app: AppTest) -> Button:
    return next(button for button in app.button if button.key and button.key.startswith("launch:"))


def button(app: AppTest, prefix: str) -> Button:
    return next(element for element in app.button if element.key and element.key.startswith(prefix))


def ticked(app: AppTest) -> list[str]:
    """The presets that the form agrees with."""
    presets = [b for b in app.button if (b.key or "").startswith("train:preset:")]
    return [(b.key or "").rpartition(":")[2] for b in presets if "check" in b.proto.icon]


def progress(app: AppTest) -> str:
    """The words at the progress bar."""
    return "\n".join(element.proto.text for element in app.get("progress"))


def keys(app: AppTest) -> set[str]:
    return {element.key.split(":")[0] for element in app.button if element.key}


@pytest.mark.parametrize("locale", LOCALES)
def test_form_launches_what_it_shows(open_page: Callable, store: Store, locale: str) -> None:
    app = open_page(TRAIN, locale)
    app.number_input(key="train:epochs").set_value(3)
    app.selectbox(key="train:schedule").select("cosine")
    app.number_input(key="train:lr").set_value(0.002)
    app.run()
    launch_button(app).click().run()
    assert not app.exception
    (run,) = store.list()
    assert run.config == TrainConfig(epochs=3, schedule="cosine", lr=0.002)
    assert app.query_params["run"] in (run.id, [run.id])
    assert "mnist-mini" in words(app)


def test_the_form_draws_the_schedule_that_is_chosen(open_page: Callable) -> None:
    app = open_page(TRAIN)

    def drawn() -> list[float]:
        (chart,) = app.get("echarts_chart")
        return [rate for _epoch, rate in json.loads(chart.proto.spec)["series"][0]["data"]]

    assert set(drawn()) == {0.001}
    app.selectbox(key="train:schedule").select("one-cycle").run()
    rates = drawn()
    assert (rates[0], max(rates)) == (0.00004, 0.001)
    assert rates[-1] < 1e-6
    app.number_input(key="train:peak_at").set_value(0.5).run()
    assert drawn().index(max(drawn())) == pytest.approx(len(rates) / 2, abs=1)
    app.number_input(key="train:patience").set_value(2).run()  # needs a validation split
    assert not app.get("echarts_chart")
    assert launch_button(app).disabled


def test_one_token_launches_once(open_page: Callable, store: Store) -> None:
    app = open_page(TRAIN)
    token = app.session_state["launch:token:train"]
    launch_button(app).click().run()
    app.session_state["launch:token:train"] = token  # what the second half of a double click says
    app.query_params.clear()
    app.session_state["url:run"] = ""
    app.run()
    launch_button(app).click().run()
    assert len(store.list()) == 1


def test_presets_fill_the_form_and_are_ticked_only_while_they_hold(open_page: Callable) -> None:
    app = open_page(TRAIN)
    assert ticked(app) == ["standard"]
    app.button(key="train:preset:textbook").click().run()
    assert app.selectbox(key="train:dataset").value == "mnist"
    assert ticked(app) == ["textbook"]
    app.number_input(key="train:epochs").set_value(7).run()
    assert ticked(app) == []


@pytest.mark.parametrize(("locale", "named"), [("en-US", "Patience"), ("zh-CN", "早停耐心值")])
def test_a_wrong_value_names_its_field_and_cannot_be_launched(open_page: Callable, locale: str, named: str) -> None:
    app = open_page(TRAIN, locale)
    app.number_input(key="train:patience").set_value(3).run()
    assert named in app.error[0].value
    assert any(":red[" in caption.value and "3" in caption.value for caption in app.caption)
    assert launch_button(app).disabled


@pytest.mark.parametrize(
    ("name", "value"),
    [("epochs", 0), ("epochs", 1001), ("batch_size", 10**9), ("lr", -1.0), ("seed", -1), ("val_fraction", 0.6)],
)
@pytest.mark.parametrize("locale", LOCALES)
def test_a_number_out_of_range_is_named_at_its_field_and_start_waits(
    open_page: Callable, store: Store, locale: str, name: str, value: float
) -> None:
    app = open_page(TRAIN, locale)
    field = app.number_input(key=f"train:{name}")
    assert not field.proto.has_min, "with bounds the browser keeps what is wrong to itself"
    assert not field.proto.has_max
    field.set_value(value).run()
    with use("zh_CN" if locale == "zh-CN" else "en"), pytest.raises(ConfigError) as wrong:
        SETTINGS[name].check(value)
    with use("zh_CN" if locale == "zh-CN" else "en"):
        at_the_field, below = names.value_error(wrong.value), names.config_error(wrong.value)
    assert any(at_the_field in caption.value for caption in app.caption)
    assert below in app.error[0].value
    assert launch_button(app).disabled
    app.session_state[form.session_key(name)] = SETTINGS[name].default
    app.run()
    assert not app.error
    assert not launch_button(app).disabled


def test_everything_that_is_wrong_is_named_at_once(open_page: Callable) -> None:
    app = open_page(TRAIN)
    app.number_input(key="train:epochs").set_value(0)
    app.number_input(key="train:seed").set_value(-1).run()
    assert "**Epochs**: 0 cannot be used" in app.error[0].value
    assert "**Seed**: -1 cannot be used" in app.error[0].value


@pytest.mark.parametrize("locale", LOCALES)
def test_form_survives_a_change_of_language_and_of_page(open_page: Callable, locale: str) -> None:
    app = open_page(TRAIN, locale)
    app.selectbox(key="train:dataset").select("kmnist")
    app.number_input(key="train:seed").set_value(42).run()
    app.button_group(key="language_switch").set_value("en" if locale == "zh-CN" else "zh_CN").run()
    assert app.title[0].value == ("Train" if locale == "zh-CN" else "训练")
    app.switch_page("pages/start/start.py").run()
    app.switch_page(TRAIN).run()
    assert app.selectbox(key="train:dataset").value == "kmnist"
    assert app.number_input(key="train:seed").value == 42


@pytest.mark.parametrize("locale", LOCALES)
def test_unknown_run_is_named(open_page: Callable, locale: str) -> None:
    app = open_page(TRAIN, locale, run="nosuch_1")
    assert "nosuch\\_1" in app.warning[0].value
    assert launch_button(app)  # and a new one can be launched


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize(
    ("state", "epochs", "offered"),
    [
        ("queued", 0, {"stop"}),
        ("starting", 0, {"pause", "stop", "lr-apply"}),
        ("running", 3, {"pause", "stop", "lr-apply"}),
        ("paused", 3, {"play_arrow", "stop", "lr-apply"}),
        ("stopping", 3, set()),
        ("finished", 10, {"delete"}),
        ("stopped", 3, {"restart", "delete"}),
        ("failed", 3, {"restart", "delete"}),
        ("crashed", 3, {"restart", "delete"}),
    ],
)
def test_each_state_offers_what_can_be_done(
    open_page: Callable, make_run: Callable[..., Run], locale: str, state: str, epochs: int, offered: set[str]
) -> None:
    run = make_run(state, epochs=epochs, config=TrainConfig(epochs=10))
    app = open_page(TRAIN, locale, run=run.id)
    controls = {"pause", "stop", "play_arrow", "restart", "lr-apply", "delete"}
    assert keys(app) & controls == offered
    with use("zh_CN" if locale == "zh-CN" else "en"):
        assert any(names.state_badge(state) in m.value for m in app.markdown if m.value.startswith("###"))
    charts = [c for c in app.get("bidi_component") if "cnn_lab_curves" in c.proto.component_name]
    assert len(charts) == (2 if epochs or state in ("queued", "starting") else 0)


def test_live_view_says_accuracy_with_data_set_and_n(open_page: Callable, make_run: Callable[..., Run]) -> None:
    run = make_run("running", epochs=3, config=TrainConfig(epochs=10))
    app = open_page(TRAIN, run=run.id)
    figures = next(h.proto.body for h in app.get("html") if "lab-figures" in h.proto.body)
    assert f"<span>Test accuracy</span><b>{run.test_accuracy:.2%}</b>" in figures
    assert "2,000 of the first 10,000 MNIST training digits, stratified: n = 2,000." in figures
    assert "mnist-mini" in app.caption[0].value
    table = next(m.value for m in app.markdown if m.value.startswith("| Epoch"))
    assert len([line for line in table.splitlines() if line.startswith("| ")]) == 2 + 3  # head, rule, epochs


@pytest.mark.parametrize(("locale", "action"), [("en-US", "Launch again with batch size 64"), ("zh-CN", "以批大小 64")])
def test_out_of_memory_offers_what_fits(
    open_page: Callable, make_run: Callable[..., Run], store: Store, locale: str, action: str
) -> None:
    run = make_run("failed", epochs=0, error="CUDA out of memory", error_kind="out_of_memory", hint={"batch_size": 64})
    app = open_page(TRAIN, locale, run=run.id)
    again = button(app, "again:")
    assert action in again.label
    again.click().run()
    newest = store.list()[0]
    assert newest.id != run.id
    assert newest.config == run.config.replace(batch_size=64)
    assert app.query_params["run"] in (newest.id, [newest.id])


@pytest.mark.parametrize("locale", LOCALES)
def test_missing_data_set_says_what_was_tried_and_what_works(
    open_page: Callable, make_run: Callable[..., Run], store: Store, locale: str
) -> None:
    hint = {"tried": ["https://mirror/a.gz: timed out"], "folder": "/data/MNIST/raw", "files": ["a.gz", "b.gz"]}
    config = TrainConfig(dataset="mnist")
    run = make_run("failed", epochs=0, config=config, error="no", error_kind="dataset_unavailable", hint=hint)
    app = open_page(TRAIN, locale, run=run.id)
    said = app.error[0].value
    for piece in ("mirror/a.gz", "timed out", "/data/MNIST/raw", "`a.gz`, `b.gz`", "MNIST-mini"):
        assert piece in said
    button(app, "again:").click().run()
    assert store.list()[0].config.dataset == "mnist-mini"


def test_only_weights_left_offers_to_go_on_from_them(
    open_page: Callable, make_run: Callable[..., Run], store: Store
) -> None:
    hint = {"fresh_state": 20, "epoch": 1.0}
    run = make_run("failed", epochs=2, error="damaged", error_kind="checkpoint_unreadable", hint=hint)
    app = open_page(TRAIN, run=run.id)
    assert "step 20" in app.error[0].value
    button(app, "go-on:").click().run()
    assert store.get(run.id).state is RunState.QUEUED
    assert [(m.kind, m.step) for m in store.marks(run.id)] == [("fresh_state", 20)]


KINDS = [
    "out_of_memory",
    "checkpoint_misfit",
    "disk_full",
    "dataset_unavailable",
    "checkpoint_unreadable",
    "killed",
    "import",
    "folder_missing",
    "diverged",
    "config",
    "error",
    "a kind of next year",
]


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("kind", KINDS)
def test_every_error_has_words_without_a_hint(
    open_page: Callable, make_run: Callable[..., Run], locale: str, kind: str
) -> None:
    run = make_run("failed", epochs=0, error="internal words", error_kind=kind, error_detail="Traceback: x")
    app = open_page(TRAIN, locale, run=run.id)
    assert "internal words" not in app.error[0].value  # those are under Details
    assert "internal words" in app.code[0].value
    assert any("\u4e00" <= sign <= "\u9fff" for sign in app.error[0].value) == (locale == "zh-CN")


@pytest.mark.parametrize(
    ("locale", "said"), [("en-US", "must be fp32 or fp16 on this GPU"), ("zh-CN", "在此 GPU 上使用 fp32 或 fp16")]
)
def test_a_setting_that_this_machine_cannot_use_is_said(
    open_page: Callable, make_run: Callable[..., Run], locale: str, said: str
) -> None:
    error = ConfigError("precision", "bf16", "fp32 or fp16 on this GPU")
    run = make_run("failed", epochs=0, error=str(error), error_kind="config", hint=error.to_dict())
    assert said in open_page(TRAIN, locale, run=run.id).error[0].value


@pytest.mark.parametrize("locale", LOCALES)
def test_a_summary_names_the_optimizer_and_no_secret(
    open_page: Callable, make_run: Callable[..., Run], store: Store, locale: str
) -> None:
    config = TrainConfig(
        optimizer="sgd", options={"momentum": 0.5}, lr=0.05, collection="abcdefgh1234", batch_size=2048
    )
    app = open_page(TRAIN, locale, run=make_run("finished", epochs=1, config=config).id)
    summary = app.caption[0].value
    for piece in ("SGD", "0.05", "0.5", "2048"):
        assert piece in summary
    assert "Adam" not in summary
    assert "abcdefgh1234" not in words(app)
    button(app, "copy:").click().run()
    launch_button(app).click().run()
    assert store.list()[0].config == config.replace(collection="")


def test_stop_rename_resume_and_delete(open_page: Callable, make_run: Callable[..., Run], store: Store) -> None:
    run = make_run("running", epochs=3, config=TrainConfig(epochs=10))
    app = open_page(TRAIN, run=run.id)
    button(app, "stop:").click().run()
    assert store.get(run.id).state is RunState.STOPPING
    done = make_run("stopped", epochs=3, config=TrainConfig(epochs=10))
    app = open_page(TRAIN, run=done.id)
    app.text_input(key=f"name:{done.id}:").set_value("  Tuesday  ").run()
    assert store.get(done.id).name == "Tuesday"
    button(app, "restart:").click().run()
    assert store.get(done.id).state is RunState.QUEUED
    button(app, "stop:").click().run()
    assert button(app, "delete:").disabled  # not before one is sure
    app.checkbox(key=f"sure:{done.id}").check().run()
    button(app, "delete:").click().run()
    assert done.id not in [r.id for r in store.list()]
    assert not app.exception
    assert launch_button(app)


def test_new_learning_rate_reaches_the_run(open_page: Callable, make_run: Callable[..., Run], store: Store) -> None:
    run = make_run("running", epochs=1, config=TrainConfig(epochs=10))
    app = open_page(TRAIN, run=run.id)
    (field,) = (n for n in app.number_input if (n.key or "").startswith("lr:"))
    assert field.value == 0.001
    field.set_value(0.0).run()
    button(app, "lr-apply:").click().run()
    assert "Learning rate" in app.toast[0].value  # refused, by name
    app.number_input(key=field.key).set_value(0.0005).run()
    button(app, "lr-apply:").click().run()
    requests = store.take_requests(run.id)
    assert requests is not None
    assert requests.lr == 0.0005
    store.add_mark(run.id, "lr", 20, 1.0, 0.0005)  # the worker's answer
    app.run()
    (field,) = (n for n in app.number_input if (n.key or "").startswith("lr:"))
    assert field.value == 0.0005
    assert "learning rate 0.001 → 0.0005" in app.caption[0].value


@pytest.mark.parametrize("locale", LOCALES)
def test_a_run_that_is_asked_to_pause_says_so_at_once(
    open_page: Callable, make_run: Callable[..., Run], store: Store, locale: str
) -> None:
    run = make_run("running", epochs=1, config=TrainConfig(epochs=10))
    app = open_page(TRAIN, locale, run=run.id)
    button(app, "pause:").click().run()
    assert store.get(run.id).is_asked
    with use("zh_CN" if locale == "zh-CN" else "en"):
        assert _("Pausing after this batch and saving a checkpoint…") in progress(app)
    assert button(app, "pause:").disabled
    store.set_state(run.id, RunState.PAUSED)
    assert not store.get(run.id).is_asked
    app.run()
    button(app, "play_arrow:").click().run()
    assert store.get(run.id).is_asked  # until its process goes on


def test_settings_of_a_run_can_be_used_again(open_page: Callable, make_run: Callable[..., Run], store: Store) -> None:
    config = TrainConfig(dataset="kmnist", epochs=4, seed=9, precision="bf16", init="shipped")
    app = open_page(TRAIN, run=make_run("finished", epochs=4, config=config).id)
    button(app, "copy:").click().run()
    shown = form.shown_values(config)
    assert {field: app.session_state[form.session_key(field)] for field in shown} == shown
    assert "run" not in app.query_params
    launch_button(app).click().run()
    assert store.list()[0].config == config


def test_list_is_newest_first_and_opens_a_run(open_page: Callable, make_run: Callable[..., Run]) -> None:
    made = [make_run("finished", epochs=1) for _ in range(14)]
    app = open_page(TRAIN)
    listed = [b.key.removeprefix("open-run-") for b in app.button if b.key and b.key.startswith("open-run-")]
    assert listed == [run.id for run in reversed(made)][:12]
    button(app, f"open-run-{made[5].id}").click().run()
    assert app.query_params["run"] in (made[5].id, [made[5].id])
    assert any(made[5].title.split(" · ")[0] in m.value for m in app.markdown)


@pytest.mark.parametrize(("locale", "said"), [("en-US", "cannot be read or written"), ("zh-CN", "无法读写")])
def test_a_store_that_cannot_be_opened_is_said(
    open_page: Callable, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, locale: str, said: str
) -> None:
    file = tmp_path / "a-file"
    file.write_text("not a folder")
    monkeypatch.setenv("CNN_DEMO_HOME", str(file / "runs"))
    app = open_page(TRAIN, locale)
    assert said in app.error[0].value
    assert str(file) in app.caption[0].value


def test_fine_tune_fills_the_form_with_the_first_weights(
    open_page: Callable, store: Store, make_run: Callable[..., Run]
) -> None:
    run = make_run("finished", config=TrainConfig(epochs=3, lr=0.002))
    app = open_page(TRAIN, run=run.id)
    button(app, "fine-tune:").click().run()
    assert not app.exception
    assert run.id in words(app)
    app.selectbox(key="train:dataset").select("cifar10").run()
    assert launch_button(app).disabled
    assert "3 × 32 × 32" in app.error[0].value
    assert "1 × 28 × 28" in app.error[0].value
    app.selectbox(key="train:dataset").select("fashion-mnist")
    app.number_input(key="train:freeze").set_value(2).run()
    assert not app.error
    launch_button(app).click().run()
    assert not app.exception
    (made,) = (other for other in store.list() if other.id != run.id)
    assert made.config == run.config.replace(dataset="fashion-mnist", init=run.id, freeze=2)


@pytest.mark.parametrize(("locale", "said"), [("en-US", "The last layer began afresh"), ("zh-CN", "最后一层")])
def test_a_fresh_last_layer_is_said_on_the_page_of_the_run(
    open_page: Callable, store: Store, make_run: Callable[..., Run], locale: str, said: str
) -> None:
    run = make_run("finished", config=TrainConfig(init="shipped", dataset="fashion-mnist"))
    assert said not in words(open_page(TRAIN, locale, run=run.id))
    store.add_mark(run.id, "fresh_head", 0, 0.0)
    assert said in words(open_page(TRAIN, locale, run=run.id))


def test_a_run_gets_a_name_when_it_is_launched(open_page: Callable, store: Store) -> None:
    app = open_page(TRAIN)
    app.text_input(key="train:name").set_value("  mine  ").run()
    launch_button(app).click().run()
    assert [run.name for run in store.list()] == ["mine"]


def test_presets_say_what_they_are_for_on_what_and_how_long(open_page: Callable) -> None:
    app = open_page(TRAIN)
    helps = {(b.key or "").rpartition(":")[2]: b.help for b in app.button if (b.key or "").startswith("train:preset:")}
    assert "two convolutions and Adam" in helps["textbook"]
    assert "data set: mnist " in helps["textbook"]
    assert "data set: mnist-mini" in helps["quick"]
    assert all("about **" in text for text in helps.values())


def test_the_list_says_in_what_runs_differ(open_page: Callable, make_run: Callable[..., Run]) -> None:
    make_run("finished", config=TrainConfig(epochs=3))
    make_run("finished", config=TrainConfig(epochs=3, lr=0.01, schedule="cosine", ema=0.9, seed=4))
    told = [element.value for element in open_page(TRAIN).markdown if "mnist-mini" not in element.value]
    told = [text for text in told if ":small[:gray[" in text and "badge[" in text]
    assert len(told) == 2, told
    assert "learning rate 0.01" in told[0]
    assert "…" in told[0]  # more than three
    assert "learning rate" not in told[1]
    assert "epochs" in told[1]


@pytest.mark.parametrize(
    ("rate", "advice"), [(5.0, "most likely too high"), (1e-5, "may be too low"), (None, "The loss says more")]
)
def test_a_run_that_has_not_learnt_is_no_success(
    open_page: Callable, make_run: Callable[..., Run], store: Store, rate: float | None, advice: str
) -> None:
    config = TrainConfig(epochs=1) if rate is None else TrainConfig(epochs=1, lr=rate)
    run = make_run("finished", epochs=1, config=config)
    metrics = {f"{split}_{name}": value for split in ("train", "test") for name, value in GUESSING.items()}
    store.add_epoch(run.id, 1, 20, {"lr": 1e-3, "seconds": 2.5, "samples_per_second": 4321.0, **metrics}, best=False)
    (warning,) = open_page(TRAIN, run=run.id).warning
    assert "It has not learnt: 9.80% of 2,000 test images are right, and guessing gets 10.00%" in warning.value
    assert advice in warning.value
    good = make_run("finished", epochs=2, config=config)
    assert not open_page(TRAIN, run=good.id).warning


def test_a_run_that_has_ended_leads_on(open_page: Callable, make_run: Callable[..., Run]) -> None:
    run = make_run("finished")
    app = open_page(TRAIN, run=run.id)
    links = {link.proto.page: link.proto.query_string for link in app.get("page_link")}
    assert links["draw"] == f"net={run.id}"
    assert links["feature_maps"] == f"net={run.id}"
    button(app, "copy:").click().run()
    assert "run" not in app.query_params
    training = make_run("running")
    assert not [link for link in open_page(TRAIN, run=training.id).get("page_link") if link.proto.page == "draw"]


def test_a_queued_run_says_what_is_before_it_and_how_long(open_page: Callable, make_run: Callable[..., Run]) -> None:
    make_run("running", epochs=1, config=TrainConfig(epochs=11), name="The one before")
    run = make_run("queued", epochs=0)
    said = progress(open_page(TRAIN, run=run.id))
    assert "The one before is before it." in said
    assert "It starts in about " in said


@pytest.mark.parametrize(
    ("activity", "words"),
    [
        ({"doing": "samples", "done": 0.4, "total": 1.0}, "drawing more digits with pens, 40% done"),
        ({"doing": "compile", "done": 0.0, "total": 1.0}, "compiling the network for this device"),
        ({"doing": "load", "file": "mnist"}, "loading PyTorch and the images"),
    ],
)
def test_a_starting_run_says_what_it_does(
    open_page: Callable, make_run: Callable[..., Run], store: Store, activity: dict[str, object], words: str
) -> None:
    run = make_run("starting", epochs=0)
    store.change_run(run.id, activity=activity)
    app = open_page(TRAIN, run=run.id)
    (bar,) = (bar.proto for bar in app.get("progress"))
    assert words in bar.text
    assert bar.value == (40 if activity["doing"] == "samples" else 0)

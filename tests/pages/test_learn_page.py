"""The page Learn by AppTest: the list, every lesson in both languages, controls and the address, guess, questions."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from cnn_demo.lessons.contents import CHAPTERS, load_lesson
from cnn_demo.lessons.controls import draw_random_values, write_values
from cnn_demo.lessons.questions import start_stream

NAMES = [chapter.name for chapter in CHAPTERS]


PAGE = "pages/learn/learn.py"


@pytest.fixture
def learn(open_page: Callable[..., AppTest]) -> Callable[..., AppTest]:
    return lambda locale="en-US", **params: open_page(PAGE, locale, **params)


def texts(app: AppTest) -> str:
    return "\n".join(str(element.value) for element in (*app.markdown, *app.title, *app.warning, *app.error, *app.info))


def test_the_list_has_all_lessons_in_both_languages(learn: Callable[..., AppTest]) -> None:
    for locale, word in (("en-US", "One convolution"), ("zh-CN", "一次卷积")):
        app = learn(locale)
        assert not app.exception
        labels = [button.label for button in app.button]
        assert len([label for label in labels if label[:1].isdigit()]) == len(NAMES)
        assert any(word in label for label in labels)
    app = learn()
    next(button for button in app.button if "Pooling" in button.label).click().run()
    assert app.title[0].value == "Pooling"
    assert app.query_params["lesson"] == "pooling"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("locale", ["en-US", "zh-CN"])
def test_a_lesson_opens_at_a_random_setting_of_a_link(name: str, locale: str, learn: Callable[..., AppTest]) -> None:
    lesson, stream = load_lesson(name), random.Random(f"{name}{locale}")
    values = draw_random_values(lesson.controls, stream)
    link = write_values(lesson.controls, values)
    app = learn(locale, lesson=name, **link)
    assert not app.exception
    for control in lesson.controls:
        key = f"learn:{name}:{control.name}"
        if key in app.session_state:
            assert app.session_state[key] == values[control.name]
    assert {key: app.query_params[key] for key in link} == link
    show_me = [button for button in app.button if button.key == f"learn:guess:{name}:"]
    if show_me:
        show_me[0].click().run()
    assert not app.exception
    app.segmented_control(key="learn:part").set_value("questions").run()
    assert not app.exception


def test_a_moved_slider_is_in_the_address_and_a_button_puts_it_back(learn: Callable[..., AppTest]) -> None:
    app = learn(lesson="convolution")
    app.slider(key="learn:convolution:stride").set_value(3).run()
    assert app.query_params["stride"] == "3"
    next(button for button in app.button if button.label == "As it was").click().run()
    assert "stride" not in app.query_params
    assert app.slider(key="learn:convolution:stride").value == 1


def test_a_link_that_cannot_be_is_said_and_loses_nothing(learn: Callable[..., AppTest]) -> None:
    app = learn(lesson="convolution", stride="99", kernel="blur", painted="zz")
    assert not app.exception
    assert "99" in texts(app)
    assert app.selectbox(key="learn:convolution:kernel").value == "blur"
    app = learn(lesson="nothing")
    assert "nothing" in texts(app)


def test_a_guess_is_judged_and_can_be_taken_back(learn: Callable[..., AppTest]) -> None:
    app = learn(lesson="convolution")  # Sobel: only the sign changes
    app.button(key="learn:guess:convolution:same").click().run()
    assert "You said “Nothing”" in texts(app)
    assert "Only the sign" in texts(app)
    next(button for button in app.button if button.label == "Guess again").click().run()
    app.button(key="learn:guess:convolution:sign").click().run()
    assert "Yes: Only the sign" in texts(app)


def test_questions_are_checked_and_answers_can_be_hidden(learn: Callable[..., AppTest]) -> None:
    question = load_lesson("convolution").ask(start_stream("convolution", 5))[0]
    app = learn(lesson="convolution", seed="5", part="questions")
    field = app.text_input(key="learn:answer:convolution:5:0")
    field.set_value("a lot").run()
    assert "“a lot” is no number" in texts(app)
    app.text_input(key="learn:answer:convolution:5:0").set_value("−1").run()
    assert "Not −1." in texts(app)
    app.text_input(key="learn:answer:convolution:5:0").set_value(str(question.answer)).run()
    assert any("Right." in element.value for element in app.success)
    app = learn(lesson="convolution", seed="5", part="questions", answers="hidden")
    app.text_input(key="learn:answer:convolution:5:0").set_value(str(question.answer)).run()
    assert not app.success
    assert "noted" in texts(app)

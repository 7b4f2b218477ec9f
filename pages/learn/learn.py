"""Learn: the mathematics of a convolutional network, one experiment a lesson."""

import streamlit as st

from cnn_demo.ui.learn import contents
from cnn_demo.ui.shared import layout
from cnn_demo.ui.shared.i18n import _

chapter = contents.find_chosen()
if chapter is None:
    layout.page_header(
        _("Learn"),
        _("The mathematics of a convolutional network: one idea a lesson, alive on your own digit and network."),
        help=_(
            "Each lesson is an experiment: move something, guess what will happen, then look. Every number comes "
            "from PyTorch. The address holds all that you set, so that you can send it; what you answered right "
            "is kept in your browser."
        ),
    )
else:
    layout.page_header(_(chapter.title), _(chapter.lead))

# The heading is on its way before torch is imported, see ``page_header``.
from cnn_demo.ui.learn import lesson_view, style, subject  # noqa: E402

style.apply_style()
if chapter is None:
    contents.say_unknown()
    contents.show_contents()
else:
    with st.container(horizontal=True, vertical_alignment="center", key="lesson-path"):
        asked = contents.show_path(chapter)
        chosen = None if asked else subject.choose_subject()
    if asked:
        lesson_view.show_questions(chapter.name)
    elif chosen is not None:
        lesson_view.show_lesson(chapter.name, chosen)

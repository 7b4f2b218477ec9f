"""What all pages share: the frame around them, and how a page begins."""

from __future__ import annotations

import logging
from pathlib import Path

import streamlit as st

from cnn_demo.runs.home import runs_home
from cnn_demo.ui.components.page_language import speak_language
from cnn_demo.ui.shared import i18n, navigation, state
from cnn_demo.ui.shared.i18n import _

log = logging.getLogger(__name__)

_ASSETS = Path(__file__).resolve().parents[2] / "assets"
ICON = str(_ASSETS / "icon.svg")

_STYLE = """
<style>
  .stMainBlockContainer { max-width: 84rem; padding-top: 3.25rem; padding-bottom: 4rem; }
  .stMainBlockContainer h1 { padding-bottom: 0; }
  /* The list of runs: names to the left, figures close under them, the chosen one marked. */
  [class*="st-key-run-row-"], [class*="st-key-run-chosen-"] {
    padding: .3rem 0 .3rem .7rem; border-left: 3px solid rgba(128, 136, 150, .25);
  }
  [class*="st-key-run-chosen-"] { border-left-color: #3b82f6; }
  [class*="st-key-open-run-"] button { padding: 0; min-height: 1.75rem; }
  [class*="st-key-open-run-"] button, [class*="st-key-open-run-"] button * {
    justify-content: flex-start; text-align: left;
  }
  [class*="st-key-start-row-"] a, [class*="st-key-first-own-"] button { padding-left: 0; }
  [class*="st-key-first-own-"] button, [class*="st-key-first-own-"] button * {
    justify-content: flex-start; text-align: left;
  }
  [class*="st-key-start-row-"] a p { font-size: 1rem; font-weight: 600; }
  /* Figures in a row (cnn_demo.ui.shared.markup.figure_row). */
  .lab-figures > div { display: grid; grid-template-columns: repeat(4, 1fr); gap: .5rem 1rem; }
  .lab-figures span { display: block; font-size: .875rem; opacity: .75; }
  .lab-figures b { font-size: 1.6rem; font-weight: 400; line-height: 1.4; font-variant-numeric: tabular-nums; }
  .lab-figures p { font-size: .8rem; opacity: .65; margin: .35rem 0 0; }
  /* PyTorch is on its way (cnn_demo.ui.shared.torch_loading). */
  .lab-loading { border: 1px dashed rgba(128, 136, 150, .5); border-radius: .75rem; padding: 2.6rem 1rem;
    text-align: center; animation: lab-breathe 1.4s ease-in-out infinite alternate; }
  @keyframes lab-breathe { from { opacity: .95; } to { opacity: .55; } }
  @media (prefers-reduced-motion: reduce) { .lab-loading { animation: none; } }
  .st-key-run-epochs [data-testid="stMarkdownContainer"] { overflow-x: auto; }
  .st-key-run-epochs table { font-size: .85rem; }
  @media (max-width: 640px) {
    .stMainBlockContainer { padding-left: 1rem; padding-right: 1rem; }
    .lab-figures > div { grid-template-columns: repeat(2, 1fr); }
    [class*="st-key-start-row-"] { row-gap: 0; padding: .35rem 0; }
    [class*="st-key-start-row-"] p, [class*="st-key-start-row-"] [data-testid="stMarkdownContainer"] { margin: 0; }
    [data-testid="stButtonGroup"], [data-testid="stButtonGroup"] > div {
      max-width: calc(100vw - 2rem); flex-wrap: wrap;
    }
  }
</style>
"""


def show_app() -> None:
    """Run the page that was asked for, inside the shared frame: the whole of ``app.py`` after the page config."""
    i18n.activate()
    page = navigation.page()
    state.note_page(page.url_path)
    try:
        page.run()
    except OSError as error:
        log.exception("the page could not be shown")
        st.error(_("This page needs a file that cannot be read or written: {reason}").format(reason=error))
        st.caption(
            _("Is there room on the disk, and may this user write to the folder of the runs? {folder}").format(
                folder=f"`{runs_home()}`"
            )
        )


def _frame() -> None:
    st.set_page_config(page_icon=ICON)
    st.html(_STYLE)
    st.logo(str(_ASSETS / "logo.svg"), size="large", icon_image=ICON)
    with st.sidebar:
        _language_switch()
        speak_language("page-language")


def _language_switch() -> None:
    key = "language_switch"
    st.session_state[key] = i18n.language()
    st.segmented_control(
        "Language · 语言",  # in both languages, for the visitor who cannot read the page
        list(i18n.LANGUAGES),
        format_func=i18n.LANGUAGES.__getitem__,
        key=key,
        required=True,
        on_change=lambda: i18n.choose_language(st.session_state[key]),
    )


def page_header(title: str, lead: str, help: str | None = None) -> None:
    """A page's heading and the sentence under it, both translated already; then the frame around the page.

    Every page begins with this. The heading is sent first: a browser that waits more than a tenth of a second for the
    first element of a cold server shows it half a second later.

    Args:
        title: the page's name.
        lead: one sentence on what this page is for.
        help: more for those who want it, in Markdown, behind a question mark beside the heading.
    """
    st.title(title, anchor=False, help=help)
    st.markdown(f":gray[{lead}]")
    _frame()


def section(title: str, help: str | None = None) -> None:
    """A heading within a page."""
    st.subheader(title, anchor=False, help=help)


def not_found(what: str) -> None:
    """Say by name that a link points to something that is not here."""
    st.warning(what, icon=":material/search_off:")
    st.caption(_("The link may be from another machine, or what it points to was deleted."))

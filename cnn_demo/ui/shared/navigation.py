"""The table of pages. A new page is one more entry here; menu and Start page follow."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st
from streamlit.runtime.pages_manager import PagesManager
from streamlit.runtime.scriptrunner import get_script_run_ctx

from cnn_demo.locales import N_
from cnn_demo.ui.shared.i18n import _


@dataclass(frozen=True, slots=True)
class Entry:
    """A page.

    Attributes:
        path: the script, from the repository root: ``pages/<section>/<page>.py``. Its stem is the address.
        title: its name in the menu, in English.
        icon: a Material symbol; its font ships with Streamlit. (Streamlit would fetch it from the
            internet as a favicon, had ``app.py`` not named a local one; a browser test watches that.)
        invitation: one sentence for the Start page's link on what one can do there; "" for pages that are no way in.
        action: what one does there, in a few words: the Start page's link says it behind the title.
    """

    path: str
    title: str
    icon: str
    invitation: str = ""
    action: str = ""


PAGES: tuple[Entry, ...] = (
    Entry("pages/start/start.py", N_("Start"), ":material/home:"),
    Entry(
        "pages/train/train.py",
        N_("Train"),
        ":material/show_chart:",
        N_("Launch a run and watch its loss fall, batch by batch. Pause it, stop it, change its learning rate."),
        N_("Train a network"),
    ),
    Entry(
        "pages/draw/draw.py",
        N_("Draw"),
        ":material/draw:",
        N_("Write a digit with mouse or finger, see what the network makes of it, and ask why."),
        N_("Ask why"),
    ),
    Entry(
        "pages/inspect/feature_maps.py",
        N_("Feature maps"),
        ":material/grid_view:",
        N_("See what every layer makes of an image, and follow one number from the output to the pixels."),
        N_("See every layer"),
    ),
    Entry(
        "pages/learn/learn.py",
        N_("Learn"),
        ":material/school:",
        N_("The mathematics in short experiments: guess, move, look, and answer."),
        N_("Understand it"),
    ),
    Entry(
        "pages/export/take_away.py",
        N_("Take away"),
        ":material/inventory_2:",
        N_("Export a network as ONNX, with 8 bits or as one HTML file, with proof that it still agrees with PyTorch."),
        N_("Take it home"),
    ),
)


def page() -> st.Page:
    """Register every page in the visitor's language and return the one that was asked for."""
    cold = PagesManager.uses_pages_directory  # nobody has called st.navigation in this server yet
    found = st.navigation(
        [st.Page(e.path, title=_(e.title), icon=e.icon, default=number == 0) for number, e in enumerate(PAGES)]
    )
    _put_away_the_dialog(bool(cold))
    return found


# The dialog is there before this script, or comes a moment later. In the page's first three seconds it is the only one
# that this can be; should the element be made anew later, it does nothing.
_PUT_AWAY = """<style>.st-key-cold { display: none; }</style>
<script>
  if (!window.cnnLabLooked) {
    window.cnnLabLooked = true;
    const close = () => document.querySelector('[role="dialog"] button[aria-label="Close"]')?.click();
    const watch = new MutationObserver(close);
    watch.observe(document.body, { childList: true, subtree: true });
    close();
    setTimeout(() => watch.disconnect(), 3000);
  }
</script>"""


_COLD_KEY = "navigation:cold"


def _put_away_the_dialog(cold: bool) -> None:
    """Close "Page not found" when this is the very first page that this server shows, and not the Start page.

    Because a folder ``pages`` lies beside ``app.py``, Streamlit 1.67 takes the first visit for an app of the old kind,
    knows none of our addresses, and opens a "Page not found" over the page, which is the right one all the same. From
    the second run on it knows better. The element stays in the session's page all the same: were it gone in the second
    run, everything below would move up one place and be made anew, and what was opened would shut.
    """
    context = get_script_run_ctx()
    if cold and context is not None and context.pages_manager.intended_page_name:
        st.session_state[_COLD_KEY] = True
    if _COLD_KEY in st.session_state:
        with st.container(key="cold"):
            st.html(_PUT_AWAY, unsafe_allow_javascript=True)


def ways_in() -> list[Entry]:
    """The pages that invite a visitor, in the order of the menu."""
    return [entry for entry in PAGES if entry.invitation]

"""Start: the first network in three steps, then what is trained here and what this machine offers."""

from cnn_demo.ui.shared import layout
from cnn_demo.ui.shared.i18n import _

layout.page_header(
    _("CNN Lab"),
    _("Your first network in a minute: draw a digit, watch a network learn to read it, and look inside."),
    help=_(
        "The network trains on this machine with images that ship with the app. It never learns from your drawing: "
        "it only says, from report to report, what it makes of it. The run keeps the digit, so whoever opens the run "
        "on the Train page sees it."
    ),
)

# The heading is on its way before the rest is imported, see ``page_header``.
from cnn_demo.ui.shared.store import get_store  # noqa: E402
from cnn_demo.ui.start import inside, next_step, overview, own_runs, steps, style  # noqa: E402

style.apply()
store = get_store()
own = own_runs.list_own_runs(store)
newest = own[0] if own else None
steps.show_steps(store, newest)
inside.show_inside(newest)

if own:
    next_step.show_next_step(own)
    layout.section(_("Your networks"))
    overview.show_own_networks(own)

layout.section(_("What is trained"))
overview.show_trained(store, own)

layout.section(_("This machine"))
overview.machine_facts()
steps.scroll_up()

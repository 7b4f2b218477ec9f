"""Start: what can be done here, what this machine offers, what is trained already."""

from cnn_demo.ui.shared import layout
from cnn_demo.ui.shared.i18n import _

layout.page_header(
    _("CNN Lab"),
    _("Train a convolutional network in the browser, and look inside it while it learns."),
)

# The heading is on its way before the rest is imported, see ``page_header``.
from cnn_demo.ui.shared.store import get_store  # noqa: E402
from cnn_demo.ui.start import overview  # noqa: E402

overview.ways_in()

layout.section(_("What is trained"))
overview.trained(get_store())

layout.section(_("This machine"))
overview.machine_facts()

"""The store as the pages share it: opened when it is asked for, not before."""

from __future__ import annotations

import subprocess
import sys


def test_the_heading_of_a_page_does_not_wait_for_sqlalchemy() -> None:
    code = (
        "import sys; import cnn_demo.ui.shared.picker, cnn_demo.ui.shared.store, cnn_demo.ui.start.overview;"
        "import cnn_demo.ui.train.form, cnn_demo.ui.train.run_list, cnn_demo.ui.train.run_view;"
        "assert 'sqlalchemy' not in sys.modules;"
        "cnn_demo.ui.shared.store.get_store(); assert 'sqlalchemy' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)

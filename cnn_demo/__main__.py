"""``python -m cnn_demo``: the command line."""

import sys

from cnn_demo.cli import main

sys.exit(main())

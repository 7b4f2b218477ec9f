"""CNN Lab's package: data, models, training, runs and inspection, with or without the app.

``import cnn_demo`` is light: nothing here imports torch or streamlit. Import what you use, for example
``from cnn_demo.training.loop import fit``.
"""

import os

__version__ = "0.1.0"

# OpenMP's threads spin while they wait for each other. As soon as anything else wants a core (a viewer of the app is
# enough), the spinning steals it from the thread that is waited for, and training slows down several times over.
# Sleeping costs next to nothing. OpenMP reads this once, when torch is loaded. A value that is set in the environment
# already is kept.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

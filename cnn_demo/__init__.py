"""CNN Lab's package: data, models, training, runs and inspection, with or without the app.

``import cnn_demo`` is light: nothing here imports torch or streamlit. Import what you use, for example
``from cnn_demo.training import fit``.
"""

__version__ = "0.1.0"

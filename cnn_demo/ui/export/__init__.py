"""The page Take away: choose a network and formats, have them made and checked, read the receipt, download.

Only ``pages/export`` imports it; it imports ``cnn_demo.export`` and the shared parts of the ui. Start reading at
``export_process.py``.
"""

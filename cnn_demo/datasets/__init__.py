"""Data sets: what they are, where they come from, and how they get to the training device.

May import `settings` and `locales`. `specs.py` and `files.py` import no PyTorch, so a page can ask what is there.
Start reading in `specs.py`, then `load.py`.
"""

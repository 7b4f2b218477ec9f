"""Training and evaluation: a generator of events, for the app, the command line and a notebook alike.

May import `settings`, `datasets`, `handwriting`, `drawing` and `models`; knows nothing of who listens.
Start reading in `trainer.py`, which holds the step; `loop.py` repeats it.
"""

"""Digits that are written here: synthetic strokes, recordings of real pens, and digits of a data set drawn again.

May import `settings` and `datasets`; training and calibration take samples from here, and `drawing` MNIST's frame.
Start reading in `samples.py`, then `strokes.py`.
"""

"""Synthetic and real pens: strokes, ink, skeletons of the digits, and writing a digit again with another pen.

May import `settings` and `datasets`; training and calibration take samples from here.
Start reading in `strokes.py`.
"""

"""Networks that answer: one grammar for naming them, one cache, calibration, and one predictor.

May import everything up to `training` and `inspect`, and never `runs`, which hands its checkpoints in.
Start reading in `predictor.py`.
"""

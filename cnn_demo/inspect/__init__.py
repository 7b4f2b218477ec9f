"""Looking inside a network without touching it: activations, receptive fields, the arithmetic of one unit, attribution.

May import everything up to `models`, and `plots`. Start reading in `capture.py`.
"""

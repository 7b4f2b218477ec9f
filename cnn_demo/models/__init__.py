"""The networks: one table of names (`registry`), one readable file per family.

May import `settings`, `locales` and `datasets`. Everything from `training` up builds models through `registry`.
Start reading in `registry.py`, then `cnn.py`.
"""

"""The networks: one table of names (`registry`), one readable file per family.

May import `settings` and `locales`. Everything from `training` up builds models through `registry.create_model`.
Start reading in `registry.py`, then `cnn.py`.
"""

"""Arrays to pictures: tiles of feature maps, figures to download, and the palette. Pure functions.

May import nothing of ours but `locales`. Start reading in `tiles.py`.
"""

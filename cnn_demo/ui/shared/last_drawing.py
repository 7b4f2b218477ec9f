"""What a visitor drew or uploaded last, and from where a picture comes: what the pages hand on to each other."""

from __future__ import annotations

LAST = "drawing_image"  # in the session: the last drawing or upload as an array of uint8, or None
SOURCE = "draw:source"  # in the session: drawn, a sample or an upload; in the address it is ``from``

"""What a visitor drew or uploaded last: what the pages hand on to each other."""

from __future__ import annotations

LAST = "drawing_image"  # in the session: the last drawing or upload as an array of uint8, or None

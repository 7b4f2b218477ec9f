"""The Draw page. Start reading in `sections.py`."""

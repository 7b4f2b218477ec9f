"""The Start page. Start reading in `overview.py`."""

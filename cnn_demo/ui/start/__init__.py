"""The Start page. Start reading in `steps.py`."""

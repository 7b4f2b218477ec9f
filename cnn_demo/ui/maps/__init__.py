"""The Feature maps page. Start reading in `scenes.py`."""

"""What a run is told: one description per setting yields validation, form, flags, summary and difference.

Imports nothing of ours but `locales` and nothing heavy, so that a page can check a form before PyTorch is loaded.
Start reading in `description.py`, then `config.py`.
"""

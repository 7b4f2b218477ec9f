"""What all pages share: frame, words, language, pickers, charts. Start reading in `layout.py`."""

"""Taking a network home: one entry per format in `formats`, and the receipt that says whether it still agrees.

May import `prediction` and everything below it. Start reading in `formats.py`.
"""

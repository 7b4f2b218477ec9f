"""Code that goes into a bundle as it stands: it needs NumPy alone, and imports nothing of this package.

The preparation of pictures is not here: a bundle gets the files of `drawing`, see `preparation_code.py`.
"""

"""The mathematics of a convolutional network as small functions: torch in, arrays out, no page needed.

Each idea has a file here (``convolution.py``, ``pooling.py``, …) that a notebook can import, and a file of the same
name in ``experiments`` that says what a lesson shows, what one can move, and what is asked. The page and the command
line may import this room; it imports ``prediction`` and what lies below. Start reading at ``lesson.py``.
"""

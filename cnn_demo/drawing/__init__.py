"""From any picture (pad, photo, file) to the input of a network, with every stage in between.

May import `settings`, `datasets` and `handwriting.mnist_frame`. The app, the command line and the benchmarks prepare
pictures here and nowhere else. Start reading in `stages.py`; `prepare.py` adds the tensor.
"""

"""Ways of writing the ten digits, as parametric pen paths.

MNIST was written by Americans: Census Bureau staff and high-school students. Elsewhere a 0 may carry a slash, a 1 an
up-stroke and a foot, a 7 a bar, and a 4 stays open. Every style draws itself with random proportions; the styles
marked ``held_out`` are for validation: a run that holds out validation samples never trains on them.

Start reading in `pen.py`, then `styles.py`.
"""

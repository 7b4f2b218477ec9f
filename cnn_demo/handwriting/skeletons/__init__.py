"""Ways of writing the ten digits, as parametric pen paths.

MNIST was written by Americans: Census Bureau staff and high-school students. Elsewhere a 0 may carry a slash, a 1 an
up-stroke and a foot, a 7 a bar, and a 4 stays open. Every style here draws itself from random proportions; the styles
marked ``held_out`` are for validation: a run that holds out validation samples never trains on them.
"""

from cnn_demo.handwriting.skeletons import five_to_nine as _five_to_nine  # noqa: F401  (registers its styles)
from cnn_demo.handwriting.skeletons import zero_to_four as _zero_to_four  # noqa: F401
from cnn_demo.handwriting.skeletons.pen import SHAPES, Path, RandomStream, Shape

__all__ = ["SHAPES", "Path", "RandomStream", "Shape"]

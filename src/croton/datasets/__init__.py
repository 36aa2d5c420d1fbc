"""Small, well-known data sets, each as three (x, y) pairs: training, validation and test.

``digits`` comes with the installation; ``mnist`` reads a local folder and fetches what is missing, with checksums.
"""

from croton.datasets.digits import digits
from croton.datasets.mnist import mnist

__all__ = ["digits", "mnist"]

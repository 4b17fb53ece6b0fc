"""Real handwritten digits as shapes.

Paper: E. Alpaydin, C. Kaynak: Optical Recognition of Handwritten Digits, 1998,
https://doi.org/10.24432/C50P49
"""

import functools

import numpy as np

from kcv.data import digit_splits
from kcv.data.scenes import shapes

_NODES = 56  # a side of a digit's field
_LEVEL = 0.5  # of the ink's greatest strength: where a stroke ends


@functools.cache
def of_split(split):
    """Returns for each digit 0..9 the rows of scikit-learn's digits in a split."""
    rows, labels = digit_splits.rows(split), digit_splits.scans()[1]
    return tuple(tuple(rows[labels[rows] == digit].tolist()) for digit in range(10))


@functools.cache
def field(sprite):
    """Returns the `Field` of a row of scikit-learn's digits."""
    image = digit_splits.scans()[0][sprite]
    image = image / image.max()
    value, slope = _spline()
    ink = value @ image @ value.T
    slope = np.hypot(value @ image @ slope.T, slope @ image @ value.T)
    # First order: exact on the zero line, which is all that an edge needs.
    distance = (ink - _LEVEL) / np.maximum(slope, 0.5)
    return shapes.make_field(np.clip(distance, -0.5, 0.5))


@functools.cache
def _spline():
    """Catmull-Rom weights (n, 8) of the pixels at the nodes, and their derivatives.

    The 8 pixels fill [-1, 1]; beyond them there is no ink.
    """
    nodes = np.linspace(-shapes.REACH, shapes.REACH, _NODES)
    centers = (np.arange(8) + 0.5) / 4 - 1
    offset = (nodes[:, None] - centers) * 4  # pixels
    x = np.abs(offset)
    near, far = x < 1, x < 2
    value = np.where(
        near, (1.5 * x - 2.5) * x * x + 1, ((2.5 - 0.5 * x) * x - 4) * x + 2
    )
    slope = np.where(near, (4.5 * x - 5) * x, (5 - 1.5 * x) * x - 4) * np.sign(offset)
    return (value * far).astype(np.float32), (4 * slope * far).astype(np.float32)

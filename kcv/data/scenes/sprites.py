"""Real handwritten digits as shapes.

Paper: E. Alpaydin, C. Kaynak: Optical Recognition of Handwritten Digits, 1998,
https://doi.org/10.24432/C50P49
"""

import functools
import hashlib

import numpy as np
from sklearn import datasets

from kcv.data.scenes import shapes

_NODES = 56  # a side of a digit's field
_LEVEL = 0.5  # of the ink's greatest strength: where a stroke ends
_TENTHS = {"test": (0, 1), "validation": (2,), "train": (3, 4, 5, 6, 7, 8, 9)}


@functools.cache
def of_split(split):
    """Returns for each digit 0..9 the rows of scikit-learn's digits in a split.

    The SHA-256 of a digit's pixels decides, as in `kcv.data.digits`.
    """
    data = datasets.load_digits()
    small = data.images.astype(np.float32) * (255 / 16)
    tenths = [
        int.from_bytes(hashlib.sha256(image.astype(np.uint8).tobytes()).digest()) % 10
        for image in small
    ]
    inside = np.isin(tenths, _TENTHS[split])
    return tuple(
        tuple(np.flatnonzero(inside & (data.target == digit)).tolist())
        for digit in range(10)
    )


@functools.cache
def field(sprite):
    """Returns the `Field` of a row of scikit-learn's digits."""
    image = _images()[sprite] / _images()[sprite].max()
    value, slope = _spline()
    ink = value @ image @ value.T
    slope = np.hypot(value @ image @ slope.T, slope @ image @ value.T)
    # First order: exact on the zero line, which is all that an edge needs.
    distance = (ink - _LEVEL) / np.maximum(slope, 0.5)
    return shapes.make_field(np.clip(distance, -0.5, 0.5))


@functools.cache
def _images():
    return datasets.load_digits().images.astype(np.float32)


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

"""Which of scikit-learn's handwritten digits belong to which split, everywhere here.

Paper: E. Alpaydin, C. Kaynak: Optical Recognition of Handwritten Digits, 1998,
https://doi.org/10.24432/C50P49
"""

import functools
import hashlib

import numpy as np
from sklearn import datasets

_TENTHS = {"test": (0, 1), "validation": (2,), "train": (3, 4, 5, 6, 7, 8, 9)}


@functools.cache
def scans():
    """Returns images float32 (1797, 8, 8), ink 0..16, and labels int32 (1797,)."""
    data = datasets.load_digits()
    return data.images.astype(np.float32), data.target.astype(np.int32)


def rows(split):
    """Returns the rows of `scans` in a split, int64 (n,).

    The SHA-256 of a digit's 8 x 8 pixels decides (test 20 %, validation 10 %, train
    70 %), so that equal images never lie in two splits and no seed changes them.
    """
    return np.flatnonzero(np.isin(_tenths(), _TENTHS[split]))


@functools.cache
def _tenths():
    return [
        int.from_bytes(hashlib.sha256(image.astype(np.uint8).tobytes()).digest()) % 10
        for image in scans()[0]
    ]

"""The 1797 real handwritten digits that scikit-learn ships, enlarged to 64 x 64.

Paper: E. Alpaydin, C. Kaynak: Optical Recognition of Handwritten Digits, 1998,
https://doi.org/10.24432/C50P49
"""

import functools
import hashlib

import numpy as np
from PIL import Image

from kcv.data import digit_splits, sources

IMAGE_SIZE = 64  # pixels; eight times the original


def open_split(split):
    """Returns the digits of one split as a `Source`: 0 to 9, white on black.

    `kcv.data.digit_splits` says which digits these are.
    """
    images, labels = (values[digit_splits.rows(split)] for values in _digits())
    return sources.source_in_memory(
        "digits",
        {"images": images, "labels": labels},
        lambda record, size=None: record,
        [str(digit) for digit in range(10)],
        hashlib.sha256(images.tobytes() + labels.tobytes()).hexdigest(),
    )


@functools.cache
def _digits():
    """Returns images uint8 (n, 64, 64, 1) and labels int32 (n,)."""
    scans, labels = digit_splits.scans()
    return np.stack([_enlarge(image * (255 / 16)) for image in scans]), labels


def _enlarge(image):
    """Resizes float32 (8, 8) to uint8 (64, 64, 1) with a bicubic filter."""
    large = Image.fromarray(image).resize((IMAGE_SIZE,) * 2, Image.Resampling.BICUBIC)
    return np.clip(np.rint(large), 0, 255).astype(np.uint8)[..., None]

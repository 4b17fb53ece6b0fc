"""The 1797 real handwritten digits that scikit-learn ships, enlarged to 64 x 64.

Paper: E. Alpaydin, C. Kaynak: Optical Recognition of Handwritten Digits, 1998,
https://doi.org/10.24432/C50P49
"""

import functools
import hashlib

import numpy as np
from PIL import Image
from sklearn import datasets

from kcv.data import sources

IMAGE_SIZE = 64  # pixels; eight times the original
_TENTHS = {"test": (0, 1), "validation": (2,), "train": (3, 4, 5, 6, 7, 8, 9)}


def open_split(split):
    """Returns the digits of one split as a `Source`: 0 to 9, white on black.

    The SHA-256 of a digit's 8 x 8 pixels decides its split (test 20 %, validation 10 %,
    train 70 %), so that equal images never lie in two splits and no seed changes them.
    """
    images, labels, tenths = _digits()
    rows = np.isin(tenths, _TENTHS[split])
    images, labels = images[rows], labels[rows]
    return sources.source_in_memory(
        "digits",
        {"images": images, "labels": labels},
        lambda record, size=None: record,
        [str(digit) for digit in range(10)],
        hashlib.sha256(images.tobytes() + labels.tobytes()).hexdigest(),
    )


@functools.cache
def _digits():
    """Returns images uint8 (n, 64, 64, 1), labels int32 (n,), hash tenths (n,)."""
    data = datasets.load_digits()
    small = data.images.astype(np.float32) * (255 / 16)  # scikit-learn has 0..16
    tenths = [
        int.from_bytes(hashlib.sha256(image.astype(np.uint8).tobytes()).digest()) % 10
        for image in data.images
    ]
    images = np.stack([_enlarge(image) for image in small])
    return images, data.target.astype(np.int32), np.array(tenths)


def _enlarge(image):
    """Resizes float32 (8, 8) to uint8 (64, 64, 1) with a bicubic filter."""
    large = Image.fromarray(image).resize((IMAGE_SIZE,) * 2, Image.Resampling.BICUBIC)
    return np.clip(np.rint(large), 0, 255).astype(np.uint8)[..., None]

"""Masks and keypoints, in NumPy: from what is spread over a box to pixels.

Paper: K. He et al., "Mask R-CNN", 2017, sections 3.1 (masks are resized to the box and
cut at 0.5) and 5 (keypoints), https://arxiv.org/abs/1703.06870
"""

import numpy as np

from kcv.edge.activations import sigmoid, softmax


def paste(logits, box, size) -> np.ndarray:
    """The mask of a thing in the pixels of its image.

    Args:
        logits: float (m, m), of a sigmoid, rows first, spread over the box.
        box: x1, y1, x2, y2 in pixels.
        size: (height, width) of the mask.

    Returns:
        uint8 (height, width): 1 where the middle of a pixel lies in the box and the
        probability, between bins by bilinear interpolation, is 0.5 or more.
    """
    x1, y1, x2, y2 = (float(side) for side in box)
    mask = np.zeros(size, "uint8")
    top, rows = _shares(y1, y2, size[0], len(logits))
    left, columns = _shares(x1, x2, size[1], len(logits))
    inside = rows @ sigmoid(np.asarray(logits, "float32")) @ columns.T >= 0.5
    mask[top : top + len(rows), left : left + len(columns)] = inside
    return mask


def keypoints(logits, box) -> np.ndarray:
    """The most likely place of each keypoint.

    Args:
        logits: float (m, m, k), of a softmax over the m x m bins of the box.
        box: x1, y1, x2, y2 in pixels.

    Returns:
        float32 (k, 3): x, y of the middle of the best bin in pixels, and its
        probability.
    """
    side, _, count = logits.shape
    shares = softmax(np.asarray(logits, "float32").reshape(-1, count).T)
    best = shares.argmax(axis=1)
    rows, columns = np.divmod(best, side)
    x1, y1, x2, y2 = (float(value) for value in box)
    x = x1 + (columns + 0.5) / side * (x2 - x1)
    y = y1 + (rows + 0.5) / side * (y2 - y1)
    return np.stack([x, y, shares[np.arange(count), best]], axis=1).astype("float32")


def _shares(low, high, length, bins):
    """The first pixel of a box, and the share of each bin in its pixels (n, bins)."""
    pixels = np.arange(length) + 0.5
    pixels = pixels[(pixels >= low) & (pixels < high)]
    first = int(pixels[0]) if len(pixels) else 0
    places = (pixels - low) / max(high - low, 1e-9) * bins - 0.5
    places = np.clip(places, 0, bins - 1)  # beyond the outer middles, those
    shares = np.maximum(1 - np.abs(places[:, None] - np.arange(bins)), 0)
    return first, shares.astype("float32")

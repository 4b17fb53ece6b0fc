"""Coarse masks made fine: superpixels that lie in the object.

Paper: B. Hariharan et al., "Simultaneous Detection and Segmentation", 2014, section
3.4, https://arxiv.org/abs/1407.1808

Differs from the paper: superpixels are those of Felzenszwalb and Huttenlocher; one
classifier is learned for all classes, of three figures of a superpixel.
"""

import numpy as np
from PIL import Image
from skimage import segmentation
from sklearn.linear_model import LogisticRegression

SCALE, SMALLEST = 10, 10  # k of the graph segmentation; pixels of a superpixel
FIGURES = ("coarse mask", "region", "both")  # means over a superpixel
COARSE_ALONE = np.float32([0, 1, 0, 0])  # weights: the mean of the logits decides


def superpixels(image) -> np.ndarray:
    """Labels from 0 of an image's superpixels, int (h, w); image: uint8 (h, w, 3)."""
    return segmentation.felzenszwalb(
        image / 255, SCALE, sigma=0.5, min_size=SMALLEST, channel_axis=2
    )


def spread(coarse, box, image_size) -> np.ndarray:
    """A coarse mask at the pixels of an image.

    Args:
        coarse: float (grid, grid), of the cells of the box.
        box: x1, y1, x2, y2 in whole pixels.
        image_size: (height, width).

    Returns:
        float32 (height, width), between cells by bilinear interpolation; 0 outside of
        the box.
    """
    found = np.zeros(image_size, "float32")
    x1, y1, x2, y2 = np.asarray(box).astype(int)
    picture = Image.fromarray(np.asarray(coarse, "float32"))
    found[y1:y2, x1:x2] = picture.resize(
        (x2 - x1, y2 - y1), Image.Resampling.BILINEAR, box=(0, 0, *coarse.shape[::-1])
    )
    return found


def evidence(coarse, region, labels) -> np.ndarray:
    """What is known of each superpixel.

    Args:
        coarse: float (h, w), shares of `spread`, 0..1.
        region: bool (h, w), the proposal.
        labels: int (h, w) of `superpixels`.

    Returns:
        float64 (k, 3), the means of FIGURES, -0.5..0.5 around what decides nothing.
    """
    figures = (coarse, region, coarse * region)
    return np.stack([means(x, labels) for x in figures], axis=1) - 0.5


def means(values, labels) -> np.ndarray:
    """Mean of values (h, w) over each superpixel, float64 (k,)."""
    flat = labels.ravel()
    return np.bincount(flat, np.ravel(values)) / np.bincount(flat)


def learned(figures, inside, pixels) -> np.ndarray:
    """Learns which superpixels lie in an object.

    Args:
        figures: float (n, 3) of `evidence`.
        inside: float (n,), share of each superpixel that is object.
        pixels: int (n,), of each superpixel.

    Returns:
        float32 (4,): bias and weights; COARSE_ALONE where there is nothing to learn.
    """
    labels = np.asarray(inside) >= 0.5
    if len(np.unique(labels)) < 2:
        return COARSE_ALONE
    found = LogisticRegression(C=100.0, max_iter=500)
    found.fit(figures, labels, sample_weight=np.asarray(pixels) / np.mean(pixels))
    return np.float32([found.intercept_[0], *found.coef_[0]])


def refined(figures, labels, weights) -> np.ndarray:
    """The superpixels that a classifier of `learned` takes, as a mask, bool (h, w)."""
    return (figures @ weights[1:] + weights[0] > 0)[labels]

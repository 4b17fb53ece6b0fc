"""Boxes corrected by ridge regression, class by class.

Paper: R. Girshick et al., "Rich feature hierarchies for accurate object detection and
semantic segmentation", 2014, appendix C, https://arxiv.org/abs/1311.2524
"""

import numpy as np
from scipy import linalg

from kcv.boxes.coding import encode
from kcv.boxes.iou import pairwise_iou

REGULARISATION = 1000.0  # lambda
NEAR = 0.6  # IoU with an object above which a proposal is one to learn from


def pairs(proposals, boxes):
    """Proposals that are near an object, and which one: the nearest.

    Args:
        proposals: float (n, 4), x1, y1, x2, y2 in pixels.
        boxes: float (m, 4) of the objects.

    Returns:
        (places int (k,) in proposals, objects int (k,)).
    """
    if not len(proposals) or not len(boxes):
        return np.zeros(0, int), np.zeros(0, int)
    overlaps = np.asarray(pairwise_iou(np.float32(proposals), np.float32(boxes)))
    places = np.flatnonzero(overlaps.max(axis=1) > NEAR)
    return places, overlaps[places].argmax(axis=1)


def box_regression(features, proposals, boxes, regularisation=REGULARISATION):
    """Learns the offsets of one class from features of the proposals.

    Args:
        features: float (n, d).
        proposals: float (n, 4), x1, y1, x2, y2 in pixels.
        boxes: float (n, 4), the object of each.
        regularisation: lambda of equation 5, for features of this scale.

    Returns:
        (kernel float32 (d, 4), bias float32 (4,)): features @ kernel + bias are offsets
        of `kcv.boxes.coding.decode` without variances. Zeros where there is no
        proposal, which leave boxes as they are.
    """
    if not len(features):
        return np.zeros((features.shape[1], 4), "float32"), np.zeros(4, "float32")
    targets = np.asarray(encode(np.float32(boxes), np.float32(proposals)))
    return ridge(features, targets, regularisation)


def ridge(features, targets, regularisation):
    """Least squares with a price on the kernel, none on the bias.

    Args:
        features: float (n, d), n of 1 or more.
        targets: float (n, k).
        regularisation: lambda: minimises |targets - features kernel - bias|^2 + lambda
            |kernel|^2.

    Returns:
        (kernel float32 (d, k), bias float32 (k,)).
    """
    mean, middle = features.mean(axis=0), targets.mean(axis=0)
    x, y = features - mean, np.asarray(targets - middle, features.dtype)
    if len(x) < x.shape[1]:  # the same solution from the smaller of two systems
        kernel = x.T @ _solved(x @ x.T, y, regularisation)
    else:
        kernel = _solved(x.T @ x, x.T @ y, regularisation)
    return kernel.astype("float32"), (middle - mean @ kernel).astype("float32")


def _solved(matrix, right, regularisation):
    matrix[np.diag_indices_from(matrix)] += regularisation
    return linalg.solve(matrix, right, assume_a="pos", overwrite_a=True)

"""How many objects region proposals reach: recall at N proposals, over IoU.

Paper: J. Hosang et al., "What makes for effective detection proposals?", 2015,
https://arxiv.org/abs/1502.05082
"""

import numpy as np

from kcv.boxes.iou import pairwise_iou


def best_overlaps(proposals, boxes, counts):
    """IoU of each object with the best of the first proposals.

    Args:
        proposals: float (n, 4), x1, y1, x2, y2 in pixels, best first.
        boxes: float (m, 4) of the objects.
        counts: numbers of proposals, each 1 or more.

    Returns:
        float (counts, m), 0..1; 0 where there are no proposals.

    Raises:
        ValueError: a count is below 1.
    """
    counts = np.asarray(counts)
    if counts.min() < 1:
        raise ValueError(f"{counts.min()} proposals have no recall: count from 1")
    if not len(proposals) or not len(boxes):
        return np.zeros((len(counts), len(boxes)))
    overlaps = np.asarray(pairwise_iou(np.float32(proposals), np.float32(boxes)))
    best = np.maximum.accumulate(overlaps, axis=0)
    return best[np.minimum(counts, len(best)) - 1]


def recall(proposals, boxes, counts, ious):
    """Share of the objects of all images that the first proposals reach.

    Args:
        proposals: list of float (n, 4), one of each image, best first.
        boxes: list of float (m, 4), the objects of each image; may be empty.
        counts: numbers of proposals of an image.
        ious: least overlaps with which an object is reached.

    Returns:
        float (counts, ious), 0..1.

    Raises:
        ValueError: lengths differ, or no image has an object.
    """
    if len(proposals) != len(boxes):
        raise ValueError(f"proposals of {len(proposals)} images, boxes of {len(boxes)}")
    if not sum(map(len, boxes)):
        raise ValueError(f"none of {len(boxes)} images has an object to reach")
    best = [best_overlaps(*pair, counts) for pair in zip(proposals, boxes)]
    best = np.concatenate(best, axis=1)
    return (best[:, :, None] >= np.asarray(ious)).mean(axis=1)

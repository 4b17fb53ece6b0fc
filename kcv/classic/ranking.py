"""The order of proposals: boxes that say the same as a better one come last."""

import numpy as np

from kcv.boxes.nms import nms

CANDIDATES = 2000  # of the highest score; memory and time go with its square


def spread(boxes, scores, iou_threshold: float) -> np.ndarray:
    """Orders boxes by score, those first that no better one suppresses.

    Args:
        boxes: float (n, 4), x1, y1, x2, y2.
        scores: float (n,), higher is better.
        iou_threshold: overlap with a better box from which one comes late.

    Returns:
        int (n,), all indices: those that non-maximum suppression keeps among the best
        2,000, by falling score, then all others, likewise.
    """
    order = np.argsort(-np.asarray(scores), kind="stable")
    best = order[:CANDIDATES]
    if not len(best):
        return order
    ranks = -np.arange(len(best), dtype="float32")
    found = nms(np.float32(boxes)[None, best], ranks[None], iou_threshold, len(best))
    early = np.asarray(found)[0]
    early = best[early[early >= 0]]
    return np.concatenate([early, order[~np.isin(order, early)]])

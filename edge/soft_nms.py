"""Soft non-maximum suppression on a device: overlap lowers scores, removes no box.

Paper: N. Bodla et al., "Soft-NMS: Improving Object Detection With One Line of Code",
2017, https://arxiv.org/abs/1704.04503. The choices are those of `kcv.boxes.soft_nms`.
"""

import numpy as np

from kcv.edge.boxes import checked, columns_of, overlaps


def soft_nms_linear(
    boxes, scores, iou_threshold=0.3, output_size=100, score_threshold=0.001
):
    """Scores of boxes that overlap a taken one above the threshold go times 1 - IoU.

    Args:
        boxes: float (n, 4), of one class.
        scores: float (n,), not negative.
        iou_threshold: N_t of the paper.
        output_size: how many boxes are taken at most.
        score_threshold: boxes whose score falls to it or below are not taken.

    Returns:
        indices int64 (m,) and the lowered scores float32 (m,), which fall.
    """

    def keep(iou):
        return np.where(iou > iou_threshold, 1 - iou, 1)

    return _soft(boxes, scores, keep, output_size, score_threshold)


def soft_nms_gaussian(boxes, scores, sigma=0.5, output_size=100, score_threshold=0.001):
    """Scores of boxes that overlap a taken one go times exp(-IoU^2 / sigma).

    The arguments are those of `soft_nms_linear`, but for sigma of the paper.
    """

    def keep(iou):
        return np.exp(-np.square(iou) / np.float32(sigma))

    return _soft(boxes, scores, keep, output_size, score_threshold)


def _soft(boxes, scores, keep, output_size, score_threshold):
    boxes, scores = checked(boxes, scores)
    left = np.flatnonzero(scores > score_threshold)
    columns, scores = columns_of(boxes[left]), scores[left]
    indices, taken = [], []
    while len(left) and len(indices) < output_size:
        best = scores.argmax()
        indices.append(left[best])
        taken.append(scores[best])
        common, total = overlaps(columns[:, best : best + 1], columns)
        scores = scores * keep((common / np.maximum(total, 1e-30))[0])
        scores[best] = -1
        stay = scores > score_threshold
        left, columns, scores = left[stay], columns[:, stay], scores[stay]
    return np.array(indices, "int64"), np.array(taken, "float32")

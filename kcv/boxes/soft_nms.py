"""Soft non-maximum suppression in graphs: overlap lowers scores and removes no box.

Paper: N. Bodla et al., "Soft-NMS: Improving Object Detection With One Line of Code",
2017, https://arxiv.org/abs/1704.04503
"""

from keras import ops

from kcv.boxes.formats import as_float
from kcv.boxes.iou import pairwise_iou
from kcv.boxes.nms import NOTHING, gather


def soft_nms_linear(
    boxes, scores, iou_threshold=0.3, output_size=100, score_threshold=0.001
):
    """Scores of boxes that overlap a taken one above the threshold go times 1 - IoU.

    Args:
        boxes: float (batch, n, 4), x1, y1, x2, y2, of one class.
        scores: float (batch, n), not negative.
        iou_threshold: N_t of the paper.
        output_size: how many boxes are taken at most.
        score_threshold: boxes whose score falls to it or below are not taken.

    Returns:
        indices int32 (batch, output_size), -1 where there are fewer, and the lowered
        scores, float (batch, output_size), which fall; 0 where there are fewer.
    """

    def keep(iou):
        return ops.where(iou > iou_threshold, 1 - iou, 1)

    return _soft(boxes, scores, keep, output_size, score_threshold)


def soft_nms_gaussian(boxes, scores, sigma=0.5, output_size=100, score_threshold=0.001):
    """Scores of boxes that overlap a taken one go times exp(-IoU^2 / sigma).

    The arguments are those of `soft_nms_linear`, but for sigma of the paper.
    """

    def keep(iou):
        return ops.exp(-ops.square(iou) / sigma)

    return _soft(boxes, scores, keep, output_size, score_threshold)


def _soft(boxes, scores, keep, output_size, score_threshold):
    boxes, scores = as_float(boxes, scores)
    places = ops.arange(scores.shape[1], dtype="int32")
    slots = ops.arange(output_size, dtype="int32")

    def take(i, state):
        scores, indices, taken = state
        best = ops.cast(ops.argmax(scores, axis=1), "int32")[:, None]
        score = ops.max(scores, axis=1, keepdims=True)
        here = (slots == i) & (score > score_threshold)
        indices = ops.where(here, best, indices)
        taken = ops.where(here, score, taken)
        iou = pairwise_iou(gather(boxes, best), boxes)[:, 0]
        gone = (places == best) | (scores == NOTHING)  # infinity times 0 is NaN
        scores = ops.where(gone, NOTHING, scores * keep(iou))
        return scores, indices, taken

    scores = ops.where(scores > score_threshold, scores, NOTHING)  # NaN goes, too
    blank = ops.zeros_like(scores[:, :1]) + ops.zeros((1, output_size), scores.dtype)
    state = scores, ops.cast(blank, "int32") - 1, blank
    _, indices, taken = ops.fori_loop(0, output_size, take, state)
    return indices, taken

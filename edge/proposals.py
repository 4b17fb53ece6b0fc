"""Proposals on a device, in NumPy: the boxes that are worth a second look.

The choices are those of `kcv.layers.proposals`, number by number.
"""

import numpy as np

from kcv.edge import boxes


def propose(scores, offsets, anchors, image_size, count, candidates, iou_threshold=0.7):
    """The `count` best boxes of all levels, of which none of a level overlap much.

    Args:
        scores: float (n,), any measure of objectness that rises; NaN is none.
        offsets: float (n, 4), of anchors, without variances.
        anchors: list of float32 (n of the level, 4), x1, y1, x2, y2 in pixels.
        image_size: (height, width) in pixels.
        count: of proposals.
        candidates: anchors of highest score that are compared on each level.
        iou_threshold: of two boxes of a level, above which the lower one is dropped.

    Returns:
        float32 (count, 4) within the image, by falling score; box 0 where there are
        fewer.
    """
    found, values, start = [np.zeros((0, 4), "float32")], [np.zeros(0, "float32")], 0
    for own in anchors:
        here = slice(start, start + len(own))
        start += len(own)
        some = np.asarray(scores[here], "float32")
        order = np.argsort(-some, kind="stable")[:candidates]  # NaN comes last
        moved = boxes.decode(np.asarray(offsets[here])[order], own[order])
        moved = boxes.clip(moved, image_size)
        sides = moved[:, 2:] - moved[:, :2]
        best = np.where((sides > 0).all(axis=1), some[order], -np.inf)
        kept = boxes.nms(moved, best, iou_threshold, count)
        found.append(moved[kept])
        values.append(best[kept])
    found, values = np.concatenate(found), np.concatenate(values)
    best = np.argsort(-values, kind="stable")[:count]
    answer = np.zeros((count, 4), "float32")
    answer[: len(best)] = found[best]
    return answer

"""Non-maximum suppression in graphs of fixed shapes.

Boxes are taken by falling score, and each suppresses the later ones that overlap it.
Who is suppressed depends on who is kept, so the greedy answer is found in rounds: a box
is kept if no kept one before it suppresses it, which a matrix product tells for all at
once. A round settles one more link of the longest chain of suppression; once nothing
changes, the answer is the greedy one. The product and the comparisons convert to TFLite
builtin operators. `kcv.edge.boxes` answers the same in NumPy.
"""

from keras import ops

from kcv.boxes.formats import as_float
from kcv.boxes.iou import pairwise_areas

NOTHING = float("-inf")  # the score of what is no candidate


def nms(
    boxes,
    scores,
    iou_threshold=0.5,
    output_size=100,
    score_threshold=NOTHING,
    classes=None,
    candidates=None,
    rounds=None,
):
    """Chooses the best of boxes that overlap.

    Args:
        boxes: float (batch, n, 4), x1, y1, x2, y2.
        scores: float (batch, n); NaN and minus infinity are no candidates.
        iou_threshold: of a box and a kept one, above which it is suppressed.
        output_size: how many boxes are kept at most.
        score_threshold: only higher scores are candidates.
        classes: int (batch, n): boxes suppress none of other classes. None: all are
            of one.
        candidates: how many boxes of highest score are compared, n by default; memory
            and time go with its square.
        rounds: None repeats until nothing changes (a loop in the graph); a number
            unrolls so many, which is right up to chains of that length.

    Returns:
        int32 (batch, output_size): indices of kept boxes by falling score, -1 where
        there are fewer. Of equal scores the first comes first.
    """
    boxes, scores = as_float(boxes), as_float(scores)
    number = scores.shape[1]
    candidates = min(candidates or number, number)
    scores = ops.where(scores > score_threshold, scores, NOTHING)
    scores, order = ops.top_k(scores, candidates)
    order = ops.cast(order, "int32")
    boxes = gather(boxes, order)
    common, total = pairwise_areas(boxes, boxes)
    places = ops.arange(candidates)
    can = (places[None, :] < places[:, None]) & (common > iou_threshold * total)
    if classes is not None:
        classes = ops.take_along_axis(ops.convert_to_tensor(classes), order, axis=1)
        can = can & (classes[:, :, None] == classes[:, None, :])
    # suppresses[b, j, i]: box i comes before j and overlaps it
    suppresses = ops.cast(can, "float32")
    valid = ops.cast(scores > NOTHING, "float32")[..., None]
    kept = _settled(suppresses, valid, rounds)[..., 0] > 0
    size = min(output_size, candidates)
    rank, chosen = ops.top_k(ops.where(kept, candidates - places, 0), size)
    chosen = ops.take_along_axis(order, ops.cast(chosen, "int32"), axis=1)
    chosen = ops.where(rank > 0, chosen, -1)
    return ops.pad(chosen, [[0, 0], [0, output_size - size]], constant_values=-1)


def detections(
    boxes,
    scores,
    iou_threshold=0.5,
    score_threshold=0.05,
    output_size=100,
    candidates=1000,
    rounds=None,
):
    """Non-maximum suppression within each class, of boxes scored for every class.

    Args:
        boxes: float (batch, n, 4), or (batch, n, classes, 4) where each class has its
            own, x1, y1, x2, y2.
        scores: float (batch, n, classes), without a background.
        iou_threshold: as for `nms`.
        score_threshold: only higher scores count.
        output_size: how many detections of an image.
        candidates: how many pairs of a box and a class are compared, the highest.
        rounds: as for `nms`.

    Returns:
        {"boxes": (batch, output_size, 4), "scores": (batch, output_size), "classes":
        int32 (batch, output_size), "count": int32 (batch,)}, by falling score; empty
        places have box 0, score 0 and class -1.
    """
    boxes, scores = as_float(boxes), as_float(scores)
    number, kinds = scores.shape[1:]
    candidates = min(candidates, number * kinds)
    scores, pairs = ops.top_k(ops.reshape(scores, (-1, number * kinds)), candidates)
    pairs = ops.cast(pairs, "int32")
    classes = pairs % kinds
    own = len(boxes.shape) == 4
    boxes = ops.reshape(boxes, (-1, number * kinds if own else number, 4))
    boxes = gather(boxes, pairs if own else pairs // kinds)
    kept = nms(
        *(boxes, scores, iou_threshold, output_size, score_threshold, classes),
        rounds=rounds,
    )
    return {
        "boxes": gather(boxes, kept),
        "scores": gather(scores[..., None], kept)[..., 0],
        "classes": gather(classes[..., None] + 1, kept)[..., 0] - 1,
        "count": ops.sum(ops.cast(kept >= 0, "int32"), axis=1),
    }


def gather(values, indices):
    """The values at indices, 0 where an index is -1.

    Args:
        values: (batch, n, k).
        indices: int32 (batch, m).

    Returns:
        (batch, m, k).
    """
    indices = indices[..., None]
    taken = ops.take_along_axis(values, ops.maximum(indices, 0), axis=1)
    return ops.where(indices >= 0, taken, ops.zeros_like(taken))


def _settled(suppresses, valid, rounds):
    def step(kept):
        return ops.where(ops.matmul(suppresses, kept) > 0, 0, valid)

    if rounds is not None:
        kept = valid
        for _ in range(rounds):
            kept = step(kept)
        return kept
    kept, _ = ops.while_loop(
        lambda kept, before: ops.any(kept != before),
        lambda kept, _: (step(kept), kept),
        (step(valid), valid),
    )
    return kept

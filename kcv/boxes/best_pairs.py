"""The best object of each anchor and the best anchor of each object, in graphs.

A table of 100,000 anchors with 100 objects takes 40 MB an image and each step of its
computation as much; here anchors come part by part.
"""

from typing import NamedTuple

from keras import ops

from kcv.boxes import iou as overlaps


class BestPairs(NamedTuple):
    """The best of each other.

    Args:
        iou: float (batch, n), of each anchor with its best object.
        objects: int32 (batch, n), that object; of equal ones the first.
        share: float (batch, n), of each anchor within its best crowd; None without
            crowds.
        object_iou: float (batch, m), of each object with its best anchor.
        anchors: int32 (batch, m), that anchor; of equal ones the first.
    """

    iou: object
    objects: object
    share: object
    object_iou: object
    anchors: object


def best_pairs(anchors, boxes, crowds, at_once) -> BestPairs:
    """Compares anchors with objects, and with crowds.

    Args:
        anchors: float (n, 4) for all images or (batch, n, 4), x1, y1, x2, y2.
        boxes: float (batch, m, 4), of objects; without area where there is none.
        crowds: float (batch, m, 4), likewise, or None.
        at_once: anchors that are compared at a time; None for all.

    Returns:
        BestPairs.
    """
    number = anchors.shape[-2]
    step = min(at_once or number, number)
    parts = -(-number // step)
    spare = [[0, 0]] * (anchors.ndim - 2) + [[0, parts * step - number], [0, 0]]
    lead = tuple(ops.shape(anchors)[:-2])
    anchors = ops.reshape(ops.pad(anchors, spare), (*lead, parts, step, 4))
    slots = boxes.shape[1]
    before = ops.cast(ops.arange(slots, 0, -1)[:, None], boxes.dtype)

    def compare(part):
        iou = overlaps.pairwise_iou(boxes, part)  # (batch, m, step)
        highest = ops.max(iou, axis=1)
        # ops.argmax would go over the table five times.
        first = ops.max(ops.cast(iou >= highest[:, None], iou.dtype) * before, axis=1)
        found = [highest, slots - first, ops.max(iou, axis=2)]
        if crowds is not None:
            share = overlaps.pairwise_share(part, crowds)  # (batch, step, m)
            found.append(ops.max(share, axis=2))
        return found

    by_part = ops.moveaxis(anchors, -3, 0)  # (parts, [batch,] step, 4)
    iou, objects, object_iou, *share = ops.map(compare, by_part)

    def joined(values):  # (parts, batch, step) to (batch, n)
        values = ops.moveaxis(values, 0, 1)
        return ops.reshape(values, (-1, parts * step))[:, :number]

    part = ops.cast(ops.argmax(object_iou, axis=0), "int32")  # (batch, m)
    flat = ops.reshape(anchors, (-1, step, 4))
    if lead:
        rows = ops.expand_dims(ops.arange(lead[0], dtype="int32") * parts, 1)
        candidates = ops.take(flat, part + rows, axis=0)
    else:
        candidates = ops.take(flat, part, axis=0)  # (batch, m, step, 4)
    within = overlaps.paired_iou(boxes[:, :, None], candidates)
    place = part * step + ops.cast(ops.argmax(within, axis=2), "int32")
    return BestPairs(
        joined(iou),
        ops.cast(joined(objects), "int32"),
        joined(share[0]) if share else None,
        ops.max(object_iou, axis=0),
        place,
    )

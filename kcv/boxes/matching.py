"""Which object each anchor is to find, in graphs of fixed shapes.

Papers: S. Ren et al., "Faster R-CNN", 2015, section 3.1.2,
https://arxiv.org/abs/1506.01497; T. Lin et al., "Focal Loss for Dense Object
Detection", 2017, section 4, https://arxiv.org/abs/1708.02002; W. Liu et al., "SSD",
2016, section 2.2 ("Matching strategy"), https://arxiv.org/abs/1512.02325

Differs from Faster R-CNN: of several anchors that share the best IoU with an object,
the first one alone is its best.
"""

from typing import NamedTuple

from keras import ops

from kcv.boxes import iou as overlaps
from kcv.boxes.best_pairs import best_pairs
from kcv.boxes.formats import as_float

BACKGROUND, IGNORED = -1, -2
AT_ONCE = 512  # anchors; with 100 objects a table of 200 kB, which stays in a cache
CROWD_SHARE = 0.5  # of an anchor within a crowd, from which it is no background


class Matches(NamedTuple):
    """What anchors have to do with objects.

    Args:
        objects: int32 (batch, n), the slot of each anchor's object, or BACKGROUND, or
            IGNORED: neither counts in a loss.
        iou: float (batch, n), with that object, or with the best one where there is
            none.
    """

    objects: object
    iou: object


def match(
    anchors,
    boxes,
    classes,
    foreground=0.5,
    background=0.4,
    crowd=None,
    every_object=True,
    at_once=AT_ONCE,
) -> Matches:
    """Matches anchors by thresholds of IoU.

    They are 0.7 and 0.3 for Faster R-CNN's anchors, 0.5 and 0.5 for its second stage,
    0.5 and 0.4 for RetinaNet.

    Args:
        anchors: float (n, 4) for all images or (batch, n, 4), x1, y1, x2, y2.
        boxes: float (batch, m, 4), of objects.
        classes: int (batch, m); -1 where a slot is empty.
        foreground: IoU from which an anchor has its best object.
        background: IoU below which it is background; between the two it is ignored.
        crowd: bool (batch, m), slots that hold a crowd: no anchor has to find it, and
            one that lies in it to half is not background. None: there are none.
        every_object: each object also gets its best anchor, whatever their IoU, so long
            as they overlap; of two objects with one best anchor that of higher IoU.
        at_once: anchors that are compared at a time, which bounds the memory; None for
            all of them, which suits an accelerator.

    Returns:
        Matches.

    Raises:
        ValueError: background lies above foreground.
    """
    if not 0 <= background <= foreground:
        raise ValueError(
            f"background = {background} must lie in 0..foreground = {foreground}"
        )
    anchors, boxes = map(ops.stop_gradient, as_float(anchors, boxes))
    single, crowds = _kinds(boxes, classes, crowd)
    best = best_pairs(anchors, single, crowds, at_once)
    no_object = ops.where(best.iou < background, BACKGROUND, IGNORED)
    objects = ops.where(best.iou >= foreground, best.objects, no_object)
    if crowds is not None:
        inside = (objects == BACKGROUND) & (best.share >= CROWD_SHARE)
        objects = ops.where(inside, IGNORED, objects)
    found = Matches(objects, best.iou)
    if every_object:
        wins = (best.object_iou > 0) & ~_loses(best.anchors, best.object_iou)
        found = _give(found, best.anchors, best.object_iou, wins)
    return found


def match_ssd(anchors, boxes, classes, threshold=0.5, crowd=None, at_once=AT_ONCE):
    """SSD's matching: pairs first, then every anchor with enough IoU.

    The pair of highest IoU is made, then the highest of the objects and anchors left,
    until each object that overlaps any free anchor has one of its own. All other
    anchors with an IoU of the threshold or more find their best object.

    Args:
        anchors: float (n, 4), x1, y1, x2, y2.
        boxes: float (batch, m, 4), of objects.
        classes: int (batch, m); -1 where a slot is empty.
        threshold: IoU.
        crowd: as for `match`.
        at_once: as for `match`.

    Returns:
        Matches.
    """
    anchors, boxes = map(ops.stop_gradient, as_float(anchors, boxes))
    found = match(anchors, boxes, classes, threshold, threshold, crowd, False, at_once)
    single, _ = _kinds(boxes, classes, crowd)
    # An object is refused by m - 1 anchors at most: by one for each other object.
    count = min(anchors.shape[0], boxes.shape[1])
    lists = ops.map(
        lambda image: ops.top_k(overlaps.pairwise_iou(image, anchors), count), single
    )

    def at(ranks):
        """The IoU and the anchor at each object's place in its list, (batch, m)."""
        places = ops.minimum(ranks, count - 1)[..., None]
        iou, chosen = (ops.take_along_axis(x, places, axis=2)[..., 0] for x in lists)
        return ops.where(ranks < count, iou, 0), chosen

    # Objects ask down their lists; an anchor keeps the best of those that ask. That
    # ends in the same pairs as choosing the highest of all again and again.
    def refused(ranks):
        iou, chosen = at(ranks)
        return (iou > 0) & _loses(chosen, iou)

    ranks = ops.while_loop(
        lambda ranks: ops.any(refused(ranks)),
        lambda ranks: (ranks + ops.cast(refused(ranks), "int32"),),
        (ops.zeros_like(classes, dtype="int32"),),
    )[0]
    iou, chosen = at(ranks)
    return _give(found, chosen, iou, iou > 0)


def of_objects(values, objects, otherwise):
    """What anchors' objects have: classes, boxes, anything that has slots.

    Args:
        values: (batch, m, ...).
        objects: int32 (batch, n), of Matches.
        otherwise: a number for anchors without an object.

    Returns:
        (batch, n, ...), of the dtype of values.
    """
    batch, slots = ops.shape(values)[:2]
    rows = ops.expand_dims(ops.arange(batch, dtype="int32") * slots, 1)
    flat = ops.reshape(values, (-1, *values.shape[2:]))
    taken = ops.take(flat, rows + ops.maximum(objects, 0), axis=0)
    known = ops.reshape(objects >= 0, (*ops.shape(objects), *[1] * (taken.ndim - 2)))
    return ops.where(known, taken, ops.cast(otherwise, taken.dtype))


def _kinds(boxes, classes, crowd):
    """Boxes of objects and of crowds (or None); those of other slots become 0."""
    known = ops.convert_to_tensor(classes) >= 0
    if crowd is None:
        return ops.where(known[..., None], boxes, 0), None
    crowd = ops.cast(crowd, "bool")
    return tuple(
        ops.where((known & kind)[..., None], boxes, 0) for kind in (~crowd, crowd)
    )


def _loses(anchors, iou):
    """Whether an object's anchor is wanted by one of higher IoU, or equal and first."""
    same = anchors[:, :, None] == anchors[:, None, :]
    mine, other = iou[:, :, None], iou[:, None, :]
    slots = ops.arange(iou.shape[1])
    first = slots[None, :] < slots[:, None]
    return ops.any(same & ((other > mine) | ((other == mine) & first)), axis=2)


def _give(found, anchors, iou, given):
    """Gives objects their anchors, of which no two are the same."""
    batch, number = ops.shape(found.objects)
    slots = ops.broadcast_to(ops.arange(iou.shape[1], dtype="int32"), ops.shape(iou))
    rows = ops.expand_dims(ops.arange(batch, dtype="int32") * (number + 1), 1)
    # A column more takes what is not given.
    places = ops.reshape(rows + ops.where(given, anchors, number), (-1, 1))

    def put(values, new):
        flat = ops.reshape(ops.pad(values, [[0, 0], [0, 1]]), (-1,))
        flat = ops.scatter_update(flat, places, ops.reshape(new, (-1,)))
        return ops.reshape(flat, (-1, number + 1))[:, :number]

    return Matches(put(found.objects, slots), put(found.iou, iou))

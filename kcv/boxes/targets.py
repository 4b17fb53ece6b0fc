"""What the heads of a detector of one stage are to answer at each anchor.

Papers: W. Liu et al., "SSD", 2016, section 2.2, https://arxiv.org/abs/1512.02325;
T. Lin et al., "Focal Loss for Dense Object Detection", 2017, section 4,
https://arxiv.org/abs/1708.02002
"""

from typing import NamedTuple

from keras import ops

from kcv.boxes.coding import NO_VARIANCES, SSD_VARIANCES, encode
from kcv.boxes.formats import as_float
from kcv.boxes.matching import match, match_ssd, of_objects


class Targets(NamedTuple):
    """Targets of the anchors of a batch, without gradients.

    Args:
        classes: int32 (batch, n), of each anchor's object, or matching.BACKGROUND, or
            matching.IGNORED. Anchors of 0 or more are the positive ones.
        offsets: float (batch, n, 4), from the anchor to its object; 0 where there is
            none.
    """

    classes: object
    offsets: object


def targets(matches, anchors, boxes, classes, variances=NO_VARIANCES) -> Targets:
    """Writes out what each anchor has to say of its object.

    Args:
        matches: matching.Matches of the anchors.
        anchors: float (n, 4) for all images or (batch, n, 4), x1, y1, x2, y2.
        boxes: float (batch, m, 4), of objects.
        classes: int (batch, m); -1 where a slot is empty.
        variances: what the offsets are divided by; see coding.encode.

    Returns:
        Targets.
    """
    objects = ops.convert_to_tensor(matches.objects)
    anchors, boxes = map(ops.stop_gradient, as_float(anchors, boxes))
    own = of_objects(ops.cast(classes, "int32"), objects, 0)
    own = ops.where(objects >= 0, own, ops.cast(objects, "int32"))
    # An anchor without an object is its own: its offsets are 0.
    places = of_objects(boxes, objects, 0)
    places = ops.where(ops.expand_dims(objects >= 0, -1), places, anchors)
    return Targets(own, encode(places, anchors, variances))


def ssd_targets(anchors, boxes, classes, threshold=0.5, crowd=None) -> Targets:
    """Targets of SSD: each object has a default box, and all boxes of enough IoU.

    Args:
        anchors: float (n, 4), x1, y1, x2, y2 in pixels.
        boxes: float (batch, m, 4), of objects, in pixels.
        classes: int (batch, m); -1 where a slot is empty.
        threshold: IoU from which a default box finds its best object.
        crowd: bool (batch, m), slots that hold a crowd; see matching.match.

    Returns:
        Targets, offsets over the variances 0.1, 0.1, 0.2, 0.2.
    """
    found = match_ssd(anchors, boxes, classes, threshold, crowd)
    return targets(found, anchors, boxes, classes, SSD_VARIANCES)


def retinanet_targets(
    anchors, boxes, classes, foreground=0.5, background=0.4, crowd=None
) -> Targets:
    """Targets of RetinaNet: two thresholds, and the best anchor of each object.

    Args:
        anchors: float (n, 4) or (batch, n, 4), x1, y1, x2, y2 in pixels.
        boxes: float (batch, m, 4), of objects, in pixels.
        classes: int (batch, m); -1 where a slot is empty.
        foreground: IoU from which an anchor has its best object.
        background: IoU below which it is background.
        crowd: bool (batch, m), slots that hold a crowd; see matching.match.

    Returns:
        Targets, offsets without variances.
    """
    found = match(anchors, boxes, classes, foreground, background, crowd)
    return targets(found, anchors, boxes, classes)

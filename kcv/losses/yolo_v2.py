"""Loss of YOLOv2: sums of squares and a cross-entropy.

Paper: J. Redmon, A. Farhadi, "YOLO9000", 2017, section 2,
https://arxiv.org/abs/1612.08242; the loss is only in the authors' code (region layer)

Differs from that code: of two objects that want one anchor, the first slot gets it. The
warm-up, which pulls all boxes towards their anchors over the first 12,800 images, is
left out.

Returns terms by name, weighted, one value an example; the loss is their sum. Outputs
are those of `kcv.models.detection.yolo_v2`. Truth stands in slots: boxes are float
(batch, m, 4), x1, y1, x2, y2 in pixels, classes int (batch, m), -1 where a slot is
empty. Give crowds as empty slots.
"""

from keras import ops

from kcv.boxes.cells import objects_of_cell_anchors, used_slots
from kcv.boxes.coding import decode_sigmoid, encode_sigmoid
from kcv.boxes.formats import areas
from kcv.boxes.iou import paired_iou, pairwise_iou
from kcv.boxes.matching import of_objects

OBJECT_WEIGHT = 5.0  # object_scale
IGNORE_IOU = 0.6  # a box this good is no background


def yolo_v2_loss(
    boxes, classes, outputs, anchors, image_size, stride=32, ignore_iou=IGNORE_IOU
):
    """Places, sizes, objectness and classes, with the weights of the authors' code.

    Squares are halved, since that code writes gradients, so that they keep their
    weight beside the cross-entropy. Small boxes' places count up to twice.

    Args:
        boxes: float (batch, m, 4), of objects.
        classes: int (batch, m).
        outputs: {"scores": (batch, n, classes), "objectness": (batch, n), "offsets":
            (batch, n, 4)}, before sigmoid and softmax.
        anchors: float (n, 4), of `yolo_v2_anchors`.
        image_size: (height, width) in pixels.
        stride: side of a cell, in pixels.
        ignore_iou: IoU with any object, above which an answered box is no background.

    Returns:
        {"centres", "sizes", "objects", "background", "classes"}, float (batch,) each.
    """
    slots = objects_of_cell_anchors(boxes, classes, anchors, stride)
    scores = ops.cast(outputs["scores"], "float32")
    labels = ops.one_hot(of_objects(classes, slots, 0), scores.shape[-1])
    surprise = -ops.sum(labels * ops.log_softmax(scores, axis=-1), axis=-1)
    terms = box_terms(
        boxes, classes, slots, outputs, anchors, image_size, stride, ignore_iou
    )
    return {**terms, "classes": _sum(ops.cast(slots >= 0, "float32"), surprise)}


def box_terms(
    boxes, classes, slots, outputs, anchors, image_size, stride, ignore_iou=IGNORE_IOU
):
    """The terms of `yolo_v2_loss` that know no classes.

    Args:
        boxes: as for `yolo_v2_loss`.
        classes: likewise; they only say which slots are empty.
        slots: int (batch, n), of `objects_of_cell_anchors`.
        outputs: {"objectness": (batch, n), "offsets": (batch, n, 4)}.
        anchors: as for `yolo_v2_loss`.
        image_size: likewise.
        stride: likewise.
        ignore_iou: likewise.

    Returns:
        {"centres", "sizes", "objects", "background"}, float (batch,) each.
    """
    values = boxes, anchors, outputs["objectness"], outputs["offsets"]
    boxes, anchors, objectness, offsets = (ops.cast(x, "float32") for x in values)
    found = ops.cast(slots >= 0, "float32")  # (batch, n)
    truth = of_objects(boxes, slots, 0.0)
    wanted = encode_sigmoid(truth, anchors, stride)
    guess = decode_sigmoid(ops.stop_gradient(offsets), anchors, stride)
    known = ops.where(used_slots(boxes, classes)[..., None], boxes, 0.0)
    best = ops.max(pairwise_iou(guess, known), axis=-1)
    free = (1 - found) * ops.cast(best <= ignore_iou, "float32")

    height, width = image_size
    weight = found * (2 - areas(truth) / (height * width)) / 2
    centres = ops.square(ops.sigmoid(offsets[..., :2]) - wanted[..., :2])
    sizes = ops.square(offsets[..., 2:] - wanted[..., 2:])
    confidence = ops.sigmoid(objectness)
    right = ops.square(confidence - paired_iou(guess, truth)) / 2
    return {
        "centres": _sum(weight, ops.sum(centres, axis=-1)),
        "sizes": _sum(weight, ops.sum(sizes, axis=-1)),
        "objects": OBJECT_WEIGHT * _sum(found, right),
        "background": _sum(free, ops.square(confidence) / 2),
    }


def _sum(weights, values):
    return ops.sum(weights * values, axis=1)

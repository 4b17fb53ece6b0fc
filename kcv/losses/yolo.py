"""Losses of YOLO and YOLOv2: sums of squares, and who is to find what.

Papers: J. Redmon et al., "You Only Look Once", 2016, section 2.2,
https://arxiv.org/abs/1506.02640; J. Redmon, A. Farhadi, "YOLO9000", 2017, section 2,
https://arxiv.org/abs/1612.08242, whose loss is only in the authors' code (region layer)

Differs from the papers: of two objects that want one cell or one anchor, the first slot
gets it. YOLOv2's warm-up, which pulls all boxes towards their anchors over the first
12,800 images, is left out.

Both return their terms by name, weighted, one value an example; the loss is their sum.
Outputs are those of `kcv.models.detection`. Truth stands in slots: boxes are float
(batch, m, 4), x1, y1, x2, y2 in pixels, classes int (batch, m), -1 where a slot is
empty. Give crowds as empty slots.
"""

from keras import ops

from kcv.boxes.coding import decode_sigmoid, encode_sigmoid
from kcv.boxes.formats import areas, as_float, cxcywh_to_xyxy, xyxy_to_cxcywh
from kcv.boxes.iou import paired_iou, pairwise_iou
from kcv.boxes.matching import BACKGROUND, of_objects

PLACE_WEIGHT = 5.0  # lambda_coord of YOLO
BACKGROUND_WEIGHT = 0.5  # lambda_noobj of YOLO
OBJECT_WEIGHT = 5.0  # object_scale of YOLOv2
IGNORE_IOU = 0.6  # YOLOv2: a box this good is no background


def yolo_v1_boxes(offsets, cells, image_size):
    """The boxes that YOLO's head answers.

    Args:
        offsets: float (..., n, 4): centre within the cell, 0..1, and roots of the sides
            in sides of the image.
        cells: float (n, 4), x1, y1, x2, y2 in pixels, of `yolo_v1_anchors`.
        image_size: (height, width) in pixels.

    Returns:
        float (..., n, 4), x1, y1, x2, y2 in pixels, not clipped.
    """
    offsets, (corners, sides) = ops.cast(offsets, "float32"), _corners_and_sides(cells)
    centres = corners + offsets[..., :2] * sides
    sizes = ops.square(offsets[..., 2:]) * _width_and_height(image_size)
    return cxcywh_to_xyxy(ops.concatenate([centres, sizes], axis=-1))


def yolo_v1_offsets(boxes, cells, image_size):
    """What YOLO's head has to answer for boxes; the inverse of `yolo_v1_boxes`."""
    places = xyxy_to_cxcywh(ops.cast(boxes, "float32"))
    corners, sides = _corners_and_sides(cells)
    sizes = ops.maximum(places[..., 2:], 0) / _width_and_height(image_size)
    moved = (places[..., :2] - corners) / sides
    return ops.concatenate([moved, ops.sqrt(sizes)], axis=-1)


def yolo_v1_objects(boxes, classes, cells):
    """The object whose centre each cell holds.

    Args:
        boxes: float (batch, m, 4), of objects.
        classes: int (batch, m).
        cells: float (k, 4), in pixels, each cell once.

    Returns:
        int32 (batch, k), slots, or BACKGROUND where a cell holds no centre.
    """
    boxes, cells = as_float(boxes, cells)
    centres = xyxy_to_cxcywh(boxes)[:, :, None, :2]
    inside = ops.all((centres >= cells[:, :2]) & (centres < cells[:, 2:]), axis=-1)
    return _first_slot(inside & _used(boxes, classes)[..., None])


def yolo_v1_loss(boxes, classes, outputs, cells, image_size):
    """The five terms of equation 3.

    Of the boxes of a cell with an object, that of the highest IoU answers for it, or
    the nearest where none overlaps; all others are to have no confidence.

    Args:
        boxes: float (batch, m, 4), of objects.
        classes: int (batch, m).
        outputs: {"scores": (batch, cells, classes), "objectness": (batch, n),
            "offsets": (batch, n, 4)}.
        cells: float (n, 4), of `yolo_v1_anchors`.
        image_size: (height, width) in pixels.

    Returns:
        {"centres", "sizes", "objects", "background", "classes"}, float (batch,) each.
    """
    boxes, cells, scores, objectness, offsets = _floats(boxes, cells, outputs)
    per_cell = offsets.shape[1] // scores.shape[1]
    slots = yolo_v1_objects(boxes, classes, cells[::per_cell])
    held = ops.cast(slots >= 0, "float32")  # (batch, cells)
    truth = of_objects(boxes, ops.repeat(slots, per_cell, axis=1), 0.0)
    guess = yolo_v1_boxes(ops.stop_gradient(offsets), cells, image_size)
    iou = paired_iou(guess, truth)
    scale = ops.tile(_width_and_height(image_size), 2)
    away = ops.mean(ops.square((guess - truth) / scale), axis=-1)
    rank = ops.where(iou > 0, iou, -away)
    best = ops.argmax(ops.reshape(rank, (-1, scores.shape[1], per_cell)), axis=-1)
    answers = ops.one_hot(best, per_cell) * held[..., None]
    answers = ops.reshape(answers, (-1, offsets.shape[1]))

    wrong = ops.square(offsets - yolo_v1_offsets(truth, cells, image_size))
    labels = ops.one_hot(of_objects(classes, slots, 0), scores.shape[-1])
    wrong_class = ops.sum(ops.square(scores - labels), axis=-1)
    return {
        "centres": PLACE_WEIGHT * _sum(answers, ops.sum(wrong[..., :2], axis=-1)),
        "sizes": PLACE_WEIGHT * _sum(answers, ops.sum(wrong[..., 2:], axis=-1)),
        "objects": _sum(answers, ops.square(objectness - iou)),
        "background": BACKGROUND_WEIGHT * _sum(1 - answers, ops.square(objectness)),
        "classes": _sum(held, wrong_class),
    }


def yolo_v2_objects(boxes, classes, anchors, stride=32):
    """The object of each anchor: in its cell, of the most similar shape.

    Args:
        boxes: float (batch, m, 4), of objects.
        classes: int (batch, m).
        anchors: float (n, 4), of `yolo_v2_anchors`.
        stride: side of a cell, in pixels.

    Returns:
        int32 (batch, n), slots, or BACKGROUND where an anchor has no object.
    """
    boxes, anchors = as_float(boxes, anchors)
    places, anchor_places = xyxy_to_cxcywh(boxes), xyxy_to_cxcywh(anchors)
    cells, sides = ops.floor(places[:, :, None, :2] / stride), places[:, :, None, 2:]
    anchor_cells, anchor_sides = anchor_places[:, :2] // stride, anchor_places[:, 2:]
    same_cell = ops.all(ops.equal(cells, anchor_cells), axis=-1)
    common = ops.prod(ops.minimum(sides, anchor_sides), axis=-1)
    total = ops.prod(sides, axis=-1) + ops.prod(anchor_sides, axis=-1) - common
    similar = ops.where(same_cell, common / total, -1.0)  # (batch, m, n)
    chosen = ops.one_hot(ops.argmax(similar, axis=-1), anchors.shape[0], dtype="bool")
    in_a_cell = ops.max(similar, axis=-1) > 0
    used = in_a_cell & _used(boxes, classes)
    return _first_slot(chosen & used[..., None])


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
    boxes, anchors, scores, objectness, offsets = _floats(boxes, anchors, outputs)
    slots = yolo_v2_objects(boxes, classes, anchors, stride)
    found = ops.cast(slots >= 0, "float32")  # (batch, n)
    truth = of_objects(boxes, slots, 0.0)
    wanted = encode_sigmoid(truth, anchors, stride)
    guess = decode_sigmoid(ops.stop_gradient(offsets), anchors, stride)
    known = ops.where(_used(boxes, classes)[..., None], boxes, 0.0)
    best = ops.max(pairwise_iou(guess, known), axis=-1)
    free = (1 - found) * ops.cast(best <= ignore_iou, "float32")

    height, width = image_size
    weight = found * (2 - areas(truth) / (height * width)) / 2
    centres = ops.square(ops.sigmoid(offsets[..., :2]) - wanted[..., :2])
    sizes = ops.square(offsets[..., 2:] - wanted[..., 2:])
    confidence = ops.sigmoid(objectness)
    right = ops.square(confidence - paired_iou(guess, truth)) / 2
    labels = ops.one_hot(of_objects(classes, slots, 0), scores.shape[-1])
    surprise = -ops.sum(labels * ops.log_softmax(scores, axis=-1), axis=-1)
    return {
        "centres": _sum(weight, ops.sum(centres, axis=-1)),
        "sizes": _sum(weight, ops.sum(sizes, axis=-1)),
        "objects": OBJECT_WEIGHT * _sum(found, right),
        "background": _sum(free, ops.square(confidence) / 2),
        "classes": _sum(found, surprise),
    }


def _floats(boxes, anchors, outputs):
    values = (outputs[name] for name in ("scores", "objectness", "offsets"))
    return [ops.cast(value, "float32") for value in (boxes, anchors, *values)]


def _used(boxes, classes):
    """Slots with an object: neither empty nor without area, nor of NaN."""
    return (ops.convert_to_tensor(classes) >= 0) & (areas(boxes) > 0)


def _first_slot(wanted):
    """The first slot, bool (batch, m, k) along m, that wants each of k: int32."""
    count = wanted.shape[1]
    slots = ops.arange(count, dtype="int32")[:, None]
    first = ops.min(ops.where(wanted, slots, count), axis=1)
    return ops.where(first < count, first, BACKGROUND)


def _corners_and_sides(cells):
    cells = ops.cast(cells, "float32")
    return cells[..., :2], cells[..., 2:] - cells[..., :2]


def _width_and_height(image_size):
    height, width = image_size
    return ops.convert_to_tensor([width, height], "float32")


def _sum(weights, values):
    return ops.sum(weights * values, axis=1)

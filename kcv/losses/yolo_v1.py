"""Loss of YOLO: sums of squares.

Paper: J. Redmon et al., "You Only Look Once", 2016, section 2.2,
https://arxiv.org/abs/1506.02640

Differs from the paper: of two objects with centres in one cell, the first slot gets it.

Returns terms by name, weighted, one value an example; the loss is their sum. Outputs
are those of `kcv.models.detection.yolo_v1`. Truth stands in slots: boxes are float
(batch, m, 4), x1, y1, x2, y2 in pixels, classes int (batch, m), -1 where a slot is
empty. Give crowds as empty slots.
"""

from keras import ops

from kcv.boxes.cells import objects_of_cells
from kcv.boxes.coding import decode_roots, encode_roots
from kcv.boxes.iou import paired_iou
from kcv.boxes.matching import of_objects

PLACE_WEIGHT = 5.0  # lambda_coord
BACKGROUND_WEIGHT = 0.5  # lambda_noobj


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
    values = (outputs[name] for name in ("scores", "objectness", "offsets"))
    values = (ops.cast(x, "float32") for x in (boxes, cells, *values))
    boxes, cells, scores, objectness, offsets = values
    per_cell = offsets.shape[1] // scores.shape[1]
    slots = objects_of_cells(boxes, classes, cells[::per_cell])
    held = ops.cast(slots >= 0, "float32")  # (batch, cells)
    truth = of_objects(boxes, ops.repeat(slots, per_cell, axis=1), 0.0)
    guess = decode_roots(ops.stop_gradient(offsets), cells, image_size)
    iou = paired_iou(guess, truth)
    height, width = image_size
    scale = ops.convert_to_tensor([width, height, width, height], guess.dtype)
    away = ops.mean(ops.square((guess - truth) / scale), axis=-1)
    rank = ops.where(iou > 0, iou, -away)
    best = ops.argmax(ops.reshape(rank, (-1, scores.shape[1], per_cell)), axis=-1)
    answers = ops.one_hot(best, per_cell) * held[..., None]
    answers = ops.reshape(answers, (-1, offsets.shape[1]))

    wrong = ops.square(offsets - encode_roots(truth, cells, image_size))
    labels = ops.one_hot(of_objects(classes, slots, 0), scores.shape[-1])
    wrong_class = ops.sum(ops.square(scores - labels), axis=-1)
    return {
        "centres": PLACE_WEIGHT * _sum(answers, ops.sum(wrong[..., :2], axis=-1)),
        "sizes": PLACE_WEIGHT * _sum(answers, ops.sum(wrong[..., 2:], axis=-1)),
        "objects": _sum(answers, ops.square(objectness - iou)),
        "background": BACKGROUND_WEIGHT * _sum(1 - answers, ops.square(objectness)),
        "classes": _sum(held, wrong_class),
    }


def _sum(weights, values):
    return ops.sum(weights * values, axis=1)

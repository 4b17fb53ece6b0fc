"""Losses over a tree of words: what an image shows, known as exactly as it is known.

Paper: J. Redmon, A. Farhadi, "YOLO9000", 2017, section 4,
https://arxiv.org/abs/1612.08242

A label costs at its own level and above. What is below it costs nothing: "dog" does not
say which. Trees are `kcv.boxes.word_tree.WordTree`s.

Differs from the paper's code: as `kcv.losses.yolo_v2` does. The code keeps the
objectness of all other boxes down in an image for classification; the paper, and this,
teach such an image's classes and the objectness of one box.
"""

from keras import ops

from kcv.boxes.cells import objects_of_cell_anchors
from kcv.boxes.matching import of_objects
from kcv.losses.yolo_v2 import IGNORE_IOU, OBJECT_WEIGHT, box_terms

ASSUMED_IOU = 0.3  # of the best box with what an image for classification shows


def word_tree_loss(words, scores, tree):
    """The negative logarithm of a word's probability: of it and of all above it.

    Args:
        words: int (...,), numbers of words; those that the tree has not, such as -1,
            cost nothing.
        scores: float (..., words of the tree), logits.
        tree: WordTree.

    Returns:
        float32 (...,).
    """
    return -_at(tree.log_probabilities(scores), words)


def yolo_9000_loss(
    boxes, classes, labels, outputs, anchors, image_size, tree, stride=32,
    ignore_iou=IGNORE_IOU, assumed_iou=ASSUMED_IOU,
):  # fmt: skip
    """Detection and classification in one batch.

    An image with boxes teaches all of YOLOv2, its classes by the tree. An image of
    which only a label is known teaches the box that gives the label the highest
    probability: the words of the label, and to be an object at least as sure as its
    assumed IoU.

    Args:
        boxes: float (batch, m, 4), of objects, x1, y1, x2, y2 in pixels.
        classes: int (batch, m), numbers of words; -1 where a slot is empty.
        labels: int (batch,), the word of an image for classification, whose boxes do
            not count; -1 for an image with boxes, or with none.
        outputs: {"scores": (batch, n, words), "objectness": (batch, n), "offsets":
            (batch, n, 4)}, before sigmoid and softmax.
        anchors: float (n, 4), of `yolo_9000_anchors`.
        image_size: (height, width) in pixels.
        tree: WordTree.
        stride: side of a cell, in pixels.
        ignore_iou: as for `yolo_v2_loss`.
        assumed_iou: 0 leaves the objectness of images for classification alone.

    Returns:
        {"centres", "sizes", "objects", "background", "classes"}, float32 (batch,) each.
    """
    labels = ops.cast(labels, "int32")
    labelled = labels >= 0
    with_boxes = ops.cast(~labelled, "float32")
    classes = ops.where(labelled[:, None], -1, ops.cast(classes, "int32"))
    slots = objects_of_cell_anchors(boxes, classes, anchors, stride)
    terms = box_terms(
        boxes, classes, slots, outputs, anchors, image_size, stride, ignore_iou
    )
    terms = {name: with_boxes * term for name, term in terms.items()}

    logs = tree.log_probabilities(outputs["scores"])  # (batch, n, words)
    objectness = ops.cast(outputs["objectness"], "float32")
    everywhere = ops.repeat(labels[:, None], objectness.shape[1], axis=1)
    sure = _at(logs, everywhere) + ops.log_sigmoid(objectness)
    best = ops.one_hot(ops.argmax(sure, axis=1), objectness.shape[1], dtype="bool")
    best = best & labelled[:, None]  # (batch, n), one box of each such image
    words = ops.where(best, everywhere, of_objects(classes, slots, -1))
    short = ops.maximum(assumed_iou - ops.sigmoid(objectness), 0)
    short = ops.where(best, ops.square(short) / 2, 0)
    terms["objects"] = terms["objects"] + OBJECT_WEIGHT * ops.sum(short, axis=1)
    return {**terms, "classes": -ops.sum(_at(logs, words), axis=1)}


def _at(logs, words):
    """Values (..., words) at a word each (...,); 0 for one that there is not."""
    words, count = ops.cast(words, "int32"), logs.shape[-1]
    places = ops.clip(words, 0, count - 1)[..., None]
    taken = ops.take_along_axis(logs, places, axis=-1)[..., 0]
    return ops.where((words >= 0) & (words < count), taken, 0.0)

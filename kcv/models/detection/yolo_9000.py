"""YOLO9000: YOLOv2 with a tree of words for its classes.

Paper: J. Redmon, A. Farhadi, "YOLO9000: Better, Faster, Stronger", 2017, section 4,
https://arxiv.org/abs/1612.08242

Differs from the paper: as `yolo_v2` does. The authors' file of settings for 9,418 words
leaves out the passthrough and the three convolutions before the last; the paper
and this network have them.
"""

import keras
import numpy as np

from kcv.models.detection.yolo_v2 import STRIDE, yolo_v2, yolo_v2_anchors
from kcv.models.weights import load_weights

WORDS = 9418  # of the tree that the authors made of COCO's and ImageNet's
# The three clusters of COCO's boxes, in pixels; the authors' code has cells of 32.
COCO_SHAPES = 32 * np.array(
    [(0.77871, 1.14074), (3.00525, 4.31277), (9.22725, 9.61974)], "float32"
)


def yolo_9000(
    input_shape=(416, 416, 3), classes=WORDS, weights=None, anchors_per_place=3,
    stride=STRIDE, passthrough_filters=64, alpha=1.0,
):  # fmt: skip
    """Builds YOLO9000.

    Args:
        input_shape: (height, width, channels) of one image, multiples of `stride`.
        classes: number of words, of a `kcv.boxes.word_tree.WordTree`.
        weights: None or the path of a weight file; see `load_weights`.
        anchors_per_place: number of shapes that `yolo_9000_anchors` is given.
        stride: as for `yolo_v2`.
        passthrough_filters: likewise.
        alpha: likewise.

    Returns:
        A model from images, float32 (batch, height, width, channels) in [-1, 1], to
        {"scores": float32 (batch, n, classes), logits for `WordTree.probabilities`,
        "objectness": float32 (batch, n), logits, "offsets": float32 (batch, n, 4), of
        `kcv.boxes.coding.decode_sigmoid`}, n in the order of `yolo_9000_anchors`.

    Raises:
        ValueError: as `yolo_v2`.

    Parameters: 79,523,661 at the defaults.
    """
    inner = yolo_v2(
        input_shape, classes, None, anchors_per_place, stride,
        passthrough_filters, alpha,
    )  # fmt: skip
    model = keras.Model(inner.input, inner.output, name="yolo_9000")
    load_weights(model, weights)
    return model


def yolo_9000_anchors(
    input_shape=(416, 416, 3), shapes=COCO_SHAPES, stride=STRIDE
) -> np.ndarray:
    """Anchors in the order of the model's outputs, as `yolo_v2_anchors`: 507."""
    return yolo_v2_anchors(input_shape, shapes, stride)

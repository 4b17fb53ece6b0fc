"""YOLO: one look at the whole image, one grid of cells, two boxes a cell.

Paper: J. Redmon, S. Divvala, R. Girshick, A. Farhadi, "You Only Look Once: Unified,
Real-Time Object Detection", 2016, https://arxiv.org/abs/1506.02640

Differs from the paper: the S x S x (5B + C) numbers leave as three tensors, which are
quantized on their own scales. Sides are answered as roots, as in the authors' code: the
paper's loss takes roots of what may be negative. The small network is that of their
code, with batch normalisation and without a hidden dense layer.
"""

from typing import NamedTuple

import keras
import numpy as np
from keras import layers

from kcv.boxes.anchors import grid
from kcv.layers.batch_norm import batch_norm
from kcv.models.image_input import image_input
from kcv.models.weights import load_weights

POOL = "pool"  # 2x2


class Table(NamedTuple):
    """Rows (kernel_size, filters, strides) or POOL, then units of a hidden layer."""

    rows: tuple
    units: int
    batch_norm: bool


# Figure 3: 24 convolutions.
FULL = (
    (7, 64, 2), POOL,
    (3, 192, 1), POOL,
    (1, 128, 1), (3, 256, 1), (1, 256, 1), (3, 512, 1), POOL,
    *((1, 256, 1), (3, 512, 1)) * 4, (1, 512, 1), (3, 1024, 1), POOL,
    *((1, 512, 1), (3, 1024, 1)) * 2, (3, 1024, 1), (3, 1024, 2),
    (3, 1024, 1), (3, 1024, 1),
)  # fmt: skip
# Fast YOLO of table 1, as in the authors' code.
TINY = (
    (3, 16, 1), POOL, (3, 32, 1), POOL, (3, 64, 1), POOL, (3, 128, 1), POOL,
    (3, 256, 1), POOL, (3, 512, 1), POOL, (3, 1024, 1), (3, 256, 1),
)  # fmt: skip
TABLES = {"full": Table(FULL, 4096, False), "tiny": Table(TINY, 0, True)}
BOXES_PER_CELL = 2  # B
STRIDE = 64  # of a cell: 7 x 7 of them in an image of 448 x 448


def yolo_v1(
    input_shape=(448, 448, 3), classes=20, weights=None, variant="full",
    boxes_per_cell=BOXES_PER_CELL, stride=STRIDE, alpha=1.0, dropout=0.5,
):  # fmt: skip
    """Builds YOLO.

    Args:
        input_shape: (height, width, channels) of one image, multiples of `stride`.
        classes: number of classes, C.
        weights: None or the path of a weight file; see `load_weights`.
        variant: "full" for 24 convolutions or "tiny" for 8.
        boxes_per_cell: B.
        stride: side of a cell in pixels; below 64 the last poolings and strides are
            left out, which gives a small image cells enough.
        alpha: width multiplier of all layers but the last.
        dropout: share of the last features dropped while training.

    Returns:
        A model from images, float32 (batch, height, width, channels) in [-1, 1], to
        {"scores": float32 (batch, cells, classes), "objectness": float32 (batch, n),
        "offsets": float32 (batch, n, 4)}, cells row by row and n = cells * B in the
        order of `yolo_v1_anchors`. The first two are learned by squares: they are
        probabilities and IoU themselves, not logits. Offsets are the centre within
        its cell, 0..1, and roots of the sides in sides of the image; see
        `kcv.boxes.coding.decode_roots`.

    Raises:
        ValueError: no such variant or stride, or a side is no multiple of it.

    Parameters at the defaults: 271,703,550; "tiny" has 27,099,950 with its batch
    statistics.
    """
    if variant not in TABLES:
        raise ValueError(f"no variant {variant!r}; known: {', '.join(TABLES)}")
    images = image_input(input_shape)
    height, width = _grid_size(input_shape, stride)
    cells, table = height * width, TABLES[variant]
    x = _body(images, table, stride, alpha)
    x = layers.Flatten(name="flatten")(x)
    if table.units:
        x = layers.Dense(int(alpha * table.units), name="hidden")(x)
        x = layers.LeakyReLU(0.1, name="hidden_relu")(x)
    x = layers.Dropout(dropout, name="dropout")(x)
    shapes = {
        "scores": (cells, classes),
        "objectness": (cells * boxes_per_cell,),
        "offsets": (cells * boxes_per_cell, 4),
    }
    outputs = {}
    for name, shape in shapes.items():
        flat = layers.Dense(int(np.prod(shape)), name=f"{name}_dense")(x)
        outputs[name] = layers.Reshape(shape, name=name, dtype="float32")(flat)
    model = keras.Model(images, outputs, name="yolo_v1")
    load_weights(model, weights)
    return model


def yolo_v1_anchors(
    input_shape=(448, 448, 3), boxes_per_cell=BOXES_PER_CELL, stride=STRIDE
) -> np.ndarray:
    """The cell of every box, in the order of the model's offsets.

    YOLO has no anchors: its boxes are told from cells alone.

    Args:
        input_shape: (height, width, channels) of one image, multiples of `stride`.
        boxes_per_cell: B.
        stride: side of a cell in pixels.

    Returns:
        float32 (n, 4), x1, y1, x2, y2 in pixels; each cell stands B times in a row.
    """
    cells = [(stride, stride)] * boxes_per_cell
    return grid(_grid_size(input_shape, stride), stride, cells)


def _body(x, table, stride, alpha):
    """Convolutions of the table, of which those that shrink beyond `stride` do not."""
    shrunk, pools, convolutions = 1, 0, 0
    for row in table.rows:
        if row == POOL:
            pools += 1
            if shrunk < stride:
                x = layers.MaxPooling2D(2, name=f"pool{pools}")(x)
                shrunk *= 2
            continue
        convolutions += 1
        kernel_size, filters, strides = row
        strides = strides if shrunk < stride else 1
        shrunk *= strides
        name = f"conv{convolutions}"
        x = layers.Conv2D(
            int(alpha * filters), kernel_size, strides, padding="same",
            use_bias=not table.batch_norm, kernel_initializer="he_normal", name=name,
        )(x)  # fmt: skip
        if table.batch_norm:
            x = batch_norm(f"{name}_bn")(x)
        x = layers.LeakyReLU(0.1, name=f"{name}_relu")(x)
    return x


def _grid_size(input_shape, stride):
    if stride not in (8, 16, 32, 64):
        raise ValueError(f"stride must be 8, 16, 32 or 64, got {stride!r}")
    height, width = input_shape[:2]
    if height % stride or width % stride:
        raise ValueError(
            f"input_shape {tuple(input_shape)} does not divide into cells: height and "
            f"width must be multiples of stride = {stride}"
        )
    return height // stride, width // stride

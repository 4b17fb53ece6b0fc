"""YOLOv2: Darknet-19, anchors by clusters, and a passthrough of finer features.

Paper: J. Redmon, A. Farhadi, "YOLO9000: Better, Faster, Stronger", 2017,
https://arxiv.org/abs/1612.08242

Differs from the paper: the passthrough first goes through a 1x1 convolution to 64
filters, as in the authors' last code (`passthrough_filters=None` for the paper's form),
and its pixels are ordered as other code does, not as in theirs. What an anchor answers
leaves as three tensors of three 1x1 convolutions, quantized on their own scales.
Objectness starts low everywhere: squares of a sigmoid hardly move what starts near 1.
"""

import keras
import numpy as np
from keras import layers

from kcv.boxes.anchors import grid
from kcv.layers.batch_norm import batch_norm
from kcv.models.classification.alexnet import max_pool
from kcv.models.image_input import image_input
from kcv.models.output_stride import by_level
from kcv.models.weights import load_weights

# Table 6, between its poolings: filters of 3x3, 1x1, 3x3, ... convolutions.
FILTERS = (
    (32,),
    (64,),
    (128, 64, 128),
    (256, 128, 256),
    (512, 256, 512, 256, 512),
    (1024, 512, 1024, 512, 1024),
)
# The five clusters of VOC's boxes, in pixels; the authors' code has cells of 32.
VOC_SHAPES = 32 * np.array(
    [(1.3221, 1.73145), (3.19275, 4.00944), (5.05587, 8.09892), (9.47112, 4.84053),
     (11.2364, 10.0071)], "float32",
)  # fmt: skip
STRIDE = 32
PRIOR = -2.0  # logit of an untrained objectness: 0.12


def darknet19(
    input_shape=(224, 224, 3), classes=1000, classifier_activation="softmax",
    weights=None, alpha=1.0,
):  # fmt: skip
    """Builds the classifier that YOLOv2's body is trained as first.

    Args:
        input_shape: (height, width, channels) of one image, at least 32x32.
        classes: size of the last layer.
        classifier_activation: "softmax" for probabilities, None for logits.
        weights: None or the path of a weight file; see `load_weights`.
        alpha: width multiplier of all layers but the last.

    Returns:
        A model from images, float32 (batch, height, width, channels) in [-1, 1], to
        float32 (batch, classes).

    Parameters with 1000 classes: 20,856,776, of which 20,842,376 are trained.
    """
    images = image_input(input_shape, minimum=32)
    x = darknet19_features(images, alpha)["C5"]
    # Means and the last 1x1 convolution may change places: both are linear.
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    x = layers.Dense(classes, activation=classifier_activation, name="predictions")(x)
    model = keras.Model(images, x, name="darknet19")
    load_weights(model, weights)
    return model


def darknet19_features(images, alpha=1.0, output_stride=32):
    """Maps images to {"C1": ..., "C5": ...}, the last maps at strides 2 to 32.

    At alpha 1.0 they have 64, 128, 256, 512 and 1024 channels.

    Args:
        images: (batch, height, width, channels) in [-1, 1].
        alpha: width multiplier.
        output_stride: 32, 16 or 8: the last poolings keep the size of the maps, and
            kernels behind them are dilated, so that they see the same pixels.
    """
    levels = by_level(output_stride)
    features, x, count, before = {}, images, 0, 1
    for level, block in enumerate(FILTERS):
        strides, dilation = levels[level] if level else (1, 1)
        if before > 1:  # the window's last row and column at the border
            x = layers.ZeroPadding2D(((0, before), (0, before)), name=f"pad{level}")(x)
        if level:
            padding = "same" if strides == 1 else "valid"
            x = max_pool(x, 2, strides, before, f"pool{level}", padding)
        for i, filters in enumerate(block):
            count += 1
            size, name = 1 if i % 2 else 3, f"conv{count}"
            x = _conv(x, int(alpha * filters), size, name, dilation)
        features[f"C{level}"], before = x, dilation
    del features["C0"]
    return features


def yolo_v2(
    input_shape=(416, 416, 3), classes=20, weights=None, anchors_per_place=5,
    stride=STRIDE, passthrough_filters=64, alpha=1.0,
):  # fmt: skip
    """Builds YOLOv2.

    Args:
        input_shape: (height, width, channels) of one image, multiples of `stride`.
        classes: number of classes.
        weights: None or the path of a weight file; see `load_weights`.
        anchors_per_place: number of shapes that `yolo_v2_anchors` is given.
        stride: of the last map, in pixels: 32, or 16 for small images, which leaves the
            body's last level out.
        passthrough_filters: channels of the finer map before space to depth; None for
            all that it has.
        alpha: width multiplier of all layers but the last.

    Returns:
        A model from images, float32 (batch, height, width, channels) in [-1, 1], to
        {"scores": float32 (batch, n, classes), logits of a softmax without background,
        "objectness": float32 (batch, n), logits, "offsets": float32 (batch, n, 4), of
        `kcv.boxes.coding.decode_sigmoid`}, n in the order of `yolo_v2_anchors`.

    Raises:
        ValueError: no such stride, or a side is no multiple of it.

    Parameters: 50,676,061 at the defaults, 50,983,561 with 80 classes.
    """
    images = image_input(input_shape, minimum=32)
    height, width = _map_size(input_shape, stride)
    features = darknet19_features(images, alpha)
    finer, x = ("C4", "C5") if stride == 32 else ("C3", "C4")
    finer, x = features[finer], features[x]
    wide = int(alpha * 1024)
    for i in (1, 2):
        x = _conv(x, wide, 3, f"detect_conv{i}")
    if passthrough_filters is not None:
        finer = _conv(finer, int(alpha * passthrough_filters), 1, "passthrough_conv")
    finer = space_to_depth(finer, "passthrough")
    x = layers.Concatenate(name="passthrough_join")([finer, x])
    x = _conv(x, wide, 3, "detect_conv3")
    n = height * width * anchors_per_place
    shapes = {"scores": (n, classes), "objectness": (n,), "offsets": (n, 4)}
    outputs = {}
    for name, shape in shapes.items():
        filters = anchors_per_place * int(np.prod(shape[1:]))
        low = name == "objectness"
        maps = layers.Conv2D(
            filters, 1, name=f"{name}_maps",
            kernel_initializer=keras.initializers.RandomNormal(stddev=0.01),
            bias_initializer=keras.initializers.Constant(PRIOR if low else 0.0),
        )(x)  # fmt: skip
        outputs[name] = layers.Reshape(shape, name=name, dtype="float32")(maps)
    model = keras.Model(images, outputs, name="yolo_v2")
    load_weights(model, weights)
    return model


def yolo_v2_anchors(
    input_shape=(416, 416, 3), shapes=VOC_SHAPES, stride=STRIDE
) -> np.ndarray:
    """Anchors in the order of the model's outputs.

    Args:
        input_shape: (height, width, channels) of one image, multiples of `stride`.
        shapes: float (k, 2), width and height in pixels, such as
            `kcv.boxes.clusters.anchor_shapes` finds.
        stride: as for `yolo_v2`.

    Returns:
        float32 (n, 4), x1, y1, x2, y2 in pixels; 845 at the defaults.
    """
    return grid(_map_size(input_shape, stride), stride, shapes)


def space_to_depth(x, name):
    """Four pixels, row by row, become channels of one.

    Two rows are one row of pairs in memory, so slices of its halves and a concatenation
    do it: builtin operators without strides, also for int8.

    Args:
        x: (batch, height, width, channels), sides even.
        name: of its layers.

    Returns:
        (batch, height / 2, width / 2, 4 * channels).
    """
    _, height, width, channels = x.shape
    half = width // 2
    x = layers.Reshape((height // 2, width, 2 * channels), name=f"{name}_pairs")(x)
    upper = layers.Cropping2D(((0, 0), (0, half)), name=f"{name}_upper")(x)
    lower = layers.Cropping2D(((0, 0), (half, 0)), name=f"{name}_lower")(x)
    return layers.Concatenate(name=f"{name}_depth")([upper, lower])


def _conv(x, filters, kernel_size, name, dilation=1):
    x = layers.Conv2D(
        filters, kernel_size, padding="same", use_bias=False, dilation_rate=dilation,
        kernel_initializer="he_normal", name=name,
    )(x)  # fmt: skip
    x = batch_norm(f"{name}_bn")(x)
    return layers.LeakyReLU(0.1, name=f"{name}_relu")(x)


def _map_size(input_shape, stride):
    if stride not in (16, 32):
        raise ValueError(f"stride must be 16 or 32, got {stride!r}")
    height, width = input_shape[:2]
    if height % stride or width % stride:
        raise ValueError(f"sides {height}, {width} must be multiples of {stride = }")
    return height // stride, width // stride

"""ResNeXt: residual bottlenecks with many parallel paths, as grouped convolutions.

Paper: S. Xie, R. Girshick, P. Dollar, Z. Tu, K. He, "Aggregated Residual
Transformations for Deep Neural Networks", 2016, https://arxiv.org/abs/1611.05431

Differs from the paper: nothing. Blocks are in form (c) of Figure 3.
"""

import functools

import keras
from keras import layers

from kcv.models.classification.resnet import (
    BLOCKS,
    bottleneck_of_width,
    residual_features,
)
from kcv.models.image_input import image_input
from kcv.models.weights import load_weights


def resnext50(
    input_shape=(224, 224, 3), classes=1000, classifier_activation="softmax",
    weights=None, cardinality=32, width=4,
):  # fmt: skip
    """Builds ResNeXt-50, "32x4d" at the defaults.

    Args:
        input_shape: (height, width, channels) of one image, at least 32x32.
        classes: size of the last layer.
        classifier_activation: "softmax" for probabilities, None for logits.
        weights: None or the path of a weight file; see `load_weights`.
        cardinality: C of Table 1, the paths of a block; 1 with width 64 is ResNet-50
            with the stride of its bottlenecks in the 3x3 convolution.
        width: d of Table 1, filters of a path at conv2_x.

    Returns:
        A model from images, float32 (batch, height, width, channels) in [-1, 1], to
        float32 (batch, classes).

    Parameters with 1000 classes: 25,097,128 for 32x4d, of which 25,028,904 are trained,
    the count of torchvision; the others are the moving means and variances.
    """
    return _resnext(50, input_shape, classes, classifier_activation, weights,
                    cardinality, width)  # fmt: skip


def resnext101(
    input_shape=(224, 224, 3), classes=1000, classifier_activation="softmax",
    weights=None, cardinality=32, width=4,
):  # fmt: skip
    """As `resnext50`, with 101 layers.

    Parameters, trained ones in brackets: 44,315,560 (44,177,704) for 32x4d; 88,994,216
    (88,791,336) for 32x8d; 83,658,152 (83,455,272) for 64x4d.
    """
    return _resnext(101, input_shape, classes, classifier_activation, weights,
                    cardinality, width)  # fmt: skip


def _resnext(
    depth, input_shape, classes, classifier_activation, weights, cardinality, width
):
    images = image_input(input_shape, minimum=32)
    x = resnext_features(images, depth, cardinality, width)["C5"]
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    x = layers.Dense(classes, activation=classifier_activation, name="predictions")(x)
    model = keras.Model(images, x, name=f"resnext{depth}_{cardinality}x{width}d")
    load_weights(model, weights)
    return model


def resnext_features(images, depth=50, cardinality=32, width=4, output_stride=32):
    """Maps images to {"C1": ..., "C5": ...}, the last maps at strides 2 to 32.

    They have 64, 256, 512, 1024 and 2048 channels. With output_stride 16 or 8, C5 or C4
    and C5 stay at that stride, and later convolutions are dilated instead.
    """
    if depth not in (50, 101):
        raise ValueError(f"no ResNeXt of depth {depth} in the paper; choose 50 or 101")
    block = functools.partial(
        bottleneck_of_width, width=cardinality * width, groups=cardinality
    )
    return residual_features(images, BLOCKS[depth], block, output_stride)

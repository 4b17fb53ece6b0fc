"""Wide ResNet: fewer layers, each with many more filters.

Paper: S. Zagoruyko and N. Komodakis, "Wide Residual Networks", 2016,
https://arxiv.org/abs/1605.07146

Differs from the paper: nothing. `wide_resnet28_10` and its kin are the CIFAR nets of
Table 1, of pre-activation units; the ImageNet nets are ResNets, activated after the
addition as in the authors' released code, with twice the filters in the 3x3.
"""

import functools

import keras
from keras import layers

from kcv.layers.batch_norm import batch_norm
from kcv.models.classification.resnet import (
    BLOCKS,
    bottleneck_of_width,
    residual_features,
)
from kcv.models.image_input import image_input
from kcv.models.weights import load_weights


def wide_resnet16_4(
    input_shape=(32, 32, 3), classes=10, classifier_activation="softmax", weights=None,
    dropout=0.0,
):  # fmt: skip
    """As `wide_resnet28_10`; 2,752,506 parameters, 2,748,890 of them trained."""
    return _cifar(16, 4, input_shape, classes, classifier_activation, weights, dropout)


def wide_resnet28_10(
    input_shape=(32, 32, 3), classes=10, classifier_activation="softmax", weights=None,
    dropout=0.0,
):  # fmt: skip
    """Builds WRN-28-10: 28 layers, 10 times as wide as a ResNet for CIFAR.

    Args:
        input_shape: (height, width, channels) of one image, at least 4x4.
        classes: size of the last layer.
        classifier_activation: "softmax" for probabilities, None for logits.
        weights: None or the path of a weight file; see `load_weights`.
        dropout: share of values dropped between the two convolutions of a unit while
            training; the paper has 0.3.

    Returns:
        A model from images, float32 (batch, height, width, channels) in [-1, 1], to
        float32 (batch, classes).

    Parameters with 10 classes: 36,497,146, of which 36,479,194 are trained (the paper's
    36.5M); the others are the moving means and variances.
    """
    return _cifar(28, 10, input_shape, classes, classifier_activation, weights, dropout)


def wide_resnet50_2(
    input_shape=(224, 224, 3), classes=1000, classifier_activation="softmax",
    weights=None,
):  # fmt: skip
    """Builds WRN-50-2 for ImageNet, images at least 32x32.

    68,951,464 parameters with 1000 classes, of which 68,883,240 are trained, the count
    of torchvision; the others are the moving means and variances.
    """
    return _imagenet(50, input_shape, classes, classifier_activation, weights)


def wide_resnet101_2(
    input_shape=(224, 224, 3), classes=1000, classifier_activation="softmax",
    weights=None,
):  # fmt: skip
    """As `wide_resnet50_2`; 127,024,552 parameters, 126,886,696 of them trained."""
    return _imagenet(101, input_shape, classes, classifier_activation, weights)


def _cifar(depth, k, input_shape, classes, classifier_activation, weights, dropout):
    images = image_input(input_shape, minimum=4)
    x = wide_resnet_cifar_features(images, depth, k, dropout)["C2"]
    return _classifier(f"wide_resnet{depth}_{k}", images, x, classes,
                       classifier_activation, weights)  # fmt: skip


def _imagenet(depth, input_shape, classes, classifier_activation, weights):
    images = image_input(input_shape, minimum=32)
    x = wide_resnet_features(images, depth)["C5"]
    return _classifier(f"wide_resnet{depth}_2", images, x, classes,
                       classifier_activation, weights)  # fmt: skip


def _classifier(name, images, x, classes, classifier_activation, weights):
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    x = layers.Dense(classes, activation=classifier_activation, name="predictions")(x)
    model = keras.Model(images, x, name=name)
    load_weights(model, weights)
    return model


def wide_resnet_features(images, depth=50, k=2, output_stride=32):
    """Maps images to {"C1": ..., "C5": ...}, the last maps at strides 2 to 32.

    They have 64, 256, 512, 1024 and 2048 channels. With output_stride 16 or 8, C5 or C4
    and C5 stay at that stride, and later convolutions are dilated instead.
    """
    if depth not in (50, 101):
        raise ValueError(f"no wide ResNet of depth {depth} here; choose 50 or 101")
    block = functools.partial(bottleneck_of_width, width=64 * k)
    return residual_features(images, BLOCKS[depth], block, output_stride)


def wide_resnet_cifar_features(images, depth=28, k=10, dropout=0.0):
    """Maps images to {"C0": ..., "C1": ..., "C2": ...}, at strides 1, 2 and 4.

    They have 16 k, 32 k and 64 k channels, after the activation of what follows.
    """
    if depth < 10 or depth % 6 != 4:
        raise ValueError(f"depth must be 6n + 4, as 16, 28 or 40, got {depth}")
    features = {}
    x = _conv(images, 16, 3, 1, name="stem")
    for level, filters in enumerate((16 * k, 32 * k, 64 * k)):
        for i in range(1, depth // 6 + 1):
            activated = _bn_relu(x, name=f"stage{level + 1}_{i}_pre")
            if level and i == 1:
                features[f"C{level - 1}"] = activated
            strides = 2 if level and i == 1 else 1
            x = _unit(x, activated, filters, strides, dropout, f"stage{level + 1}_{i}")
    features["C2"] = _bn_relu(x, name="last")
    return features


def _unit(x, activated, filters, strides, dropout, name):
    """Figure 1 (d): two 3x3 convolutions, dropout between them."""
    y = _conv(activated, filters, 3, strides, name=f"{name}_conv1")
    y = _bn_relu(y, name=f"{name}_conv1")
    if dropout:
        y = layers.Dropout(dropout, name=f"{name}_dropout")(y)
    y = _conv(y, filters, 3, 1, name=f"{name}_conv2")
    if x.shape[-1] != filters:
        x = _conv(activated, filters, 1, strides, name=f"{name}_shortcut")
    return layers.Add(name=f"{name}_add")([x, y])


def _bn_relu(x, name):
    x = batch_norm(f"{name}_bn", epsilon=1e-5)(x)
    return layers.ReLU(name=f"{name}_relu")(x)


def _conv(x, filters, kernel_size, strides, name):
    padding = "same"
    if strides > 1 and kernel_size > 1:
        x, padding = layers.ZeroPadding2D(1, name=f"{name}_pad")(x), "valid"
    return layers.Conv2D(
        filters, kernel_size, strides, padding, use_bias=False,
        kernel_initializer="he_normal", name=name,
    )(x)  # fmt: skip

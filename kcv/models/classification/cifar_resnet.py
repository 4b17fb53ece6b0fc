"""The ResNets for CIFAR-10, and the plain nets that show what their shortcuts are for.

Paper: K. He, X. Zhang, S. Ren, J. Sun, "Deep Residual Learning for Image Recognition",
2015, https://arxiv.org/abs/1512.03385, section 4.2

Differs from the paper: nothing. A shortcut to a smaller, deeper map reads every second
pixel and appends zeros for the new channels, option A, which costs no parameters; the
paper does not say where the zeros go. Option B, a 1x1 convolution with batch
normalisation, is there because other code bases use it and count it.
"""

import keras
from keras import layers

from kcv.layers.batch_norm import batch_norm
from kcv.layers.pad_channels import PadChannels
from kcv.models.image_input import image_input
from kcv.models.weights import load_weights

FILTERS = (16, 32, 64)  # section 4.2: of the maps of 32, 16 and 8 pixels
SHORTCUTS = ("A", "B", None)


def cifar_resnet20(
    input_shape=(32, 32, 3), classes=10, classifier_activation="softmax", weights=None,
    shortcut="A",
):  # fmt: skip
    """Builds ResNet-20.

    Args:
        input_shape: (height, width, channels) of one image, at least 4x4.
        classes: size of the last layer.
        classifier_activation: "softmax" for probabilities, None for logits.
        weights: None or the path of a weight file; see `load_weights`.
        shortcut: "A", zeros for new channels; "B", a projection; None for a plain net.

    Returns:
        A model from images, float32 (batch, height, width, channels) in [-1, 1], to
        float32 (batch, classes).

    Parameters with 10 classes: 271,098, of which 269,722 are trained; the others are
    moving means and variances. With shortcut "B" 274,042 and 272,474.
    """
    return _net(20, input_shape, classes, classifier_activation, weights, shortcut)


def cifar_resnet56(
    input_shape=(32, 32, 3), classes=10, classifier_activation="softmax", weights=None,
    shortcut="A",
):  # fmt: skip
    """As `cifar_resnet20`; 857,082 parameters, 853,018 trained; 855,770 with "B"."""
    return _net(56, input_shape, classes, classifier_activation, weights, shortcut)


def cifar_resnet110(
    input_shape=(32, 32, 3), classes=10, classifier_activation="softmax", weights=None,
    shortcut="A",
):  # fmt: skip
    """As `cifar_resnet20`; 1,736,058 parameters, 1,727,962 trained; 1,730,714 with "B".

    It needs a warm-up: the paper trains at 0.01 until the training error is below 80 %.
    """
    return _net(110, input_shape, classes, classifier_activation, weights, shortcut)


def cifar_plain20(
    input_shape=(32, 32, 3), classes=10, classifier_activation="softmax", weights=None
):
    """ResNet-20 without shortcuts, which have no parameters: 271,098 here too."""
    return _net(20, input_shape, classes, classifier_activation, weights, None)


def cifar_plain56(
    input_shape=(32, 32, 3), classes=10, classifier_activation="softmax", weights=None
):
    """ResNet-56 without shortcuts; 857,082 parameters."""
    return _net(56, input_shape, classes, classifier_activation, weights, None)


def _net(depth, input_shape, classes, classifier_activation, weights, shortcut):
    images = image_input(input_shape, minimum=4)
    x = cifar_resnet_features(images, depth, shortcut)["C2"]
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    x = layers.Dense(classes, activation=classifier_activation, name="predictions")(x)
    kind = "resnet" if shortcut else "plain"
    model = keras.Model(images, x, name=f"cifar_{kind}{depth}")
    load_weights(model, weights)
    return model


def cifar_resnet_features(images, depth=20, shortcut="A"):
    """Maps images to {"C0": ..., "C1": ..., "C2": ...}: 16, 32 and 64 maps.

    They are at strides 1, 2 and 4.
    """
    if depth < 8 or depth % 6 != 2:
        raise ValueError(f"depth must be 6n + 2, as 20, 56 or 110, got {depth}")
    if shortcut not in SHORTCUTS:
        raise ValueError(f"shortcut must be 'A', 'B' or None, got {shortcut!r}")
    features = {}
    x = _conv_bn(images, FILTERS[0], 3, 1, name="stem")
    x = layers.ReLU(name="stem_relu")(x)
    for level, filters in enumerate(FILTERS):
        for i in range(1, depth // 6 + 1):
            strides = 2 if level > 0 and i == 1 else 1
            x = _block(x, filters, strides, shortcut, name=f"stage{level + 1}_{i}")
        features[f"C{level}"] = x
    return features


def _block(x, filters, strides, shortcut, name):
    """Figure 5, left: two 3x3 convolutions and what the shortcut adds to them."""
    inputs = x
    x = _conv_bn(x, filters, 3, strides, name=f"{name}_conv1")
    x = layers.ReLU(name=f"{name}_conv1_relu")(x)
    x = _conv_bn(x, filters, 3, 1, name=f"{name}_conv2")
    if shortcut:
        inputs = _shortcut(inputs, filters, strides, shortcut, name=f"{name}_shortcut")
        x = layers.Add(name=f"{name}_add")([inputs, x])
    return layers.ReLU(name=f"{name}_relu")(x)


def _shortcut(x, filters, strides, shortcut, name):
    if strides == 1:
        return x
    if shortcut == "B":
        return _conv_bn(x, filters, 1, strides, name=name)
    x = layers.MaxPooling2D(1, strides, name=f"{name}_pool")(x)  # pixels 0, 2, 4, ...
    return PadChannels(filters - x.shape[-1], name=name)(x)


def _conv_bn(x, filters, kernel_size, strides, name):
    """A stride keeps pixels 0, 2, 4, ... centred, as the shortcut does."""
    padding = "same"
    if strides > 1 and kernel_size > 1:
        x, padding = layers.ZeroPadding2D(1, name=f"{name}_pad")(x), "valid"
    x = layers.Conv2D(
        filters, kernel_size, strides, padding, use_bias=False,
        kernel_initializer="he_normal", name=name,
    )(x)  # fmt: skip
    return batch_norm(f"{name}_bn", epsilon=1e-5)(x)

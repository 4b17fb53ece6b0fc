"""Pre-activation ResNet: batch normalisation and ReLU before each convolution.

Paper: K. He, X. Zhang, S. Ren, J. Sun, "Identity Mappings in Deep Residual Networks",
2016, https://arxiv.org/abs/1603.05027

Differs from the paper: shortcuts that grow are 1x1 convolutions, as in the authors'
released code. The ImageNet nets are those of keras.applications ("v2"), with their
published weights: the stride in the last unit of a stage, not the first of the next,
biases in the stem, the projections and the last convolution of a unit.
"""

import functools

import keras
from keras import layers

from kcv.layers.batch_norm import batch_norm
from kcv.models.classification.resnet import EPSILON, FILTERS
from kcv.models.image_input import image_input
from kcv.models.output_stride import strides_and_dilations
from kcv.models.weights import load_weights

# Figure 4: what is done before the first convolution of a unit, between two of them,
# before the addition and after it.
UNIT_ORDERS = {
    "original": ("", "bn relu", "bn", "relu"),
    "bn_after_addition": ("", "bn relu", "", "bn relu"),
    "relu_before_addition": ("", "bn relu", "bn relu", ""),
    "relu_only_preactivation": ("relu", "bn relu", "bn", ""),
    "full_preactivation": ("bn relu", "bn relu", "", ""),
}
# Depth -> (units of each of three stages, convolutions of a unit); 20 is the size of
# the first paper, for short runs.
CIFAR_UNITS = {20: (3, 2), 110: (18, 2), 164: (18, 3)}
CIFAR_FILTERS = (16, 32, 64)
UNITS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3), 200: (3, 24, 36, 3)}

IMAGENET_URL = "https://storage.googleapis.com/tensorflow/keras-applications/resnet/"
IMAGENET_MD5 = {
    50: "3ef43a0b657b3be2300d5770ece849e0",
    101: "6343647c601c52e1368623803854d971",
    152: "a49b44d1979771252814e80f8ec446f9",
}


def preact_resnet20(
    input_shape=(32, 32, 3), classes=10, classifier_activation="softmax", weights=None,
    unit_order="full_preactivation",
):  # fmt: skip
    """Builds the 20 layers for CIFAR, two 3x3 convolutions in a unit.

    Args:
        input_shape: (height, width, channels) of one image, at least 4x4.
        classes: size of the last layer.
        classifier_activation: "softmax" for probabilities, None for logits.
        weights: None or the path of a weight file; see `load_weights`.
        unit_order: one of UNIT_ORDERS, (a) to (e) of Figure 4.

    Returns:
        A model from images, float32 (batch, height, width, channels) in [-1, 1], to
        float32 (batch, classes).

    Parameters with 10 classes: 273,658, of which 272,282 are trained; the others are
    the moving means and variances.
    """
    return _build(20, input_shape, classes, classifier_activation, weights, unit_order)


def preact_resnet110(
    input_shape=(32, 32, 3), classes=10, classifier_activation="softmax", weights=None,
    unit_order="full_preactivation",
):  # fmt: skip
    """As `preact_resnet20`; 1,738,618 parameters, 1,730,522 of them trained."""
    return _build(110, input_shape, classes, classifier_activation, weights, unit_order)


def preact_resnet164(
    input_shape=(32, 32, 3), classes=10, classifier_activation="softmax", weights=None,
    unit_order="full_preactivation",
):  # fmt: skip
    """As `preact_resnet20`, of bottlenecks; 1,727,482 parameters, 1,703,258 trained."""
    return _build(164, input_shape, classes, classifier_activation, weights, unit_order)


def preact_resnet50(
    input_shape=(224, 224, 3), classes=1000, classifier_activation="softmax",
    weights=None, unit_order="full_preactivation",
):  # fmt: skip
    """As `preact_resnet20`, for ImageNet, images at least 32x32.

    The published weights ("imagenet", for 50, 101 and 152 layers of full
    pre-activation) want pixels in [-1, 1]. 25,613,800 parameters with 1000 classes,
    25,568,360 of them trained.
    """
    return _build(50, input_shape, classes, classifier_activation, weights, unit_order)


def preact_resnet101(
    input_shape=(224, 224, 3), classes=1000, classifier_activation="softmax",
    weights=None, unit_order="full_preactivation",
):  # fmt: skip
    """As `preact_resnet50`; 44,675,560 parameters, 44,577,896 of them trained."""
    return _build(101, input_shape, classes, classifier_activation, weights, unit_order)


def preact_resnet152(
    input_shape=(224, 224, 3), classes=1000, classifier_activation="softmax",
    weights=None, unit_order="full_preactivation",
):  # fmt: skip
    """As `preact_resnet50`; 60,380,648 parameters, 60,236,904 of them trained."""
    return _build(152, input_shape, classes, classifier_activation, weights, unit_order)


def preact_resnet200(
    input_shape=(224, 224, 3), classes=1000, classifier_activation="softmax",
    weights=None, unit_order="full_preactivation",
):  # fmt: skip
    """As `preact_resnet50`; 64,894,440 parameters, 64,726,120 of them trained."""
    return _build(200, input_shape, classes, classifier_activation, weights, unit_order)


def _build(depth, input_shape, classes, classifier_activation, weights, unit_order):
    cifar = depth in CIFAR_UNITS
    images = image_input(input_shape, minimum=4 if cifar else 32)
    if cifar:
        x = preact_resnet_cifar_features(images, depth, unit_order)["C2"]
    else:
        x = preact_resnet_features(images, depth, unit_order)["C5"]
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    x = layers.Dense(classes, activation=classifier_activation, name="predictions")(x)
    model = keras.Model(images, x, name=f"preact_resnet{depth}")
    published = depth in IMAGENET_MD5 and unit_order == "full_preactivation"
    file = functools.partial(_imagenet_file, depth) if published else None
    load_weights(model, weights, file)
    return model


def preact_resnet_cifar_features(images, depth=110, unit_order="full_preactivation"):
    """Maps images to {"C0": ..., "C1": ..., "C2": ...}, at strides 1, 2 and 4.

    They have 16, 32 and 64 channels, or 64, 128 and 256 with 164 layers.
    """
    before, stem = _ends(unit_order)
    repeats, count = _known(depth, CIFAR_UNITS)
    features = {}
    x = _activate(_conv(images, CIFAR_FILTERS[0], 3, "stem"), stem, "stem")
    for level, filters in enumerate(CIFAR_FILTERS):
        wide = filters if count == 2 else 4 * filters
        for i in range(1, repeats + 1):
            name = f"stage{level + 1}_{i}"
            activated = _activate(x, before, f"{name}_pre")
            if level and i == 1:
                features[f"C{level - 1}"] = activated
            strides = 2 if level and i == 1 else 1  # in the first convolution
            if count == 2:
                convs = [(filters, 3, strides, 1), (filters, 3, 1, 1)]
            else:
                convs = [(filters, 1, strides, 1), (filters, 3, 1, 1), (wide, 1, 1, 1)]
            first = level == 0 and i == 1
            x = _unit(activated if first else x, activated, convs, unit_order, name)
    features["C2"] = _activate(x, before, "last")
    return features


def preact_resnet_features(
    images, depth=50, unit_order="full_preactivation", output_stride=32
):
    """Maps images to {"C1": ..., "C5": ...}, the last maps at strides 2 to 32.

    C1 is the stem; C2 to C4 are what the unit with the stride reads, and C5 the end,
    both after the activation: 64, 256, 512, 1024 and 2048 channels. With output_stride
    16 or 8, C5 or C4 and C5 stay at that stride, and later convolutions are dilated.
    """
    before, stem = _ends(unit_order)
    repeats = _known(depth, UNITS)
    x = _conv(images, 64, 7, "conv1", strides=2, use_bias=True)
    features = {"C1": _activate(x, stem, "conv1")}
    x = layers.ZeroPadding2D(1, name="pool1_pad")(features["C1"])
    x = layers.MaxPooling2D(3, strides=2, name="pool1")(x)
    plan = [(1, 1), (2, 1), *strides_and_dilations(output_stride), (1, None)]
    for stage, (filters, count) in enumerate(zip(FILTERS, repeats), start=2):
        dilation = plan[stage - 2][1]
        for i in range(1, count + 1):
            name = f"conv{stage}_{i}"
            activated = _activate(x, before, f"{name}_pre")
            strides = plan[stage - 1][0] if i == count else 1
            if i == count and stage < 5:
                features[f"C{stage}"] = activated
            convs = [(filters, 1, 1, 1), (filters, 3, strides, dilation),
                     (4 * filters, 1, 1, 1)]  # fmt: skip
            x = _unit(x, activated, convs, unit_order, name, use_bias=True)
    features["C5"] = _activate(x, before, "last")
    return features


def _unit(x, activated, convs, unit_order, name, use_bias=False):
    """A residual unit of `convs`: (filters, kernel size, strides, dilation) of each."""
    _, between, before_addition, after = UNIT_ORDERS[unit_order]
    y = activated
    for i, (filters, kernel_size, strides, dilation) in enumerate(convs, start=1):
        biased = use_bias and i == len(convs)
        y = _conv(y, filters, kernel_size, f"{name}_conv{i}", strides, dilation, biased)
        if i < len(convs):
            y = _activate(y, between, f"{name}_conv{i}")
    y = _activate(y, before_addition, f"{name}_branch")
    strides = max(conv[2] for conv in convs)
    if x.shape[-1] != filters:
        x = _conv(activated, filters, 1, f"{name}_shortcut", strides, 1, use_bias)
        x = _activate(x, "bn" if "bn" in before_addition else "", f"{name}_shortcut")
    elif strides > 1:
        x = layers.MaxPooling2D(1, strides, name=f"{name}_shortcut")(x)
    return _activate(layers.Add(name=f"{name}_add")([x, y]), after, name)


def _ends(unit_order):
    """What a unit does first, and what of "bn relu" that leaves to the stem.

    The first unit activates before it splits, and so does the end after the last unit:
    the appendix of the paper.
    """
    if unit_order not in UNIT_ORDERS:
        raise ValueError(
            f"unknown unit_order {unit_order!r}; choose from {', '.join(UNIT_ORDERS)}"
        )
    before = UNIT_ORDERS[unit_order][0]
    return before, {"": "bn relu", "relu": "bn", "bn relu": ""}[before]


def _known(depth, table):
    if depth not in table:
        raise ValueError(
            f"no pre-activation ResNet of depth {depth} here; choose from "
            f"{', '.join(map(str, table))}"
        )
    return table[depth]


def _activate(x, what, name):
    """`what` is "bn relu", "bn", "relu" or "" for neither."""
    if "bn" in what:
        x = batch_norm(f"{name}_bn", EPSILON)(x)
    return layers.ReLU(name=f"{name}_relu")(x) if "relu" in what else x


def _conv(x, filters, kernel_size, name, strides=1, dilation=1, use_bias=False):
    padding = "same"
    if strides > 1 and kernel_size > 1:
        x, padding = (
            layers.ZeroPadding2D(kernel_size // 2, name=f"{name}_pad")(x),
            "valid",
        )
    return layers.Conv2D(
        filters, kernel_size, strides, padding, dilation_rate=dilation,
        use_bias=use_bias, kernel_initializer="he_normal", name=name,
    )(x)  # fmt: skip


def _imagenet_file(depth):
    name = f"resnet{depth}v2_weights_tf_dim_ordering_tf_kernels.h5"
    return f"{IMAGENET_URL}{name}", IMAGENET_MD5[depth]

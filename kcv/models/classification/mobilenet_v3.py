"""MobileNetV3: inverted residuals with squeeze-and-excitation and hard swish.

Paper: A. Howard et al., "Searching for MobileNetV3", 2019,
https://arxiv.org/abs/1905.02244

Differs from the paper: nothing in the large and the small network. The minimalistic
ones are of the authors' released code: 3x3 kernels and ReLU throughout, no
squeeze-and-excitation, for hardware that is slow at the rest.
"""

import keras
from keras import layers

from kcv.layers.batch_norm import batch_norm
from kcv.models.classification.mobilenet_v2 import make_divisible
from kcv.models.image_input import image_input
from kcv.models.output_stride import by_level
from kcv.models.weights import load_weights

# Tables 1 and 2: (kernel size, expansion size, filters, SE, non-linearity, strides).
RE, HS = "relu", "hard_silu"
LARGE = (
    (3, 16, 16, False, RE, 1),
    (3, 64, 24, False, RE, 2), (3, 72, 24, False, RE, 1),
    (5, 72, 40, True, RE, 2), (5, 120, 40, True, RE, 1), (5, 120, 40, True, RE, 1),
    (3, 240, 80, False, HS, 2), (3, 200, 80, False, HS, 1),
    (3, 184, 80, False, HS, 1), (3, 184, 80, False, HS, 1),
    (3, 480, 112, True, HS, 1), (3, 672, 112, True, HS, 1),
    (5, 672, 160, True, HS, 2), (5, 960, 160, True, HS, 1), (5, 960, 160, True, HS, 1),
)  # fmt: skip
SMALL = (
    (3, 16, 16, True, RE, 2),
    (3, 72, 24, False, RE, 2), (3, 88, 24, False, RE, 1),
    (5, 96, 40, True, HS, 2), (5, 240, 40, True, HS, 1), (5, 240, 40, True, HS, 1),
    (5, 120, 48, True, HS, 1), (5, 144, 48, True, HS, 1),
    (5, 288, 96, True, HS, 2), (5, 576, 96, True, HS, 1), (5, 576, 96, True, HS, 1),
)  # fmt: skip

# The weights that keras.applications publishes: variant -> MD5 hash.
IMAGENET_URL = (
    "https://storage.googleapis.com/tensorflow/keras-applications/mobilenet_v3/"
    "weights_mobilenet_v3_{variant}_float.h5"
)
IMAGENET_MD5 = {
    "large_224_0.75": "765b44a33ad4005b3ac83185abf1d0eb",
    "large_224_1.0": "59e551e166be033d707958cf9e29a6a7",
    "large_minimalistic_224_1.0": "675e7b876c45c57e9e63e6d90a36599c",
    "small_224_0.75": "cb65d4e5be93758266aa0a7f2c6708b7",
    "small_224_1.0": "8768d4c2e7dee89b9d02b2d03d65d862",
    "small_minimalistic_224_1.0": "99cd97fb2fcdad2bf028eb838de69e37",
}


def mobilenet_v3_large(
    input_shape=(224, 224, 3),
    classes=1000,
    classifier_activation="softmax",
    weights=None,
    alpha=1.0,
    minimalistic=False,
    dropout=0.2,
):
    """Builds the MobileNetV3-Large classifier.

    Args:
        input_shape: (height, width, channels) of one image, at least 32x32.
        classes: size of the last layer.
        classifier_activation: "softmax" for probabilities, None for logits.
        weights: None, "imagenet" or the path of a weight file; see `load_weights`.
        alpha: width multiplier of the blocks; scales the last hidden layer only where
            it is above 1 and the stem not at all.
        minimalistic: leave out squeeze-and-excitation, hard swish and 5x5 kernels.
        dropout: share of the last hidden layer dropped while training.

    Returns:
        A model from images, float32 (batch, height, width, channels) in [-1, 1],
        to float32 (batch, classes).

    Parameters with 1000 classes, batch statistics included: 5,507,432 for alpha 1.0;
    4,012,616 for 0.75; 3,948,688 minimalistic.
    """
    images = image_input(input_shape, minimum=32)
    x = mobilenet_v3_large_features(images, alpha, minimalistic)["C5"]
    x = _head(x, 1280, classes, classifier_activation, alpha, minimalistic, dropout)
    model = keras.Model(images, x, name="mobilenet_v3_large")
    load_weights(model, weights, lambda: _imagenet_file("large", alpha, minimalistic))
    return model


def mobilenet_v3_small(
    input_shape=(224, 224, 3),
    classes=1000,
    classifier_activation="softmax",
    weights=None,
    alpha=1.0,
    minimalistic=False,
    dropout=0.2,
):
    """Builds the MobileNetV3-Small classifier; arguments as for `mobilenet_v3_large`.

    Parameters with 1000 classes, batch statistics included: 2,554,968 for alpha 1.0;
    2,051,552 for 0.75; 2,056,848 minimalistic.
    """
    images = image_input(input_shape, minimum=32)
    x = mobilenet_v3_small_features(images, alpha, minimalistic)["C5"]
    x = _head(x, 1024, classes, classifier_activation, alpha, minimalistic, dropout)
    model = keras.Model(images, x, name="mobilenet_v3_small")
    load_weights(model, weights, lambda: _imagenet_file("small", alpha, minimalistic))
    return model


def mobilenet_v3_large_features(
    images, alpha=1.0, minimalistic=False, output_stride=32
):
    """Maps images to {"C1": ..., "C5": ...}, the last maps at strides 2 to 32.

    At alpha 1.0 they have 16, 24, 40, 112 and 960 channels. With output stride 16 or 8
    the last ones stay at that stride and the depthwise kernels behind it dilate.
    """
    return _features(images, LARGE, alpha, minimalistic, output_stride)


def mobilenet_v3_small_features(
    images, alpha=1.0, minimalistic=False, output_stride=32
):
    """As `mobilenet_v3_large_features`; 16, 16, 24, 48 and 576 channels."""
    return _features(images, SMALL, alpha, minimalistic, output_stride)


def _features(images, blocks, alpha, minimalistic, output_stride):
    plan, dilation = by_level(output_stride), 1
    last_activation = RE if minimalistic else HS
    x = _conv_bn(images, 16, 3, 2, last_activation, name="stem")
    features, level, table_channels = {"C1": x}, 1, 16
    for i, row in enumerate(blocks):
        kernel_size, expansion, filters, se, activation, strides = row
        if minimalistic:
            kernel_size, se, activation = 3, False, RE
        before = dilation  # of the maps that this block reads
        if strides == 2:
            level += 1
            strides, dilation = plan[level]
        # The expansion *ratio* is the table's; the channels it widens are scaled.
        expanded = make_divisible(x.shape[-1] * expansion / table_channels)
        x = _block(x, expanded, make_divisible(filters * alpha), kernel_size, strides,
                   before, se, activation, name=f"block{i}")  # fmt: skip
        features[f"C{level}"] = x  # a later block of the same level replaces it
        table_channels = filters
    x = _conv_bn(x, make_divisible(6 * x.shape[-1]), 1, 1, last_activation, name="last")
    return {**features, "C5": x}


def _block(x, expanded, filters, kernel_size, strides, dilation, se, activation, name):
    """Figure 4; the first block of both networks does not expand."""
    inputs = x
    if name != "block0":
        x = _conv_bn(x, expanded, 1, 1, activation, name=f"{name}_expand")
    x = layers.DepthwiseConv2D(
        kernel_size, strides, padding="same", dilation_rate=dilation, use_bias=False,
        name=f"{name}_depthwise",
    )(x)  # fmt: skip
    x = batch_norm(f"{name}_depthwise_bn")(x)
    x = layers.Activation(activation, name=f"{name}_depthwise_{activation}")(x)
    if se:
        x = _squeeze_excite(x, name=f"{name}_se")
    x = _conv_bn(x, filters, 1, 1, None, name=f"{name}_project")
    if strides == 1 and inputs.shape[-1] == filters:
        x = layers.Add(name=f"{name}_add")([inputs, x])
    return x


def _squeeze_excite(x, name):
    """Section 5.3: squeezed to a quarter; the gate is a hard sigmoid."""
    channels = x.shape[-1]
    gate = layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}_pool")(x)
    gate = layers.Conv2D(
        make_divisible(channels / 4), 1, activation="relu", name=f"{name}_squeeze"
    )(gate)
    gate = layers.Conv2D(channels, 1, name=f"{name}_excite")(gate)
    gate = layers.Activation("hard_sigmoid", name=f"{name}_gate")(gate)
    return layers.Multiply(name=f"{name}_scale")([x, gate])


def _conv_bn(x, filters, kernel_size, strides, activation, name):
    x = layers.Conv2D(
        filters, kernel_size, strides, padding="same", use_bias=False, name=name
    )(x)
    x = batch_norm(f"{name}_bn")(x)
    if activation is None:
        return x
    return layers.Activation(activation, name=f"{name}_{activation}")(x)


def _head(x, hidden, classes, classifier_activation, alpha, minimalistic, dropout):
    """The "efficient last stage" of Figure 5: pool first, then widen."""
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    x = layers.Dense(make_divisible(hidden * max(1.0, alpha)), name="hidden")(x)
    activation = RE if minimalistic else HS
    x = layers.Activation(activation, name=f"hidden_{activation}")(x)
    x = layers.Dropout(dropout, name="dropout")(x)
    return layers.Dense(classes, activation=classifier_activation, name="predictions")(
        x
    )


def _imagenet_file(size, alpha, minimalistic):
    """Returns (URL, MD5 hash) of the published file; all are for 224x224 images."""
    kind = f"{size}_minimalistic" if minimalistic else size
    variant = f"{kind}_224_{float(alpha)}"
    if variant not in IMAGENET_MD5:
        raise ValueError(
            f"no imagenet weights for mobilenet_v3_{kind} with alpha {alpha}; "
            f"published (kind_size_alpha): {', '.join(IMAGENET_MD5)}"
        )
    return IMAGENET_URL.format(variant=variant), IMAGENET_MD5[variant]

"""MobileNetV2: inverted residual blocks with linear bottlenecks.

Paper: M. Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks",
2018, https://arxiv.org/abs/1801.04381

Differs from the paper: nothing; widths are rounded to multiples of 8 as in the
authors' released code, which the paper does not say.
"""

import keras
from keras import layers

from kcv.layers.batch_norm import batch_norm
from kcv.models.image_input import image_input
from kcv.models.output_stride import by_level
from kcv.models.weights import load_weights

# Table 2: (expansion t, filters c, repeats n, strides s of the first repeat).
STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)

# The weights that keras.applications publishes.
IMAGENET_URL = (
    "https://storage.googleapis.com/tensorflow/keras-applications/mobilenet_v2/"
    "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_{alpha}_{size}.h5"
)
IMAGENET_ALPHAS = (0.35, 0.5, 0.75, 1.0, 1.3, 1.4)
IMAGENET_SIZES = (96, 128, 160, 192, 224)


def mobilenet_v2(
    input_shape=(224, 224, 3),
    classes=1000,
    classifier_activation="softmax",
    weights=None,
    alpha=1.0,
):
    """Builds the MobileNetV2 classifier.

    Args:
        input_shape: (height, width, channels) of one image, at least 32x32.
        classes: size of the last layer.
        classifier_activation: "softmax" for probabilities, None for logits.
        weights: None, "imagenet" or the path of a weight file; see `load_weights`.
        alpha: width multiplier; scales the filters of all layers, but those of the last
            convolution only where it is above 1.

    Returns:
        A model from images, float32 (batch, height, width, channels) in [-1, 1],
        to float32 (batch, classes).

    Parameters with 1000 classes, batch statistics included: 3,538,984 for alpha 1.0;
    1,691,208 for 0.35; 1,987,224 for 0.5; 2,663,064 for 0.75; 5,431,048 for 1.3;
    6,156,712 for 1.4.
    """
    images = image_input(input_shape, minimum=32)
    x = mobilenet_v2_features(images, alpha)["C5"]
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    x = layers.Dense(classes, activation=classifier_activation, name="predictions")(x)
    model = keras.Model(images, x, name="mobilenet_v2")
    load_weights(model, weights, lambda: _imagenet_file(input_shape, alpha))
    return model


def mobilenet_v2_features(images, alpha=1.0, output_stride=32):
    """Maps images to {"C1": ..., "C5": ...}, the last maps at strides 2 to 32.

    At alpha 1.0 they have 16, 24, 32, 96 and 1280 channels. With output stride 16 or 8
    the last ones stay at that stride and the depthwise kernels behind it dilate.
    """
    plan, features, level, dilation, block = by_level(output_stride), {}, 1, 1, 0
    x = _conv_bn(images, make_divisible(32 * alpha), 3, 2, name="stem")
    x = layers.ReLU(6.0, name="stem_relu6")(x)
    for expansion, filters, repeats, first_strides in STAGES:
        for i in range(repeats):
            strides, before = 1, dilation  # of the maps that this block reads
            if i == 0 and first_strides == 2:
                level += 1
                strides, dilation = plan[level]
            filters_out = make_divisible(int(filters * alpha))
            x = _inverted_residual(
                x, expansion, filters_out, strides, before, f"block{block}"
            )
            features[f"C{level}"] = x  # a later block of the same level replaces it
            block += 1
    x = _conv_bn(x, make_divisible(1280 * max(1.0, alpha)), 1, 1, name="last")
    features["C5"] = layers.ReLU(6.0, name="last_relu6")(x)
    return features


def make_divisible(channels, divisor=8):
    """Rounds to a multiple of `divisor`, at least one, not below 0.9 of `channels`."""
    rounded = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * channels else rounded


def _inverted_residual(x, expansion, filters, strides, dilation, name):
    """Table 1: 1x1 expansion, 3x3 depthwise, linear 1x1 projection."""
    inputs, channels = x, x.shape[-1]
    if expansion != 1:
        x = _conv_bn(x, expansion * channels, 1, 1, name=f"{name}_expand")
        x = layers.ReLU(6.0, name=f"{name}_expand_relu6")(x)
    x = layers.DepthwiseConv2D(
        3, strides, padding="same", dilation_rate=dilation, use_bias=False,
        name=f"{name}_depthwise",
    )(x)  # fmt: skip
    x = batch_norm(f"{name}_depthwise_bn")(x)
    x = layers.ReLU(6.0, name=f"{name}_depthwise_relu6")(x)
    x = _conv_bn(x, filters, 1, 1, name=f"{name}_project")
    if strides == 1 and channels == filters:
        x = layers.Add(name=f"{name}_add")([inputs, x])
    return x


def _conv_bn(x, filters, kernel_size, strides, name):
    x = layers.Conv2D(
        filters, kernel_size, strides, padding="same", use_bias=False, name=name
    )(x)
    return batch_norm(f"{name}_bn")(x)


def _imagenet_file(input_shape, alpha):
    """Returns (URL, hash) of the published file; 224 where a size has none."""
    if alpha not in IMAGENET_ALPHAS:
        raise ValueError(
            f"no imagenet weights for mobilenet_v2 with alpha {alpha}; "
            f"published: {', '.join(map(str, IMAGENET_ALPHAS))}"
        )
    height, width, _ = input_shape
    size = height if height == width and height in IMAGENET_SIZES else 224
    return IMAGENET_URL.format(alpha=float(alpha), size=size), None

"""ZFNet: AlexNet with a finer first layer, found by looking at its features.

Paper: M. Zeiler and R. Fergus, "Visualizing and Understanding Convolutional Networks",
2013, https://arxiv.org/abs/1311.2901

Differs from the paper: pixels in [-1, 1] and the initial weights of He et al. with zero
biases, in place of raw pixels and weights of 0.01; no limit on the size of a filter.
The paper does not say how "contrast normalised across feature maps" is computed: here
as in AlexNet, but after the pooling, where Figure 3 has it.
"""

import keras
from keras import layers

from kcv.layers.local_response_norm import LocalResponseNorm
from kcv.models.classification.alexnet import dense_head, max_pool
from kcv.models.image_input import image_input
from kcv.models.output_stride import strides_and_dilations
from kcv.models.weights import load_weights

# Figure 3, and Table 2 (b): filters of the five layers.
FILTERS = (96, 256, 384, 384, 256)
FILTERS_B = (96, 256, 512, 1024, 512)


def zfnet(
    input_shape=(224, 224, 3),
    classes=1000,
    classifier_activation="softmax",
    weights=None,
    alpha=1.0,
    dropout=0.5,
):
    """Builds the network of Figure 3.

    Args:
        input_shape: (height, width, channels) of one image, at least 53x53.
        classes: size of the last layer.
        classifier_activation: "softmax" for probabilities, None for logits.
        weights: None or the path of a weight file; see `load_weights`.
        alpha: width multiplier, not in the paper; scales all filters and units.
        dropout: share of the units of both hidden layers dropped while training.

    Returns:
        A model from images, float32 (batch, height, width, channels) in [-1, 1],
        to float32 (batch, classes).

    Parameters with 1000 classes: 62,357,608; 4,670,728 for alpha 0.25.
    """
    return _zfnet("zfnet", FILTERS, input_shape, classes, classifier_activation,
                  weights, alpha, dropout)  # fmt: skip


def zfnet_b(
    input_shape=(224, 224, 3),
    classes=1000,
    classifier_activation="softmax",
    weights=None,
    alpha=1.0,
    dropout=0.5,
):
    """Builds the network of Table 2 (b), with more maps in layers 3 to 5; as `zfnet`.

    Parameters with 1000 classes: 107,627,624.
    """
    return _zfnet("zfnet_b", FILTERS_B, input_shape, classes, classifier_activation,
                  weights, alpha, dropout)  # fmt: skip


def zfnet_features(images, output_stride=32, alpha=1.0):
    """Maps images to {"C1": ..., "C5": ...}, the last maps at strides 2 to 32.

    At alpha 1.0 they have 96, 96, 256, 256 and 256 channels; C5 is the last pooling.
    Borders shrink the maps: 110, 55, 26, 13 and 6 pixels for 224.

    Args:
        images: (batch, height, width, channels).
        output_stride: 32, 16 or 8: the last poolings keep the size of the maps, and
            kernels behind them are dilated, so that they see the same pixels.
        alpha: as for `zfnet`.
    """
    return _features(images, FILTERS, output_stride, alpha)


def zfnet_b_features(images, output_stride=32, alpha=1.0):
    """As `zfnet_features`; 96, 96, 256, 512 and 512 channels."""
    return _features(images, FILTERS_B, output_stride, alpha)


def _zfnet(name, filters, input_shape, classes, classifier_activation, weights, alpha,
           dropout):  # fmt: skip
    images = image_input(input_shape, minimum=53)
    x = _features(images, filters, 32, alpha)["C5"]
    x = dense_head(x, classes, classifier_activation, alpha, dropout)
    model = keras.Model(images, x, name=name)
    load_weights(model, weights)
    return model


def _features(images, filters, output_stride, alpha):
    (stride4, dilation4), (stride5, _) = strides_and_dilations(output_stride)
    filters = [int(alpha * n) for n in filters]
    x = layers.ZeroPadding2D(1, name="conv1_pad")(images)
    c1 = _conv(x, filters[0], 7, 1, strides=2, padding="valid")
    x = max_pool(c1, 3, 2, 1, name="pool1", padding="same")
    c2 = LocalResponseNorm(name="norm1")(x)
    c3 = _conv(c2, filters[1], 5, 2, strides=2, padding="valid")
    x = max_pool(c3, 3, stride4, 1, name="pool2", padding="same")
    x = LocalResponseNorm(name="norm2")(x)
    for i in (3, 4, 5):
        x = _conv(x, filters[i - 1], 3, i, padding="same", dilation_rate=dilation4)
    c5 = max_pool(x, 3, stride5, dilation4, name="pool5")
    return {"C1": c1, "C2": c2, "C3": c3, "C4": x, "C5": c5}


def _conv(x, filters, kernel_size, number, **kwargs):
    return layers.Conv2D(
        filters,
        kernel_size,
        activation="relu",
        kernel_initializer="he_normal",
        name=f"conv{number}",
        **kwargs,
    )(x)

"""Xception: depthwise separable convolutions with residual connections.

Paper: F. Chollet, "Xception: Deep Learning with Depthwise Separable Convolutions",
2016, https://arxiv.org/abs/1610.02357

Differs from the paper: nothing; the first two convolutions have no padding, as in the
author's released code, which Figure 5 does not say. The width multiplier is not his.
"""

import keras
from keras import layers

from kcv.layers.batch_norm import batch_norm
from kcv.models.image_input import image_input
from kcv.models.output_stride import strides_and_dilations
from kcv.models.weights import load_weights

# Figure 5: filters of the blocks of the entry flow, each of which halves the maps, and
# of the separable convolutions of the exit flow; how often the middle flow is repeated.
ENTRY = (128, 256, 728)
EXIT = (728, 1024, 1536, 2048)
REPEATS = 8

# The weights that keras.applications publishes.
IMAGENET_URL = (
    "https://storage.googleapis.com/tensorflow/keras-applications/xception/"
    "xception_weights_tf_dim_ordering_tf_kernels.h5"
)
IMAGENET_MD5 = "0a58e3b7378bc2990ea3b43d5981f1f6"


def xception(
    input_shape=(299, 299, 3),
    classes=1000,
    classifier_activation="softmax",
    weights=None,
    alpha=1.0,
    dropout=0.5,
):
    """Builds the Xception classifier.

    Args:
        input_shape: (height, width, channels) of one image, at least 32x32.
        classes: size of the last layer.
        classifier_activation: "softmax" for probabilities, None for logits.
        weights: None, "imagenet" or the path of a weight file; see `load_weights`.
        alpha: width multiplier; scales the filters of all layers.
        dropout: share of the pooled features dropped while training.

    Returns:
        A model from images, float32 (batch, height, width, channels) in [-1, 1], to
        float32 (batch, classes).

    Parameters with 1000 classes, batch statistics included: 22,910,480 for
    alpha 1.0; 6,319,708 for 0.5; 1,876,346 for 0.25.
    """
    images = image_input(input_shape, minimum=32)
    x = xception_features(images, alpha)["C5"]
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    x = layers.Dropout(dropout, name="dropout")(x)
    x = layers.Dense(classes, activation=classifier_activation, name="predictions")(x)
    model = keras.Model(images, x, name="xception")
    load_weights(model, weights, lambda: _imagenet_file(alpha))
    return model


def xception_features(images, alpha=1.0, output_stride=32):
    """Maps images to {"C1": ..., "C5": ...}, the last maps at strides 2 to 32.

    At alpha 1.0 they have 64, 128, 256, 728 and 2048 channels. With output stride 16 or
    8 the last ones stay at that stride and the separable convolutions behind it dilate.
    """
    (stride4, dilation4), (stride5, dilation5) = strides_and_dilations(output_stride)
    entry, exit_ = _scaled(ENTRY, alpha), _scaled(EXIT, alpha)
    x = _conv_bn_relu(images, int(32 * alpha), 2, name="block1_conv1")
    x = c1 = _conv_bn_relu(x, int(64 * alpha), 1, name="block1_conv2")
    x = c2 = _down(x, entry[:1] * 2, 2, first_relu=False, name="block2")
    x = c3 = _down(x, entry[1:2] * 2, 2, name="block3")
    x = _down(x, entry[2:] * 2, stride4, name="block4")
    for i in range(5, 5 + REPEATS):
        x = _middle(x, dilation4, name=f"block{i}")
    c4 = x
    x = _down(x, exit_[:2], stride5, dilation4, name="block13")
    for i, filters in enumerate(exit_[2:], start=1):
        x = _separable_bn(x, filters, dilation5, f"block14_separable{i}")
        x = layers.ReLU(name=f"block14_relu{i}")(x)
    return {"C1": c1, "C2": c2, "C3": c3, "C4": c4, "C5": x}


def _scaled(filters, alpha):
    return [int(n * alpha) for n in filters]


def _down(x, filters, strides, dilation=1, first_relu=True, *, name):
    """Two separable convolutions and a pooling, beside a strided 1x1 convolution."""
    shortcut = layers.Conv2D(
        filters[1], 1, strides, padding="same", use_bias=False, name=f"{name}_shortcut"
    )(x)
    shortcut = batch_norm(f"{name}_shortcut_bn")(shortcut)
    for i, n in enumerate(filters, start=1):
        if i > 1 or first_relu:
            x = layers.ReLU(name=f"{name}_relu{i}")(x)
        x = _separable_bn(x, n, dilation, f"{name}_separable{i}")
    x = layers.MaxPooling2D(3, strides, padding="same", name=f"{name}_pool")(x)
    return layers.Add(name=f"{name}_add")([x, shortcut])


def _middle(x, dilation, name):
    """Three separable convolutions, added to their input."""
    shortcut = x
    for i in range(1, 4):
        x = layers.ReLU(name=f"{name}_relu{i}")(x)
        x = _separable_bn(x, x.shape[-1], dilation, f"{name}_separable{i}")
    return layers.Add(name=f"{name}_add")([x, shortcut])


def _separable_bn(x, filters, dilation, name):
    """No activation between the depthwise and the pointwise part: section 4.7."""
    x = layers.SeparableConv2D(
        filters, 3, padding="same", dilation_rate=dilation, use_bias=False, name=name
    )(x)
    return batch_norm(f"{name}_bn")(x)


def _conv_bn_relu(x, filters, strides, name):
    x = layers.Conv2D(filters, 3, strides, use_bias=False, name=name)(x)
    return layers.ReLU(name=f"{name}_relu")(batch_norm(f"{name}_bn")(x))


def _imagenet_file(alpha):
    if alpha != 1.0:
        raise ValueError(
            f"no imagenet weights for xception with alpha {alpha}; published: 1.0"
        )
    return IMAGENET_URL, IMAGENET_MD5

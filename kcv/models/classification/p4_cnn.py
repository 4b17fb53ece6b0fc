"""Group-equivariant networks: turning the image turns the maps, and no more.

Paper: T. Cohen and M. Welling, "Group Equivariant Convolutional Networks", 2016,
section 8.1, https://arxiv.org/abs/1602.07576

Differs from the paper: `p4m_cnn` has the layers of its P4CNN, which it only tries in p4
on handwritten digits; 7 filters, as 20 / sqrt(8), keep the number of parameters. Where
the last maps are larger than one pixel, as for images above 28x28, their largest value
counts.
"""

import keras
from keras import layers

from kcv.layers.batch_norm import batch_norm
from kcv.layers.group_convolution import GROUPS, GroupConvolution
from kcv.models.image_input import image_input
from kcv.models.weights import load_weights

KERNEL_SIZES = (3, 3, 3, 3, 3, 3, 4)  # max pooling after the second


def p4_cnn(
    input_shape=(28, 28, 1),
    classes=10,
    classifier_activation="softmax",
    weights=None,
    filters=10,
    dropout=0.3,
):
    """Builds the P4CNN, whose answer is the same for an image turned by 90 degrees.

    Args:
        input_shape: (height, width, channels) of one image, even, at least 28x28.
        classes: size of the last layer.
        classifier_activation: "softmax" for probabilities, None for logits.
        weights: None or the path of a weight file; see `load_weights`.
        filters: kernels a layer; each gives a map for every turn.
        dropout: share dropped while training.

    Returns:
        A model from images, float32 (batch, height, width, channels) in [-1, 1], to
        float32 (batch, classes). It has 24,740 parameters at the defaults, batch
        statistics included; the paper says about 25,000.
    """
    return _group_cnn("p4", input_shape, classes, classifier_activation, weights,
                      filters, dropout)  # fmt: skip


def p4m_cnn(
    input_shape=(28, 28, 1),
    classes=10,
    classifier_activation="softmax",
    weights=None,
    filters=7,
    dropout=0.3,
):
    """Builds it for turns and mirrors; arguments and result as for `p4_cnn`.

    It has 26,841 parameters at the defaults.
    """
    return _group_cnn("p4m", input_shape, classes, classifier_activation, weights,
                      filters, dropout)  # fmt: skip


def p4_cnn_features(images, group="p4", filters=10, dropout=0.3):
    """Maps images to {"C0": ..., "C1": ...}, the last maps at strides 1 and 2.

    Their channels are (positions, filters), flat: `GroupConvolution`.
    """
    features, x = {}, images
    for i, size in enumerate(KERNEL_SIZES[:-1], start=1):
        x = GroupConvolution(filters, size, group, lifting=i == 1, use_bias=False,
                             name=f"conv{i}")(x)  # fmt: skip
        x = _over_places(batch_norm(f"conv{i}_bn"), x, GROUPS[group])
        x = layers.ReLU(name=f"conv{i}_relu")(x)
        x = layers.Dropout(dropout, name=f"conv{i}_dropout")(x)
        features["C0" if i <= 2 else "C1"] = x
        if i == 2:
            x = layers.MaxPooling2D(name="pool")(x)
    return features


def _over_places(layer, x, order):
    """Applies a layer to all positions alike, as it does to all places."""
    _, height, width, channels = x.shape
    name = layer.name
    x = layers.Reshape((height, width * order, channels // order), name=f"{name}_in")(x)
    return layers.Reshape((height, width, channels), name=f"{name}_out")(layer(x))


def _group_cnn(group, input_shape, classes, classifier_activation, weights, filters,
               dropout):  # fmt: skip
    images = image_input(input_shape, minimum=28)
    if input_shape[0] % 2 or input_shape[1] % 2:
        raise ValueError(
            f"input_shape {tuple(input_shape)} is odd: pooling would leave out a "
            "border on one side, which does not turn; choose even height and width"
        )
    x = p4_cnn_features(images, group, filters, dropout)["C1"]
    x = GroupConvolution(classes, KERNEL_SIZES[-1], group, name="scores")(x)
    # The largest over places and positions: here the answer becomes invariant.
    _, height, width, _ = x.shape
    shape = (height, width * GROUPS[group], classes)
    x = layers.Reshape(shape, name="positions")(x)
    x = layers.GlobalMaxPooling2D(name="pool_positions")(x)
    x = layers.Activation(classifier_activation, name="predictions")(x)
    model = keras.Model(images, x, name=f"{group}_cnn")
    load_weights(model, weights)
    return model

"""AlexNet: five convolutions with ReLU and overlapping pooling, three dense layers.

Papers: A. Krizhevsky, I. Sutskever, G. Hinton, "ImageNet Classification with Deep
Convolutional Neural Networks", 2012, https://doi.org/10.1145/3065386 (`alexnet`);
A. Krizhevsky, "One weird trick for parallelizing convolutional neural networks", 2014,
https://arxiv.org/abs/1404.5997 (`alexnet_one_tower`).

Differs from the papers: pixels in [-1, 1] and the initial weights of He et al. with
zero biases, in place of raw pixels with N(0, 0.01) and biases of 1. The towers of 2012
are grouped convolutions in one graph, and a map's neighbours in the normalisation may
be in the other tower, as in Caffe's version; the paper prints 224 pixels, its 55x55
maps only fit 227. The fourth layer of `alexnet_one_tower` has 256 filters as in
torchvision, not 384; neither has its normalisation.
"""

import keras
from keras import layers

from kcv.layers.local_response_norm import LocalResponseNorm
from kcv.models.image_input import image_input
from kcv.models.output_stride import strides_and_dilations
from kcv.models.weights import load_weights

# 2012, Figure 2: (filters, kernel size, strides, connected within its tower only).
TWO_TOWERS = (
    (96, 11, 4, False),
    (256, 5, 1, True),
    (384, 3, 1, False),
    (384, 3, 1, True),
    (256, 3, 1, True),
)
# 2014, as in torchvision: the same kernels with other filters.
ONE_TOWER = tuple(
    (filters, kernel_size, strides, False)
    for filters, (_, kernel_size, strides, _) in zip(
        (64, 192, 384, 256, 256), TWO_TOWERS
    )
)


def alexnet(
    input_shape=(227, 227, 3),
    classes=1000,
    classifier_activation="softmax",
    weights=None,
    groups=2,
    alpha=1.0,
    dropout=0.5,
):
    """Builds the two-tower network of 2012.

    Args:
        input_shape: (height, width, channels) of one image, at least 67x67.
        classes: size of the last layer.
        classifier_activation: "softmax" for probabilities, None for logits.
        weights: None or the path of a weight file; see `load_weights`.
        groups: number of towers; 1 connects all maps.
        alpha: width multiplier, not in the paper; scales all filters and units.
        dropout: share of the units of both hidden layers dropped while training.

    Returns:
        A model from images, float32 (batch, height, width, channels) in [-1, 1],
        to float32 (batch, classes).

    Parameters with 1000 classes: 60,965,224, as the paper's layers have; 62,378,344
    with one group; 4,587,592 for alpha 0.25.
    """
    images = image_input(input_shape, minimum=67)
    x = alexnet_features(images, groups=groups, alpha=alpha)["C5"]
    x = dense_head(x, classes, classifier_activation, alpha, dropout)
    model = keras.Model(images, x, name="alexnet")
    load_weights(model, weights)
    return model


def alexnet_one_tower(
    input_shape=(224, 224, 3),
    classes=1000,
    classifier_activation="softmax",
    weights=None,
    alpha=1.0,
    dropout=0.5,
):
    """Builds the network of 2014, for images of at least 63x63; else as `alexnet`.

    Parameters with 1000 classes: 61,100,840, as in torchvision; 4,593,848 for alpha
    0.25.
    """
    images = image_input(input_shape, minimum=63)
    x = alexnet_one_tower_features(images, alpha=alpha)["C5"]
    x = dense_head(x, classes, classifier_activation, alpha, dropout)
    model = keras.Model(images, x, name="alexnet_one_tower")
    load_weights(model, weights)
    return model


def alexnet_features(images, output_stride=32, groups=2, alpha=1.0):
    """Maps images to {"C2": ..., "C5": ...}, the last maps at strides 4 to 32.

    There is no map at stride 2. At alpha 1.0 they have 96, 256, 256 and 256 channels;
    C5 is the last pooling. Borders shrink the maps: 55, 27, 13 and 6 pixels for 227.

    Args:
        images: (batch, height, width, channels).
        output_stride: 32, 16 or 8: the last poolings keep the size of the maps, and
            kernels behind them are dilated, so that they see the same pixels.
        groups: as for `alexnet`.
        alpha: as for `alexnet`.
    """
    return _features(images, TWO_TOWERS, output_stride, groups, alpha, norm=True)


def alexnet_one_tower_features(images, output_stride=32, alpha=1.0):
    """As `alexnet_features`; 64, 192, 256 and 256 channels."""
    x = layers.ZeroPadding2D(2, name="conv1_pad")(images)
    return _features(x, ONE_TOWER, output_stride, 1, alpha, norm=False)


def _features(x, table, output_stride, groups, alpha, norm):
    (stride4, dilation4), (stride5, _) = strides_and_dilations(output_stride)
    pool_strides = {1: 2, 2: stride4, 5: stride5}  # after layer i
    features, level = {}, 2
    for i, (filters, kernel_size, strides, in_tower) in enumerate(table, start=1):
        dilation = dilation4 if i > 2 else 1
        x = layers.Conv2D(
            int(alpha * filters), kernel_size, strides,
            padding="valid" if i == 1 else "same",
            dilation_rate=dilation,
            groups=groups if in_tower else 1,
            activation="relu",
            kernel_initializer="he_normal",
            name=f"conv{i}",
        )(x)  # fmt: skip
        if norm and i <= 2:
            x = LocalResponseNorm(name=f"norm{i}")(x)
        features[f"C{level}"] = x  # a later layer of the same level replaces it
        if i in pool_strides:
            x = max_pool(x, 3, pool_strides[i], dilation, name=f"pool{i}")
            level += 1
    return features | {"C5": x}


def max_pool(x, pool_size, strides, dilation, name, padding="valid"):
    """Max pooling; with a dilation, of units so far apart, without stride or border."""
    if dilation == 1:
        return layers.MaxPooling2D(pool_size, strides, padding, name=name)(x)
    reach = dilation * (pool_size - 1)
    for axis, part in (0, "rows"), (1, "columns"):
        shifted = []
        for i in range(0, reach + 1, dilation):
            crop = [(0, 0), (0, 0)]
            crop[axis] = (i, reach - i)
            shifted.append(layers.Cropping2D(crop, name=f"{name}_{part}{i}")(x))
        x = layers.Maximum(name=f"{name}_{part}")(shifted)
    return x


def dense_head(x, classes, classifier_activation, alpha=1.0, dropout=0.5):
    """Two hidden layers of 4096 units with dropout, and the classifier."""
    x = layers.Flatten(name="flatten")(x)
    for name in ("fc6", "fc7"):
        x = layers.Dense(
            int(alpha * 4096),
            activation="relu",
            kernel_initializer="he_normal",
            name=name,
        )(x)
        x = layers.Dropout(dropout, name=f"{name}_dropout")(x)
    return layers.Dense(classes, activation=classifier_activation, name="predictions")(
        x
    )

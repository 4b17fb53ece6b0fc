"""Inception-ResNet-v2: Inception modules whose scaled output is added to their input.

Paper: C. Szegedy et al., "Inception-v4, Inception-ResNet and the Impact of Residual
Connections on Learning", 2016, https://arxiv.org/abs/1602.07261

Differs from the paper: stem, widths and scales are those of the authors' released code,
as in keras.applications: the stem of Inception-v3; 320, 1088 and 2080 channels in place
of 384, 1154 and 2048; 10, 20 and 10 modules A, B and C in place of 5, 10 and 5, the
last of them neither scaled nor followed by a ReLU. The width multiplier is not theirs.
"""

import keras
from keras import layers

from kcv.models.classification.inception_v3 import (
    ConvBnRelu,
    branches,
    reduction,
    stem,
)
from kcv.models.image_input import image_input
from kcv.models.output_stride import strides_and_dilations
from kcv.models.weights import load_weights

# The residual modules A, B and C: (scale, branches), a branch being the (filters,
# kernel size) of its convolutions, and how often each is repeated. Section 3.3: scales
# of 0.1 to 0.3 keep the training stable.
MODULES = {
    "A": (0.17, (((32, 1),), ((32, 1), (32, 3)), ((32, 1), (48, 3), (64, 3)))),
    "B": (0.1, (((192, 1),), ((128, 1), (160, (1, 7)), (192, (7, 1))))),
    "C": (0.2, (((192, 1),), ((192, 1), (224, (1, 3)), (256, (3, 1))))),
}
REPEATS = (10, 20, 10)

# Branches of the module before the first residual one and of the two reductions; in the
# latter the last convolution of each branch has the stride.
MIXED_5B = (((96, 1),), ((48, 1), (64, 5)), ((64, 1), (96, 3), (96, 3)))
REDUCTION_A = (((384, 3),), ((256, 1), (256, 3), (384, 3)))
REDUCTION_B = (((256, 1), (384, 3)), ((256, 1), (288, 3)),
               ((256, 1), (288, 3), (320, 3)))  # fmt: skip

# The weights that keras.applications publishes.
IMAGENET_URL = (
    "https://storage.googleapis.com/tensorflow/keras-applications/inception_resnet_v2/"
    "inception_resnet_v2_weights_tf_dim_ordering_tf_kernels.h5"
)
IMAGENET_MD5 = "e693bd0210a403b3192acc6073ad2e96"


def inception_resnet_v2(
    input_shape=(299, 299, 3),
    classes=1000,
    classifier_activation="softmax",
    weights=None,
    repeats=REPEATS,
    alpha=1.0,
    dropout=0.2,
):
    """Builds the Inception-ResNet-v2 classifier.

    Args:
        input_shape: (height, width, channels) of one image, at least 75x75.
        classes: size of the last layer.
        classifier_activation: "softmax" for probabilities, None for logits.
        weights: None, "imagenet" or the path of a weight file; see `load_weights`.
        repeats: how many modules A, B and C, each at least 1.
        alpha: width multiplier; scales the filters of all layers, down to 16.
        dropout: share of the pooled features dropped while training.

    Returns:
        A model from images, float32 (batch, height, width, channels) in [-1, 1], to
        float32 (batch, classes).

    Parameters with 1000 classes, batch statistics included: 55,873,736 for
    alpha 1.0; 3,882,284 for 0.25.
    """
    images = image_input(input_shape, minimum=75)
    x = inception_resnet_v2_features(images, repeats, alpha)["C5"]
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    x = layers.Dropout(dropout, name="dropout")(x)
    x = layers.Dense(classes, activation=classifier_activation, name="predictions")(x)
    model = keras.Model(images, x, name="inception_resnet_v2")
    load_weights(model, weights, lambda: _imagenet_file(repeats, alpha))
    return model


def inception_resnet_v2_features(images, repeats=REPEATS, alpha=1.0, output_stride=32):
    """Maps images to {"C1": ..., "C5": ...}, the last maps at strides 2 to 32.

    At alpha 1.0 they have 64, 192, 320, 1088 and 1536 channels. With output stride 16
    or 8 the last ones stay at that stride and the convolutions behind it, not the
    pooling, dilate.
    """
    if len(repeats) != 3 or min(repeats) < 1:
        raise ValueError(f"repeats must be three numbers of at least 1, got {repeats}")
    (stride4, dilation4), (stride5, dilation5) = strides_and_dilations(output_stride)
    conv = ConvBnRelu(alpha)
    c1, c2, x = stem(conv, images)
    y = branches(conv, x, MIXED_5B, "mixed_5b")
    pool = layers.AveragePooling2D(3, 1, padding="same", name="mixed_5b_pool")(x)
    pool = conv(pool, 64, 1, name="mixed_5b_projection")
    x = layers.Concatenate(name="mixed_5b")([*y, pool])
    c3 = x = _residuals(conv, x, "A", repeats[0])
    x = reduction(conv, x, REDUCTION_A, stride4, "mixed_6a")
    conv = ConvBnRelu(alpha, dilation4)
    c4 = x = _residuals(conv, x, "B", repeats[1])
    x = reduction(conv, x, REDUCTION_B, stride5, "mixed_7a")
    conv = ConvBnRelu(alpha, dilation5)
    x = _residuals(conv, x, "C", repeats[2] - 1)
    x = _residual(conv, x, MODULES["C"][1], 1.0, name=f"C{repeats[2]}")
    x = conv(x, 1536, 1, name="last")
    return {"C1": c1, "C2": c2, "C3": c3, "C4": c4, "C5": x}


def _residuals(conv, x, kind, repeats):
    scale, table = MODULES[kind]
    for i in range(1, repeats + 1):
        x = _residual(conv, x, table, scale, name=f"{kind}{i}")
        x = layers.ReLU(name=f"{kind}{i}_relu")(x)
    return x


def _residual(conv, x, table, scale, name):
    """Figures 16, 17 and 19: the branches, a linear 1x1 convolution and the sum."""
    y = layers.Concatenate(name=f"{name}_mixed")(branches(conv, x, table, name))
    y = layers.Conv2D(x.shape[-1], 1, name=f"{name}_up")(y)
    if scale != 1.0:  # the converter folds it into the convolution
        y = layers.Rescaling(scale, name=f"{name}_scale")(y)
    return layers.Add(name=f"{name}_add")([x, y])


def _imagenet_file(repeats, alpha):
    if (tuple(repeats), alpha) != (REPEATS, 1.0):
        raise ValueError(
            f"no imagenet weights for inception_resnet_v2 with repeats {repeats} and "
            f"alpha {alpha}; published: {REPEATS} and 1.0"
        )
    return IMAGENET_URL, IMAGENET_MD5

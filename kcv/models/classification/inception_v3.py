"""Inception-v3: large convolutions factorised into small and into asymmetric ones.

Paper: C. Szegedy et al., "Rethinking the Inception Architecture for Computer Vision",
2015, https://arxiv.org/abs/1512.00567

Differs from the paper: the stem, the widths and the dropout, which its Table 1 leaves
open or has otherwise, are those of the authors' released code, as in
keras.applications; so are the width multiplier and its minimum of 16. Label smoothing
(section 7) is an option of the loss: --label_smoothing=0.1.
"""

import keras
from keras import layers

from kcv.layers.batch_norm import batch_norm
from kcv.models.classification.googlenet import load_weights_of_either
from kcv.models.image_input import image_input
from kcv.models.output_stride import strides_and_dilations

# The modules: branches side by side, each the (filters, kernel size) of its
# convolutions. In reductions, Figure 10, the last one of each branch has the stride.
# The order of the branches is that of published weight files.
FIGURE_5 = (((64, 1),), ((48, 1), (64, 5)), ((64, 1), (96, 3), (96, 3)))
REDUCTION_4 = (((384, 3),), ((64, 1), (96, 3), (96, 3)))
FIGURE_6 = {
    n: (((192, 1),),
        ((n, 1), (n, (1, 7)), (192, (7, 1))),
        ((n, 1), (n, (7, 1)), (n, (1, 7)), (n, (7, 1)), (192, (1, 7))))
    for n in (128, 160, 192)
}  # fmt: skip
REDUCTION_5 = (((192, 1), (320, 3)), ((192, 1), (192, (1, 7)), (192, (7, 1)), (192, 3)))
FIGURE_7 = (((320, 1),), ((384, 1),), ((448, 1), (384, 3)))  # the last two fan out

# What differs from module to module of a kind: the filters of the projection behind the
# pooling in Figure 5, of the 7x7 convolutions in Figure 6.
PROJECTIONS_5 = (32, 64, 64)
WIDTHS_6 = (128, 160, 160, 192)

# Share of the auxiliary head in the loss, of the authors' released code.
LOSS_WEIGHTS = {"predictions": 1.0, "auxiliary": 0.4}

# The weights that keras.applications publishes.
IMAGENET_URL = (
    "https://storage.googleapis.com/tensorflow/keras-applications/inception_v3/"
    "inception_v3_weights_tf_dim_ordering_tf_kernels.h5"
)
IMAGENET_MD5 = "9a0d58056eeedaa3f26cb7ebd46da564"


def inception_v3(
    input_shape=(299, 299, 3),
    classes=1000,
    classifier_activation="softmax",
    weights=None,
    alpha=1.0,
    auxiliary=False,
    dropout=0.2,
):
    """Builds the Inception-v3 classifier.

    Args:
        input_shape: (height, width, channels) of one image, at least 75x75, and 107x107
            with the auxiliary head.
        classes: size of the last layer, and of that of the auxiliary head.
        classifier_activation: "softmax" for probabilities, None for logits.
        weights: None, "imagenet" or the path of a weight file; see `load_weights`. A
            file of the model with auxiliary head serves the one without, and the other
            way round, where the head keeps its random start.
        alpha: width multiplier; scales the filters of all layers.
        auxiliary: whether to build the model for training, with one more classifier;
            its loss counts as in LOSS_WEIGHTS.
        dropout: share of the pooled features dropped while training.

    Returns:
        A model from images, float32 (batch, height, width, channels) in [-1, 1], to
        float32 (batch, classes); with auxiliary head to a dict of two of them,
        "predictions" and "auxiliary".

    Parameters with 1000 classes, batch statistics included: 23,851,784 for
    alpha 1.0, with auxiliary head at 299x299 27,179,376; 6,488,824 for 0.5; 1,895,156
    for 0.25.
    """
    images = image_input(input_shape, minimum=107 if auxiliary else 75)
    maps = inception_v3_features(images, alpha)
    x = layers.GlobalAveragePooling2D(name="pool")(maps["C5"])
    x = layers.Dropout(dropout, name="dropout")(x)
    x = layers.Dense(classes, activation=classifier_activation, name="predictions")(x)
    plain = keras.Model(images, x, name="inception_v3")
    model = other = plain
    if min(input_shape[:2]) >= 107:  # large enough for the pooling of the head
        y = _auxiliary_head(maps["C4"], alpha, classes, classifier_activation)
        outputs = {"predictions": x, "auxiliary": y}
        other = keras.Model(images, outputs, name="inception_v3")
    if auxiliary:
        model, other = other, plain
    load_weights_of_either(model, other, weights, lambda: _imagenet_file(alpha))
    return model


def inception_v3_features(images, alpha=1.0, output_stride=32):
    """Maps images to {"C1": ..., "C5": ...}, the last maps at strides 2 to 32.

    At alpha 1.0 they have 64, 192, 288, 768 and 2048 channels. With output stride 16 or
    8 the last ones stay at that stride and the convolutions behind it, not the pooling,
    dilate.
    """
    (stride4, dilation4), (stride5, dilation5) = strides_and_dilations(output_stride)
    conv = ConvBnRelu(alpha)
    c1, c2, x = stem(conv, images)
    for i, projection in enumerate(PROJECTIONS_5):
        x = _joined(conv, x, branches(conv, x, FIGURE_5, f"mixed{i}"), projection, i)
    c3 = x
    x = reduction(conv, x, REDUCTION_4, stride4, "mixed3")
    conv = ConvBnRelu(alpha, dilation4)
    for i, width in enumerate(WIDTHS_6, start=4):
        x = _joined(conv, x, branches(conv, x, FIGURE_6[width], f"mixed{i}"), 192, i)
    c4 = x
    x = reduction(conv, x, REDUCTION_5, stride5, "mixed8")
    conv = ConvBnRelu(alpha, dilation5)
    for i in (9, 10):
        first, *others = branches(conv, x, FIGURE_7, f"mixed{i}")
        others = [_fan_out(conv, y, f"mixed{i}_fan{j}") for j, y in enumerate(others)]
        x = _joined(conv, x, [first, *others], 192, i)
    return {"C1": c1, "C2": c2, "C3": c3, "C4": c4, "C5": x}


def stem(conv, images):
    """Returns the maps of 64 filters at stride 2, of 192 at stride 4, these at 8."""
    x = conv(images, 32, 3, strides=2, padding="valid", name="stem1")
    x = conv(x, 32, 3, padding="valid", name="stem2")
    c1 = conv(x, 64, 3, name="stem3")
    x = layers.MaxPooling2D(3, 2, name="stem3_pool")(c1)
    x = conv(x, 80, 1, name="stem4")
    c2 = conv(x, 192, 3, padding="valid", name="stem5")
    return c1, c2, layers.MaxPooling2D(3, 2, name="stem5_pool")(c2)


def branches(conv, x, table, name, strides=1, padding="same"):
    """Returns the outputs of the branches of a table such as FIGURE_5, a list.

    Stride and padding are those of the last convolution of each branch.
    """
    outputs = []
    for i, (*firsts, last) in enumerate(table):
        y = x
        for j, (filters, kernel_size) in enumerate(firsts):
            y = conv(y, filters, kernel_size, name=f"{name}_branch{i}_{j}")
        outputs.append(conv(y, *last, strides, padding, name=f"{name}_branch{i}_last"))
    return outputs


def reduction(conv, x, table, strides, name):
    """Halves the maps; where a stride of 1 stands in for 2, their size stays."""
    padding = "valid" if strides == 2 else "same"
    y = branches(conv, x, table, name, strides, padding)
    pool = layers.MaxPooling2D(3, strides, padding, name=f"{name}_pool")(x)
    return layers.Concatenate(name=name)([*y, pool])


def _fan_out(conv, x, name):
    """A 3x3 convolution as 1x3 and 3x1 side by side."""
    row = conv(x, 384, (1, 3), name=f"{name}_row")
    column = conv(x, 384, (3, 1), name=f"{name}_column")
    return layers.Concatenate(name=name)([row, column])


def _joined(conv, x, outputs, projection, number):
    """Branches and, beside them, a pooling with a 1x1 convolution."""
    name = f"mixed{number}"
    pool = layers.AveragePooling2D(3, 1, padding="same", name=f"{name}_pool")(x)
    pool = conv(pool, projection, 1, name=f"{name}_projection")
    return layers.Concatenate(name=name)([*outputs, pool])


def _auxiliary_head(x, alpha, classes, activation):
    """Figure 8, on the last maps of stride 16; the 5x5 kernel covers small maps."""
    conv = ConvBnRelu(alpha)
    x = layers.AveragePooling2D(5, 3, name="auxiliary_pool")(x)
    x = conv(x, 128, 1, name="auxiliary_conv1")
    kernel_size = tuple(min(5, size) for size in x.shape[1:3])
    x = conv(x, 768, kernel_size, padding="valid", name="auxiliary_conv2")
    x = layers.GlobalAveragePooling2D(name="auxiliary_mean")(x)
    return layers.Dense(classes, activation=activation, name="auxiliary_predictions")(x)


class ConvBnRelu:
    """Convolution, batch normalisation and ReLU, with one width and one dilation.

    Args:
        alpha: width multiplier, down to 16 filters.
        dilation: of all kernels.
    """

    def __init__(self, alpha, dilation=1):
        self.alpha, self.dilation = alpha, dilation

    def __call__(self, x, filters, kernel_size, strides=1, padding="same", *, name):
        """Maps (b, h, w, c) to (b, h', w', alpha * filters)."""
        if self.alpha != 1.0:
            filters = max(int(filters * self.alpha), 16)
        x = layers.Conv2D(
            filters,
            kernel_size,
            strides,
            padding,
            dilation_rate=self.dilation,
            use_bias=False,
            name=name,
        )(x)
        x = batch_norm(f"{name}_bn", scale=False)(x)
        return layers.ReLU(name=f"{name}_relu")(x)


def _imagenet_file(alpha):
    if alpha != 1.0:
        raise ValueError(
            f"no imagenet weights for inception_v3 with alpha {alpha}; published: 1.0"
        )
    return IMAGENET_URL, IMAGENET_MD5

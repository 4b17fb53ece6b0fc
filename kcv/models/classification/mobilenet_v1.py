"""MobileNetV1: a stack of depthwise separable convolutions.

Paper: A. Howard et al., "MobileNets: Efficient Convolutional Neural Networks
for Mobile Vision Applications", 2017, https://arxiv.org/abs/1704.04861

Differs from the paper: ReLU6 in place of ReLU, as in the authors' released
code, which gives every activation the fixed range [0, 6] for int8. Table 1
prints stride 2 for the last depthwise layer; its 7x7 sizes only fit stride 1.
"""

import keras
from keras import layers

from kcv.layers.batch_norm import batch_norm
from kcv.models.image_input import image_input
from kcv.models.output_stride import by_level
from kcv.models.weights import load_weights

# Table 1, one row for each depthwise separable block: (filters, strides).
BLOCKS = (
    (64, 1),
    (128, 2), (128, 1),
    (256, 2), (256, 1),
    (512, 2), (512, 1), (512, 1), (512, 1), (512, 1), (512, 1),
    (1024, 2), (1024, 1),
)  # fmt: skip

# The weights that keras.applications publishes: alpha -> its name in the file name.
IMAGENET_URL = "https://storage.googleapis.com/tensorflow/keras-applications/mobilenet/"
IMAGENET_ALPHAS = {1.0: "1_0", 0.75: "7_5", 0.5: "5_0", 0.25: "2_5"}
IMAGENET_SIZES = (128, 160, 192, 224)


def mobilenet_v1(
    input_shape=(224, 224, 3),
    classes=1000,
    classifier_activation="softmax",
    weights=None,
    alpha=1.0,
    dropout=1e-3,
):
    """Builds the MobileNetV1 classifier.

    Args:
        input_shape: (height, width, channels) of one image, at least 32x32. Its size is
            the resolution multiplier rho of section 3.4 times 224.
        classes: size of the last layer.
        classifier_activation: "softmax" for probabilities, None for logits.
        weights: None, "imagenet" or the path of a weight file; see `load_weights`.
        alpha: width multiplier of section 3.3; scales the filters of all layers.
        dropout: share of the pooled features dropped while training.

    Returns:
        A model from images, float32 (batch, height, width, channels) in [-1, 1],
        to float32 (batch, classes).

    Parameters with 1000 classes, batch statistics included: 4,253,864 for alpha 1.0;
    2,601,976 for 0.75; 1,342,536 for 0.5; 475,544 for 0.25.
    """
    images = image_input(input_shape, minimum=32)
    x = mobilenet_v1_features(images, alpha)["C5"]
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    x = layers.Dropout(dropout, name="dropout")(x)
    x = layers.Dense(classes, activation=classifier_activation, name="predictions")(x)
    model = keras.Model(images, x, name="mobilenet_v1")
    load_weights(model, weights, lambda: _imagenet_file(input_shape, alpha))
    return model


def mobilenet_v1_features(images, alpha=1.0, output_stride=32):
    """Maps images to {"C1": ..., "C5": ...}, the last maps at strides 2 to 32.

    At alpha 1.0 they have 64, 128, 256, 512 and 1024 channels. With output stride 16 or
    8 the last ones stay at that stride and the depthwise kernels behind it dilate.
    """
    plan, features, level, dilation = by_level(output_stride), {}, 1, 1
    x = _conv_bn_relu6(images, int(32 * alpha), 3, 2, name="stem")
    for i, (filters, strides) in enumerate(BLOCKS, start=1):
        before = dilation  # of the maps that this block reads
        if strides == 2:
            level += 1
            strides, dilation = plan[level]
        filters = int(filters * alpha)
        x = _depthwise_separable(x, filters, strides, before, name=f"block{i}")
        features[f"C{level}"] = x  # a later block of the same level replaces it
    return features


def _depthwise_separable(x, filters, strides, dilation, name):
    """Figure 3, right: 3x3 depthwise, then 1x1 pointwise convolution."""
    x, padding = (x, "same") if strides == 1 else _pad_end(x, name=f"{name}_pad")
    x = layers.DepthwiseConv2D(
        3, strides, padding=padding, dilation_rate=dilation, use_bias=False,
        name=f"{name}_depthwise",
    )(x)  # fmt: skip
    x = _bn_relu6(x, name=f"{name}_depthwise")
    return _conv_bn_relu6(x, filters, 1, 1, name=f"{name}_pointwise")


def _pad_end(x, name):
    """Pads below and right for a 3x3 kernel at stride 2, as the released weights want.

    An even size needs one row of zeros, which is what "same" gives; an odd size never
    reads that row. So nearly every image is spared a PAD operator in the TFLite file.
    """
    odd = [None if size is None else size % 2 for size in x.shape[1:3]]
    if odd == [0, 0]:
        return x, "same"
    if odd == [1, 1]:
        return x, "valid"
    return layers.ZeroPadding2D(((0, 1), (0, 1)), name=name)(x), "valid"


def _conv_bn_relu6(x, filters, kernel_size, strides, name):
    x = layers.Conv2D(
        filters, kernel_size, strides, padding="same", use_bias=False, name=name
    )(x)
    return _bn_relu6(x, name)


def _bn_relu6(x, name):
    x = batch_norm(f"{name}_bn")(x)
    return layers.ReLU(6.0, name=f"{name}_relu6")(x)


def _imagenet_file(input_shape, alpha):
    """Returns (URL, hash) of the published file; 224 where a size has none."""
    if alpha not in IMAGENET_ALPHAS:
        raise ValueError(
            f"no imagenet weights for mobilenet_v1 with alpha {alpha}; "
            f"published: {', '.join(map(str, IMAGENET_ALPHAS))}"
        )
    height, width, _ = input_shape
    size = height if height == width and height in IMAGENET_SIZES else 224
    return f"{IMAGENET_URL}mobilenet_{IMAGENET_ALPHAS[alpha]}_{size}_tf.h5", None

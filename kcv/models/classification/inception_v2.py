"""Inception-v2 (BN-Inception): batch normalisation, and 5x5 as two 3x3.

Paper: S. Ioffe and C. Szegedy, "Batch Normalization: Accelerating Deep Network Training
by Reducing Internal Covariate Shift", 2015, https://arxiv.org/abs/1502.03167

Differs from the paper: its Figure 5 gives 4c an output of 576 channels, but the columns
of that row add up to 608, as do those of 4d; these, and the 1056 of 4e, are built. The
width multiplier and its minimum of 16 are those of the authors' released code.
"""

import keras
from keras import layers

from kcv.layers.batch_norm import batch_norm
from kcv.models.image_input import image_input
from kcv.models.output_stride import strides_and_dilations
from kcv.models.weights import load_weights

# Figure 5, filters of one module a row: 1x1, (reduction before 3x3, 3x3), (reduction
# before the double 3x3, both of them), pooling, projection behind it. Modules without a
# projection halve the maps, and pass on all pooled channels.
MODULES = {
    "3a": (64, (64, 64), (64, 96), "average", 32),
    "3b": (64, (64, 96), (64, 96), "average", 64),
    "3c": (0, (128, 160), (64, 96), "max", 0),
    "4a": (224, (64, 96), (96, 128), "average", 128),
    "4b": (192, (96, 128), (96, 128), "average", 128),
    "4c": (160, (128, 160), (128, 160), "average", 128),
    "4d": (96, (128, 192), (160, 192), "average", 128),
    "4e": (0, (128, 192), (192, 256), "max", 0),
    "5a": (352, (192, 320), (160, 224), "average", 128),
    "5b": (352, (192, 320), (192, 224), "max", 128),
}
POOLINGS = {"average": layers.AveragePooling2D, "max": layers.MaxPooling2D}


def inception_v2(
    input_shape=(224, 224, 3),
    classes=1000,
    classifier_activation="softmax",
    weights=None,
    alpha=1.0,
    separable_stem=True,
):
    """Builds the BN-Inception classifier.

    Args:
        input_shape: (height, width, channels) of one image, at least 32x32.
        classes: size of the last layer.
        classifier_activation: "softmax" for probabilities, None for logits.
        weights: None or the path of a weight file; see `load_weights`.
        alpha: width multiplier; scales the filters of all layers.
        separable_stem: whether the first convolution is separable with depth multiplier
            8, as in the paper's appendix; False for a plain one, as most code bases
            have it.

    Returns:
        A model from images, float32 (batch, height, width, channels) in [-1, 1], to
        float32 (batch, classes).

    Parameters with 1000 classes, batch statistics included: 11,298,560 for alpha 1.0,
    with a plain stem 11,305,256; 6,556,192 for 0.75; 3,092,672 for 0.5; 908,928 for
    0.25.
    """
    images = image_input(input_shape, minimum=32)
    x = inception_v2_features(images, alpha, separable_stem)["C5"]
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    x = layers.Dense(classes, activation=classifier_activation, name="predictions")(x)
    model = keras.Model(images, x, name="inception_v2")
    load_weights(model, weights)
    return model


def inception_v2_features(images, alpha=1.0, separable_stem=True, output_stride=32):
    """Maps images to {"C1": ..., "C5": ...}, the last maps at strides 2 to 32.

    At alpha 1.0 they have 64, 192, 320, 608 and 1024 channels. With output stride 16 or
    8 the last ones stay at that stride and the convolutions behind it, not the pooling,
    dilate.
    """
    level4, level5 = strides_and_dilations(output_stride)
    strides = {"3c": level4[0], "4e": level5[0]}
    dilations = {"4": level4[1], "5": level5[1]}
    x = _stem_conv(images, _width(64, alpha), separable_stem)
    features = {"C1": x}
    x = layers.MaxPooling2D(3, 2, padding="same", name="pool1")(x)
    x = _conv_bn_relu(x, _width(64, alpha), 1, name="conv2_reduce")
    x = features["C2"] = _conv_bn_relu(x, _width(192, alpha), 3, name="conv2")
    x = layers.MaxPooling2D(3, 2, padding="same", name="pool2")(x)
    for name, module in MODULES.items():
        dilation = dilations.get(name[0], 1)
        x = _inception(x, module, alpha, strides.get(name, 1), dilation, name)
        if name not in strides:  # those that halve the maps begin the next level
            features[f"C{name[0]}"] = x
    return features


def _inception(x, module, alpha, strides, dilation, name):
    """Section 4.2.1: up to four branches side by side."""
    f1x1, f3x3, double, pooling, projection = module
    name = f"inception_{name}"
    inner = {"dilation": dilation}
    last = {"dilation": dilation, "strides": strides}
    pool = POOLINGS[pooling](3, strides, padding="same", name=f"{name}_pool")(x)
    y = _conv_bn_relu(x, _width(f3x3[0], alpha), 1, name=f"{name}_3x3_reduce")
    z = _conv_bn_relu(x, _width(double[0], alpha), 1, name=f"{name}_double_reduce")
    z = _conv_bn_relu(z, _width(double[1], alpha), 3, **inner, name=f"{name}_double_1")
    branches = [
        _conv_bn_relu(y, _width(f3x3[1], alpha), 3, **last, name=f"{name}_3x3"),
        _conv_bn_relu(z, _width(double[1], alpha), 3, **last, name=f"{name}_double_2"),
        pool,
    ]
    if projection:
        y = _conv_bn_relu(x, _width(f1x1, alpha), 1, name=f"{name}_1x1")
        branches.insert(0, y)
        width = _width(projection, alpha)
        branches[-1] = _conv_bn_relu(pool, width, 1, name=f"{name}_projection")
    return layers.Concatenate(name=name)(branches)


def _stem_conv(images, filters, separable):
    """The 7x7 convolution at stride 2, which needs few multiply-adds as separable."""
    if not separable:
        return _conv_bn_relu(images, filters, 7, strides=2, name="conv1")
    x = layers.SeparableConv2D(
        filters, 7, 2, padding="same", depth_multiplier=8, use_bias=False, name="conv1"
    )(images)
    return layers.ReLU(name="conv1_relu")(batch_norm("conv1_bn")(x))


def _width(filters, alpha):
    return filters if alpha == 1.0 else max(int(filters * alpha), 16)


def _conv_bn_relu(x, filters, kernel_size, strides=1, dilation=1, *, name):
    x = layers.Conv2D(
        filters,
        kernel_size,
        strides,
        padding="same",
        dilation_rate=dilation,
        use_bias=False,
        name=name,
    )(x)
    return layers.ReLU(name=f"{name}_relu")(batch_norm(f"{name}_bn")(x))

"""ResNet: residual learning with shortcuts around every two or three convolutions.

Paper: K. He, X. Zhang, S. Ren, J. Sun, "Deep Residual Learning for Image Recognition",
2015, https://arxiv.org/abs/1512.03385; its CIFAR nets are in cifar_resnet.py.

Differs from the paper: ResNet-50, -101 and -152 have biases in their convolutions,
which the published weights of keras.applications hold although a batch normalisation
follows; ResNet-18 and -34 have none. Shortcuts are projections where the channels grow
and identities elsewhere, option B of section 4.1. Strides are where the paper has them,
in the first 1x1 convolution of a bottleneck; torchvision moves them to the 3x3.
"""

import functools

import keras
from keras import layers

from kcv.layers.batch_norm import batch_norm
from kcv.models.image_input import image_input
from kcv.models.output_stride import strides_and_dilations
from kcv.models.pixel_mean import CAFFE_MEAN, from_caffe, subtract_mean
from kcv.models.weights import load_weights

# Table 1: depth -> blocks of conv2_x to conv5_x, basic below 50 layers.
BLOCKS = {
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
}
FILTERS = (64, 128, 256, 512)
EPSILON = 1.001e-5  # of the published weights

IMAGENET_URL = "https://storage.googleapis.com/tensorflow/keras-applications/resnet/"
IMAGENET_MD5 = {
    50: "2cb95161c43110f7111970584f804107",
    101: "f1aeb4b969a6efcfb50fad2f0c20cfc5",
    152: "100835be76be38e30d865e96f2aaae62",
}


def resnet18(
    input_shape=(224, 224, 3), classes=1000, classifier_activation="softmax",
    weights=None,
):  # fmt: skip
    """Builds ResNet-18.

    Args:
        input_shape: (height, width, channels) of one image, at least 32x32.
        classes: size of the last layer.
        classifier_activation: "softmax" for probabilities, None for logits.
        weights: None or the path of a weight file; "imagenet" for 50, 101 and 152
            layers. See `load_weights`; a file of keras.applications is changed to our
            pixels.

    Returns:
        A model from images, float32 (batch, height, width, channels) in [-1, 1], to
        float32 (batch, classes).

    Parameters with 1000 classes: 11,699,112, of which 11,689,512 are trained, the count
    of torchvision; the others are the moving means and variances.
    """
    return _resnet(18, input_shape, classes, classifier_activation, weights)


def resnet34(
    input_shape=(224, 224, 3), classes=1000, classifier_activation="softmax",
    weights=None,
):  # fmt: skip
    """As `resnet18`; 21,814,696 parameters, 21,797,672 of them trained."""
    return _resnet(34, input_shape, classes, classifier_activation, weights)


def resnet50(
    input_shape=(224, 224, 3), classes=1000, classifier_activation="softmax",
    weights=None,
):  # fmt: skip
    """As `resnet18`; 25,636,712 parameters, 25,583,592 of them trained."""
    return _resnet(50, input_shape, classes, classifier_activation, weights)


def resnet101(
    input_shape=(224, 224, 3), classes=1000, classifier_activation="softmax",
    weights=None,
):  # fmt: skip
    """As `resnet18`; 44,707,176 parameters, 44,601,832 of them trained."""
    return _resnet(101, input_shape, classes, classifier_activation, weights)


def resnet152(
    input_shape=(224, 224, 3), classes=1000, classifier_activation="softmax",
    weights=None,
):  # fmt: skip
    """As `resnet18`; 60,419,944 parameters, 60,268,520 of them trained."""
    return _resnet(152, input_shape, classes, classifier_activation, weights)


def _resnet(depth, input_shape, classes, classifier_activation, weights):
    images = image_input(input_shape, minimum=32)
    x = resnet_features(images, depth)["C5"]
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    x = layers.Dense(classes, activation=classifier_activation, name="predictions")(x)
    model = keras.Model(images, x, name=f"resnet{depth}")
    file = functools.partial(_imagenet_file, depth) if depth in IMAGENET_MD5 else None
    load_weights(model, weights, file, from_caffe)
    return model


def resnet_features(images, depth=50, output_stride=32):
    """Maps images to {"C1": ..., "C5": ...}, the last maps at strides 2 to 32.

    They have 64, 64, 128, 256 and 512 channels below 50 layers, else 64, 256, 512, 1024
    and 2048. With output_stride 16 or 8, C5 or C4 and C5 stay at that stride, and their
    convolutions are dilated instead, so that the same weights see the same field.
    """
    if depth not in BLOCKS:
        known = ", ".join(map(str, BLOCKS))
        raise ValueError(f"no ResNet of depth {depth} in Table 1; choose from {known}")
    block = basic_block if depth < 50 else bottleneck
    x = subtract_mean(images, CAFFE_MEAN)
    return residual_features(x, BLOCKS[depth], block, output_stride, depth >= 50)


def residual_features(images, blocks, block, output_stride=32, use_bias=False):
    """The stem and four stages of `block`s of Table 1, as `resnet_features`.

    Args:
        images: (batch, height, width, channels).
        blocks: number of blocks of conv2_x to conv5_x.
        block: function of (x, filters, strides, dilations, name), where `dilations` are
            the rates on the map before and after the stride.
        output_stride: 8, 16 or 32.
        use_bias: whether the convolution of the stem has one.
    """
    x = conv_bn(images, 64, 7, "conv1", strides=2, use_bias=use_bias)
    x = layers.ReLU(name="conv1_relu")(x)
    features = {"C1": x}
    x = layers.ZeroPadding2D(1, name="pool1_pad")(x)
    x = layers.MaxPooling2D(3, strides=2, name="pool1")(x)
    before = 1
    levels = ((1, 1), (2, 1), *strides_and_dilations(output_stride))
    plan = zip(FILTERS, blocks, levels)
    for stage, (filters, repeats, (strides, dilation)) in enumerate(plan, start=2):
        for i in range(1, repeats + 1):
            x = block(x, filters, strides, (before, dilation), f"conv{stage}_{i}")
            strides, before = 1, dilation
        features[f"C{stage}"] = x
    return features


def basic_block(x, filters, strides, dilations, name):
    """Figure 5, left: two 3x3 convolutions."""
    shortcut = _shortcut(x, filters, strides, name)
    x = conv_bn(x, filters, 3, f"{name}_conv1", strides, dilations[0])
    x = layers.ReLU(name=f"{name}_conv1_relu")(x)
    x = conv_bn(x, filters, 3, f"{name}_conv2", dilation=dilations[1])
    x = layers.Add(name=f"{name}_add")([shortcut, x])
    return layers.ReLU(name=f"{name}_relu")(x)


def bottleneck(x, filters, strides, dilations, name):
    """Figure 5, right: 1x1, where the stride is, 3x3 and 1x1 to 4 times the filters."""
    shortcut = _shortcut(x, 4 * filters, strides, name, use_bias=True)
    x = conv_bn(x, filters, 1, f"{name}_conv1", strides, use_bias=True)
    x = layers.ReLU(name=f"{name}_conv1_relu")(x)
    x = conv_bn(x, filters, 3, f"{name}_conv2", dilation=dilations[1], use_bias=True)
    x = layers.ReLU(name=f"{name}_conv2_relu")(x)
    x = conv_bn(x, 4 * filters, 1, f"{name}_conv3", use_bias=True)
    x = layers.Add(name=f"{name}_add")([shortcut, x])
    return layers.ReLU(name=f"{name}_relu")(x)


def bottleneck_of_width(x, filters, strides, dilations, name, width=64, groups=1):
    """The bottleneck of the papers that followed: stride in the 3x3, no biases.

    Args:
        x: (batch, height, width, channels).
        filters: 64 to 512, by stage; the output has 4 times as many.
        strides: of the block.
        dilations: rates on the map before and after the stride.
        name: of its layers.
        width: inner filters at conv2_x, where ResNet-50 has 64; other stages scale.
        groups: of the 3x3 convolution.
    """
    inner = width * (filters // 64)
    shortcut = _shortcut(x, 4 * filters, strides, name)
    x = conv_bn(x, inner, 1, f"{name}_conv1")
    x = layers.ReLU(name=f"{name}_conv1_relu")(x)
    x = conv_bn(x, inner, 3, f"{name}_conv2", strides, dilations[0], groups)
    x = layers.ReLU(name=f"{name}_conv2_relu")(x)
    x = conv_bn(x, 4 * filters, 1, f"{name}_conv3")
    x = layers.Add(name=f"{name}_add")([shortcut, x])
    return layers.ReLU(name=f"{name}_relu")(x)


def _shortcut(x, filters, strides, name, use_bias=False):
    """Option B of section 4.1: a projection where the channels grow."""
    if x.shape[-1] == filters and strides == 1:
        return x
    return conv_bn(x, filters, 1, f"{name}_shortcut", strides, use_bias=use_bias)


def conv_bn(
    x, filters, kernel_size, name, strides=1, dilation=1, groups=1, use_bias=False
):
    """Convolution and batch normalisation; a stride keeps pixels 0, 2, 4, ... centred.

    "same" at stride 2 would centre an even map's kernels on pixels 1, 3, 5, ..., half a
    pixel of the output beside the shortcut.
    """
    padding = "same"
    if strides > 1 and kernel_size > 1:
        x, padding = (
            layers.ZeroPadding2D(kernel_size // 2, name=f"{name}_pad")(x),
            "valid",
        )
    x = layers.Conv2D(
        filters, kernel_size, strides, padding, dilation_rate=dilation, groups=groups,
        use_bias=use_bias, kernel_initializer="he_normal", name=name,
    )(x)  # fmt: skip
    return batch_norm(f"{name}_bn", EPSILON)(x)


def _imagenet_file(depth):
    name = f"resnet{depth}_weights_tf_dim_ordering_tf_kernels.h5"
    return f"{IMAGENET_URL}{name}", IMAGENET_MD5[depth]

"""DenseNet: every layer of a block reads the maps of all layers before it.

Paper: G. Huang, Z. Liu, L. van der Maaten, K. Weinberger, "Densely Connected
Convolutional Networks", 2016, https://arxiv.org/abs/1608.06993

Differs from the paper: nothing in DenseNet-121, -169 and -201. DenseNet-161 is that of
the authors' released code, k = 48 with 96 filters in the first layer, in place of the
first preprint's.
"""

import functools

import keras
from keras import layers

from kcv.layers.batch_norm import batch_norm
from kcv.models.image_input import image_input
from kcv.models.output_stride import strides_and_dilations
from kcv.models.pixel_mean import TORCH_MEAN, from_torch, subtract_mean
from kcv.models.weights import load_weights

# Table 1: depth -> (layers of each dense block, growth rate k); the stem has 2 k
# filters.
BLOCKS = {
    121: ((6, 12, 24, 16), 32),
    169: ((6, 12, 32, 32), 32),
    201: ((6, 12, 48, 32), 32),
    161: ((6, 12, 36, 24), 48),
}
COMPRESSION = 0.5  # theta of section 3
EPSILON = 1.001e-5  # of the published weights

IMAGENET_URL = "https://storage.googleapis.com/tensorflow/keras-applications/densenet/"
IMAGENET_MD5 = {
    121: "9d60b8095a5708f2dcce2bca79d332c7",
    169: "d699b8f76981ab1b30698df4c175e90b",
    201: "1ceb130c1ea1b78c3bf6114dbdfd8807",
}


def densenet121(
    input_shape=(224, 224, 3), classes=1000, classifier_activation="softmax",
    weights=None,
):  # fmt: skip
    """Builds DenseNet-121.

    Args:
        input_shape: (height, width, channels) of one image, at least 32x32.
        classes: size of the last layer.
        classifier_activation: "softmax" for probabilities, None for logits.
        weights: None or the path of a weight file; "imagenet" for 121, 169 and 201
            layers. See `load_weights`; a file of keras.applications is changed to our
            pixels.

    Returns:
        A model from images, float32 (batch, height, width, channels) in [-1, 1], to
        float32 (batch, classes).

    Parameters with 1000 classes: 8,062,504, of which 7,978,856 are trained, the count
    of torchvision; the others are the moving means and variances.
    """
    return _densenet(121, input_shape, classes, classifier_activation, weights)


def densenet169(
    input_shape=(224, 224, 3), classes=1000, classifier_activation="softmax",
    weights=None,
):  # fmt: skip
    """As `densenet121`; 14,307,880 parameters, 14,149,480 of them trained."""
    return _densenet(169, input_shape, classes, classifier_activation, weights)


def densenet201(
    input_shape=(224, 224, 3), classes=1000, classifier_activation="softmax",
    weights=None,
):  # fmt: skip
    """As `densenet121`; 20,242,984 parameters, 20,013,928 of them trained."""
    return _densenet(201, input_shape, classes, classifier_activation, weights)


def densenet161(
    input_shape=(224, 224, 3), classes=1000, classifier_activation="softmax",
    weights=None,
):  # fmt: skip
    """As `densenet121`; 28,900,936 parameters, 28,681,000 of them trained."""
    return _densenet(161, input_shape, classes, classifier_activation, weights)


def _densenet(depth, input_shape, classes, classifier_activation, weights):
    images = image_input(input_shape, minimum=32)
    x = densenet_features(images, depth)["C5"]
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    x = layers.Dense(classes, activation=classifier_activation, name="predictions")(x)
    model = keras.Model(images, x, name=f"densenet{depth}")
    file = functools.partial(_imagenet_file, depth) if depth in IMAGENET_MD5 else None
    load_weights(model, weights, file, from_torch)
    return model


def densenet_features(images, depth=121, output_stride=32):
    """Maps images to {"C1": ..., "C5": ...}, the last maps at strides 2 to 32.

    C2 to C4 are the outputs of the dense blocks after batch normalisation and ReLU, as
    the transitions read them. DenseNet-121 has 64, 256, 512, 1024 and 1024 channels.
    With output_stride 16 or 8, C5 or C4 and C5 stay at that stride, and later poolings
    and convolutions are dilated instead, so that the same weights see the same field;
    only near the lower and right edge do these poolings reach into zeros.
    """
    if depth not in BLOCKS:
        known = ", ".join(map(str, BLOCKS))
        raise ValueError(f"no DenseNet of depth {depth} here; choose from {known}")
    blocks, growth = BLOCKS[depth]
    x = subtract_mean(images, TORCH_MEAN)
    x = layers.ZeroPadding2D(3, name="conv1_pad")(x)
    x = _conv(x, 2 * growth, 7, "conv1", strides=2, padding="valid")
    x = _bn_relu(x, "conv1")
    features = {"C1": x}
    x = layers.ZeroPadding2D(1, name="pool1_pad")(x)
    x = layers.MaxPooling2D(3, strides=2, name="pool1")(x)
    before = 1
    plan = zip(blocks, ((1, 1), (2, 1), *strides_and_dilations(output_stride)))
    for stage, (repeats, (strides, dilation)) in enumerate(plan, start=2):
        if stage > 2:
            x = _transition(x, strides, before, name=f"transition{stage - 2}")
        for i in range(1, repeats + 1):
            x = _dense_layer(x, growth, dilation, name=f"dense{stage - 1}_{i}")
        x = _bn_relu(x, f"dense{stage - 1}")
        features[f"C{stage}"] = x
        before = dilation
    return features


def _dense_layer(x, growth, dilation, name):
    """DenseNet-B: BN-ReLU-1x1 to 4 k maps, BN-ReLU-3x3 to k, joined to the input."""
    inputs = x
    x = _bn_relu(x, f"{name}_in")
    x = _conv(x, 4 * growth, 1, f"{name}_conv1")
    x = _bn_relu(x, f"{name}_conv1")
    x = _conv(x, growth, 3, f"{name}_conv2", dilation=dilation)
    return layers.Concatenate(name=f"{name}_concat")([inputs, x])


def _transition(x, strides, dilation, name):
    """1x1 convolution to theta times the maps, and the mean of 2x2 pixels."""
    x = _conv(x, int(x.shape[-1] * COMPRESSION), 1, f"{name}_conv")
    if strides == 2:
        return layers.AveragePooling2D(2, name=f"{name}_pool")(x)
    rate = dilation  # the same mean for every pixel, of pixels that far apart
    x = layers.ZeroPadding2D(((0, rate), (0, rate)), name=f"{name}_pad")(x)
    corners = [
        layers.Cropping2D(((y, rate - y), (x0, rate - x0)), name=f"{name}_{y}_{x0}")(x)
        for y in (0, rate)
        for x0 in (0, rate)
    ]
    return layers.Average(name=f"{name}_mean")(corners)


def _conv(x, filters, kernel_size, name, strides=1, padding="same", dilation=1):
    return layers.Conv2D(
        filters, kernel_size, strides, padding, dilation_rate=dilation, use_bias=False,
        kernel_initializer="he_normal", name=name,
    )(x)  # fmt: skip


def _bn_relu(x, name):
    x = batch_norm(f"{name}_bn", EPSILON)(x)
    return layers.ReLU(name=f"{name}_relu")(x)


def _imagenet_file(depth):
    name = f"densenet{depth}_weights_tf_dim_ordering_tf_kernels.h5"
    return f"{IMAGENET_URL}{name}", IMAGENET_MD5[depth]

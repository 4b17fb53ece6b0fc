"""VGG: depth from 3x3 convolutions alone, from 11 to 19 layers with weights.

Paper: K. Simonyan and A. Zisserman, "Very Deep Convolutional Networks for Large-Scale
Image Recognition", 2014, https://arxiv.org/abs/1409.1556

Differs from the paper: initial weights of He et al. in place of those of a trained
VGG-11 or of Glorot; the rows A-LRN and C of Table 1 are left out. Batch normalisation
came later: `vgg11_bn` to `vgg19_bn` are torchvision's, with the biases that they keep
before it.
"""

import keras
from keras import layers

from kcv.layers.batch_norm import batch_norm
from kcv.models.classification.alexnet import dense_head, max_pool
from kcv.models.image_input import image_input
from kcv.models.output_stride import strides_and_dilations
from kcv.models.pixel_mean import CAFFE_MEAN, from_caffe, subtract_mean
from kcv.models.weights import load_weights

# Table 1, rows A, B, D and E: 3x3 convolutions of the five blocks.
REPEATS = {
    "vgg11": (1, 1, 2, 2, 2),
    "vgg13": (2, 2, 2, 2, 2),
    "vgg16": (2, 2, 3, 3, 3),
    "vgg19": (2, 2, 4, 4, 4),
}
FILTERS = (64, 128, 256, 512, 512)

# The weights that keras.applications publishes: variant -> MD5 hash.
IMAGENET_URL = (
    "https://storage.googleapis.com/tensorflow/keras-applications/{name}/"
    "{name}_weights_tf_dim_ordering_tf_kernels.h5"
)
IMAGENET_MD5 = {
    "vgg16": "64373286793e3c8b2b4e3219cbf3544b",
    "vgg19": "cbe5617147190e668d6c5d5026f83318",
}


def vgg16(
    input_shape=(224, 224, 3),
    classes=1000,
    classifier_activation="softmax",
    weights=None,
    alpha=1.0,
    dropout=0.5,
):
    """Builds row D, 16 layers.

    Args:
        input_shape: (height, width, channels) of one image, at least 32x32.
        classes: size of the last layer.
        classifier_activation: "softmax" for probabilities, None for logits.
        weights: None, "imagenet" (of `vgg16` and `vgg19` at 224x224x3) or the path of a
            weight file; see `load_weights`. A file of keras.applications is changed to
            our pixels.
        alpha: width multiplier, not in the paper; scales all filters and units.
        dropout: share of the units of both hidden layers dropped while training.

    Returns:
        A model from images, float32 (batch, height, width, channels) in [-1, 1], to
        float32 (batch, classes).

    Parameters with 1000 classes: 138,357,544; 9,418,936 for alpha 0.25.
    """
    return _vgg("vgg16", input_shape, classes, classifier_activation, weights, alpha,
                dropout)  # fmt: skip


def vgg11(input_shape=(224, 224, 3), classes=1000, classifier_activation="softmax",
          weights=None, alpha=1.0, dropout=0.5):  # fmt: skip
    """Builds row A, 11 layers, as `vgg16`; 1000 classes: 132,863,336 parameters."""
    return _vgg("vgg11", input_shape, classes, classifier_activation, weights, alpha,
                dropout)  # fmt: skip


def vgg13(input_shape=(224, 224, 3), classes=1000, classifier_activation="softmax",
          weights=None, alpha=1.0, dropout=0.5):  # fmt: skip
    """Builds row B, 13 layers, as `vgg16`; 1000 classes: 133,047,848 parameters."""
    return _vgg("vgg13", input_shape, classes, classifier_activation, weights, alpha,
                dropout)  # fmt: skip


def vgg19(input_shape=(224, 224, 3), classes=1000, classifier_activation="softmax",
          weights=None, alpha=1.0, dropout=0.5):  # fmt: skip
    """Builds row E, 19 layers, as `vgg16`; 1000 classes: 143,667,240 parameters."""
    return _vgg("vgg19", input_shape, classes, classifier_activation, weights, alpha,
                dropout)  # fmt: skip


def vgg11_bn(input_shape=(224, 224, 3), classes=1000, classifier_activation="softmax",
             weights=None, alpha=1.0, dropout=0.5):  # fmt: skip
    """Builds `vgg11` with batch normalisation; arguments as for `vgg16`.

    Parameters with 1000 classes: 132,874,344, batch statistics included; torchvision
    counts 132,868,840 without them.
    """
    return _vgg("vgg11_bn", input_shape, classes, classifier_activation, weights, alpha,
                dropout)  # fmt: skip


def vgg13_bn(input_shape=(224, 224, 3), classes=1000, classifier_activation="softmax",
             weights=None, alpha=1.0, dropout=0.5):  # fmt: skip
    """Builds `vgg13` with batch normalisation; arguments as for `vgg16`.

    Parameters with 1000 classes: 133,059,624, batch statistics included; torchvision
    counts 133,053,736 without them.
    """
    return _vgg("vgg13_bn", input_shape, classes, classifier_activation, weights, alpha,
                dropout)  # fmt: skip


def vgg16_bn(input_shape=(224, 224, 3), classes=1000, classifier_activation="softmax",
             weights=None, alpha=1.0, dropout=0.5):  # fmt: skip
    """Builds `vgg16` with batch normalisation; arguments as for `vgg16`.

    Parameters with 1000 classes: 138,374,440, batch statistics included; torchvision
    counts 138,365,992 without them.
    """
    return _vgg("vgg16_bn", input_shape, classes, classifier_activation, weights, alpha,
                dropout)  # fmt: skip


def vgg19_bn(input_shape=(224, 224, 3), classes=1000, classifier_activation="softmax",
             weights=None, alpha=1.0, dropout=0.5):  # fmt: skip
    """Builds `vgg19` with batch normalisation; arguments as for `vgg16`.

    Parameters with 1000 classes: 143,689,256, batch statistics included; torchvision
    counts 143,678,248 without them.
    """
    return _vgg("vgg19_bn", input_shape, classes, classifier_activation, weights, alpha,
                dropout)  # fmt: skip


def vgg_features(images, variant="vgg16", output_stride=32, alpha=1.0):
    """Maps images to {"C1": ..., "C5": ...}, the last maps at strides 2 to 32.

    At alpha 1.0 they have 128, 256, 512, 512 and 512 channels. C1 to C4 are the blocks
    2 to 5 of convolutions (C4 is the paper's conv5), C5 is the last pooling.

    Args:
        images: (batch, height, width, channels).
        variant: name of a builder of this file, such as "vgg16" or "vgg16_bn".
        output_stride: 32, 16 or 8: the last poolings keep the size of the maps, and
            kernels behind them are dilated, so that they see the same pixels.
        alpha: as for `vgg16`.
    """
    (stride4, dilation4), (stride5, _) = strides_and_dilations(output_stride)
    pool_strides = {1: 2, 2: 2, 3: 2, 4: stride4, 5: stride5}
    name = variant.removesuffix("_bn")
    if name not in REPEATS:
        raise ValueError(
            f"no variant {variant!r}; known: {', '.join(REPEATS)}, each also with _bn"
        )
    features, x = {}, subtract_mean(images, CAFFE_MEAN)
    for block, (repeats, filters) in enumerate(zip(REPEATS[name], FILTERS), start=1):
        dilation = dilation4 if block == 5 else 1
        for i in range(1, repeats + 1):
            x = _conv(x, int(alpha * filters), dilation, variant != name,
                      name=f"block{block}_conv{i}")  # fmt: skip
        features[f"C{block - 1}"] = x
        if dilation > 1:  # the window's last row and column at the border
            x = layers.ZeroPadding2D(((0, dilation), (0, dilation)), name="pad5")(x)
        strides = pool_strides[block]
        x = max_pool(x, 2, strides, dilation, f"block{block}_pool",
                     padding="same" if strides == 1 else "valid")  # fmt: skip
    del features["C0"]
    return features | {"C5": x}


def _vgg(variant, input_shape, classes, classifier_activation, weights, alpha, dropout):
    images = image_input(input_shape, minimum=32)
    x = vgg_features(images, variant, alpha=alpha)["C5"]
    x = dense_head(x, classes, classifier_activation, alpha, dropout)
    model = keras.Model(images, x, name=variant)
    published = variant in IMAGENET_MD5
    load_weights(
        model,
        weights,
        (lambda: _imagenet_file(variant, input_shape, alpha)) if published else None,
        from_caffe,
    )
    return model


def _conv(x, filters, dilation, with_batch_norm, name):
    x = layers.Conv2D(
        filters,
        3,
        padding="same",
        dilation_rate=dilation,
        activation=None if with_batch_norm else "relu",
        kernel_initializer="he_normal",
        name=name,
    )(x)
    if not with_batch_norm:
        return x
    x = batch_norm(f"{name}_bn")(x)
    return layers.ReLU(name=f"{name}_relu")(x)


def _imagenet_file(variant, input_shape, alpha):
    """Returns (URL, hash); the hidden layers fit one size of image only."""
    if tuple(input_shape) != (224, 224, 3) or alpha != 1:
        raise ValueError(
            f"no imagenet weights for {variant} with input_shape {tuple(input_shape)} "
            f"and alpha {alpha}; published: (224, 224, 3) and 1.0"
        )
    return IMAGENET_URL.format(name=variant), IMAGENET_MD5[variant]

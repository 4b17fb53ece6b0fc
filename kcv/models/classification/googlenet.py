"""GoogLeNet (Inception-v1): nine modules of parallel convolutions.

Paper: C. Szegedy et al., "Going Deeper with Convolutions", 2014,
https://arxiv.org/abs/1409.4842

Differs from the paper: the constants of local response normalisation, which it does not
give, are AlexNet's. Its Table 1 prints 2.7K parameters for the 7x7 convolution; 7 * 7 *
3 * 64 weights are 9,408.
"""

import keras
from keras import layers

from kcv.layers.local_response_norm import LocalResponseNorm
from kcv.models.image_input import image_input
from kcv.models.output_stride import strides_and_dilations
from kcv.models.weights import load_weights

# Table 1, filters of one module a row: 1x1, (reduction before 3x3, 3x3),
# (reduction before 5x5, 5x5), projection behind the pooling.
MODULES = {
    "3a": (64, (96, 128), (16, 32), 32),
    "3b": (128, (128, 192), (32, 96), 64),
    "4a": (192, (96, 208), (16, 48), 64),
    "4b": (160, (112, 224), (24, 64), 64),
    "4c": (128, (128, 256), (24, 64), 64),
    "4d": (112, (144, 288), (32, 64), 64),
    "4e": (256, (160, 320), (32, 128), 128),
    "5a": (256, (160, 320), (32, 128), 128),
    "5b": (384, (192, 384), (48, 128), 128),
}

# Section 5: the heads that help to train, and their share of the loss.
AUXILIARY_MODULES = {"auxiliary_1": "4a", "auxiliary_2": "4d"}
LOSS_WEIGHTS = {"predictions": 1.0, "auxiliary_1": 0.3, "auxiliary_2": 0.3}


def googlenet(
    input_shape=(224, 224, 3),
    classes=1000,
    classifier_activation="softmax",
    weights=None,
    auxiliary=False,
    dropout=0.4,
):
    """Builds the GoogLeNet classifier.

    Args:
        input_shape: (height, width, channels) of one image, at least 32x32, and 65x65
            with auxiliary heads.
        classes: size of the last layer, and of that of the auxiliary heads.
        classifier_activation: "softmax" for probabilities, None for logits.
        weights: None or the path of a weight file; see `load_weights`. A file of the
            model with auxiliary heads serves the one without, at the same input size,
            and the other way round, where the heads keep their random start.
        auxiliary: whether to build the model for training, with two more classifiers;
            their losses count as in LOSS_WEIGHTS.
        dropout: share of the pooled features dropped while training.

    Returns:
        A model from images, float32 (batch, height, width, channels) in [-1, 1], to
        float32 (batch, classes); with auxiliary heads to a dict of three of them,
        "predictions", "auxiliary_1" and "auxiliary_2".

    Parameters with 1000 classes: 6,998,552; with auxiliary heads, at 224x224,
    13,378,280.
    """
    images = image_input(input_shape, minimum=65 if auxiliary else 32)
    maps = _maps(images)
    x = layers.GlobalAveragePooling2D(name="pool")(maps["5b"])
    x = layers.Dropout(dropout, name="dropout")(x)
    x = layers.Dense(classes, activation=classifier_activation, name="predictions")(x)
    plain = keras.Model(images, x, name="googlenet")
    if min(input_shape[:2]) < 65:  # too small for the pooling of a head
        load_weights(plain, weights)
        return plain
    outputs = {"predictions": x} | {
        name: _auxiliary_head(maps[module], classes, classifier_activation, name)
        for name, module in AUXILIARY_MODULES.items()
    }
    training = keras.Model(images, outputs, name="googlenet")
    model, other = (training, plain) if auxiliary else (plain, training)
    load_weights_of_either(model, other, weights)
    return model


def googlenet_features(images, output_stride=32):
    """Maps images to {"C1": ..., "C5": ...}, the last maps at strides 2 to 32.

    They have 64, 192, 480, 832 and 1024 channels. With output stride 16 or 8 the last
    ones stay at that stride and the convolutions behind it, not the pooling, dilate.
    """
    maps = _maps(images, output_stride)
    names = {"C1": "conv1", "C2": "conv2", "C3": "3b", "C4": "4e", "C5": "5b"}
    return {level: maps[name] for level, name in names.items()}


def load_weights_of_either(model, other, weights, imagenet_file=None):
    """Loads weights into a model, from a file of it or of one that shares its layers.

    Args:
        model: the model.
        other: one with more or fewer heads on the same body.
        weights: as for `load_weights`.
        imagenet_file: as for `load_weights`.

    Raises:
        ValueError: if the file fits neither; it tells of `model`.
    """
    try:
        load_weights(model, weights, imagenet_file)
    except ValueError as error:
        try:
            load_weights(other, weights, imagenet_file)
        except ValueError:
            raise error from None


def _maps(images, output_stride=32):
    """The last map of the two convolutions of the stem and of every module, by name."""
    levels = dict(zip("45", strides_and_dilations(output_stride)))
    conv1 = x = _conv(images, 64, 7, strides=2, name="conv1")
    x = layers.MaxPooling2D(3, 2, padding="same", name="pool1")(x)
    x = LocalResponseNorm(name="norm1")(x)
    x = _conv(x, 64, 1, name="conv2_reduce")
    conv2 = x = _conv(x, 192, 3, name="conv2")
    x = LocalResponseNorm(name="norm2")(x)
    maps, level = {"conv1": conv1, "conv2": conv2}, "2"
    for name, filters in MODULES.items():
        strides, dilation = levels.get(name[0], (2, 1))
        if name[0] != level:
            level = name[0]
            pool = layers.MaxPooling2D(3, strides, padding="same", name=f"pool{level}")
            x = pool(x)
        x = maps[name] = _inception(x, *filters, dilation, name=f"inception_{name}")
    return maps


def _inception(x, f1x1, f3x3, f5x5, projection, dilation, name):
    """Figure 2b: four branches side by side."""
    pool = layers.MaxPooling2D(3, 1, padding="same", name=f"{name}_pool")(x)
    y3x3 = _conv(x, f3x3[0], 1, name=f"{name}_3x3_reduce")
    y5x5 = _conv(x, f5x5[0], 1, name=f"{name}_5x5_reduce")
    branches = [
        _conv(x, f1x1, 1, name=f"{name}_1x1"),
        _conv(y3x3, f3x3[1], 3, dilation=dilation, name=f"{name}_3x3"),
        _conv(y5x5, f5x5[1], 5, dilation=dilation, name=f"{name}_5x5"),
        _conv(pool, projection, 1, name=f"{name}_projection"),
    ]
    return layers.Concatenate(name=name)(branches)


def _auxiliary_head(x, classes, activation, name):
    """Section 5: pooling, 1x1 convolution, two dense layers, 70% dropout."""
    x = layers.AveragePooling2D(5, 3, name=f"{name}_pool")(x)
    x = _conv(x, 128, 1, name=f"{name}_conv")
    x = layers.Flatten(name=f"{name}_flatten")(x)
    x = layers.Dense(1024, activation="relu", name=f"{name}_dense")(x)
    x = layers.Dropout(0.7, name=f"{name}_dropout")(x)
    return layers.Dense(classes, activation=activation, name=f"{name}_predictions")(x)


def _conv(x, filters, kernel_size, strides=1, dilation=1, *, name):
    return layers.Conv2D(
        filters,
        kernel_size,
        strides,
        padding="same",
        dilation_rate=dilation,
        activation="relu",
        name=name,
    )(x)

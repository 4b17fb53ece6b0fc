"""Classification and localisation: one body, a class head and a box head.

Paper: P. Sermanet et al., "OverFeat: Integrated Recognition, Localization and Detection
using Convolutional Networks", 2014, section 4, https://arxiv.org/abs/1312.6229

Differs from the paper: the body is MobileNetV1's; the box head has one hidden layer,
after a linear 1x1 convolution, for all classes; both heads train together.
"""

import keras
from keras import layers

from kcv.models.classification.mobilenet_v1 import mobilenet_v1_features
from kcv.models.image_input import image_input
from kcv.models.weights import load_weights


def localiser(
    input_shape=(224, 224, 3),
    classes=1000,
    classifier_activation="softmax",
    weights=None,
    alpha=1.0,
    dropout=1e-3,
):
    """Builds a network for pictures with one thing in them.

    Args:
        input_shape: (height, width, channels) of one image, at least 32x32.
        classes: number of classes.
        classifier_activation: "softmax" for probabilities, None for logits.
        weights: None or the path of a weight file; see `load_weights`.
        alpha: width multiplier of the body.
        dropout: share of the pooled features dropped while training.

    Returns:
        A model from images, float32 (batch, height, width, channels) in [-1, 1], to
        {"boxes": float32 (batch, 4), x1, y1, x2, y2 in pixels of the input,
        "predictions": float32 (batch, classes)}. `kcv.losses.localisation` trains both.

    Parameters with 1000 classes, batch statistics included: 4,488,012 at the defaults.
    """
    images = image_input(input_shape, minimum=32)
    maps = mobilenet_v1_features(images, alpha)["C5"]
    boxes = _box_head(maps, input_shape)
    x = layers.GlobalAveragePooling2D(name="pool")(maps)
    x = layers.Dropout(dropout, name="dropout")(x)
    x = layers.Dense(classes, activation=classifier_activation, name="predictions")(x)
    model = keras.Model(images, {"boxes": boxes, "predictions": x}, name="localiser")
    load_weights(model, weights)
    return model


def _box_head(maps, input_shape):
    """Not pooled: where something is, is what pooling takes away."""
    height, width, _ = input_shape
    # Linear: with a ReLU here nine in ten of the maps ended up silent.
    x = layers.Conv2D(32, 1, name="box_maps")(maps)
    x = layers.Flatten(name="box_flatten")(x)
    x = layers.Dense(128, activation="relu", name="box_hidden")(x)
    # It starts near the middle half of the picture, in its sides.
    middle = keras.initializers.Constant([0.25, 0.25, 0.75, 0.75])
    x = layers.Dense(4, bias_initializer=middle, name="box_sides")(x)
    return layers.Rescaling([width, height, width, height], name="boxes")(x)

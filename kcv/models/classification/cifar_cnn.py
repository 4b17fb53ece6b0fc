"""The small CIFAR-10 network on raw pixels: two pairs of convolutions, one dense layer.

Source: the example `cifar10_cnn.py` of Keras 1 and 2, 2015,
https://github.com/keras-team/keras/blob/2.3.1/examples/cifar10_cnn.py, after the
layers of A. Krizhevsky's cuda-convnet; there is no paper.

Differs from the source: nothing in the network.
"""

import keras
from keras import layers

from kcv.models.image_input import image_input
from kcv.models.weights import load_weights


def cifar_cnn(
    input_shape=(32, 32, 3), classes=10, classifier_activation="softmax", weights=None
):
    """Builds the network.

    Args:
        input_shape: (height, width, channels) of one image, at least 10x10.
        classes: size of the last layer.
        classifier_activation: "softmax" for probabilities, None for logits.
        weights: None or the path of a weight file; see `load_weights`.

    Returns:
        A model from images, float32 (batch, height, width, channels) in [0, 1], to
        float32 (batch, classes). It has 1,250,858 parameters at the defaults.
    """
    images = image_input(input_shape, minimum=10)
    x = cifar_cnn_features(images)["C2"]
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(512, activation="relu", name="hidden")(x)
    x = layers.Dropout(0.5, name="hidden_dropout")(x)
    x = layers.Dense(classes, activation=classifier_activation, name="predictions")(x)
    model = keras.Model(images, x, name="cifar_cnn")
    load_weights(model, weights)
    return model


def cifar_cnn_features(images):
    """Maps images to {"C1": ..., "C2": ...}: 32 and 64 maps at strides 2 and 4."""
    c1 = _conv_conv_pool(images, 32, name="block1")
    return {"C1": c1, "C2": _conv_conv_pool(c1, 64, name="block2")}


def _conv_conv_pool(x, filters, name):
    x = layers.Conv2D(
        filters, 3, padding="same", activation="relu", name=f"{name}_conv1"
    )(x)
    x = layers.Conv2D(filters, 3, activation="relu", name=f"{name}_conv2")(x)
    x = layers.MaxPooling2D(2, name=f"{name}_pool")(x)
    return layers.Dropout(0.25, name=f"{name}_dropout")(x)

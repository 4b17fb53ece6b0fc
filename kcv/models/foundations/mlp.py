"""Multi-layer perceptron: dense layers trained by back-propagation.

Paper: D. Rumelhart, G. Hinton, R. Williams, "Learning representations by
back-propagating errors", 1986, https://doi.org/10.1038/323533a0

Differs from the paper: ReLU and softmax in place of logistic units, unless asked for.
"""

import keras
from keras import layers

from kcv.models.image_input import image_input
from kcv.models.weights import load_weights


def mlp(
    input_shape=(8, 8, 1),
    classes=10,
    classifier_activation="softmax",
    weights=None,
    hidden=(128, 64),
    activation="relu",
):
    """Builds a stack of dense layers on flattened images.

    Args:
        input_shape: (height, width, channels) of one image.
        classes: size of the last layer.
        classifier_activation: "softmax" for probabilities, None for logits.
        weights: None or the path of a weight file; see `load_weights`.
        hidden: units of each hidden layer.
        activation: of the hidden layers, "sigmoid" for the paper's, None for linear.

    Returns:
        A model from images, float32 (batch, height, width, channels) in [0, 1], to
        float32 (batch, classes). It has 17,226 parameters at the defaults.
    """
    images = image_input(input_shape)
    x = layers.Flatten(name="flatten")(images)
    for i, units in enumerate(hidden, start=1):
        x = layers.Dense(units, activation=activation, name=f"hidden{i}")(x)
    x = layers.Dense(classes, activation=classifier_activation, name="predictions")(x)
    model = keras.Model(images, x, name="mlp")
    load_weights(model, weights)
    return model

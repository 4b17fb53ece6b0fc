"""Perceptron: one layer of weights that learns from its mistakes alone.

Paper: F. Rosenblatt, "The perceptron: a probabilistic model for information storage
and organization in the brain", 1958, https://doi.org/10.1037/h0042519

Differs from the paper: one output for each class, of which the largest wins, in place
of a response that is on or off; for two classes the difference of the two outputs is
it. The model has a softmax, so that the ordinary training loop can train it, too.
"""

from typing import NamedTuple

import keras
import numpy as np
from keras import layers

from kcv.models.image_input import image_input
from kcv.models.weights import load_weights


def perceptron(
    input_shape=(8, 8, 1), classes=10, classifier_activation="softmax", weights=None
):
    """Builds a single dense layer on flattened images.

    Args:
        input_shape: (height, width, channels) of one image.
        classes: size of the only layer.
        classifier_activation: "softmax" for probabilities, None for logits.
        weights: None or the path of a weight file; see `load_weights`.

    Returns:
        A model from images, float32 (batch, height, width, channels) in [0, 1], to
        float32 (batch, classes). It has 650 parameters at the defaults.
    """
    images = image_input(input_shape)
    x = layers.Flatten(name="flatten")(images)
    x = layers.Dense(classes, activation=classifier_activation, name="predictions")(x)
    model = keras.Model(images, x, name="perceptron")
    load_weights(model, weights)
    return model


class Perceptron(NamedTuple):
    """What `learn_from_mistakes` found."""

    kernel: np.ndarray  # (features, classes), float64
    bias: np.ndarray  # (classes,)
    converged: bool  # a whole epoch passed without a mistake
    reason: str  # why it stopped, in words
    mistakes: tuple[int, ...]  # in each epoch


def learn_from_mistakes(inputs, labels, classes=2, max_epochs=100):
    """Trains by the perceptron rule: change the weights on a mistake, else never.

    On a mistake the input is added to the weights of its class and subtracted from
    those of the class that won (the bias sees an input of 1). The examples come in
    their order. On linearly separable data the number of mistakes is at most
    (R / margin)^2 (A. Novikoff, 1962), so the rule ends. On other data it cannot end,
    and where the weights come back to what an earlier epoch ended with (as integers
    must, being bounded: H. Block and S. Levin, 1970), that has been proven: the same
    epochs will follow for ever.
    `model.get_layer("predictions").set_weights([kernel, bias])` puts the result into
    a `perceptron`.

    Args:
        inputs: float (examples, ...); all axes but the first are flattened.
        labels: int (examples,) in [0, classes).
        classes: number of classes.
        max_epochs: passes over the examples after which to give up.

    Returns:
        A `Perceptron`.

    Raises:
        ValueError: if a label is outside [0, classes) or lengths differ.
    """
    inputs = np.asarray(inputs, "float64").reshape(len(inputs), -1)
    labels = np.asarray(labels)
    if labels.shape != (len(inputs),):
        raise ValueError(f"{len(inputs)} inputs but labels of shape {labels.shape}")
    if len(labels) and not 0 <= labels.min() <= labels.max() < classes:
        raise ValueError(
            f"labels must be in [0, {classes}), got {labels.min()} to {labels.max()}"
        )
    inputs = np.pad(inputs, ((0, 0), (0, 1)), constant_values=1)  # for the bias
    weights = np.zeros((inputs.shape[1], classes))
    seen, mistakes = {weights.tobytes(): 0}, []
    for epoch in range(1, max_epochs + 1):
        mistakes.append(_one_epoch(weights, inputs, labels))
        if mistakes[-1] == 0:
            reason = f"no mistake in epoch {epoch}: these weights separate the classes"
            return Perceptron(weights[:-1], weights[-1], True, reason, tuple(mistakes))
        earlier = seen.setdefault(weights.tobytes(), epoch)
        if earlier != epoch:
            reason = (
                f"the weights after epoch {epoch} are those after epoch {earlier}: the "
                "rule goes round for ever, the classes are not linearly separable"
            )
            break
    else:
        reason = (
            f"still mistakes after {max_epochs} epochs: the classes are not linearly "
            "separable, or their margin is too small for so few epochs"
        )
    return Perceptron(weights[:-1], weights[-1], False, reason, tuple(mistakes))


def _one_epoch(weights, inputs, labels):
    """Updates weights in place, returns the number of mistakes; a tie is a mistake."""
    mistakes = 0
    for x, label in zip(inputs, labels):
        scores = x @ weights
        rivals = scores.copy()
        rivals[label] = -np.inf
        rival = rivals.argmax()
        if scores[label] <= scores[rival]:
            weights[:, label] += x
            weights[:, rival] -= x
            mistakes += 1
    return mistakes

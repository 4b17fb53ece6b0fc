"""What the claims about networks share: models used again, noise and small networks."""

import functools

import keras
import numpy as np
from keras import layers

from kcv.tools.claims import digits_runs

MOMENTUM, RATE = 0.9, 0.1  # of the papers on residual networks
STEPS, BATCH_SIZE, LAST = 120, 64, 20


def fresh(seed, build, optimizer, *arguments):
    """Returns a compiled model with initial weights of the seed.

    It is one model for the same arguments, set back: to trace the training step of 56
    layers takes longer than to train them here.

    Args:
        seed: of the initial weights.
        build: function of `arguments` that builds the model.
        optimizer: function without arguments that makes its optimiser.
        *arguments: hashable.
    """
    model = _compiled(build, optimizer, *arguments)
    keras.utils.set_random_seed(seed)
    model.set_weights(build(*arguments).get_weights())
    forget(model)
    return model


@functools.cache
def _compiled(build, optimizer, *arguments):
    return digits_runs.compiled(build(*arguments), optimizer())


def forget(model):
    """Sets the state of the optimiser to zero, not its rate."""
    optimizer = model.optimizer
    optimizer.build(model.trainable_variables)
    for variable in optimizer.variables:
        if variable is not optimizer.learning_rate:
            variable.assign(np.zeros(variable.shape, variable.dtype))


def residual_optimizer():
    """SGD with the momentum and the rate of the residual networks' papers."""
    return keras.optimizers.SGD(RATE, momentum=MOMENTUM)


def residual_run(model, images, labels, seed, steps=STEPS):
    """Trains as the papers on residual networks do, in few steps.

    The rate is 0.1 and a tenth of that in the last quarter.

    Returns:
        The errors of the batches, in [0, 1], one a step.
    """
    model.optimizer.learning_rate.assign(RATE)

    def each(step, loss):
        if step == steps * 3 // 4:
            model.optimizer.learning_rate.assign(RATE / 10)
        return 1 - float(model.get_metrics_result()["accuracy"])

    return digits_runs.train(model, images, labels, steps, BATCH_SIZE, seed, each)


def small_cnn(size=8, classes=10):
    """Two convolutions with pooling, then one dense layer."""
    images = keras.Input((size, size, 1), name="images")
    x = images
    for i, filters in enumerate((16, 32), start=1):
        x = layers.Conv2D(filters, 3, padding="same", activation="relu",
                          name=f"conv{i}")(x)  # fmt: skip
        x = layers.MaxPooling2D(2, name=f"pool{i}")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(classes, activation="softmax", name="predictions")(x)
    return keras.Model(images, x, name="small_cnn")


def unpadded_lenet(size):
    """LeNet-5 with ReLU and largest values pooled; no layer pads.

    Args:
        size: height and width of the digits, 32 in the paper.
    """
    images = keras.Input((size, size, 1), name="images")
    x = images
    for i, filters in enumerate((6, 16), start=1):
        x = layers.Conv2D(filters, 5, activation="relu", name=f"conv{i}")(x)
        x = layers.MaxPooling2D(2, name=f"pool{i}")(x)
    x = layers.Flatten(name="flatten")(x)
    for units in (120, 84):
        x = layers.Dense(units, activation="relu", name=f"dense{units}")(x)
    x = layers.Dense(10, activation="softmax", name="predictions")(x)
    return keras.Model(images, x, name="unpadded_lenet")


def adam():
    """Adam at its usual rate."""
    return keras.optimizers.Adam(1e-3)


def smoothed(values, window=10):
    """Means of `window` neighbouring values, a list as long less window - 1."""
    return np.convolve(values, np.full(window, 1 / window), "valid").tolist()

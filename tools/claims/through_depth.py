"""Deep stacks of dense layers at their initialisation, seen from both ends."""

import keras
import numpy as np
import tensorflow as tf

from kcv.models.foundations.mlp import mlp
from kcv.tools.claims import digits_runs


def deep_mlp(activation, initializer, depth, width, seed):
    """Builds an MLP whose hidden kernels come from an initializer.

    Args:
        activation: of the hidden layers, "tanh" for example.
        initializer: class of `keras.initializers`, which takes a seed.
        depth: number of hidden layers.
        width: units of each.
        seed: of all weights.
    """
    arguments = {"hidden": (width,) * depth, "activation": activation}
    model = digits_runs.seeded(mlp, seed, **arguments)
    for i, layer in enumerate(hidden_layers(model)):
        # Another seed for each layer: equal kernels would be one map many times.
        kernel = initializer(seed=1000 * seed + i)(layer.kernel.shape)
        layer.kernel.assign(kernel)
    return model


def hidden_layers(model):
    """The hidden layers of an `mlp`, from the images on."""
    return [layer for layer in model.layers if layer.name.startswith("hidden")]


def signals(model, images, labels):
    """What a batch sends through the hidden layers, forwards and backwards.

    Args:
        model: an `mlp` with softmax.
        images: float32 (n, 8, 8, 1).
        labels: int (n,).

    Returns:
        Three arrays, float64 (depth,): mean square of the outputs of each hidden
        layer, that of the loss's gradient for these outputs, and the norm of its
        gradient for the kernel.
    """
    hidden = hidden_layers(model)
    outputs = [layer.output for layer in hidden]
    seen = keras.Model(model.inputs, [*outputs, model.output])
    kernels = [layer.kernel.value for layer in hidden]
    with tf.GradientTape() as tape:
        *outputs, answers = seen(tf.convert_to_tensor(images))
        losses = keras.losses.sparse_categorical_crossentropy(labels, answers)
        loss = tf.reduce_mean(losses)
    gradients = tape.gradient(loss, [*outputs, *kernels])
    backwards, of_kernels = gradients[: len(hidden)], gradients[len(hidden) :]
    return (
        np.array([_mean_square(value) for value in outputs]),
        np.array([_mean_square(value) for value in backwards]),
        np.array(
            [np.linalg.norm(value.numpy().astype("float64")) for value in of_kernels]
        ),
    )


def _mean_square(values):
    return np.square(values.numpy().astype("float64")).mean()
